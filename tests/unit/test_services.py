"""The services of docs/services: what they run exists, and they may do no more than they must."""

from __future__ import annotations

import configparser
import importlib.util
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ..workflow_steps import COLLECTION, ROOT, load

SERVICES = ROOT / "docs/services"
VERSION = load(ROOT / "galaxy.yml")["version"]
MANIFESTS = sorted(SERVICES.glob("*.yml"))


def objects(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def one(path: Path, kind: str) -> dict[str, Any]:
    (found,) = (each for each in objects(path) if each["kind"] == kind)
    return found


def pod_of(path: Path) -> dict[str, Any]:
    workload = next(each for each in objects(path) if each["kind"] in ("CronJob", "Deployment"))
    spec = workload["spec"]
    if workload["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    found: dict[str, Any] = spec["template"]["spec"]
    return found


def options_of_ansible_rulebook() -> set[str]:
    """Read, not imported: the package starts a Java machine."""
    found = importlib.util.find_spec("ansible_rulebook")
    assert found and found.submodule_search_locations, "ansible-rulebook is missing: extensions/eda/requirements.txt"
    text = (Path(found.submodule_search_locations[0]) / "cli.py").read_text()
    return set(re.findall(r"\"(--?[\w-]+)\"", text))


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_a_pod_fits_the_restricted_level(path: Path) -> None:
    """The lab's API server decides it in tests/integration/pipelines/test_services.py."""
    pod = pod_of(path)
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 1000
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["image"].endswith(f":{VERSION}")
        assert {"name": "HOME", "value": "/tmp"} in container["env"]
        assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_an_inventory_uses_the_pods_own_account_for_the_named_cluster_only(path: Path) -> None:
    data = one(path, "ConfigMap")["data"]
    (inventory,) = (yaml.safe_load(text) for name, text in data.items() if name in ("hosts.yml", "inventory.yml"))
    variables = inventory["clusters"]["vars"]
    assert len(inventory["clusters"]["hosts"]) == 1
    assert "service_mesh_cluster_uid" in variables
    assert not {"service_mesh_kubeconfig", "service_mesh_context"} & set(variables)


def test_reconcile_has_the_rights_of_an_operator() -> None:
    for kind in ("Role", "ClusterRole"):
        operator, own = (
            one(path, kind) for path in (ROOT / "docs/canary-operator.yml", SERVICES / "canary-reconcile.yml")
        )
        assert own["rules"] == operator["rules"]
        assert own["metadata"].get("namespace") == operator["metadata"].get("namespace")


def test_the_cronjob_calls_a_playbook_that_exists_and_never_two_at_once() -> None:
    job = one(SERVICES / "canary-reconcile.yml", "CronJob")["spec"]
    assert (job["schedule"], job["concurrencyPolicy"]) == ("* * * * *", "Forbid")
    (container,) = pod_of(SERVICES / "canary-reconcile.yml")["containers"]
    program, playbook, *_arguments = container["command"]
    assert program == "ansible-playbook"
    assert (ROOT / "playbooks" / f"{playbook.removeprefix(COLLECTION)}.yml").is_file()


def unit() -> configparser.SectionProxy:
    read = configparser.RawConfigParser(strict=False)
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read(SERVICES / "canary-rulebook.service")
    return read["Service"]


@pytest.mark.parametrize("way", ["systemd", "Deployment"])
def test_the_rulebooks_services_call_it_as_the_page_does(way: str) -> None:
    if way == "systemd":
        words = shlex.split(unit()["ExecStart"])
    else:
        (container,) = pod_of(SERVICES / "canary-rulebook.yml")["containers"]
        words = container["command"]
        assert "SERVICE_MESH_ALERTS_TOKEN" in {entry["name"] for entry in container["env"]}
    assert words[0].endswith("ansible-rulebook")
    assert {word for word in words if word.startswith("-")} <= options_of_ansible_rulebook()
    rulebook = words[words.index("-r") + 1]
    assert (ROOT / f"extensions/eda/rulebooks/{rulebook.removeprefix(COLLECTION)}.yml").is_file()
    assert words[words.index("-E") + 1] == "SERVICE_MESH_ALERTS_TOKEN"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze to judge the unit")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """Its program is not on this machine, and nothing else is wrong."""
    path = tmp_path / "canary-rulebook.service"
    text = (SERVICES / "canary-rulebook.service").read_text()
    path.write_text(text.replace("ExecStart=/opt/canary-rulebook/bin/ansible-rulebook", "ExecStart=/bin/true"))
    judged = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert [line for line in judged.stderr.splitlines() if path.name in line] == []
