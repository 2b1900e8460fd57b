"""The execution environment: what it asks for, what is built of it, and that a wrong download is not installed.

That the image builds and starts nothing here can show: there is no container engine (docs/ci.md).
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PINS = [line.split() for line in (ROOT / "tools/clients.txt").read_text().splitlines() if not line.startswith("#")]


def requirements(path: str) -> list[str]:
    return [line for line in (ROOT / path).read_text().splitlines() if line and not line.startswith("#")]


def test_the_environment_needs_what_the_checkout_needs() -> None:
    beside = ("ansible>", "openshift>")
    assert requirements("meta/ee-requirements.txt") == [
        line for line in requirements("requirements.txt") if not line.startswith(beside)
    ]


def test_what_the_collection_asks_for_is_understood() -> None:
    found = subprocess.run(
        ["ansible-builder", "introspect", "--sanitize", str(ROOT / ".ansible/collections")],
        capture_output=True,
        text=True,
        check=True,
    )
    asked = yaml.safe_load(found.stdout)
    assert {re.split(r"[><=!]", line)[0] for line in asked["python"]} == {
        "kubernetes",
        "jsonpatch",
        "ryaml",
        "common-expression-language",
        "jmespath",
    }, "PyYAML comes with ansible-core, so ansible-builder leaves it out"
    assert [line.split()[0] for line in asked["system"]] == ["ca-certificates"]


def test_the_context_has_the_collection_and_the_pinned_programs(tmp_path: Path) -> None:
    subprocess.run([ROOT / "tools/ee.sh", tmp_path], capture_output=True, text=True, check=True)
    context = tmp_path / "context"
    recipe = (context / "Containerfile").read_text()
    assert "RUN /tmp/clients.sh /tmp/clients.txt /usr/local/bin" in recipe
    for name in ("clients.sh", "clients.txt"):
        assert (context / "_build/configs" / name).read_text() == (ROOT / "tools" / name).read_text()
    required = yaml.safe_load((context / "_build/requirements.yml").read_text())["collections"]
    assert required == [{"name": "configs/corpv3-service_mesh.tar.gz", "type": "file"}]
    with tarfile.open(context / "_build" / required[0]["name"]) as artifact:
        names = set(artifact.getnames())
    assert {"meta/execution-environment.yml", "meta/ee-requirements.txt", "playbooks/site.yml"} <= names
    assert not {
        name for name in names if name.split("/")[0] in ("tests", "tools", ".github", "execution-environment.yml")
    }


def test_navigator_passes_what_a_credential_sets() -> None:
    settings = yaml.safe_load((ROOT / "ansible-navigator.yml").read_text())["ansible-navigator"]
    passed = settings["execution-environment"]["environment-variables"]["pass"]
    assert {"K8S_AUTH_HOST", "K8S_AUTH_API_KEY", "K8S_AUTH_VERIFY_SSL", "K8S_AUTH_SSL_CA_CERT"} <= set(passed)
    assert settings["playbook-artifact"]["enable"] is False


def test_each_program_is_pinned_for_both_machines() -> None:
    assert {(pin[0], pin[2]) for pin in PINS} == {
        (program, machine) for program in ("helm", "kubectl", "istioctl") for machine in ("x86_64", "aarch64")
    }
    for program, version, __, checksum, __, address in PINS:
        assert re.fullmatch(r"[0-9a-f]{64}", checksum), program
        assert version in address, program


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A program in an archive, as helm's release is one."""
    path = tmp_path / "helm.tar.gz"
    with tarfile.open(path, "w:gz") as target:
        content = b"#!/bin/sh\necho v3\n"
        entry = tarfile.TarInfo("linux/helm")
        entry.size, entry.mode = len(content), 0o755
        target.addfile(entry, io.BytesIO(content))
    return path


def install(tmp_path: Path, archive: Path, checksum: str, *programs: str) -> subprocess.CompletedProcess[str]:
    pins = tmp_path / "pins.txt"
    pins.write_text(
        f"# a comment\nhelm 3 {os.uname().machine} {checksum} linux/helm file://{archive}\n"
        "kubectl 1 pdp11 00 - file:///nowhere\n"
    )
    command = [ROOT / "tools/clients.sh", pins, tmp_path / "bin", *programs]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_a_program_is_taken_out_of_its_archive(tmp_path: Path, archive: Path) -> None:
    done = install(tmp_path, archive, hashlib.sha256(archive.read_bytes()).hexdigest())
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "bin").iterdir()] == ["helm"]
    assert subprocess.run([tmp_path / "bin/helm"], capture_output=True, text=True, check=True).stdout == "v3\n"


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_another_checksum_is_refused(tmp_path: Path, archive: Path) -> None:
    done = install(tmp_path, archive, "0" * 64)
    assert done.returncode != 0
    assert "has not the checksum" in done.stderr
    assert list((tmp_path / "bin").iterdir()) == []


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_a_program_without_a_pin_is_reported(tmp_path: Path, archive: Path) -> None:
    done = install(tmp_path, archive, "0" * 64, "kubectl")
    assert done.returncode != 0
    assert "has nothing for kubectl" in done.stderr
