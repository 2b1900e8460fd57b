# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files, charts and kustomizations as input; checks that users write. The examples are those of docs/validation.md."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import InputError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.inputs import ChartInput, Reader
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate import engine
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.custom import (
    CustomCheckError,
    cel_checks,
    python_checks,
)

ROOT = Path(__file__).resolve().parents[5]
GUIDE = (ROOT / "docs/validation.md").read_text()
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: %s}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.yaml", "b.yml", "sub/c.json", "sub/.hidden/d.yaml", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SERVICE % path.stem)
    return tmp_path


def names(reader: Reader) -> list[str]:
    return [resource.name for resource in reader.loaded.resources]


def program(tmp_path: Path, name: str, script: str) -> str:
    path = tmp_path / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_folders_files_and_patterns(folder: Path) -> None:
    reader = Reader(base=str(folder))
    reader.read([str(folder)])
    assert names(reader) == ["a", "b", "c"]
    assert [resource.source.file for resource in reader.loaded.resources] == ["a.yaml", "b.yml", "sub/c.json"]
    one = Reader()
    one.read([str(folder / "a.yaml"), str(folder / "**/*.json"), str(folder / "a.yaml")])
    assert names(one) == ["a", "c"]


def test_a_folder_is_read_as_kubectl_reads_it(tmp_path: Path) -> None:
    for name in ("b.yaml", "a/z.yaml", "c/a.yaml", "d.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(SERVICE % "cart")
    reader = Reader(base=str(tmp_path))
    reader.read([str(tmp_path)])
    files = [resource.source.file for resource in reader.loaded.resources]
    assert files == ["a/z.yaml", "b.yaml", "c/a.yaml", "d.yaml"]


def test_what_is_missing_is_refused_with_the_remedy(folder: Path) -> None:
    for path, words in ((str(folder / "nope.yaml"), "does not exist"), (str(folder / "*.toml"), "matches no file")):
        with pytest.raises(InputError, match=words):
            Reader().read([path])


def test_what_cannot_be_opened_is_a_finding(folder: Path) -> None:
    (folder / "loop.yaml").symlink_to(folder / "loop.yaml")
    reader = Reader(base=str(folder))
    reader.read([str(folder)])
    assert [(item.rule.code, item.resource.source.file) for item in reader.loaded.findings] == [
        ("MESH006", "loop.yaml")
    ]


def test_a_chart_is_rendered_and_its_templates_are_named(tmp_path: Path) -> None:
    (tmp_path / "chart").mkdir()
    (tmp_path / "chart/Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.0.0\n")
    helm = program(
        tmp_path,
        "helm",
        "cat >/dev/null; printf -- '---\\n# Source: shop/templates/a.yaml\\n%s' '" + SERVICE % "x" + "'",
    )
    reader = Reader(base=str(tmp_path), helm=helm)
    reader.chart(ChartInput(str(tmp_path / "chart"), "shop", "prod", {"a": 1}))
    (service,) = reader.loaded.resources
    assert (service.namespace, service.source.file) == ("prod", "chart/templates/a.yaml (rendered)")


def test_a_chart_that_does_not_render_is_a_finding_at_its_template(tmp_path: Path) -> None:
    (tmp_path / "chart").mkdir()
    (tmp_path / "chart/Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.0.0\n")
    words = "Error: template: shop/templates/a.yaml:7:3: executing x: can not index a number"
    reader = Reader(base=str(tmp_path), helm=program(tmp_path, "helm", f"cat >/dev/null; echo '{words}' >&2; exit 1"))
    reader.read([str(tmp_path / "chart")])
    (finding,) = reader.loaded.findings
    assert (finding.rule.code, finding.resource.source.file, finding.line) == ("MESH007", "chart/templates/a.yaml", 7)


def test_a_missing_program_is_named_with_its_option(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: []\n")
    with pytest.raises(InputError, match="kustomize_binary"):
        Reader(kustomize=str(tmp_path / "absent")).read([str(tmp_path)])


def test_a_kustomization_is_built(tmp_path: Path) -> None:
    (tmp_path / "k").mkdir()
    (tmp_path / "k/kustomization.yaml").write_text("resources: [a.yaml]\n")
    for name, verb in (("kustomize", "build"), ("kubectl", "kustomize")):
        script = f"[ \"$1\" = {verb} ] && printf '{SERVICE % name}'"
        reader = Reader(kustomize=program(tmp_path, name, script))
        reader.read([str(tmp_path / "k")])
        assert names(reader) == [name]


def code_block(language: str, containing: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", GUIDE, flags=re.DOTALL)
    return next(block for block in blocks if containing in block)


def run(checks: Any, *specs: dict[str, Any]) -> list[tuple[str, str, str]]:
    resources = [
        Resource(
            {
                "apiVersion": "networking.istio.io/v1",
                "kind": "VirtualService",
                "metadata": {"name": f"v{index}", "namespace": "shop"},
                "spec": spec,
            }
        )
        for index, spec in enumerate(specs)
    ]
    outcome = engine.run_checks(Mesh(resources), checks)
    assert outcome.broken == {}
    return [(item.rule.code, item.resource.name, item.field) for item in outcome.findings]


def test_the_guides_example_in_cel() -> None:
    checks = cel_checks(yaml.safe_load(code_block("yaml", "SHOP001"))["validate_policy"]["cel"])
    good = {"http": [{"timeout": "3s"}]}
    assert run(checks, good, {"http": [{"timeout": "3s"}, {}]}, {}) == [("SHOP001", "v1", "spec.http")]


def test_the_guides_example_in_python(tmp_path: Path) -> None:
    path = tmp_path / "mesh_checks.py"
    path.write_text(code_block("python", "SHOP002"))
    checks = python_checks([str(path)])
    found = run(checks, {"hosts": ["a.shop.example.com", "cart"]}, {"hosts": ["cart", "b.example.org"]})
    assert found == [("SHOP002", "v1", "spec.hosts[1]")]
    # The file is read once for each run and adds nothing to what is built in.
    assert len(python_checks([str(path)])) == 1


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"code": "A1", "kinds": ["Pod"], "message": "m"}, "expression"),
        ({"code": "A1", "kinds": ["Pod"], "message": "m", "expression": "1 +"}, "A1"),
        ({"code": "a b", "kinds": ["Pod"], "message": "m", "expression": "true"}, "not a valid code"),
        ({"code": "A1", "kinds": ["Pod"], "message": "m", "expression": "true", "level": "bad"}, "level"),
        ({"code": "A1", "kinds": ["Pod"], "message": "m", "expression": "true", "kindz": []}, "kindz"),
    ],
)
def test_an_expression_that_cannot_be_used_is_refused(entry: dict[str, Any], words: str) -> None:
    with pytest.raises(CustomCheckError, match=words):
        cel_checks([entry])


def test_an_expression_without_a_value_is_a_finding() -> None:
    entry = {"code": "A1", "kinds": ["VirtualService"], "message": "m", "expression": "object.spec.nothing.here == 1"}
    assert run(cel_checks([entry]), {}) == [("A1", "v0", "")]


@pytest.mark.parametrize(
    ("text", "words"),
    [("x = (", "line 1: SyntaxError"), ("\nraise ValueError('no')", "line 2: ValueError: no"), ("x = 1", "no check")],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "checks.py"
    path.write_text(textwrap.dedent(text))
    with pytest.raises(CustomCheckError, match=words):
        python_checks([str(path)])
    with pytest.raises(CustomCheckError, match="neither a file"):
        python_checks(["acme.mesh.nothing"])
