# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Schemas and istiod's admission, without either."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate import catalog, engine
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.resource import Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema import cel_syntax, go, regex, store
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.structure import family_of


def module(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    assert spec and spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


schema_cases = module("schema_cases")
mutations = module("mutations")

CHECKS = [check for check in catalog.all_checks() if ".schema_" in check.function.__module__]
CASES = list(schema_cases.cases())
VALID = schema_cases.valid_objects()


def findings(obj: dict[str, Any]) -> list[dict[str, Any]]:
    outcome = engine.run_checks(Mesh([Resource(obj)]), CHECKS)
    assert outcome.broken == {}
    return [finding.as_dict() for finding in outcome.findings if finding.rule.code != "IST0002"]


@pytest.mark.parametrize("obj", VALID, ids=[f"{obj['kind']} {obj['metadata']['name']}" for obj in VALID])
def test_nothing_is_said_of_a_valid_object(obj: dict[str, Any]) -> None:
    assert findings(obj) == []


@pytest.mark.parametrize(("name", "case", "obj"), CASES, ids=[name for name, _case, _obj in CASES])
def test_the_fields_that_are_refused_or_doubted(name: str, case: dict[str, Any], obj: dict[str, Any]) -> None:
    found = findings(obj)
    refused = {finding["field"] for finding in found if finding["level"] == "error"}
    doubted = {finding["field"] for finding in found if finding["level"] != "error"}
    if case.get("either"):
        assert bool(refused) == bool(case.get("refused")), found
    else:
        assert refused == schema_cases.fields(case.get("refused", [])), found
        assert doubted == schema_cases.fields(case.get("doubted", [])), found


@pytest.mark.parametrize("family", ["istio", "gateway"])
def test_the_data_is_what_the_script_would_write(family: str) -> None:
    written = store.modules(family, store.expanded(family))
    folder = Path(store.__file__).parent
    assert {name: (folder / name).read_text() for name in written} == written


def test_the_supported_releases_are_known() -> None:
    assert store.table("istio").releases == ["1.30", "1.31"]


def test_what_fits_at_a_glance_has_no_fault_at_a_closer_look() -> None:
    chosen = random.Random(1)  # noqa: S311
    for obj in VALID:
        group, _slash, version = obj["apiVersion"].partition("/")
        family = family_of(group)
        assert family is not None
        root = family.table.roots[family.table.releases[-1]][f"{group}/{obj['kind']}/{version}"]
        spec = family.table.nodes[root]["properties"]["spec"]
        for what, changed in mutations.mutations(obj):
            if chosen.random() < 0.1 and family.compiler.fits(spec)(changed.get("spec")):
                assert list(family.explainer.faults(spec, changed["spec"], ("spec",))) == [], what


# As Go's regexp says of each.
@pytest.mark.parametrize(
    "text",
    *[
        [
            "a|b",
            "(?i)a",
            "(?P<n>a)",
            "(?<n>a)",
            "[]a]",
            "[^]a]",
            "a{,3}",
            "a{2,3}?",
            r"\pL\x{10FFFF}\Q(\E",
            "[[:alpha:]]",
            r"\01",
        ]
    ],
)
def test_expressions_that_re2_takes(text: str) -> None:
    assert regex.error(text) == ""


@pytest.mark.parametrize(
    "text",
    *[
        [
            "(?=a)",
            "(?!a)",
            "(?<=a)",
            "(a",
            "a)",
            "[a",
            "[z-a]",
            "a**",
            "*a",
            "a{1001}",
            "a{3,2}",
            r"\1",
            r"\Z",
            "[[:no:]]",
            "\\",
        ]
    ],
)
def test_expressions_that_re2_refuses(text: str) -> None:
    assert regex.error(text) != ""


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [("1h2m3.5s", 3723500000000), ("0", 0), ("-1ms", -1000000), ("1d", None), ("5", None), ("", None), ("1e3s", None)],
)
def test_durations_of_go(text: str, nanoseconds: int | None) -> None:
    assert go.duration(text) == nanoseconds


@pytest.mark.parametrize(
    "text", ["a", "a.b(c)[0] ? {'x': 1u} : [2.5e3]", "!-a", "x.y{z: 1}", "r'\\d' in [b\"c\"] // why"]
)
def test_expressions_of_cel(text: str) -> None:
    assert (cel_syntax.error(text) == "") is (text != "!-a")


@pytest.mark.parametrize("text", ["", "a >=", "a b", "(a", "[1, 2", "a..b", "'a", "for", "a ? b"])
def test_no_expressions_of_cel(text: str) -> None:
    assert cel_syntax.error(text) != ""
