"""What a canary asks for: what its options need, and what is missing by name."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import RouteNames
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.rights import (
    canary_rights,
    lacking_for_proof,
    lacking_for_run,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.gateway_parents import GATEWAY_API
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.routes import kind_called
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.rights import Right

RIGHTS = canary_rights("shop")
WHERE = RouteNames("VirtualService", ("orders",))
OPTIONS: dict[str, Any] = {
    "namespace": "shop",
    "istio_namespace": "mesh",
    "istiod_access": "port_forward",
    "istiod_account": "reader",
    "provider": {"type": "prometheus", "proxy_access": "port_forward", "clients": []},
}


class Operator:
    """Remembers what it was asked for."""

    def __init__(self, *may: Right) -> None:
        self.rights = set(may)
        self.asked: set[Right] = set()

    def may(self, verb: str, group: str, resource: str, namespace: str = "", name: str = "") -> bool:
        right = Right(verb, group, resource, namespace, name)
        self.asked.add(right)
        return right in self.rights

    def account(self) -> str:
        return "ops"


@pytest.mark.parametrize("right", RIGHTS, ids=lambda right: f"{right.verb}-{right.resource}")
def test_one_right_less_is_named(right: Right) -> None:
    text = lacking_for_run(Operator(*(known for known in RIGHTS if known != right)), OPTIONS, WHERE)
    resource = f"{right.resource}.{right.group}".rstrip(".")
    where = f"in namespace {right.namespace}" if right.namespace else "in all namespaces"
    assert text == (
        "the account ops may not run a canary. docs/canary-operator.yml grants what it lacks:"
        f"\n- {right.verb}: {resource} {where}"
    )


def test_each_route_of_the_gateway_api_is_asked_for() -> None:
    routes = RouteNames("HTTPRoute", ("orders", "orders-mesh"))
    everything = Operator(*canary_rights("shop", kind_called("HTTPRoute"), routes.names))
    assert lacking_for_run(everything, OPTIONS, routes) == ""
    everything.rights -= {Right("update", GATEWAY_API, "httproutes", "shop", "orders-mesh")}
    assert lacking_for_run(everything, OPTIONS, routes) == (
        "the account ops may not run a canary. "
        "docs/canary-operator.yml with docs/gateway-api-operator.yml grants what it lacks:"
        "\n- update: httproutes.gateway.networking.k8s.io orders-mesh in namespace shop"
    )


def test_nothing_is_missing() -> None:
    operator = Operator(*RIGHTS)
    assert lacking_for_run(operator, OPTIONS, WHERE) == ""
    assert operator.asked == set(RIGHTS), "and nothing is asked for that Prometheus does not need"


def provider(access: str, *clients: dict[str, str]) -> dict[str, Any]:
    return {**OPTIONS, "provider": {"type": "envoy", "proxy_access": access, "clients": list(clients)}}


def test_proxies_are_asked_through_the_api_server_of_each_client() -> None:
    text = lacking_for_run(Operator(*RIGHTS), provider("port_forward"), WHERE)
    assert text == (
        "the account ops may not read the proxies' counters by port_forward. "
        "docs/canary-proxies.yml grants what it lacks:"
        "\n- get: pods in namespace shop\n- get, create: pods/portforward in namespace shop"
        "\n- list, get: pods in namespace mesh\n- get, create: pods/portforward in namespace mesh"
    )


def test_m18_an_undo_reads_no_proxies_counters() -> None:
    assert lacking_for_run(Operator(*RIGHTS), {**provider("port_forward"), "state": "undone"}, WHERE) == ""


def test_at_their_addresses_they_need_no_port_forward() -> None:
    text = lacking_for_run(Operator(*RIGHTS), provider("pod_address", {"namespace": "web", "labels": ""}), WHERE)
    assert text.endswith("\n- list, get: pods in namespace web")


def test_istiod_through_the_api_server() -> None:
    operator = Operator(Right("list", "", "pods", "mesh"), Right("create", "", "pods/portforward", "mesh"))
    assert lacking_for_proof(operator, OPTIONS) == (
        "the account ops may not ask istiod by port_forward. docs/istiod-by-port-forward.yml grants what it lacks: "
        "get: pods/portforward in namespace mesh"
    )


def test_istiod_at_its_address_is_asked_as_the_account_without_rights() -> None:
    options = {**OPTIONS, "istiod_access": "pod_address"}
    tokens = Right("create", "", "serviceaccounts/token", "mesh", "istiod")
    operator = Operator(Right("list", "", "pods", "mesh"), tokens)
    assert lacking_for_proof(operator, options) == (
        "the account ops may not ask istiod by pod_address. docs/istiod-by-pod-address.yml grants what it lacks: "
        "create: serviceaccounts/token reader in namespace mesh"
    )
