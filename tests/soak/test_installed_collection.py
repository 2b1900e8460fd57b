"""README's commands for the installed collection: in an empty folder, for a foreign application."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from kubernetes import client

from ..integration.support.canary_lab import success
from ..integration.support.one_deployment_shop import BEHIND, Shop, installed
from ..integration.support.playbooks import ROOT, kubectl_of, lab_address
from ..integration.support.shop_requests import requests_to, wait_served
from ..integration.support.shops import image

NAMESPACE, HOST = "install-shop", "install.example.com"
SECTION = (ROOT / "README.md").read_text().split("\n## The installed collection\n")[1].split("\n## ")[0]
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", SECTION, re.DOTALL)
COMMANDS = [shlex.split(line) for language, text in BLOCKS if not language for line in text.splitlines()]
VARIABLES: dict[str, object] = yaml.safe_load(next(text for language, text in BLOCKS if language == "yaml"))
FAULT = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: shop}
spec: {hosts: [cart], http: [{route: [{destination: {host: cart, prot: 80}}]}]}
"""
# A kubelet forwards no port on the lab, its canaries are in a hurry, and a busy machine is slow on both sides.
OF_THE_LAB = {
    "smoke_gateway_url": lab_address(8080),
    "smoke_istiod_access": "pod_address",
    "validate_istiod_access": "pod_address",
    "canary_istiod_access": "pod_address",
    "canary_metrics": [success()],
    "canary_steps": [50],
    "canary_step_duration": "10s",
    "canary_interval": "2s",
    "canary_drain": "5s",
}


class User:
    """Of a machine with Ansible, and without checkout, configuration, helm and credentials."""

    def __init__(self, folder: Path) -> None:
        self.home, self.folder = folder / "home", folder / "empty"
        self.home.mkdir()
        self.folder.mkdir()
        programs = folder / "bin"
        programs.mkdir()
        for name in ("ansible-galaxy", "ansible-playbook"):
            (programs / name).symlink_to(Path(sys.executable).with_name(name))
        dropped = ("ANSIBLE_", "K8S_AUTH_", "KUBE", "PYTHON", "SERVICE_MESH_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        self.environment = {**kept, "HOME": str(self.home), "PATH": f"{programs}:/usr/bin:/bin", "COLUMNS": "500"}
        assert not shutil.which("helm", path=self.environment["PATH"])

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )


def command_of(name: str, *more: str) -> list[str]:
    """README's, by the playbook and one of its words."""
    (found,) = (words for words in COMMANDS if f"corpv3.service_mesh.{name}" in words and set(more) <= set(words))
    return found


@pytest.fixture(scope="module")
def shop(kubeconfig: str, api: client.ApiClient) -> Iterator[Shop]:
    with installed(kubectl_of(kubeconfig), NAMESPACE, HOST):
        wait_served(HOST, 120)
        yield Shop(api, NAMESPACE)


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> User:
    """With the collection, by README's command."""
    assert subprocess.run([ROOT / "tools/artifact.sh"], check=False).returncode == 0
    (artifact,) = (ROOT / ".ansible/dist").glob("*.tar.gz")
    found = User(tmp_path_factory.mktemp("installed"))
    # Its dependency is the test environment's; there is no Galaxy to ask.
    (install,) = (words for words in COMMANDS if words[0] == "ansible-galaxy")
    done = found.run(
        *(str(artifact) if word == "corpv3.service_mesh" else word for word in install), "--no-deps", "--offline"
    )
    assert done.returncode == 0, done.stdout
    (requirements,) = (words[-1] for words in COMMANDS if words[:3] == ["pip", "install", "-r"])
    assert (found.home / requirements.removeprefix("~/")).is_file()
    return found


def test_files_are_validated(user: User) -> None:
    (user.folder / "deploy").mkdir()
    (user.folder / "deploy/cart.yml").write_text(FAULT)
    done = user.run(*command_of("validate"))
    assert done.returncode != 0
    assert "deploy/cart.yml:4:" in done.stdout and "MESH101" in done.stdout, done.stdout


def test_a_foreign_application_has_a_canary(
    user: User, shop: Shop, kubeconfig: str, api: client.ApiClient, tmp_path: Path
) -> None:
    done = user.run(*command_of("inventory_new"))
    assert done.returncode == 0, done.stdout
    uid = client.CoreV1Api(api).read_namespace("kube-system").metadata.uid
    own = {
        **VARIABLES,
        "service_mesh_kubeconfig": kubeconfig,
        "service_mesh_cluster_uid": uid,
        "service_mesh_prometheus_url": lab_address(9090),
        "service_mesh_app_namespace": NAMESPACE,
        "canary_target": {"deployment": f"{BEHIND}-v1", "way": "copy"},
        "smoke_host": HOST,
        "smoke_requests": [{"name": "menu", "path": "/api/v1/menu-items"}],
    }
    assert not [name for name in own if "restaurant" in name]
    facts = user.folder / "inventories/staging/group_vars/clusters/main.yml"
    with facts.open("a") as file:
        yaml.safe_dump({**own, **OF_THE_LAB}, file)
    words = {"canary_service=cart": f"canary_service={BEHIND}"}
    with requests_to(HOST, tmp_path):
        tested = user.run(*command_of("smoke"))
        assert tested.returncode == 0, tested.stdout
        planned = user.run(*(words.get(word, word) for word in command_of("canary", "--check")))
        assert planned.returncode == 0, planned.stdout
        assert f"{BEHIND}:2.0.0" in planned.stdout, planned.stdout
        assert shop.deployments()[f"{BEHIND}-v1"][1] == image(BEHIND)
        (command,) = (each for each in COMMANDS if "corpv3.service_mesh.canary" in each and "--check" not in each)
        ran = user.run(*(words.get(word, word) for word in command))
        assert ran.returncode == 0, ran.stdout
    assert shop.deployments()[f"{BEHIND}-v1"][1] == image(BEHIND, "2.0.0")
    assert sorted(path.name for path in user.folder.iterdir()) == ["deploy", "inventories"]
