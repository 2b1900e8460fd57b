# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scripts and guides that label Namespaces: what is true only without these labels is not reported."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import SCRIPTED_LABELS, Mesh, Settings
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.scripts import (
    never_together,
    scripted_labels,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate import catalog, engine

from ....support import validate_harness as harness

ENABLED = {"istio-injection": "enabled"}
SHOP = """
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop}
spec:
  selector: {matchLabels: {app: cart}}
  template:
    metadata: {labels: {app: cart}}
    spec: {containers: [{name: cart, image: cart:1}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: cart, namespace: shop}
spec: {rules: [{to: [{operation: {methods: [GET]}}]}]}
"""


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("kubectl label namespace shop istio-injection=enabled --overwrite", [("shop", ENABLED)]),
        ("$ oc label --overwrite ns shop till istio-injection=enabled", [("shop", ENABLED), ("till", ENABLED)]),
        ("kubectl label ns/shop \\\n  istio-injection=enabled && ./deploy.sh", [("shop", ENABLED)]),
        (
            '"$KUBECTL" label namespace "$NAME" istio.io/use-waypoint=waypoint',
            [("", {"istio.io/use-waypoint": "waypoint"})],
        ),
        ("`kubectl label namespaces shop --context east istio.io/rev=1-30`", [("shop", {"istio.io/rev": "1-30"})]),
        ("kubectl label namespace shop istio-injection-", []),
        ("kubectl label pod cart istio-injection=enabled", []),
        ("kubectl label namespace shop team=shop  # for istio", []),
    ],
)
def test_commands(tmp_path: Path, line: str, found: list[tuple[str, dict[str, str]]]) -> None:
    (tmp_path / "README.md").write_text(f"First:\n{line}\n")
    assert scripted_labels([str(tmp_path)]) == found


def test_only_scripts_and_guides_are_read(tmp_path: Path) -> None:
    files = {"Makefile": "make", "a.sh": "shell", ".hidden.sh": "hidden", "a.go": "go", ".git/a.sh": "git"}
    for file, name in files.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(f"kubectl label namespace {name} istio-injection=enabled\n")
    assert [name for name, _labels in scripted_labels([str(tmp_path)])] == ["make", "shell"]


def _codes(*labels: tuple[str, dict[str, str]], text: str = SHOP) -> list[str]:
    settings = Settings(facts={SCRIPTED_LABELS: lambda: list(labels)})
    checks = [check for check in catalog.all_checks() if check.enabled]
    outcome = engine.run_checks(Mesh(harness.resources_of(text), settings), checks)
    assert outcome.broken == {}
    return [finding.rule.code for finding in outcome.findings if finding.severity != "info"]


def test_what_is_true_without_the_labels_only_is_not_reported() -> None:
    assert _codes() == ["IST0127"]
    assert _codes(("shop", ENABLED)) == _codes(("", ENABLED)) == []
    assert _codes(("till", ENABLED)) == ["IST0127"]
    # A label that the file has stays.
    disabled = SHOP.replace("{name: shop}", "{name: shop, labels: {istio-injection: disabled}}")
    assert _codes(("shop", ENABLED), text=disabled) == ["IST0127"]


def test_the_file_decides_between_sidecars_and_ambient_mode() -> None:
    ambient = SHOP.replace("{name: shop}", "{name: shop, labels: {istio.io/dataplane-mode: ambient}}")
    route = """---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {selector: {app: cart}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: shop}
spec: {hosts: [cart], http: [{route: [{destination: {host: cart}}], timeout: 3s}]}
"""
    without_waypoint = _codes(text=ambient + route)
    assert "KIA1113" in without_waypoint
    assert _codes(("shop", ENABLED), text=ambient + route) == without_waypoint
    # A waypoint comes on top.
    assert "KIA1113" not in _codes(("shop", {"istio.io/use-waypoint": "waypoint"}), text=ambient + route)


@pytest.mark.parametrize("text", ["label " + "--a " * 5_000, "apply -f " + "a." * 50_000, "label ns " * 20_000])
def test_a_guide_that_is_made_to_take_time(tmp_path: Path, text: str) -> None:
    (tmp_path / "README.md").write_text(f"istio delete {text}")
    begin = time.process_time()
    assert scripted_labels([str(tmp_path)]) == []
    assert never_together([str(tmp_path)], ["a.yaml", "b.yaml"]) == set()
    assert time.process_time() - begin < 2
