# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the input does not show is listed as undecided, with what is lacking, and is not reported as a fault."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import REPLACED, Settings
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import POD, SERVICE

from ....support import validate_harness as harness

OPERATORS = """
apiVersion: v1
kind: Service
metadata: {name: replicas, namespace: bank}
spec: {selector: {role: replica}, ports: [{name: tcp-db, port: 5432}]}
---
apiVersion: v1
kind: Pod
metadata: {name: debug, namespace: bank, labels: {app: debug}}
spec: {containers: [{name: app, image: debug}]}
---
apiVersion: acid.zalan.do/v1
kind: postgresql
metadata: {name: ledger, namespace: bank}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ledger, namespace: bank}
spec: {host: ledger-pooler}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ledgers, namespace: bank}
spec: {host: ledgers}
"""


def test_pods_and_services_of_an_operator_are_undecided() -> None:
    outcome = harness.run(OPERATORS, Settings(listed=frozenset({POD, SERVICE})))
    assert outcome.undecided["service_selects_nothing"] == ["the pods of postgresql bank/ledger"]
    assert outcome.undecided["rule_of_unknown_service"] == ["the Services of postgresql bank/ledger"]
    # Operators name what they create after their resource: this is another name.
    assert [finding.resource.name for finding in outcome.findings if finding.rule.code == "IST0174"] == ["ledgers"]


@pytest.mark.parametrize(
    ("document", "check", "lacking"),
    [
        (
            {"kind": "VirtualService", "spec": {"hosts": ["a.acme.test"], "gateways": ["edge/public"]}},
            "unknown_gateway",
            "the Gateways of namespace edge",
        ),
        (
            {"kind": "DestinationRule", "spec": {"host": "a.bank.svc.cluster.local"}},
            "rule_of_unknown_service",
            "the Services of namespace bank",
        ),
        (
            {"kind": "Sidecar", "spec": {"workloadSelector": {"labels": {"app": "a"}}, "egress": [{"hosts": ["./*"]}]}},
            "sidecar_for_no_workload",
            "the workloads of namespace shop",
        ),
        (
            {"kind": "Gateway", "spec": {"selector": {"istio": "eastwestgateway"}, "servers": []}},
            "gateway_selector",
            "the gateways of Istio's installation",
        ),
    ],
)
def test_other_namespaces_are_undecided(document: dict[str, object], check: str, lacking: str) -> None:
    """Beside a Service and a gateway's pod of yet another namespace."""
    document |= {"apiVersion": "networking.istio.io/v1", "metadata": {"name": "a", "namespace": "shop"}}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "web"},
        "spec": {"ports": [{"name": "http", "port": 80}]},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "proxy", "namespace": "web", "labels": {"app": "proxy"}},
        "spec": {"containers": [{"name": "istio-proxy", "image": "auto"}]},
    }
    outcome = harness.run("\n---\n".join(map(yaml.safe_dump, (service, pod, document))))
    assert outcome.undecided[check] == [lacking]


POLICY = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: cart, namespace: shop}
spec: {rules: [{from: [{source: {principals: [cluster.local/ns/bank/sa/NAME]}}]}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: deployer, namespace: bank}
"""
LEDGER = """
---
apiVersion: v1
kind: Pod
metadata: {name: ledger, namespace: bank, labels: {app: ledger}}
spec: {serviceAccountName: ledger, containers: [{name: app, image: ledger}]}
"""


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        # Only an account of the namespace is here: a typo of it is one, another name may be elsewhere.
        (POLICY.replace("NAME", "till"), ["the workloads of namespace bank"]),
        (POLICY.replace("NAME", "deployr"), None),
        (POLICY.replace("NAME", "till") + LEDGER, None),
        # A chart's workload, whose namespace is the release's.
        (
            POLICY.replace("NAME", "till")
            + LEDGER
            + LEDGER.replace("ledger, namespace: bank", "till").replace(
                "serviceAccountName: ledger", "serviceAccountName: till"
            ),
            ["the namespace of Pod till"],
        ),
    ],
)
def test_accounts_of_workloads_that_are_not_placed_are_undecided(text: str, lacking: list[str] | None) -> None:
    outcome = harness.run(text)
    assert outcome.undecided.get("unknown_service_account") == lacking
    assert ("KIA0106" in [finding.rule.code for finding in outcome.findings]) is (lacking is None)


def test_pods_that_cert_manager_creates_for_a_challenge_are_not_always_there() -> None:
    text = """
apiVersion: v1
kind: Pod
metadata: {name: cart, namespace: shop, labels: {app: cart}}
spec: {containers: [{name: app, image: cart}]}
---
apiVersion: v1
kind: Service
metadata: {name: solver, namespace: shop}
spec: {selector: {acme.cert-manager.io/http01-solver: "true"}, ports: [{name: http, port: 8089}]}
"""
    for settings in (Settings(), Settings(listed=frozenset({POD, SERVICE}))):
        outcome = harness.run(text, settings)
        assert "MESH213" not in [finding.rule.code for finding in outcome.findings]
        assert outcome.undecided["service_selects_nothing"] == ["the pods of cert-manager's challenges"]
    outcome = harness.run(text.replace("acme.cert-manager.io/http01-solver", "role"))
    assert "MESH213" in [finding.rule.code for finding in outcome.findings]


def test_what_a_base_may_deploy_is_undecided() -> None:
    text = """
apiVersion: v1
kind: Pod
metadata: {name: shelf, namespace: shop, labels: {app: shelf}}
spec: {containers: [{name: app, image: shelf}]}
---
apiVersion: v1
kind: Service
metadata: {name: shelf, namespace: shop}
spec: {selector: {app: shelf}, ports: [{name: http, port: 80}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: till, namespace: shop}
spec: {selector: {matchLabels: {app: till}}, rules: [{}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: till, namespace: shop}
spec: {host: till}
"""
    codes = {"IST0127", "IST0174"}
    outcome = harness.run(text)
    assert codes <= {finding.rule.code for finding in outcome.findings}
    outcome = harness.run(text, Settings(facts={REPLACED: {"shop"}}))
    assert codes.isdisjoint(finding.rule.code for finding in outcome.findings)
    assert outcome.undecided["rule_of_unknown_service"] == ["the Services of namespace shop"]


def test_providers_are_undecided_without_mesh_config() -> None:
    text = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: login, namespace: shop}
spec: {action: CUSTOM, provider: {name: oauth}, rules: [{}]}
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: traces, namespace: shop}
spec: {tracing: [{providers: [{name: otel}]}]}
"""
    named = ("unknown_authorization_provider", "unknown_telemetry_provider", "lightstep")
    assert [harness.run(text).undecided.get(name) for name in named] == [["MeshConfig"]] * 3
    built_in = text.replace("otel", "envoy").replace("CUSTOM, provider: {name: oauth}", "DENY")
    assert [harness.run(built_in).undecided.get(name) for name in named] == [None] * 3


def test_of_two_mutual_aliases_the_worse_finding_remains() -> None:
    """The host of two VirtualServices, in the mesh (IST0109) and at a gateway (KIA1106)."""
    one = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: NAME, namespace: shop}
spec: {hosts: [a.acme.test], gateways: [mesh, edge/public], http: [{redirect: {authority: NAME.acme.test}}]}
"""
    outcome = harness.run("---".join((one.replace("NAME", "one"), one.replace("NAME", "two"))))
    assert [finding.rule.code for finding in outcome.findings] == ["IST0109", "IST0109"]
