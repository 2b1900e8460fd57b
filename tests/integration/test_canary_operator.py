"""The documented Role of a canary's operator and the API server's RBAC: it is enough, and one right less is named."""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_rights import RIGHTS, Right
from kubernetes import client

from .canary_lab import NAMESPACE, Lab, success
from .conftest import ROOT, RunPlaybook
from .test_bad_input import kubeconfig_of
from .test_canary import whole_lab

__all__ = ["whole_lab"]

SERVICE = "menu-service"
HOME = "canary-operators"
LABELS = {"service-mesh-test": HOME}
OURS = f"service-mesh-test={HOME}"
ROLES = [*yaml.safe_load_all((ROOT / "docs/canary-operator.yml").read_text(encoding="utf-8"))]


class Accounts:
    """Service accounts in a namespace of their own, each with roles of its own."""

    def __init__(self, api: client.ApiClient, kubeconfig: str, folder: Path) -> None:
        self._core, self._rbac = client.CoreV1Api(api), client.RbacAuthorizationV1Api(api)
        self._kubeconfig, self._folder = kubeconfig, folder

    def __enter__(self) -> Accounts:
        self._core.create_namespace({"metadata": {"name": HOME}})
        return self

    def __exit__(self, *__: Any) -> None:
        for namespace in {role["metadata"].get("namespace") for role in ROLES} - {None}:
            self._rbac.delete_collection_namespaced_role_binding(namespace, label_selector=OURS)
            self._rbac.delete_collection_namespaced_role(namespace, label_selector=OURS)
        self._rbac.delete_collection_cluster_role_binding(label_selector=OURS)
        self._rbac.delete_collection_cluster_role(label_selector=OURS)
        self._core.delete_namespace(HOME)

    def add(self, name: str, roles: Sequence[dict[str, Any]]) -> str:
        """The kubeconfig of a new account with these roles."""
        self._core.create_namespaced_service_account(HOME, {"metadata": {"name": name}})
        subject = {"kind": "ServiceAccount", "namespace": HOME, "name": name}
        for role in roles:
            body = copy.deepcopy(role)
            body["metadata"] |= {"name": name, "labels": LABELS}
            reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": role["kind"], "name": name}
            binding = {"metadata": {"name": name, "labels": LABELS}, "roleRef": reference, "subjects": [subject]}
            if role["kind"] == "ClusterRole":
                self._rbac.create_cluster_role(body)
                self._rbac.create_cluster_role_binding(binding)
            else:
                self._rbac.create_namespaced_role(role["metadata"]["namespace"], body)
                self._rbac.create_namespaced_role_binding(role["metadata"]["namespace"], binding)
        wanted = {"spec": {"expirationSeconds": 3600}}
        token = self._core.create_namespaced_service_account_token(name, HOME, wanted).status.token
        folder = self._folder / name
        folder.mkdir()
        return kubeconfig_of(self._kubeconfig, {"token": token}, folder)


@pytest.fixture(scope="module")
def accounts(api: client.ApiClient, kubeconfig: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accounts]:
    with Accounts(api, kubeconfig, tmp_path_factory.mktemp("accounts")) as found:
        yield found


@pytest.fixture
def lab(whole_lab: Lab) -> Iterator[Lab]:
    menu = Lab(whole_lab.kubeconfig, whole_lab.folder, SERVICE)
    menu.settle()
    yield menu
    menu.settle()


def without(right: Right) -> list[dict[str, Any]]:
    """The documented roles but for one verb."""
    roles = copy.deepcopy(ROLES)
    for role in roles:
        if role["metadata"].get("namespace", "") != ("" if right.everywhere else NAMESPACE):
            continue
        for rule in role["rules"]:
            # One resource at a time may lack a verb that its neighbours in the rule keep.
            if rule["apiGroups"] == [right.group] and right.resource in rule["resources"]:
                rest = [resource for resource in rule["resources"] if resource != right.resource]
                if rest:
                    role["rules"].append({**rule, "resources": rest})
                rule["resources"] = [right.resource]
                rule["verbs"] = [verb for verb in rule["verbs"] if verb != right.verb]
        role["rules"] = [rule for rule in role["rules"] if rule["verbs"]]
    return roles


def test_the_documented_role_is_enough_for_a_whole_run(lab: Lab, accounts: Accounts) -> None:
    stable, canary = lab.stable, lab.canary
    kubeconfig = accounts.add("canary-operator", ROLES)
    with lab.load("/api/v1/menu", rate=30):
        call = lab.call(image_tag=lab.tag(), steps=[50], metrics=[success()], kubeconfig=kubeconfig)
        assert call.wait() == 0, call.tail
    assert "proxies have it after" in call.text, "the part in istiod's namespace is enough to be told"
    assert lab.now().weights == {stable: 0, canary: 100}


def test_one_right_less_is_named_before_anything_is_touched(
    lab: Lab, accounts: Accounts, run_playbook: RunPlaybook
) -> None:
    poorer = {f"lacks-{number}": accounts.add(f"lacks-{number}", without(right)) for number, right in enumerate(RIGHTS)}
    before = lab.workloads(), lab.now().weights
    task = {
        "corpv3.service_mesh.canary": {**lab.defaults, "image_tag": "9.9.9", "kubeconfig": "{{ item }}"},
        "loop": list(poorer.values()),
        "register": "results",
        "ignore_errors": True,
    }
    # Packed, for the output wraps lines.
    show = {
        "ansible.builtin.debug": {"msg": "SAID<{{ results.results | map(attribute='msg') | to_json | b64encode }}>"}
    }
    run = run_playbook(yaml.safe_dump([{"hosts": "clusters", "gather_facts": False, "tasks": [task, show]}]))
    packed = re.findall(r"SAID<([A-Za-z0-9+/=\s]+)>", run.stdout)
    assert packed, run.stdout
    said: list[str] = json.loads(base64.b64decode("".join(packed[-1].split())))
    for right, account, text in zip(RIGHTS, poorer, said, strict=True):
        where = "all namespaces" if right.everywhere else f"namespace {NAMESPACE}"
        resource = f"{right.resource}.{right.group}".rstrip(".")
        assert f"{account} may not {right.verb} {resource} in {where}" in text
        assert text.count("may not") == 1, text
        assert "Nothing was changed." in text
    assert (lab.workloads(), lab.now().weights) == before
