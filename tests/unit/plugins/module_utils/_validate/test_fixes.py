# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which findings are corrected, and how."""

from __future__ import annotations

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.catalog import all_checks
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.engine import run_checks
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.fixes import duration, edits_of

from ....support import validate_harness as harness

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{name: cart, namespace: shop}}
spec:
  selector: {{app: cart}}
  ports: [{ports}]
"""
RULE = """\
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: cart, namespace: shop}}
spec:
  host: cart.example.com
  trafficPolicy: {{{policy}}}
"""


def corrections(text: str) -> list[str]:
    """field -> its new key, with what is below it, or its new value."""
    resources = harness.resources_of(text)
    findings = run_checks(Mesh(resources), all_checks()).findings
    found = []
    for finding, edit in edits_of(findings, resources):
        below = f".{edit.below}" if edit.below else ""
        found.append(f"{finding.field} -> {edit.key}{below}{edit.value}")
    return found


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("5 s", "5s"),
        ("5S", "5s"),
        ("500 MS", "500ms"),
        ("2sec", "2s"),
        ("1 min 30 seconds", "1m30s"),
        ("2d", "48h"),
        ("1.5 hours", "1.5h"),
        # Nothing to correct.
        ("5s", ""),
        ("1h30m", ""),
        # The unit, or all of it, would be a guess.
        ("5", ""),
        ("5x", ""),
        ("5 Ms", ""),
        ("1.5d", ""),
        ("s", ""),
        ("", ""),
        ("-5 s", ""),
        (5, ""),
    ],
)
def test_durations(text: object, form: str) -> None:
    assert duration(text) == form


def test_a_typo_with_one_known_name_that_is_near() -> None:
    assert corrections(RULE.format(policy="outlierDetecton: {interval: 5s}")) == [
        "spec.trafficPolicy.outlierDetecton -> outlierDetection"
    ]
    # tcp and http are as near.
    assert corrections(RULE.format(policy="connectionPool: {htcp: {}}")) == []
    assert corrections(RULE.format(policy="somethingElse: 1")) == []


def test_deprecated_fields_with_an_exact_successor() -> None:
    assert corrections(RULE.format(policy="loadBalancer: {simple: RANDOM, warmupDurationSecs: 30s}")) == [
        "spec.trafficPolicy.loadBalancer.warmupDurationSecs -> warmup.duration"
    ]
    # Of these, two successors exist.
    assert corrections(RULE.format(policy="outlierDetection: {consecutiveErrors: 5}")) == []


def test_names_and_protocols_of_ports() -> None:
    assert corrections(SERVICE.format(ports="{name: htpp-web, port: 80}, {name: a, appProtocol: htpp, port: 81}")) == [
        "spec.ports[0].name -> http-web",
        "spec.ports[1].appProtocol -> http",
    ]


@pytest.mark.parametrize(
    "ports",
    [
        # http, https and http2 are as near.
        "{name: httpx, port: 80}",
        # Numbers are not typos.
        "{name: tcp1, port: 80}, {name: tcp2, port: 81}",
        # The name exists, or two ports would get it.
        "{name: htpp, port: 80}, {name: http, port: 81}",
        "{name: htpp, port: 80}, {name: htttp, port: 81}",
        # Something else uses the name.
        "{name: htpp, port: 80, targetPort: htpp}",
        "{name: web, port: 80}",
    ],
)
def test_a_port_keeps_its_name_if_in_doubt(ports: str) -> None:
    assert corrections(SERVICE.format(ports=ports)) == []


def test_a_name_that_another_object_uses_stays() -> None:
    ingress = """---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: cart, namespace: shop}
spec:
  defaultBackend: {service: {name: cart, port: {name: htpp-web}}}
"""
    service = SERVICE.format(ports="{name: htpp-web, port: 80}")
    assert corrections(service)
    assert corrections(service + ingress) == []
