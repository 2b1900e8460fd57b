"""The application's chart, rendered without a cluster."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest
import yaml

from ..support.playbooks import ROOT

CHART = ROOT / "roles/restaurant_app/files/chart"
HELM = os.environ.get("SERVICE_MESH_TEST_HELM", "helm")
NAMESPACE = "restaurant-management"
GATEWAY = "cluster.local/ns/istio-system/sa/istio-ingressgateway"
MESH_GROUPS = ("networking.istio.io", "security.istio.io")

PORTS = {
    "api-gateway": 8000,
    "order-service": 8001,
    "restaurant-service": 8002,
    "menu-service": 8003,
    "auth-service": 8004,
    "notification-service": 8005,
    "frontend": 80,
}
CALLERS = {
    "frontend": ["gateway"],
    "api-gateway": ["gateway", "frontend"],
    "order-service": ["api-gateway"],
    "auth-service": ["api-gateway"],
    "restaurant-service": ["api-gateway", "order-service"],
    "menu-service": ["api-gateway", "order-service"],
    "notification-service": ["api-gateway", "order-service"],
}
# What the inventories of the environments come to.
ENVIRONMENTS: dict[str, dict[str, Any]] = {
    "production": {
        "image": {"registry": "mirror.example.com:5000", "tag": "sha256:" + "a" * 64, "pullSecrets": ["pull"]}
    },
    "staging": {"istio": {"gateway": {"tls": {"credentialName": "restaurant-tls-cert"}}}},
    "development": {
        "istio": {"enabled": False},
        "defaults": {"replicas": 1, "autoscaling": {"enabled": False}},
    },
}

Objects = dict[tuple[str, str], dict[str, Any]]


def template(values: dict[str, Any], kubernetes: str = "1.36.0") -> subprocess.CompletedProcess[str]:
    command = [HELM, "template", "restaurant-app", str(CHART), "--namespace", NAMESPACE, "--values", "-"]
    command += ["--kube-version", kubernetes]
    return subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False)


def render(values: dict[str, Any] | None = None, kubernetes: str = "1.36.0") -> Objects:
    done = template(values or {}, kubernetes)
    assert done.returncode == 0, done.stderr
    objects = [item for item in yaml.safe_load_all(done.stdout) if item]
    found = {(item["kind"], item["metadata"]["name"]): item for item in objects}
    assert len(found) == len(objects)
    return found


def refusal(values: dict[str, Any]) -> str:
    done = template(values)
    assert done.returncode != 0, done.stdout
    return done.stderr


def pod_of(objects: Objects, service: str) -> dict[str, Any]:
    pod: dict[str, Any] = objects["Deployment", service]["spec"]["template"]
    return pod


def test_lint() -> None:
    done = subprocess.run([HELM, "lint", "--strict", str(CHART)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_each_environment_has_every_service(environment: str) -> None:
    objects = render(ENVIRONMENTS[environment])
    for service, port in PORTS.items():
        (served,) = objects["Service", service]["spec"]["ports"]
        assert (served["port"], served["targetPort"]) == (port, "http")
        assert objects["Service", service]["spec"]["selector"] == {"app": service}
        deployment = objects["Deployment", service]["spec"]
        assert deployment["selector"]["matchLabels"] == {"app": service, "version": "v1"}
        assert deployment["template"]["metadata"]["labels"]["version"] == "v1"
        for kind in ("ServiceAccount", "ConfigMap", "PodDisruptionBudget", "NetworkPolicy"):
            assert (kind, service) in objects


def test_each_service_has_a_slot_for_its_next_version() -> None:
    objects = render()
    for service in PORTS:
        stable, idle = objects["Deployment", service], objects["Deployment", f"{service}-v2"]
        assert (stable["spec"]["replicas"], idle["spec"]["replicas"]) == (2, 0)
        assert idle["spec"]["selector"]["matchLabels"] == {"app": service, "version": "v2"}
        assert idle["spec"]["template"]["metadata"]["labels"]["version"] == "v2"
        for deployment in (stable, idle):
            assert deployment["metadata"]["annotations"] == {
                "canary.service-mesh.corpv3.com/declared-image": f"corpv3/{service}:1.0.0",
                "canary.service-mesh.corpv3.com/image": "",
                "service-mesh.corpv3.com/keeps-canaries": "true",
            }
            for constraint in deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]:
                assert constraint["labelSelector"]["matchLabels"] == deployment["spec"]["selector"]["matchLabels"]
        assert objects["PodDisruptionBudget", service]["spec"]["selector"] == {"matchLabels": {"app": service}}
        scaler = objects["HorizontalPodAutoscaler", service]["spec"]
        assert (scaler["scaleTargetRef"]["name"], scaler["minReplicas"]) == (service, 2)


@pytest.mark.parametrize(
    ("own", "pods", "scaled"),
    [
        ({"weights": {"v1": 0, "v2": 100}}, {"order-service": 0, "order-service-v2": 2}, "order-service-v2"),
        # No slot gets traffic without pods to take it.
        ({"weights": {"v1": 90, "v2": 10}}, {"order-service": 2, "order-service-v2": 2}, "order-service"),
        (
            {"version": "v2", "weights": {"v1": 0, "v2": 100}},
            {"order-service": 2, "order-service-v1": 0},
            "order-service",
        ),
    ],
)
def test_the_slots_with_weight_have_pods(own: dict[str, Any], pods: dict[str, int], scaled: str) -> None:
    objects = render({"services": {"order-service": own}})
    found = {name: objects["Deployment", name]["spec"]["replicas"] for name in pods}
    assert found == pods
    assert objects["HorizontalPodAutoscaler", "order-service"]["spec"]["scaleTargetRef"]["name"] == scaled


def test_without_the_mesh_nothing_of_it_is_left() -> None:
    objects = render(ENVIRONMENTS["development"])
    assert not [item for item in objects.values() if item["apiVersion"].startswith(MESH_GROUPS)]
    for service in PORTS:
        annotations = pod_of(objects, service)["metadata"]["annotations"]
        assert not [name for name in annotations if "istio" in name]
        assert objects["Deployment", service]["spec"]["replicas"] == 1
        assert ("Deployment", f"{service}-v2") not in objects
        assert ("HorizontalPodAutoscaler", service) not in objects


def test_the_documents_traffic_figures() -> None:
    objects = render()
    api, frontend = objects["VirtualService", "restaurant"]["spec"]["http"]
    assert (api["name"], api["timeout"]) == ("api", "30s")
    assert api["retries"] == {
        "attempts": 3,
        "perTryTimeout": "10s",
        "retryOn": "5xx,reset,connect-failure,refused-stream",
    }
    assert frontend["name"] == "frontend"
    assert "timeout" not in frontend
    assert "retries" not in frontend
    (order,) = objects["VirtualService", "order-service"]["spec"]["http"]
    assert (order["name"], order["timeout"]) == ("primary", "15s")
    assert order["retries"] == {"attempts": 3, "perTryTimeout": "5s"}
    for service in PORTS:
        (route,) = objects["VirtualService", service]["spec"]["http"]
        assert [(to["destination"]["subset"], to["weight"]) for to in route["route"]] == [("v1", 100), ("v2", 0)]
        rule = objects["DestinationRule", service]["spec"]
        assert rule["trafficPolicy"] == {
            "loadBalancer": {"simple": "LEAST_REQUEST"},
            "connectionPool": {
                "tcp": {"maxConnections": 100},
                "http": {"http1MaxPendingRequests": 50, "http2MaxRequests": 100},
            },
            "outlierDetection": {
                "consecutive5xxErrors": 5,
                "interval": "30s",
                "baseEjectionTime": "30s",
                "maxEjectionPercent": 50,
                "minHealthPercent": 50,
            },
        }
        assert [(subset["name"], subset["labels"]) for subset in rule["subsets"]] == [
            ("v1", {"version": "v1"}),
            ("v2", {"version": "v2"}),
        ]
    assert objects["PeerAuthentication", "default"]["spec"] == {"mtls": {"mode": "STRICT"}}


def test_only_the_callers_of_the_call_graph_are_let_in() -> None:
    objects = render()
    assert objects["AuthorizationPolicy", "default-deny"]["spec"] == {}
    for service, callers in CALLERS.items():
        policy = objects["AuthorizationPolicy", service]["spec"]
        assert (policy["action"], policy["selector"]) == ("ALLOW", {"matchLabels": {"app": service}})
        (rule,) = policy["rules"]
        names = [GATEWAY if name == "gateway" else f"cluster.local/ns/{NAMESPACE}/sa/{name}" for name in callers]
        assert sorted(rule["from"][0]["source"]["principals"]) == sorted(names)
        allowed = objects["NetworkPolicy", service]["spec"]["ingress"][0]
        pods = [
            value
            for peer in allowed["from"]
            if "namespaceSelector" not in peer
            for value in peer["podSelector"]["matchExpressions"][0]["values"]
        ]
        assert sorted(pods) == sorted(set(callers) - {"gateway"})
    assert objects["NetworkPolicy", "default-deny"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_names_may_be_asked_of_any_address() -> None:
    """A pod of kube-system on most clusters, of openshift-dns at 5353; the node on EKS Auto Mode; Cloud DNS on GKE."""
    ports = [{"protocol": protocol, "port": port} for port in (53, 5353) for protocol in ("UDP", "TCP")]
    assert {"ports": ports} in render()["NetworkPolicy", "restaurant-app"]["spec"]["egress"]
    peers = [{"ipBlock": {"cidr": "169.254.20.10/32"}}]
    objects = render({"networkPolicy": {"dns": peers}})
    assert {"ports": ports, "to": peers} in objects["NetworkPolicy", "restaurant-app"]["spec"]["egress"]
    refused = template({"networkPolicy": {"dns": ["kube-system"]}})
    assert refused.returncode != 0
    assert "/networkPolicy/dns/0" in refused.stderr


def test_the_policies_follow_the_namespaces_of_istiod_and_of_observability() -> None:
    objects = render({"istio": {"namespace": "mesh"}, "observability": {"namespace": "watch"}})
    policy = objects["NetworkPolicy", "restaurant-app"]["spec"]
    reached = {
        (peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"], port["port"])
        for rule in policy["egress"]
        for peer in rule.get("to", [])
        for port in rule["ports"]
    }
    assert {("mesh", 15012), ("watch", 4317), ("watch", 4318), ("watch", 9411)} <= reached
    assert not reached & {("mesh", 4317), ("mesh", 9411), ("watch", 15012)}
    (scrapes,) = policy["ingress"]
    assert "watch" in json.dumps(scrapes["from"])


def test_a_credential_serves_https_and_redirects_http() -> None:
    plain, *none = render()["Gateway", "restaurant-gateway"]["spec"]["servers"]
    assert "tls" not in plain
    assert not none
    http, https = render(ENVIRONMENTS["staging"])["Gateway", "restaurant-gateway"]["spec"]["servers"]
    assert http["tls"] == {"httpsRedirect": True}
    assert https["port"] == {"number": 443, "name": "https", "protocol": "HTTPS"}
    assert https["tls"] == {"mode": "SIMPLE", "credentialName": "restaurant-tls-cert"}
    assert http["hosts"] == https["hosts"] == ["restaurant.corpv3.com", "*.restaurant.corpv3.com"]


def test_images() -> None:
    pod = pod_of(render(ENVIRONMENTS["production"]), "order-service")["spec"]
    digest = ENVIRONMENTS["production"]["image"]["tag"]
    assert pod["containers"][0]["image"] == f"mirror.example.com:5000/corpv3/order-service@{digest}"
    assert pod["imagePullSecrets"] == [{"name": "pull"}]
    own = {"services": {"order-service": {"image": {"repository": "orders/api", "tag": "1.4.2"}}}}
    assert pod_of(render(own), "order-service")["spec"]["containers"][0]["image"] == "orders/api:1.4.2"


def test_secrets_are_only_referred_to() -> None:
    objects = render({"services": {"order-service": {"secrets": ["order-database"]}}})
    assert not [kind for kind, _name in objects if kind == "Secret"]
    container = pod_of(objects, "order-service")["spec"]["containers"][0]
    assert {"secretRef": {"name": "order-database"}} in container["envFrom"]


@pytest.mark.parametrize(
    ("kubernetes", "hook"),
    [("1.29.9", {"exec": {"command": ["sleep", "5"]}}), ("1.30.0", {"sleep": {"seconds": 5}})],
)
def test_the_proxy_outlives_the_application(kubernetes: str, hook: dict[str, Any]) -> None:
    pod = pod_of(render(kubernetes=kubernetes), "order-service")
    assert pod["spec"]["containers"][0]["lifecycle"]["preStop"] == hook
    proxy = yaml.safe_load(pod["metadata"]["annotations"]["proxy.istio.io/config"])
    assert proxy == {
        "holdApplicationUntilProxyStarts": True,
        "proxyMetadata": {"EXIT_ON_ZERO_ACTIVE_CONNECTIONS": "true", "MINIMUM_DRAIN_DURATION": "10s"},
    }
    # The longest request, which the api route lets take 30 s, ends within the grace period.
    assert pod["spec"]["terminationGracePeriodSeconds"] >= 5 + 30


def test_annotations_of_all_pods_and_of_one_service() -> None:
    every, one = {"sidecar.istio.io/statsFlushInterval": "1s"}, {"example.com/owner": "kitchen"}
    values = {"defaults": {"podAnnotations": every}, "services": {"menu-service": {"podAnnotations": one}}}
    rendered = render(values)
    menu, orders = (
        rendered["Deployment", name]["spec"]["template"]["metadata"]["annotations"]
        for name in ("menu-service", "order-service")
    )
    assert every.items() <= orders.items()
    # A service's own key replaces the whole key of the same name.
    assert one.items() <= menu.items()
    assert not every.keys() & menu.keys()
    assert {"checksum/config", "proxy.istio.io/config"} <= orders.keys()


def test_zero_and_false_of_a_service_are_not_taken_for_unset() -> None:
    own = {"weights": {"v1": 0, "v2": 100}, "autoscaling": {"enabled": False}, "replicas": 3}
    objects = render({"services": {"menu-service": own}})
    (route,) = objects["VirtualService", "menu-service"]["spec"]["http"]
    assert [to["weight"] for to in route["route"]] == [0, 100]
    assert ("HorizontalPodAutoscaler", "menu-service") not in objects
    assert objects["Deployment", "menu-service-v2"]["spec"]["replicas"] == 3


def test_retries_can_be_switched_off() -> None:
    api = render({"services": {"api-gateway": {"retries": {"attempts": 0}}}})["VirtualService", "restaurant"]["spec"][
        "http"
    ][0]
    # Istio refuses a route that configures retries and forbids them.
    assert api["retries"] == {"attempts": 0}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"replica": 2}, "'replica' not allowed"),
        ({"services": {"menu-service": {"wieght": {}}}}, "'wieght' not allowed"),
        ({"istio": {"gateway": {"tls": {"credential": "x"}}}}, "'credential' not allowed"),
        ({"defaults": {"replicas": "two"}}, "'/defaults/replicas': got string, want integer"),
        (
            {"services": {"menu-service": {"weights": {"v1": 80, "v2": 10}}}},
            "services.menu-service.weights must sum to 100",
        ),
        ({"services": {"menu-service": {"weights": {"v1": 99.5, "v2": 0.5}}}}, "want integer"),
        ({"services": {"menu-service": {"calls": ["menus"]}}}, 'services.menu-service.calls names "menus"'),
        ({"services": {"menu-service": {"containerPort": 80}}}, "/services/menu-service/containerPort"),
        ({"image": {"tag": "not a tag"}}, "/image/tag"),
        ({"defaults": {"podAnnotations": {"proxy.istio.io/config": "{}"}}}, "proxy.istio.io/config"),
        (
            {"services": {"menu-service-v2": {"port": 8010}}},
            "services.menu-service-v2 has the name of menu-service's Deployment for subset v2",
        ),
    ],
)
def test_refused(values: dict[str, Any], words: str) -> None:
    assert words in refusal(values)
