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
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.skaffold import apart_by_skaffold
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.variants import archive_of
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


def test_addons_for_traces_replace_each_other() -> None:
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: %s, namespace: istio-system}\nspec: {type: %s}\n"
    for name, level in (("tracing", "info"), ("ingress", "warning")):
        own = {"zipkin": "ClusterIP", "jaeger": "NodePort"}
        files = {
            f"addons/{addon}.yaml": "\n---\n".join(
                service % item for item in ((name, kind), (addon, kind), (f"{addon}-ui", kind))
            )
            for addon, kind in own.items()
        }
        assert [severity for severity, _file in found(files, "MESH219")] == [level]


@pytest.mark.parametrize(
    ("place", "is_used"),
    [
        ("shop/archive", False),
        ("shop/generation-b-reference/files", False),
        ("shop/old.d", False),
        ("legacy", True),
        ("golden", True),
        ("shop/old-route.yaml.d", False),
    ],
)
def test_an_archive_does_not_conflict_with_what_is_deployed(place: str, is_used: bool) -> None:
    files = {"shop/route.yaml": route("one"), f"{place}/route.yaml": route("two")}
    assert len(found(files, "IST0109")) == (2 if is_used else 0)
    # What conflicts within it still does, and so does what is deployed.
    files |= {f"{place}/more.yaml": route("three"), "shop/more.yaml": route("four")}
    assert len(found(files, "IST0109")) == 4


def test_a_retired_kustomization_is_an_archive() -> None:
    assert archive_of("apps/retired (built)") == "apps/retired"
    assert archive_of("apps/retired.yaml") == ""


SKAFFOLD = """apiVersion: skaffold/v2beta19
kind: Config
deploy: {kubectl: {manifests: [app/*.yaml, FILE]}}
"""


@pytest.mark.parametrize(
    ("files", "pairs"),
    [
        ({"1-skaffold.yaml": "route.yaml", "2-skaffold.yaml": "fault.yaml"}, {("fault.yaml", "route.yaml")}),
        ({"skaffold.yaml": "route.yaml"}, set()),
        # A third one has both.
        ({"1-skaffold.yaml": "route.yaml", "2-skaffold.yaml": "fault.yaml", "3-skaffold.yaml": "'*.yaml'"}, set()),
    ],
)
def test_files_that_skaffold_deploys_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], pairs: set[tuple[str, str]]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, file in files.items():
        Path(name).write_text(SKAFFOLD.replace("FILE", file))
    assert apart_by_skaffold(["."], ["app/a.yaml", "app/b.yaml", "route.yaml", "fault.yaml"]) == pairs


def test_two_applications_of_skaffold_are_one_mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    newer = "apiVersion: skaffold/v4beta11\nkind: Config\nmanifests: {rawYaml: [k8s/*]}\n"
    for name in ("cart", "till"):
        Path(name).mkdir()
        Path(name, "skaffold.yaml").write_text(newer)
    assert apart_by_skaffold(["."], ["cart/k8s/a.yaml", "till/k8s/a.yaml"]) == set()
    # What only a profile deploys is deployed.
    profile = "profiles: [{name: dev, manifests: {rawYaml: [dev.yaml, common.yaml]}}]\n"
    Path("skaffold.yaml").write_text(f"{newer}{profile}---\n{newer.replace('k8s/*', 'prod.yaml, common.yaml')}")
    assert apart_by_skaffold(["."], ["dev.yaml", "prod.yaml", "common.yaml"]) == {("dev.yaml", "prod.yaml")}


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
