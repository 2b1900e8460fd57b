# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which findings count, and the forms in which they leave."""

from __future__ import annotations

import datetime
import json
import re
import shutil
import subprocess
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.finding import Finding, Rule
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Resource, Source
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.report.html import html
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.selection import (
    Policy,
    Selection,
    SelectionError,
    baseline_of,
    fingerprint,
    policy_of,
    select,
    suppression_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.validation import (
    FORMATS,
    Validated,
    rendered,
)

TODAY = datetime.date(2026, 11, 25)


def finding(
    code: str = "IST0101", name: str = "shop", annotations: dict[str, str] | None = None, **changes: Any
) -> Finding:
    rule = Rule("check", code, changes.pop("level", "error"), "A title", "A reason.", "A remedy.", ("KIA1101",))
    obj = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": name, "namespace": "shop", "annotations": annotations or {}},
    }
    source = Source("deploy/a & b.yaml", 3, "text")
    return Finding(
        rule, Resource(obj, source), ("spec", "http", 0), changes.pop("message", "no such <host>"), **changes
    )


def chosen(
    findings: list[Finding],
    *suppressions: Any,
    policy: dict[str, Any] | None = None,
    baseline: Counter[str] | None = None,
) -> Selection:
    entries = [suppression_of(entry) for entry in suppressions]
    return select(findings, policy_of(policy or {}), entries, baseline or Counter(), TODAY)


@pytest.mark.parametrize(
    "entry",
    [
        "IST0101",
        "IST0*",
        "KIA1101",
        "IST0101=*",
        "IST0101=VirtualService shop/shop",
        "IST0101=VirtualService */sh?p",
        {"code": "IST0101", "resource": "* shop/*", "reason": "known", "until": "2026-11-25"},
    ],
)
def test_a_suppression_that_matches(entry: Any) -> None:
    assert chosen([finding()], entry).kept == []


def test_a_suppression_may_match_what_was_not_read() -> None:
    wanted = [suppression_of(entry) for entry in ("IST0102", {"code": "IST0101", "until": "2026-11-24"})]
    selection = select([finding()], policy_of({}), wanted, Counter(), TODAY, is_whole=False)
    assert selection.unused == ["IST0101 expired on 2026-11-24"]


@pytest.mark.parametrize(
    ("entry", "note"),
    [
        ("IST0102", "IST0102 matches nothing"),
        ("IST0101=VirtualService cart/*", "IST0101 VirtualService cart/* matches nothing"),
        ({"code": "IST0101", "until": "2026-11-24"}, "IST0101 expired on 2026-11-24"),
    ],
)
def test_a_suppression_without_effect_is_reported(entry: Any, note: str) -> None:
    selection = chosen([finding()], entry)
    assert (len(selection.kept), selection.unused) == (1, [note])


@pytest.mark.parametrize(
    "entry", [{}, {"code": ""}, {"code": "A", "resorce": "x"}, 5, "IST0101=shop", {"code": "A", "until": "tomorrow"}]
)
def test_an_invalid_suppression_is_refused(entry: Any) -> None:
    with pytest.raises(SelectionError, match="suppress:"):
        suppression_of(entry)


@pytest.mark.parametrize(
    ("annotation", "text", "silent"),
    [
        ("galley.istio.io/analyze-suppress", "IST0101", True),
        ("galley.istio.io/analyze-suppress", "*", True),
        ("galley.istio.io/analyze-suppress", "IST0999, IST0101", True),
        ("galley.istio.io/analyze-suppress", "IST0999", False),
        ("kiali.io/ignore-validations", "", True),
        ("kiali.io/ignore-validations", "KIA1101", True),
        ("service-mesh.corpv3.com/suppress", "IST0101: the vendor's chart", True),
        ("galley.istio.io/analyze-suppress", "", False),
    ],
)
def test_an_objects_annotation_suppresses_a_finding(annotation: str, text: str, silent: bool) -> None:
    assert (chosen([finding(annotations={annotation: text})]).kept == []) is silent


def test_a_policy_raises_lowers_and_switches_off() -> None:
    findings = [finding("IST0101"), finding("IST0118", level="info"), finding("KIA1104", level="warning")]
    levels = {"IST*": "info", "IST0118": "error", "KIA1104": "off"}
    selection = chosen(findings, policy={"levels": levels})
    assert [(item.rule.code, item.severity) for item in selection.kept] == [("IST0101", "info"), ("IST0118", "error")]
    # YAML reads an unquoted off as false.
    assert policy_of({"levels": {"KIA1104": False}}) == Policy({"KIA1104": "off"})
    with pytest.raises(SelectionError, match="fatal"):
        policy_of({"levels": {"IST0101": "fatal"}})


def test_a_baseline_hides_what_it_knows_and_no_more() -> None:
    first = finding()
    baseline = baseline_of(rendered("json", _validated([first]), fail_on="error", title="", version="1"))
    moved = finding(line=99, column=3)
    selection = chosen([moved, finding(name="cart"), finding()], baseline=baseline)
    assert ([item.resource.name for item in selection.kept], selection.known) == (["cart", "shop"], 1)
    with pytest.raises(SelectionError, match="baseline:"):
        baseline_of("not json")


def test_the_fingerprint_is_that_of_the_fault_not_of_its_place() -> None:
    assert fingerprint(finding(line=1)) == fingerprint(finding(line=2))
    assert fingerprint(finding(message="other")) != fingerprint(finding())


