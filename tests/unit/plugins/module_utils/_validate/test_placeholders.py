# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values that something fills in later: programs that replace words, a chart's user, kustomize."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import OWN_VALUES, Mesh, Settings
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import BUILT, RENDERED
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate import catalog, engine

from ....support import validate_harness as harness

CHART = f"shop/templates/route.yaml{RENDERED}"


def _route(**spec: object) -> str:
    metadata = {"name": "cart", "namespace": "shop", "labels": {"app": "cart"}}
    rules = [{"backendRefs": [{"name": "cart", "port": 80}]}]
    parents = {"parentRefs": [{"name": "web"}], "rules": rules}
    route = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata}
    return yaml.safe_dump({**route, "spec": {**parents, **spec}})


def _outcome(text: str, file: str = "route.yaml", own_values: bool = False) -> engine.Outcome:
    settings = Settings(facts={OWN_VALUES: {file} if own_values else set()})
    checks = [check for check in catalog.all_checks() if check.enabled]
    return engine.run_checks(Mesh(harness.resources_of(text, file), settings), checks)


def _codes(text: str, file: str = "route.yaml") -> list[str]:
    return [finding.rule.code for finding in _outcome(text, file).findings if finding.severity != "info"]


@pytest.mark.parametrize("hostname", ["", None, ".example.com", "cart."])
def test_a_value_that_a_chart_leaves_empty_is_its_users(hostname: str | None) -> None:
    text = _route(hostnames=[hostname])
    outcome = _outcome(text, CHART, own_values=True)
    assert outcome.findings == []
    assert f"the value of spec.hostnames[0] in {CHART}" in str(outcome.undecided)
    # With the values that the user states, or without any, it is one.
    assert {finding.rule.code for finding in _outcome(text, CHART).findings} == {"IST0106"}
    # A wrong value is one with whatever values.
    assert _outcome(_route(hostnames=["cart_1.example.com"]), CHART, own_values=True).findings


@pytest.mark.parametrize("word", ["no-default-value", "CHANGEME", "change-me", "to_be_replaced", "TODO", "placeholder"])
def test_a_word_that_a_chart_has_in_place_of_a_value_is_its_users(word: str) -> None:
    rules = [{"backendRefs": [{"name": "cart", "port": 80, "weight": word}]}]
    assert _outcome(_route(rules=rules), CHART, own_values=True).findings == []
    assert {finding.rule.code for finding in _outcome(_route(rules=rules), CHART).findings} == {"IST0106"}


def test_labels_in_braces_are_placeholders() -> None:
    assert _codes(_route().replace("app: cart", "app: cart{i}")) == []
    assert _codes(_route().replace("app: cart", "app: cart+1")) == ["MESH103"]


def test_a_listener_with_a_placeholder_may_be_for_the_route() -> None:
    gateway = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web, namespace: shop}
spec:
  gatewayClassName: istio
  listeners: [{name: http, port: 80, protocol: HTTP, hostname: "*.%s"}]
---
"""
    route = _route(hostnames=["cart.example.com"])
    assert _codes(gateway % "${domain}" + route) == []
    assert _codes(gateway % "example.org" + route) == ["MESH307"]


DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop, annotations: {sidecar.istio.io/proxyCPU: 100m}}
spec:
  selector: {matchLabels: {app: cart}}
  template:
    metadata: {labels: {app: cart}, annotations: {sidecar.istio.io/proxyCPU: %s}}
    spec: {containers: [{name: cart, image: cart:1}]}
"""


def test_annotations_that_a_kustomization_gives_all_objects_reach_the_pods() -> None:
    service = """---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop, annotations: {sidecar.istio.io/proxyCPU: 100m}}
spec: {selector: {app: cart}, ports: [{name: http, port: 80}]}
"""
    text = DEPLOYMENT % "100m" + service
    assert _codes(text, f"shop{BUILT}") == []
    assert _codes(text, "shop.yaml") == ["IST0107", "IST0107"]
    # One object without it: its author wrote it.
    other = service.replace(", annotations: {sidecar.istio.io/proxyCPU: 100m}", "")
    assert _codes(DEPLOYMENT % "100m" + other, f"shop{BUILT}") == ["IST0107"]


def test_an_address_that_a_chart_leaves_empty() -> None:
    entry = """
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: west, namespace: shop}
spec: {%snetwork: west}
"""
    assert _outcome(entry % "address: , ", CHART, own_values=True).findings == []
    # Not one of the values: the template does not have the field.
    found = [item.rule.code for item in _outcome(entry % "", CHART, own_values=True).findings]
    assert found == ["IST0133"]
