"""The documented Role of a canary operator is what the module asks for."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_rights import RIGHTS, Right, missing

ROOT = Path(__file__).resolve().parents[4]


def granted(kind: str, namespace: str = "") -> set[Right]:
    roles = yaml.safe_load_all((ROOT / "docs/canary-operator.yml").read_text())
    return {
        Right(verb, group, resource, kind == "ClusterRole")
        for role in roles
        if role["kind"] == kind and role["metadata"].get("namespace", "") == namespace
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_role_grants_exactly_what_is_asked_for() -> None:
    assert granted("Role", "restaurant-management") | granted("ClusterRole") == set(RIGHTS)


class Operator:
    def __init__(self, lacks: Right | None = None) -> None:
        self.lacks = lacks

    def may(self, verb: str, group: str, resource: str, namespace: str = "") -> bool:
        return Right(verb, group, resource, not namespace) != self.lacks

    def account(self) -> str:
        return "ops"


@pytest.mark.parametrize("right", RIGHTS, ids=lambda right: f"{right.verb}-{right.resource}")
def test_one_right_less_is_named(right: Right) -> None:
    text = missing(Operator(right), "shop")
    assert f"ops may not {right.verb} {right.resource}" in text
    assert ("all namespaces" if right.everywhere else "namespace shop") in text


def test_nothing_is_missing() -> None:
    assert missing(Operator(), "shop") == ""
