"""The documented Roles grant what the modules ask for, and no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.providers.envoy import Clients, proxy_rights
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.rights import (
    canary_rights,
    configuration_rights,
    copy_rights,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod import Way, port_forward_rights
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod_options import READER
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import Split
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.routes import KINDS, OF_CANARIES
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.shift import shift_rights
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.rights import Right
from ansible_collections.corpv3.service_mesh.plugins.module_utils._smoke import mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._smoke.services import rights

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted(path.name for path in (ROOT / "docs").glob("*.yml"))
APPLICATION, ISTIO = "restaurant-management", "istio-system"
# Files with a Role of its own for Secrets.
BY_DECISION = ["canary-secrets.yml", "smoke-components.yml", "validation-secrets.yml"]
# For service_mesh_cluster_uid, which the playbooks read and none of their modules.
CLUSTER_UID = Right("get", "", "namespaces", "", "kube-system")


def documents(name: str) -> list[dict[str, Any]]:
    return [*yaml.safe_load_all((ROOT / "docs" / name).read_text(encoding="utf-8"))]


def granted(name: str) -> set[Right]:
    return {
        Right(verb, group, resource, role["metadata"].get("namespace", ""), object_name)
        for role in documents(name)
        for rule in role.get("rules", ())
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for object_name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    }


def test_a_canary() -> None:
    assert granted("canary-operator.yml") - {CLUSTER_UID} == set(canary_rights(APPLICATION))


def test_a_canary_by_copy() -> None:
    wanted = {right for kind in OF_CANARIES for right in copy_rights(APPLICATION, kind)}
    assert granted("canary-copy.yml") == wanted


def test_a_canary_with_another_configuration() -> None:
    for kind in ("ConfigMap", "Secret"):
        assert granted(f"canary-{kind.lower()}s.yml") == set(configuration_rights(APPLICATION, [kind]))


def test_only_copies_need_the_rights_for_them() -> None:
    assert not granted("canary-copy.yml") & granted("canary-operator.yml")


def test_a_shift_needs_a_part_of_what_a_canary_needs() -> None:
    wanted = shift_rights(
        Ref("networking.istio.io/v1", "VirtualService", APPLICATION, "orders"), Split("order-service")
    )
    assert {right._replace(name="") for right in wanted} <= granted("canary-operator.yml")


def test_a_shift_of_every_kind_of_the_gateway_api() -> None:
    wanted = {
        right._replace(name="")
        for kind in KINDS
        if kind.by_service
        for right in shift_rights(Ref(kind.api_version, kind.kind, APPLICATION, "orders"), Split(""))
    }
    assert wanted == granted("gateway-api-operator.yml")


@pytest.mark.parametrize("access", ["port_forward", "pod_address"])
def test_b7_the_way_to_istiod(access: str) -> None:
    name = f"istiod-by-{access.replace('_', '-')}.yml"
    assert granted(name) == set(Way(ISTIO, access, READER).rights)


def test_the_sidecars_of_the_service() -> None:
    assert granted("sidecars-by-port-forward.yml") == set(port_forward_rights(APPLICATION))


def test_the_proxies_of_a_canarys_clients() -> None:
    clients = [Clients(APPLICATION), Clients(ISTIO, "istio")]
    assert granted("canary-proxies.yml") == set(proxy_rights(clients, "port_forward"))
    by_address = set(proxy_rights(clients, "pod_address"))
    assert {right for right in granted("canary-proxies.yml") if right.resource == "pods"} == by_address


@pytest.mark.parametrize("webhooks", [True, False])
def test_the_smoke_test(webhooks: bool) -> None:
    services = [{"namespace": namespace, "name": "any"} for namespace in (ISTIO, "database")]
    options = {
        "app_namespace": APPLICATION,
        "istio_namespace": ISTIO,
        "gateway_url": "",
        "gateway_service": "istio-ingressgateway",
        "requests": [{}],
        "mesh": True,
        "webhooks": webhooks,
        "services": services,
    }
    wanted = {right._replace(name="") for right in mesh.rights(options)}
    known = granted("smoke-operator.yml") - {CLUSTER_UID}
    assert wanted == (known if webhooks else {right for right in known if right.verb != "create"})


def test_the_questions_to_the_components() -> None:
    asked = {"namespace": ISTIO, "service": "any", "needs": "any", "login": "grafana"}
    login = {"namespace": ISTIO, "secret": "grafana-admin"}
    wanted = {
        right if right.resource == "secrets" else right._replace(name="") for right in rights(asked, {"grafana": login})
    }
    assert wanted == granted("smoke-components.yml")


@pytest.mark.parametrize("name", DOCS)
def test_b7_a_token_is_only_for_the_account_without_rights(name: str) -> None:
    for right in granted(name):
        if right.resource.startswith("serviceaccounts/"):
            assert right.name == READER


@pytest.mark.parametrize("name", [name for name in DOCS if name not in BY_DECISION])
def test_secrets_are_a_decision_of_their_own(name: str) -> None:
    assert not [right for right in granted(name) if right.resource == "secrets"]


def test_no_role_is_bound_to_the_account_as_which_istiod_is_asked() -> None:
    accounts = [item for item in documents("istiod-by-pod-address.yml") if item["kind"] == "ServiceAccount"]
    assert [(item["metadata"]["name"], item["metadata"]["namespace"]) for item in accounts] == [(READER, ISTIO)]
    assert not accounts[0]["automountServiceAccountToken"]
    for name in DOCS:
        for binding in documents(name):
            assert READER not in [subject["name"] for subject in binding.get("subjects", ())]


@pytest.mark.parametrize("access", ["port_forward", "pod_address"])
def test_the_preflight_of_a_whole_site_asks_for_the_way_to_istiod(access: str) -> None:
    known = yaml.safe_load((ROOT / "roles/preflight/vars/main.yml").read_text(encoding="utf-8"))
    asked = {
        (verb, resource, *entry.get("names", ()))
        for entry in known["__preflight_access_istiod"][access]
        for resource in entry["resources"]
        for verb in entry["verbs"]
    }
    wanted = {
        (right.verb, right.resource, *([right.name] if right.name else ()))
        for right in Way(ISTIO, access, "{{ preflight_istiod_account }}").rights
        # Which it needs to install anything at all.
        if right.resource != "pods"
    }
    assert asked == wanted
