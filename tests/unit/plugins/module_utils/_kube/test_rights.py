"""Rights are queried one by one, and reported by resource, with the remedy."""

from __future__ import annotations

from collections.abc import Collection

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.rights import (
    Right,
    described,
    expanded,
    missing,
    problem,
)

LIST, GET = Right("list", "apps", "deployments", "a"), Right("get", "apps", "deployments", "a")


class Account:
    """May do everything but ``lacks``."""

    def __init__(self, lacks: Collection[Right] = ()) -> None:
        self.lacks = lacks

    def may(self, verb: str, group: str, resource: str, namespace: str = "", name: str = "") -> bool:
        return Right(verb, group, resource, namespace, name) not in self.lacks

    def account(self) -> str:
        return "bob"


class TestExpanded:
    def test_every_combination_once(self) -> None:
        entry = {"verbs": ["get", "list"], "group": "apps", "resources": ["deployments"], "namespaces": ["a", "b"]}
        assert expanded([{**entry, "names": []}] * 2) == [
            Right("get", "apps", "deployments", "a"),
            Right("list", "apps", "deployments", "a"),
            Right("get", "apps", "deployments", "b"),
            Right("list", "apps", "deployments", "b"),
        ]

    def test_without_namespaces_the_whole_cluster_is_meant(self) -> None:
        entry = {"verbs": ["get"], "group": None, "resources": ["nodes"], "namespaces": [], "names": []}
        assert expanded([entry]) == [Right("get", "", "nodes")]

    def test_names_narrow_it(self) -> None:
        entry = {"verbs": ["create"], "group": "", "resources": ["serviceaccounts/token"], "namespaces": ["a"]}
        assert expanded([{**entry, "names": ["x"]}]) == [Right("create", "", "serviceaccounts/token", "a", "x")]


def test_what_is_missing_is_reported_by_resource() -> None:
    nodes, token = Right("get", "", "nodes"), Right("create", "", "serviceaccounts/token", "a", "reader")
    pods = [Right(verb, "", "pods", "a") for verb in ("get", "list")]
    assert described([GET, LIST, nodes, token, *pods]) == [
        "get, list: deployments.apps, pods in namespace a",
        "get: nodes in all namespaces",
        "create: serviceaccounts/token reader in namespace a",
    ]


def test_only_missing_rights_are_reported_with_the_manifest_that_grants_them() -> None:
    assert missing(Account([LIST]), [GET, LIST]) == [LIST]
    assert problem(Account([LIST]), [GET, LIST], "look", "docs/look.yml") == (
        "the account bob may not look. docs/look.yml grants what it lacks:\n- list: deployments.apps in namespace a"
    )
    assert problem(Account([GET, LIST]), [GET, LIST], "look", "docs/look.yml", in_one_line=True).endswith(
        " lacks: get, list: deployments.apps in namespace a"
    )
    assert problem(Account(), [GET, LIST], "look", "docs/look.yml") == ""
