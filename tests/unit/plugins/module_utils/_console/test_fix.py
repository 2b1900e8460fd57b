# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""--fix and --fix --write: the diff, the files, what is refused."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._console import main as console

from ....support import validate_harness as harness

# A Windows file with a byte order mark, odd layout and no line break at its end.
ROUTE = (
    "\ufeff# the vendor's\r\n"
    "apiVersion: networking.istio.io/v1\r\n"
    "kind:   VirtualService  # kept\r\n"
    "metadata: {name: cart,   namespace: shop}\r\n"
    "spec:\r\n"
    "  hosts: [cart.example.com]\r\n"
    "  http:\r\n"
    "  - 'timeot': 5s   # and this\r\n"
    "    route:\r\n"
    "    - destination: {host: cart.example.com, prot: {number: 80}}\r\n"
    "---\r\n"
    "apiVersion: networking.istio.io/v1\r\n"
    "kind: ServiceEntry\r\n"
    "metadata: {name: cart, namespace: shop}\r\n"
    "spec: {hosts: [cart.example.com], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}"
)
FIXED = ROUTE.replace("'timeot'", "'timeout'").replace("prot:", "port:")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


def test_a_diff_is_printed_and_nothing_is_changed(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = folder / "deploy/route.yaml"
    file.parent.mkdir()
    file.write_bytes(ROUTE.encode())
    assert console.main(["deploy", "--fix"]) == 1
    err = capfd.readouterr().err
    assert file.read_bytes() == ROUTE.encode()
    assert err == "2 can be corrected, 0 others cannot; add --write to change the files\n"


def test_git_applies_the_diff(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = ROUTE.replace("\r", "")
    (folder / "route.yaml").write_text(text)
    console.main(["--fix"])
    subprocess.run(["git", "apply", "-"], input=capfd.readouterr().out.encode(), cwd=folder, check=True)
    assert (folder / "route.yaml").read_text() == FIXED.replace("\r", "")


def test_writing_changes_the_tokens_alone_and_a_second_time_nothing(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = folder / "route.yaml"
    file.write_bytes(ROUTE.encode())
    file.chmod(0o640)
    assert console.main(["--fix", "--write"]) == 0
    out, err = capfd.readouterr()
    assert file.read_bytes() == FIXED.encode()
    assert file.stat().st_mode & 0o777 == 0o640
    assert err == "2 corrected: route.yaml\n"
    assert "nothing found" in out
    time = file.stat().st_mtime_ns
    assert console.main(["--fix", "--write"]) == 0
    assert file.stat().st_mtime_ns == time
    assert capfd.readouterr().err == "0 corrected: no file\n"


def test_the_whole_input_is_judged_again_and_what_would_bring_a_finding_is_refused(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = FIXED.replace("'timeout'", "'timeot'").replace("port: {number: 80}", "prot: 80")
    file = folder / "route.yaml"
    file.write_bytes(text.encode())
    assert console.main(["--fix", "--write"]) == 1
    assert file.read_bytes() == text.replace("'timeot'", "'timeout'").encode()
    assert (
        "route.yaml:10: MESH101 is not corrected, since IST0106 would follow: 80 is a number" in capfd.readouterr().err
    )


def test_what_is_suppressed_is_not_corrected(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = ROUTE.replace("# and this", "# mesh-validate: ignore MESH101")
    (folder / "route.yaml").write_bytes(text.encode())
    assert console.main(["--fix"]) == 1
    out = capfd.readouterr().out
    assert [line for line in out.split("\n") if line.startswith(("+", "-")) and "timeo" in line] == []
    assert "port:" in out


@pytest.mark.parametrize(
    "arguments",
    [["--write"], ["--fix", "--format", "json"], ["--fix", "-"], ["--fix", "--statistics"]],
)
def test_options_that_do_not_fit_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        console.main(arguments)
    assert "--fix" in capsys.readouterr().err


CORRECTABLE = [
    case
    for code, case in harness.load_cases()
    if code in {"MESH101", "IST0002", "IST0106", "IST0118", "IST0133"} and case["finds"]
]


@pytest.mark.parametrize("case", CORRECTABLE, ids=[case["name"] for case in CORRECTABLE])
def test_every_correction_of_the_checks_cases(
    folder: Path, case: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    """What is corrected is gone, nothing new appears, and a second run has nothing to do."""
    file = folder / "input.yaml"
    file.write_text(case["input"])

    def found() -> list[tuple[str, str, str]]:
        console.main(["input.yaml", "--format", "json", "--level", "never"])
        return [
            (finding["code"], finding["name"], finding["message"])
            for finding in json.loads(capfd.readouterr().out)["findings"]
        ]

    before = found()
    console.main(["input.yaml", "--fix", "--write", "--level", "never"])
    number = int(capfd.readouterr().err.rstrip("\n").rpartition("\n")[2].split()[0])
    after = found()
    assert len(after) <= len(before) - number
    assert [finding for finding in after if finding not in before] == []
    text = file.read_text()
    console.main(["input.yaml", "--fix", "--write", "--level", "never"])
    assert file.read_text() == text
