# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Schemas and istiod's admission, without either."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh import nearest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, Settings
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate import catalog, engine
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema import explain
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.data import store
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.language import cel_syntax, go, regex
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.structure import family_of

from ....support import mutations, schema_cases

CHECKS = [check for check in catalog.all_checks() if ".checks.schema." in check.function.__module__]
CASES = list(schema_cases.cases())
VALID = schema_cases.valid_objects()


def findings(obj: dict[str, Any]) -> list[dict[str, Any]]:
    outcome = engine.run_checks(Mesh([Resource(obj)]), CHECKS)
    assert outcome.broken == {}
    return [finding.as_dict() for finding in outcome.findings if finding.rule.code != "IST0002"]


@pytest.mark.parametrize("obj", VALID, ids=[f"{obj['kind']} {obj['metadata']['name']}" for obj in VALID])
def test_a_valid_object_has_no_finding(obj: dict[str, Any]) -> None:
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
    assert store.table("istio").releases == ["1.30", "1.31", "1.32"]
    of_gateway = [name + channel for name in ("1.4", "1.5", "1.6", "1.7") for channel in ("-standard", "")]
    assert store.table("gateway").releases == of_gateway


def added_fields(family: Any) -> Iterator[tuple[str, str, list[str]]]:
    """(release, field, what its object had until then) of each field that a release brought."""
    nodes = family.table.nodes

    def below(old: int, new: int) -> Iterator[tuple[str, list[str]]]:
        before, after = (nodes[index].get("properties", {}) for index in (old, new))
        for name, child in after.items():
            if name in before:
                yield from below(before[name], child)
            elif before:
                yield name, list(before)
        for key in ("items", "additionalProperties"):
            if key in nodes[old] and key in nodes[new]:
                yield from below(nodes[old][key], nodes[new][key])

    releases = family.table.releases
    for older, newer in ((older, newer) for place, older in enumerate(releases) for newer in releases[place + 1 :]):
        for kind, root in family.table.roots[newer].items():
            if kind in family.table.roots[older]:
                for name, known in below(family.table.roots[older][kind], root):
                    yield newer, name, known


@pytest.mark.parametrize("group", ["networking.istio.io", "gateway.networking.k8s.io"])
def test_no_field_that_a_release_ever_added_looks_like_a_slip(group: str) -> None:
    added = list(added_fields(family_of(group)))
    assert len({name for _release, name, _known in added}) > 10
    slips = {(release, name) for release, name, known in added if explain.unknown_field((), name, known).misspelt}
    assert slips == set()


@pytest.mark.parametrize(
    ("wrong", "right", "is_slip"),
    [
        ("timeoutt", "timeout", True),
        ("wieght", "weight", True),
        ("hostz", "hosts", True),
        ("retrys", "retries", True),
        ("max_connections", "maxConnections", True),
        ("MaxConnections", "maxConnections", True),
        ("conectionPol", "connectionPool", True),
        ("ports", "hosts", False),
        ("credentialName", "caCertCredentialName", False),
        ("jitter", "interval", False),
        ("tls", "tcp", False),
    ],
)
def test_a_slip_is_a_letter_or_two(wrong: str, right: str, is_slip: bool) -> None:
    for one, other in ((wrong, right), (right, wrong)):
        assert nearest.is_slip(one, other) is is_slip


def test_a_value_that_a_newer_release_may_have_is_a_warning() -> None:
    obj = next(obj for obj in VALID if obj["kind"] == "PeerAuthentication")
    obj = {**obj, "spec": {"mtls": {"mode": "REQUIRED"}}}

    def reported(version: str) -> list[tuple[str, str]]:
        mesh = Mesh([Resource(obj)], Settings(facts={"istio_release": version}))
        return [
            (finding.severity, finding.message)
            for finding in engine.run_checks(mesh, CHECKS).findings
            if finding.field == "spec.mtls.mode"
        ]

    assert [level for level, _message in reported("1.32")] == ["error"]
    [(level, message)] = reported("1.33")
    assert level == "warning"
    assert message.endswith("Istio up to 1.32 does not have it, and this is Istio 1.33")


def test_what_passes_the_quick_check_passes_the_thorough_one() -> None:
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


# Go's regexp decides the same for each.
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
