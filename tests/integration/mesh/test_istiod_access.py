"""Access to istiod and the API server's RBAC: what is allowed, what is refused, and who reports what is missing."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod import Way
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod_options import READER
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import Split
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.shift import shift_rights
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._smoke import mesh
from kubernetes import client, config

from ..support.accounts import HOME, Accounts, accounts, documented, line, lines, reported, results, without
from ..support.canary_lab import NAMESPACE
from ..support.playbooks import RunPlaybook, lab_address

__all__ = ["accounts"]

ISTIO = "istio-system"
BY_ADDRESS, BY_PORT_FORWARD = documented("istiod-by-pod-address.yml"), documented("istiod-by-port-forward.yml")
ROLES = {"pod_address": BY_ADDRESS, "port_forward": BY_PORT_FORWARD}


def minted(kubeconfig: str, account: str, audience: str = "istio-ca", namespace: str = ISTIO) -> tuple[int, str]:
    """(status, token) of a request for a token."""
    core = client.CoreV1Api(config.new_client_from_config(kubeconfig))
    try:
        answer = core.create_namespaced_service_account_token(account, namespace, {"spec": {"audiences": [audience]}})
    except client.ApiException as error:
        return int(error.status), ""
    return 201, str(answer.status.token)


def istiods(api: client.ApiClient) -> list[Any]:
    found: list[Any] = client.CoreV1Api(api).list_namespaced_pod(ISTIO, label_selector="app=istiod").items
    return found


def asked(api: client.ApiClient, token: str, path: str = "/debug/syncz") -> int:
    """The status with which istiod answers at its address."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(
        f"http://{istiods(api)[0].status.pod_ip}:15014{path}", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with opener.open(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def forwarded(kubeconfig: str, pod: str, namespace: str = ISTIO) -> tuple[int, str]:
    """(status, words) with which the API server answers the beginning of a port-forward by websocket."""
    content = yaml.safe_load(Path(kubeconfig).read_text())
    cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
    context = ssl.create_default_context()
    if "certificate-authority" in cluster:
        context.load_verify_locations(Path(kubeconfig).parent / cluster["certificate-authority"])
    else:
        context.load_verify_locations(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    server = urlsplit(cluster["server"])
    connection = http.client.HTTPSConnection(str(server.hostname), server.port, timeout=30, context=context)
    headers = {
        "Authorization": f"Bearer {user['token']}",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": "v4.channel.k8s.io",
    }
    try:
        connection.request("GET", f"/api/v1/namespaces/{namespace}/pods/{pod}/portforward?ports=15014", headers=headers)
        answer = connection.getresponse()
        # After an upgrade there is no end to read to.
        return answer.status, "" if answer.status == 101 else answer.read().decode(errors="replace").replace('\\"', '"')
    finally:
        connection.close()


class TestTokens:
    def test_only_the_account_without_rights_can_be_had(self, accounts: Accounts) -> None:
        operator = accounts.add("by-address", [*documented("canary-operator.yml"), *BY_ADDRESS])
        assert minted(operator, READER)[0] == 201
        for account in ("istiod", "istio-reader-service-account", "default"):
            assert minted(operator, account)[0] == 403, account
        assert minted(operator, "default", namespace=NAMESPACE)[0] == 403

    def test_it_is_good_for_istiod_and_for_nothing_at_the_api_server(
        self, accounts: Accounts, api: client.ApiClient
    ) -> None:
        operator = accounts.add("by-address-2", BY_ADDRESS)
        assert asked(api, minted(operator, READER)[1]) == 200
        stranger = client.CoreV1Api(api).create_namespaced_service_account_token(
            "by-address-2", HOME, {"spec": {"audiences": ["istio-ca"]}}
        )
        assert asked(api, stranger.status.token) == 403, "which is why the account lives in istiod's namespace"
        assert asked(api, minted(operator, READER, "https://kubernetes.default.svc")[1]) == 401

        reader = client.AuthorizationV1Api(config.new_client_from_config(accounts.kubeconfig(ISTIO, READER)))
        rules = reader.create_self_subject_rules_review({"spec": {"namespace": ISTIO}}).status.resource_rules
        # Every account may query its identity and its rights.
        assert {group for rule in rules for group in rule.api_groups} <= {
            "authentication.k8s.io",
            "authorization.k8s.io",
        }, rules


@pytest.mark.parametrize(
    ("verbs", "lacking"),
    [((), "get"), (("create",), "get"), (("get",), "create"), (("get", "create"), "")],
    ids=["none", "create", "get", "both"],
)
def test_b7_a_port_forward_takes_both_verbs(
    accounts: Accounts, api: client.ApiClient, verbs: tuple[str, ...], lacking: str
) -> None:
    rules = [{"apiGroups": [""], "resources": ["pods/portforward"], "verbs": list(verbs)}] if verbs else []
    role = {"kind": "Role", "metadata": {"namespace": ISTIO}, "rules": rules}
    account = accounts.add(f"forwards-{'-'.join(verbs) or 'nothing'}", [role])
    status, words = forwarded(account, istiods(api)[0].metadata.name)
    if lacking:
        # The authorizer names the verb; the check of a websocket's upgrade, which comes after it, does not.
        reason = "is forbidden: " if lacking == "create" else 'cannot get resource "pods/portforward"'
        assert (status, reason in words) == (403, True), words
    else:
        assert status == 101, words


SHIFT = {
    "namespace": NAMESPACE,
    "virtual_service": "menu-service",
    "service": "menu-service",
    "route": "primary",
    # The live weights are another writer's business: this asks for no weight at all.
    "weights": {},
}
SMOKE = {
    "app_namespace": NAMESPACE,
    "istio_namespace": ISTIO,
    "gateway_url": "",
    "gateway_service": "istio-ingressgateway",
    "requests": [{"name": "health", "path": "/health"}],
    "services": [{"name": "postgresql", "namespace": "database", "port": 5432}],
    "mesh": True,
    "webhooks": True,
    "timeout": 0,
}


@pytest.mark.parametrize("access", ["pod_address", "port_forward"])
def test_mesh_sync_info_names_what_it_lacks(accounts: Accounts, run_playbook: RunPlaybook, access: str) -> None:
    rights = Way(ISTIO, access, READER).rights
    poorer = [
        accounts.add(f"sync-{access.replace('_', '-')}-{number}", without(ROLES[access], right))
        for number, right in enumerate(rights)
    ]
    said = reported(run_playbook, "mesh_sync_info", {"istiod_access": access}, poorer)
    for right, text in zip(rights, said, strict=True):
        assert f"may not ask istiod by {access}. docs/istiod-by-{access.replace('_', '-')}.yml grants" in text
        assert lines(text) == [line(right)]


def test_both_ways_lead_to_the_same_proxies(accounts: Accounts, run_playbook: RunPlaybook) -> None:
    asked = {access: accounts.add(f"all-{access.replace('_', '-')}", roles) for access, roles in ROLES.items()}
    for __ in range(4):
        found = {}
        for access, account in asked.items():
            (result,) = results(run_playbook, "mesh_sync_info", {"istiod_access": access}, [account])
            found[access] = result["proxies"]
        # Pods of the test before may come and go between the two.
        if found["port_forward"] == found["pod_address"]:
            break
        time.sleep(5)
    assert found["port_forward"]
    assert found["port_forward"] == found["pod_address"]


def test_traffic_shift_has_proof_by_a_port_forward(accounts: Accounts, run_playbook: RunPlaybook) -> None:
    roles = [*documented("canary-operator.yml"), *BY_PORT_FORWARD]
    proven = accounts.add("shift-proven", [*roles, *documented("sidecars-by-port-forward.yml")])
    by_time = accounts.add("shift-by-time", roles)
    result, timed = results(
        run_playbook, "traffic_shift", {**SHIFT, "wait": True, "unproven_wait": 1}, [proven, by_time]
    )
    assert result["acknowledged"], result
    assert result["proxies"] > 0
    assert not timed["acknowledged"]


def test_traffic_shift_names_what_it_lacks(accounts: Accounts, run_playbook: RunPlaybook) -> None:
    roles = documented("canary-operator.yml")
    rights = shift_rights(
        Ref("networking.istio.io/v1", "VirtualService", NAMESPACE, "menu-service"), Split("menu-service")
    )
    poorer = [
        accounts.add(f"shift-{number}", without(roles, right._replace(name=""))) for number, right in enumerate(rights)
    ]
    whole = accounts.add("shift", roles)
    *said, waits = reported(run_playbook, "traffic_shift", {**SHIFT, "wait": True}, [*poorer, whole])
    for right, text in zip(rights, said, strict=True):
        assert "may not shift this traffic. docs/canary-operator.yml grants what it lacks" in text
        assert lines(text) == [line(right)]
        assert "Nothing was changed." in text
    assert "istiod cannot be queried" in waits
    assert "- get, create: pods/portforward in namespace istio-system" in lines(waits)


def test_mesh_smoke_names_what_it_lacks(accounts: Accounts, run_playbook: RunPlaybook) -> None:
    roles = [*documented("smoke-operator.yml"), *BY_ADDRESS]
    rights = mesh.rights(SMOKE)
    poorer = [
        accounts.add(f"smoke-{number}", without(roles, right._replace(name=""))) for number, right in enumerate(rights)
    ]
    whole = accounts.add("smoke", roles)
    *said, enough = reported(run_playbook, "mesh_smoke", {**SMOKE, "istiod_access": "pod_address"}, [*poorer, whole])
    for right, text in zip(rights, said, strict=True):
        assert "may not run this smoke test. docs/smoke-operator.yml grants what it lacks" in text
        assert lines(text) == [line(right)]
    assert "may not" not in enough


def test_smoke_yml_needs_no_more_than_its_role(accounts: Accounts, run_playbook: RunPlaybook) -> None:
    account = accounts.add("smoke-yml", [*documented("smoke-operator.yml"), *BY_ADDRESS])
    run = run_playbook("smoke.yml", variables={"service_mesh_kubeconfig": account})
    assert run.rc == 0, run.stdout
    assert "a new pod gets its sidecar" in run.text


# istiod stands in for the components: their pods are simulated on the lab, and its are not.
ASKED = {
    "name": "istiod says what it is",
    "namespace": ISTIO,
    "service": "istiod",
    "port": 15014,
    "path": "/version",
    "wanted": r"\d+[.]\d+",
}


def test_a_component_is_asked_by_a_port_forward(accounts: Accounts, run_playbook: RunPlaybook) -> None:
    account = accounts.add("asks", documented("smoke-components.yml"))
    options = {"questions": [ASKED, {**ASKED, "name": "another", "wanted": "^nonsense$"}], "timeout": 0}
    (result,) = results(run_playbook, "service_answers", options, [account])
    assert [(check["name"], check["state"]) for check in result["checks"]] == [
        ("istiod says what it is", "ok"),
        ("another", "failed"),
    ]
    assert result["failed_checks"] == ["another"]


def test_service_answers_names_what_it_lacks(accounts: Accounts, run_playbook: RunPlaybook) -> None:
    poor = accounts.add("asks-nothing", [])
    (said,) = reported(run_playbook, "service_answers", {"questions": [ASKED]}, [poor])
    assert "may not ask whether istiod says what it is. docs/smoke-components.yml grants what it lacks" in said
    assert "get, create: pods/portforward in namespace istio-system" in said
    (result,) = results(run_playbook, "service_answers", {"questions": [ASKED], "skip_forbidden": True}, [poor])
    assert [check["state"] for check in result["checks"]] == ["skipped"]
    assert "may not ask" in result["checks"][0]["detail"]


def flags(api: client.ApiClient, path: str) -> set[str]:
    """The traceparents' last figures in the gateway's lines on that path."""
    core = client.CoreV1Api(api)
    pods = core.list_namespaced_pod(ISTIO, label_selector="istio=ingressgateway").items
    logs = [core.read_namespaced_pod_log(pod.metadata.name, ISTIO) for pod in pods]
    found = [json.loads(text) for log in logs for text in log.splitlines() if path in text]
    return {entry["traceparent"].rpartition("-")[2] for entry in found}


def test_the_smoke_tests_requests_are_traced_whatever_share_is(
    api: client.ApiClient, kubeconfig: str, run_playbook: RunPlaybook
) -> None:
    telemetry = client.CustomObjectsApi(api)
    place = ("telemetry.istio.io", "v1", ISTIO, "telemetries", "mesh-default")
    was = telemetry.get_namespaced_custom_object(*place)["spec"]["tracing"]
    path, probe = (f"/health?{name}={time.time_ns()}" for name in ("smoke", "probe"))
    options = {
        "app_namespace": NAMESPACE,
        "gateway_url": lab_address(8080),
        "http_host": "restaurant.corpv3.com",
        "requests": [{"name": "health", "path": path}],
        "strict_mtls": False,
        "webhooks": False,
        "istiod_access": "pod_address",
    }
    try:
        none = [entry | {"randomSamplingPercentage": 0} for entry in was]
        telemetry.patch_namespaced_custom_object(*place, {"spec": {"tracing": none}})
        request = urllib.request.Request(f"{lab_address(8080)}{probe}", headers={"Host": "restaurant.corpv3.com"})
        for _second in range(60):
            urllib.request.urlopen(request).close()
            time.sleep(1)
            if "00" in flags(api, probe):
                break
        (result,) = results(run_playbook, "mesh_smoke", options, [kubeconfig])
        # Envoy writes its log some seconds later.
        deadline = time.monotonic() + 30
        while not flags(api, path) and time.monotonic() < deadline:
            time.sleep(1)
    finally:
        telemetry.patch_namespaced_custom_object(*place, {"spec": {"tracing": was}})
    assert result["passed"], result["table"]
    assert "00" in flags(api, probe)
    assert flags(api, path) == {"01"}