def _validated(findings: list[Finding]) -> Validated:
    summary = {level: sum(item.severity == level for item in findings) for level in ("error", "warning", "info")}
    rest = {"objects": 7, "files": 2, "checks": 100, "suppressed": 1, "known": 0, "undecided": 0}
    return Validated([item.as_dict() for item in findings], {**summary, **rest}, {}, [])


RESULT = _validated(
    [
        finding(line=12, column=7),
        finding("KIA1104", level="warning", message="tab\tand\x01control, 100%:\nnew line"),
        Finding(Rule("check", "MESH001", "info", "t", "", ""), Resource({}, Source("x.yaml", 1), ""), (), "<b>&</b>"),
    ]
)


def write(form: str) -> str:
    return rendered(form, RESULT, fail_on="error", title="A & B", version="0.1.0")


def test_every_form_is_the_same_each_time() -> None:
    for form in FORMATS:
        assert write(form) == write(form) != ""


def test_the_table() -> None:
    assert write("table").splitlines() == [
        "ERROR  IST0101 KIA1101   VirtualService shop/shop  deploy/a & b.yaml:12:7",
        "       no such <host>",
        "       -> A remedy.",
        "WARN   KIA1104 KIA1101   VirtualService shop/shop  deploy/a & b.yaml:0:0",
        "       tab and?control, 100%: new line",
        "       -> A remedy.",
        "INFO   MESH001           x.yaml  x.yaml:0:0",
        "       <b>&</b>",
        "1 error, 1 warning, 1 info in 7 objects of 2 files (1 suppressed)",
    ]


def test_junit_is_xml_whose_failures_are_what_fails() -> None:
    suite = ElementTree.fromstring(write("junit")).find("testsuite")  # noqa: S314  (our own text)
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    cases = suite.findall("testcase")
    assert [case.find("failure") is not None for case in cases] == [True, False, False]
    assert (cases[0].get("file"), cases[0].get("line")) == ("deploy/a & b.yaml", "12")


def test_github_gets_one_line_for_each() -> None:
    lines = write("github").splitlines()
    assert lines[0] == (
        "::error title=IST0101 VirtualService shop/shop,file=deploy/a & b.yaml,line=12,col=7"
        "::no such <host>%0AA remedy."
    )
    assert [line.split(" ")[0] for line in lines] == ["::error", "::warning", "::notice"]
    assert "100%25:%0Anew line" in lines[1]


def test_html_escapes_what_others_wrote() -> None:
    page = html(RESULT.findings, RESULT.summary, "A & B")
    assert "<title>A &amp; B</title>" in page
    assert "no such &lt;host&gt;" in page
    assert "<b>&</b>" not in page


def test_html_orders_and_filters_without_a_script() -> None:
    page = html(RESULT.findings, RESULT.summary, "title")
    assert "<script" not in page
    for field in ("by-file", "by-level", "by-code", "show-error", "show-warning", "show-info"):
        # The field, and the style that reads it.
        assert f"id={field}" in page
        assert field == "by-file" or f"#{field}:" in page
    order = re.findall(r'<article class="(\w+)"[^>]* style="--by-level:(\d);--by-code:(\d)">', page)
    assert order == [("error", "0", "0"), ("warning", "1", "1"), ("info", "2", "2")]
    assert "<form" not in html([], RESULT.summary, "title")


def test_html_explains_our_own_codes_itself() -> None:
    known = {**RESULT.findings[0], "code": "MESH206", "docs": ""}
    own = {**RESULT.findings[0], "code": "MESH9999", "docs": ""}
    page = html([known, own, known], RESULT.summary, "title")
    assert page.count('<a href="#about-MESH206">') == 2
    assert page.count('id="about-MESH206"') == page.count('id="MESH206"') == 1
    assert "Wrong: " in page
    assert "about-MESH9999" not in page


def test_sarif_names_file_line_and_rule() -> None:
    run = json.loads(write("sarif"))["runs"][0]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["IST0101", "KIA1104", "MESH001"]
    first = run["results"][0]
    assert (first["ruleId"], first["ruleIndex"], first["level"]) == ("IST0101", 0, "error")
    physical = first["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"]["uri"] == "deploy/a%20%26%20b.yaml"
    assert physical["region"] == {"startLine": 12, "startColumn": 7}


@pytest.fixture(scope="session")
def sarif_schema(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The official schema, out of a package that Microsoft publishes for tests like this one."""
    npm = shutil.which("npm")
    if not npm:
        pytest.skip("no npm, which has the schema's package")
    folder: Path = tmp_path_factory.mktemp("sarif")
    package = "@microsoft/jest-sarif@1.0.0-beta.0"
    done = subprocess.run([npm, "pack", "--silent", package], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{package} cannot be had: {done.stderr[-200:]}")
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        member = archive.extractfile("package/lib/schemas/sarif-2.1.0-rtm.5.json")
        assert member is not None
        return json.load(member)


@pytest.mark.parametrize("result", [RESULT, _validated([])], ids=["findings", "nothing"])
def test_sarif_passes_the_official_schema(sarif_schema: Any, result: Validated) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator: Callable[..., Any] = jsonschema.validators.validator_for(sarif_schema)
    log = json.loads(rendered("sarif", result, fail_on="error", title="", version="0.1.0"))
    assert [error.message for error in validator(sarif_schema).iter_errors(log)] == []
