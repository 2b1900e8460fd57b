# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Demos: what a reader applies one of, or one after the other, is not one mesh."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import (
    GUIDED,
    NEVER_TOGETHER,
    Mesh,
    Settings,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.scripts import never_together
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate import catalog, engine

from ....support import validate_harness as harness


def route(name: str) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: shop}}
spec: {{hosts: [api.example.com], http: [{{redirect: {{authority: {name}.example.com}}}}]}}
"""


def found(files: Mapping[str, str], code: str, **facts: Any) -> list[tuple[str, str]]:
    resources = [item for file, text in files.items() for item in harness.resources_of(text, file)]
    checks = [check for check in catalog.all_checks() if check.enabled]
    outcome = engine.run_checks(Mesh(resources, Settings(facts=facts)), checks)
    assert outcome.broken == {}
    return [(item.severity, item.resource.source.file) for item in outcome.findings if item.rule.code == code]


def test_folders_of_a_demo_with_a_guide_each_are_alternatives() -> None:
    places = ["samples/gateway/tcp", "samples/gateway/tls", "samples/sidecar"]
    files = {f"{place}/route.yaml": route(place.rpartition("/")[2]) for place in places}
    assert found(files, "IST0109", **{GUIDED: {"samples", *places}}) == []
    # Without guides, the two below one folder are one.
    assert found(files, "IST0109", **{GUIDED: {"samples", places[0]}}) == [
        ("error", "samples/gateway/tcp/route.yaml"),
        ("error", "samples/gateway/tls/route.yaml"),
    ]
    # Applications with guides are of one mesh.
    apps = {file.replace("samples", "apps"): text for file, text in files.items()}
    assert len(found(apps, "IST0109", **{GUIDED: {place.replace("samples", "apps") for place in places}})) == 3


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [("bad-namespace", "good-namespace", "info"), ("ns.valid", "ns.invalid", "info"), ("a-ns", "b-ns", "warning")],
)
def test_examples_of_right_and_wrong_are_meant(one: str, other: str, level: str) -> None:
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {gatekeeper: %s}}"
    files = {f"opa/{one}.yaml": namespace % "a", f"opa/{other}.yaml": namespace % "b"}
    assert [severity for severity, _file in found(files, "MESH219")] == [level]


FILES = ("demo/fault.yaml", "demo/delay.yaml", "demo/app.yaml")


@pytest.mark.parametrize(
    ("guide", "pairs"),
    [
        ("`kubectl apply -f fault.yaml`, `kubectl delete\n-f fault.yaml`, then apply -f demo/delay.yaml", 1),
        ("kubectl apply -f fault.yaml\nkubectl apply -f delay.yaml\nkubectl delete -f fault.yaml -f delay.yaml", 0),
        ("kubectl apply -f fault.yaml\nkubectl apply -f delay.yaml", 0),
        ("kubectl delete -f fault.yaml\nkubectl apply -f delay.yaml\nkubectl apply -f fault.yaml", 0),
        ("kubectl apply -f app.yaml -f fault.yaml\nkubectl delete -f fault.yaml\nkubectl apply -f delay.yaml", 1),
    ],
)
def test_what_a_guide_deletes_before_the_next_file(tmp_path: Path, guide: str, pairs: int) -> None:
    (tmp_path / "README.md").write_text(guide)
    expected = {("demo/delay.yaml", "demo/fault.yaml")} if pairs else set()
    assert never_together([str(tmp_path)], FILES) == expected
    # Another guide keeps both.
    (tmp_path / "all.sh").write_text("kubectl apply -f demo/fault.yaml -f demo/delay.yaml # never: kubectl delete\n")
    assert never_together([str(tmp_path)], FILES) == set()


def test_files_of_which_a_guide_deletes_one_first_do_not_conflict() -> None:
    files = {file: route(file.removeprefix("demo/").removesuffix(".yaml")) for file in FILES[:2]}
    assert len(found(files, "IST0109")) == 2
    assert found(files, "IST0109", **{NEVER_TOGETHER: lambda _files: {FILES[:2]}}) == []
    # The third one stays.
    files[FILES[2]] = route("app")
    assert len(found(files, "IST0109", **{NEVER_TOGETHER: lambda _files: {FILES[:2]}})) == 3
