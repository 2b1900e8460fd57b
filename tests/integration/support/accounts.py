"""Service accounts with the documented Roles, whole or one right less, and what modules report to them."""

from __future__ import annotations

import base64
import contextlib
import copy
import json
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.rights import Right
from kubernetes import client

from .playbooks import ROOT, RunPlaybook

HOME = "canary-operators"
LABELS = {"service-mesh-test": HOME}
OURS = f"service-mesh-test={HOME}"
Roles = list[dict[str, Any]]


def documented(*names: str) -> Roles:
    """The Roles of files of docs, in their order."""
    return [
        role
        for name in names
        for role in yaml.safe_load_all((ROOT / "docs" / name).read_text(encoding="utf-8"))
        if role["kind"] in ("Role", "ClusterRole")
    ]


def without(roles: Roles, right: Right) -> Roles:
    """The same but for one verb of one resource in one place."""
    result = copy.deepcopy(roles)
    for role in result:
        if role["metadata"].get("namespace", "") != right.namespace:
            continue
        for rule in [*role["rules"]]:
            # One resource at a time may lack a verb that its neighbours in the rule keep.
            if rule["apiGroups"] == [right.group] and right.resource in rule["resources"]:
                rest = [resource for resource in rule["resources"] if resource != right.resource]
                if rest:
                    role["rules"].append({**rule, "resources": rest})
                rule["resources"] = [right.resource]
                rule["verbs"] = [verb for verb in rule["verbs"] if verb != right.verb]
        role["rules"] = [rule for rule in role["rules"] if rule["verbs"]]
    return result


def kubeconfig_of(original: str, user: dict[str, str], folder: Path) -> str:
    """The same cluster with other credentials."""
    content = yaml.safe_load(Path(original).read_text())
    content["users"] = [{"name": entry["name"], "user": user} for entry in content["users"]]
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    path.chmod(0o600)
    return str(path)


class Accounts:
    """Service accounts in a namespace of their own, each with roles of its own."""

    def __init__(self, api: client.ApiClient, kubeconfig: str, folder: Path) -> None:
        self._core, self._rbac = client.CoreV1Api(api), client.RbacAuthorizationV1Api(api)
        self._kubeconfig, self._folder = kubeconfig, folder
        self._namespaces: set[str] = set()

    def __enter__(self) -> Accounts:
        self._core.create_namespace({"metadata": {"name": HOME}})
        return self

    def __exit__(self, *__: Any) -> None:
        for namespace in self._namespaces:
            self._rbac.delete_collection_namespaced_role_binding(namespace, label_selector=OURS)
            self._rbac.delete_collection_namespaced_role(namespace, label_selector=OURS)
        self._rbac.delete_collection_cluster_role_binding(label_selector=OURS)
        self._rbac.delete_collection_cluster_role(label_selector=OURS)
        self._core.delete_namespace(HOME)
        # The next file's accounts live in a namespace of the same name.
        deadline = time.monotonic() + 60
        with contextlib.suppress(client.exceptions.NotFoundException):
            while time.monotonic() < deadline:
                self._core.read_namespace(HOME)
                time.sleep(0.2)

    def add(self, name: str, roles: Sequence[dict[str, Any]]) -> str:
        """The kubeconfig of a new account with these roles."""
        self._core.create_namespaced_service_account(HOME, {"metadata": {"name": name}})
        subject = {"kind": "ServiceAccount", "namespace": HOME, "name": name}
        for number, role in enumerate(roles):
            own = f"{name}-{number}"
            body = copy.deepcopy(role)
            body["metadata"] |= {"name": own, "labels": LABELS}
            reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": role["kind"], "name": own}
            binding = {"metadata": {"name": own, "labels": LABELS}, "roleRef": reference, "subjects": [subject]}
            if role["kind"] == "ClusterRole":
                self._rbac.create_cluster_role(body)
                self._rbac.create_cluster_role_binding(binding)
            else:
                namespace = role["metadata"]["namespace"]
                self._namespaces.add(namespace)
                self._rbac.create_namespaced_role(namespace, body)
                self._rbac.create_namespaced_role_binding(namespace, binding)
        return self.kubeconfig(HOME, name)

    def kubeconfig(self, namespace: str, name: str) -> str:
        """Of an account that is there."""
        wanted = {"spec": {"expirationSeconds": 3600}}
        token = self._core.create_namespaced_service_account_token(name, namespace, wanted).status.token
        folder = self._folder / name
        folder.mkdir()
        return kubeconfig_of(self._kubeconfig, {"token": token}, folder)


@pytest.fixture(scope="module")
def accounts(api: client.ApiClient, kubeconfig: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accounts]:
    with Accounts(api, kubeconfig, tmp_path_factory.mktemp("accounts")) as found:
        yield found


def reported(
    run_playbook: RunPlaybook, module: str, options: dict[str, Any], kubeconfigs: Sequence[str], **keywords: Any
) -> list[str]:
    """What the module reports to each account, its warnings included: one text each."""
    whole = _looped(run_playbook, module, options, kubeconfigs, **keywords)
    # The warnings of a loop are reported together; each names its account.
    names = [f":{Path(kubeconfig).parent.name} may not " for kubeconfig in kubeconfigs]
    return [
        "\n".join([result.get("msg", ""), *(text for text in whole.get("warnings", ()) if name in text)])
        for name, result in zip(names, whole["results"], strict=True)
    ]


def results(
    run_playbook: RunPlaybook, module: str, options: dict[str, Any], kubeconfigs: Sequence[str]
) -> list[dict[str, Any]]:
    """What the module returns to each account."""
    found: list[dict[str, Any]] = _looped(run_playbook, module, options, kubeconfigs)["results"]
    return found


def _looped(
    run_playbook: RunPlaybook, module: str, options: dict[str, Any], kubeconfigs: Sequence[str], **keywords: Any
) -> dict[str, Any]:
    """The registered result of the module in a loop over the accounts."""
    task = {
        f"corpv3.service_mesh.{module}": {**options, "kubeconfig": "{{ item }}"},
        "loop": list(kubeconfigs),
        "register": "results",
        "ignore_errors": True,
        **keywords,
    }
    # Packed, for the output wraps lines.
    show = {"ansible.builtin.debug": {"msg": "SAID<{{ results | to_json | b64encode }}>"}}
    run = run_playbook(yaml.safe_dump([{"hosts": "clusters", "gather_facts": False, "tasks": [task, show]}]))
    packed = re.findall(r"SAID<([A-Za-z0-9+/=\s]+)>", run.stdout)
    assert packed, run.stdout
    whole: dict[str, Any] = json.loads(base64.b64decode("".join(packed[-1].split())))
    return whole


def lines(text: str) -> list[str]:
    """The rights that a text lists, in lines or in one."""
    inline = [f"- {entry}" for found in re.findall(r" lacks: (.+)", text) for entry in found.split("; ")]
    return [line for line in text.splitlines() if line.startswith("- ")] + inline


def line(right: Right) -> str:
    """As a missing right is reported."""
    what = " ".join(filter(None, (f"{right.resource}.{right.group}".rstrip("."), right.name)))
    return f"- {right.verb}: {what} in {f'namespace {right.namespace}' if right.namespace else 'all namespaces'}"
