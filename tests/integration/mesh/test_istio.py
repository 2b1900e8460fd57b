"""roles/istio on the running mesh: the document's figures, and each switch there and back."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from kubernetes import client

from ..support.playbooks import INVENTORY, ISTIO_PREFLIGHT, ROOT, RunPlaybook, play
from ..support.snapshots import Snapshot

NAMESPACE = "istio-system"
SIDECAR_RESOURCES = {"requests": {"cpu": "10m", "memory": "40Mi"}, "limits": {"cpu": "2000m", "memory": "1Gi"}}
# The operators of the document's access log, in its order.
ACCESS_LOG = [
    "%START_TIME%",
    "%REQ(:METHOD)%",
    "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "%PROTOCOL%",
    "%RESPONSE_CODE%",
    "%RESPONSE_FLAGS%",
    "%BYTES_RECEIVED%",
    "%BYTES_SENT%",
    "%DURATION%",
    "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
    "%REQ(X-FORWARDED-FOR)%",
    "%REQ(USER-AGENT)%",
    "%REQ(X-REQUEST-ID)%",
    "%REQ(:AUTHORITY)%",
    "%UPSTREAM_HOST%",
]

own_lab = pytest.mark.skipif(
    bool(INVENTORY), reason="changes the mesh or expects the lab's figures, so only on the tests' own lab"
)


@own_lab
def test_control_plane_has_the_documents_figures(api: client.ApiClient) -> None:
    (container,) = client.AppsV1Api(api).read_namespaced_deployment("istiod", NAMESPACE).spec.template.spec.containers
    assert container.resources.requests == {"cpu": "500m", "memory": "2Gi"}
    assert container.resources.limits == {"cpu": "1", "memory": "4Gi"}
    scaler = client.AutoscalingV2Api(api).read_namespaced_horizontal_pod_autoscaler("istiod", NAMESPACE).spec
    assert (scaler.min_replicas, scaler.max_replicas) == (2, 5)

    core = client.CoreV1Api(api)
    mesh = yaml.safe_load(core.read_namespaced_config_map("istio", NAMESPACE).data["mesh"])
    assert (mesh["accessLogFile"], mesh["accessLogEncoding"]) == ("/dev/stdout", "JSON")
    # Ours comes after the document's: what leads from a line to its trace.
    assert list(json.loads(mesh["accessLogFormat"]).values()) == [*ACCESS_LOG, "%REQ(TRACEPARENT)%"]
    assert mesh["enablePrometheusMerge"] is True
    assert mesh["extensionProviders"] == [
        {
            "name": "jaeger",
            "opentelemetry": {"service": f"jaeger-collector.{NAMESPACE}.svc.cluster.local", "port": 4317},
        }
    ]
    injected = json.loads(core.read_namespaced_config_map("istio-sidecar-injector", NAMESPACE).data["values"])
    assert injected["global"]["proxy"]["resources"] == SIDECAR_RESOURCES


@own_lab
def test_gateway_has_the_documents_figures(api: client.ApiClient) -> None:
    name = "istio-ingressgateway"
    template = client.AppsV1Api(api).read_namespaced_deployment(name, NAMESPACE).spec.template
    assert template.metadata.labels["istio"] == "ingressgateway"
    resources = template.spec.containers[0].resources
    assert resources.requests == {"cpu": "100m", "memory": "128Mi"}
    assert resources.limits == {"cpu": "2", "memory": "1Gi"}
    service = client.CoreV1Api(api).read_namespaced_service(name, NAMESPACE).spec
    assert service.type == "LoadBalancer"
    assert {port.port: port.target_port for port in service.ports} == {15021: 15021, 80: 8080, 443: 8443}
    scaler = client.AutoscalingV2Api(api).read_namespaced_horizontal_pod_autoscaler(name, NAMESPACE).spec
    assert (scaler.min_replicas, scaler.max_replicas) == (2, 5)
    assert scaler.metrics[0].resource.target.average_utilization == 80


@own_lab
def test_edge_is_shown_before_it_is_applied(run_playbook: RunPlaybook, cluster_snapshot: Snapshot) -> None:
    before = cluster_snapshot()
    variables = {
        "istio_edge_cdn": "cloudflare",
        "istio_edge_proxy_protocol": True,
        "istio_edge_https_only": True,
        "istio_egress_enabled": True,
    }
    run = run_playbook("site.yml", "--tags", "istio", "--check", "--diff", variables=variables)
    assert run.rc == 0, run.stdout
    for line in (
        "+ externalTrafficPolicy: Local",
        "+ - 173.245.48.0/20",
        "- - name: http2",
        """{"gatewayTopology": {"numTrustedProxies": 1, "proxyProtocol": {}}}""",
        "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "+ name: istio-egressgateway",
    ):
        assert line in run.text.replace("\\", ""), line
    # The lab's Services have IPv4.
    assert "2400:cb00::/32" not in run.text
    assert cluster_snapshot() == before


@own_lab
def test_no_load_balancer_is_asked_for_networks_that_it_lacks(run_playbook: RunPlaybook, api: client.ApiClient) -> None:
    """Production's edge at a cluster that refuses what the controllers of AWS and Google Cloud refuse."""
    production = yaml.safe_load((ROOT / "inventories/production/group_vars/clusters/main.yml").read_text())
    edge = {name: value for name, value in production.items() if name.startswith(("istio_edge_", "istio_gateway_"))}
    assert edge["istio_edge_cdn"] == "cloudflare"
    with single_family_load_balancers(api):
        run = run_playbook("site.yml", "--tags", "istio", "--check", "--diff", variables=edge)
    assert run.rc == 0, run.stdout
    assert "+ - 173.245.48.0/20" in run.text


