# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line of mesh-validate: exit codes, options, configuration, formats."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._console import main as console
from ansible_collections.corpv3.service_mesh.plugins.module_utils._console import run as console_run
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.live import Unread
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import SERVICE
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.request import Answered

ROUTE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: shop}
spec:
  hosts: [cart]
  http: [{route: [{destination: {host: cart, prot: 80}}]}]
"""
FIXED = ROUTE.replace("prot: 80", "port: {number: 80}")
WEIGHT = FIXED.replace("}}]", "}, weight: 20}]")


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "route.yaml").write_text(ROUTE)
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "arguments", "code"),
    [
        (FIXED, [], 0),
        (ROUTE, [], 1),
        (WEIGHT, [], 0),
        (WEIGHT, ["--level", "warning"], 1),
        (ROUTE, ["--level", "never"], 0),
        ("- hosts: all\n", [], 2),
        ("a: [", ["route.yaml"], 1),
        (FIXED, ["nope.yaml"], 2),
        (FIXED, ["--istio-version", "newest"], 2),
        (FIXED, ["--config", "nope.yml"], 2),
        (FIXED, ["--explain", "MESH9999"], 2),
        (FIXED, ["--explain", "mesh101"], 0),
    ],
)
def test_the_exit_code_is_0_clean_1_findings_2_not_checked(
    repository: Path, text: str, arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "route.yaml").write_text(text)
    assert console.main(arguments) == code
    shown = capsys.readouterr()
    assert bool(shown.out) == (code != 2)
    assert shown.err.startswith("mesh-validate: ") == (code == 2)


@pytest.mark.parametrize("arguments", [["--level", "fatal"], ["--context", "a"], ["--config", "a", "--no-config"]])
def test_invalid_arguments_end_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        console.main(arguments)
    assert ended.value.code == 2
    assert "usage: mesh-validate" in capsys.readouterr().err


def test_kinds_of_the_cluster_that_could_not_be_read_end_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = console_run.answered

    def half(*arguments: object) -> Answered:
        done = real(*arguments)  # type: ignore[arg-type]
        return done._replace(unread=[Unread(SERVICE, "services", "forbidden")])

    monkeypatch.setattr(console_run, "answered", half)
    assert console.main([]) == 2
    shown = capsys.readouterr()
    assert "MESH101" in shown.out
    assert "could not be read" in shown.err


def test_standard_input_is_a_file_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(ROUTE.encode())))
    assert console.main(["-"]) == 1
    assert capsys.readouterr().out.startswith("-:6:")


@pytest.mark.parametrize(
    ("form", "begin"),
    [
        ("json", "{"),
        ("sarif", "{"),
        ("junit", "<?xml"),
        ("github", "::error"),
        ("html", "<!doctype"),
        ("text", "route"),
    ],
)
def test_only_the_report_is_on_standard_output(form: str, begin: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mesh-validate.yml").write_text("suppress: [IST9999]\n")
    assert console.main(["--format", form, "--statistics"]) == 1
    shown = capsys.readouterr()
    assert shown.out.startswith(begin)
    assert "note: suppress: IST9999 matches nothing" in shown.err
    if form in ("json", "sarif"):
        json.loads(shown.out)


def test_the_configuration_is_that_of_the_repositorys_root(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "deploy").mkdir()
    (repository / "route.yaml").rename(repository / "deploy/route.yaml")
    (repository / "mesh-validate.yml").write_text("suppress: [MESH101]\n")
    monkeypatch.chdir(repository / "deploy")
    assert console.main([]) == 0
    assert console.main(["--no-config"]) == 1
    (repository / "other.yml").write_text("policy: {levels: {MESH101: info}}\n")
    assert console.main(["--config", "../other.yml"]) == 0
    assert console.main(["--config", "../other.yml", "--level", "info"]) == 1
    assert "info MESH101" in capsys.readouterr().out


def test_an_argument_overrides_the_file(repository: Path) -> None:
    (repository / "route.yaml").write_text(WEIGHT)
    (repository / "mesh-validate.yml").write_text("fail_on: warning\n")
    assert console.main([]) == 1
    assert console.main(["--level", "error"]) == 0


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)
def test_colours_are_for_terminals(
    variables: dict[str, str], coloured: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    console.main([])
    assert ("\x1b[" in capsys.readouterr().out) == coloured


def test_the_module_finds_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """Both call the same function, with the defaults of the module's options."""
    console.main(["--format", "json"])
    found = json.loads(capsys.readouterr().out)
    params = {name: option.get("default") for name, option in console_run.VALIDATE_OPTIONS.items()}
    done = console_run.answered({**params, "paths": ["."]}, lambda: None, 0.0)  # type: ignore[arg-type, return-value]
    assert found["findings"] == done.result.findings