@contextlib.contextmanager
def single_family_load_balancers(api: client.ApiClient) -> Iterator[None]:
    """Such a cluster, for as long as this lasts: it refuses networks of a family that the Service lacks."""
    admission = client.AdmissionregistrationV1Api(api)
    name = "single-family-load-balancers"
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["services"]}]
    fits = (
        "object.spec.type != 'LoadBalancer' || !has(object.spec.loadBalancerSourceRanges) || "
        "object.spec.loadBalancerSourceRanges.all(network, "
        "object.spec.ipFamilies.exists(family, family == (network.contains(':') ? 'IPv6' : 'IPv4')))"
    )
    policy = {
        "metadata": {"name": name},
        "spec": {"matchConstraints": {"resourceRules": rules}, "validations": [{"expression": fits}]},
    }
    binding = {"metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]}}
    admission.create_validating_admission_policy(policy)
    try:
        admission.create_validating_admission_policy_binding(binding)
        wait_until_refused(client.CoreV1Api(api))
        yield
    finally:
        for delete in (
            admission.delete_validating_admission_policy_binding,
            admission.delete_validating_admission_policy,
        ):
            with contextlib.suppress(client.ApiException):
                delete(name)


def wait_until_refused(core: client.CoreV1Api) -> None:
    """Until the API server has the policy, which takes it a moment."""
    mixed = {
        "metadata": {"generateName": "mixed-"},
        "spec": {
            "type": "LoadBalancer",
            "ports": [{"port": 80}],
            "loadBalancerSourceRanges": ["192.0.2.0/24", "2001:db8::/32"],
        },
    }
    for _attempt in range(60):
        try:
            core.create_namespaced_service("default", mixed, dry_run="All")
        except client.ApiException as refused:
            assert "ValidatingAdmissionPolicy" in refused.body, refused.body
            return
        time.sleep(0.5)
    pytest.fail("the admission policy lets mixed families pass")


@own_lab
def test_uninstall_spares_a_namespace_with_volumes(run_playbook: RunPlaybook, api: client.ApiClient) -> None:
    core = client.CoreV1Api(api)
    claim = {
        "metadata": {"name": "another-owners"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    core.create_namespaced_persistent_volume_claim(NAMESPACE, claim)
    try:
        run = run_playbook("uninstall.yml", "--tags", "istio", "--check")
    finally:
        core.delete_namespaced_persistent_volume_claim("another-owners", NAMESPACE)
    assert run.rc == 0, run.stdout
    (line,) = [line for line in run.stdout.splitlines() if line.startswith(f"Namespace {NAMESPACE} stays")]
    assert "PersistentVolumeClaim another-owners" in line


def test_preflight_reports_all_problems_at_once(run_playbook: RunPlaybook) -> None:
    variables = {
        "istio_version": "latest",
        "istio_chart_path": "/nowhere",
        "istio_hub": "",
        "istio_revision_tag": "default",
        "istio_istiod_resources": {"requests": {"cpu": "half", "memory": "2Gi"}},
        "istio_gateway_replicas_min": 6,
        "istio_trace_sampling": 300,
        "istio_edge_trusted_proxies": 2,
    }
    run = run_playbook(play(ISTIO_PREFLIGHT), variables=variables)
    assert run.failed == 1, run.stdout
    for words in (
        "is 'latest', which is not a valid release",
        "istio_chart_path lacks /nowhere/base/Chart.yaml",
        "istio_hub is empty: name the registry of Istio's images, for example docker.io/istio",
        "istio_revision_tag is 'default', but istio_revisions has a control plane without a revision",
        "istio_istiod_resources.requests.cpu is 'half'",
        "istio_gateway_replicas_min is 6 and istio_gateway_replicas_max is 5",
        "istio_trace_sampling (service_mesh_trace_sampling) is 300",
        "istio_edge_trusted_proxies is 2 and istio_edge_source_ranges is empty",
    ):
        assert words in run.text, words


def test_preflight_refuses_networks_of_a_family_that_the_service_lacks(run_playbook: RunPlaybook) -> None:
    variables = {
        "preflight_cluster": {"platform": {"name": "", "evidence": ""}, "ip_families": ["IPv6"], "dual_stack": False},
        "istio_edge_source_ranges": ["192.0.2.0/24", "2001:db8::/32"],
        "istio_gateway_ip_families": ["IPv4"],
    }
    run = run_playbook(play(ISTIO_PREFLIGHT), variables=variables)
    assert run.failed == 1, run.stdout
    for words in (
        "istio_edge_source_ranges has 2001:db8::/32, but the ingress gateway's load balancer has only IPv4",
        "istio_gateway_ip_families has IPv4, which the cluster's Services do not have: they have only IPv6",
    ):
        assert words in run.text, words
    assert "istio_edge_source_ranges has 192.0.2.0/24" not in run.text


def test_older_charts_get_the_values_that_they_know(run_playbook: RunPlaybook, kubeconfig: str, tmp_path: Path) -> None:
    out = tmp_path / "releases.yml"
    template = ROOT / "roles/istio/templates/releases.yml.j2"
    task = {"ansible.builtin.template": {"src": str(template), "dest": str(out), "mode": "0600"}}
    variables = {
        "istio_version": "1.20.1",
        "istio_platform": "none",
        "istio_chart_path": "",
        "istio_chart_repository": "oci://mirror.example/istio",
    }
    run = run_playbook(
        play(ISTIO_PREFLIGHT, task), variables=variables, environment={"K8S_AUTH_KUBECONFIG": kubeconfig}
    )
    assert run.rc == 0, run.stdout
    (istiod,) = (entry for entry in yaml.safe_load(out.read_text()) if entry["name"] == "istiod")
    assert (istiod["repository"], istiod["chart"], istiod["version"]) == (
        "oci://mirror.example/istio",
        "istiod",
        "1.20.1",
    )
    pilot = istiod["values"]["pilot"]
    assert (pilot["autoscaleMin"], pilot["autoscaleMax"]) == (2, 5)
    assert pilot["resources"]["requests"] == {"cpu": "500m", "memory": "2Gi"}
    assert istiod["values"]["istio_cni"] == {"enabled": True}
