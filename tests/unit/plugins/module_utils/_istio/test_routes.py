"""The seam between what shifts traffic and the objects that hold the split."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import Route
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.routes import KINDS, kind_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Ref

from ....support.canary_cluster import NAMESPACE, SERVICE

UTILS = Path(__file__).resolve().parents[5] / "plugins/module_utils"
CALLERS = sorted([*(UTILS / "_istio").glob("*.py"), *(UTILS / "_canary").rglob("*.py")])
# Fields of the specs of routes.
FIELDS = {"http", "tls", "tcp", "exportTo", "gateways", "mirrorPercentage", "parentRefs", "backendRefs"}
OWN_FILES = {"virtual_service.py", "gateway_route.py", "gateway_rules.py", "gateway_parents.py"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_a_kind_is_found_by_its_name(kind: type[Route]) -> None:
    assert kind_of(Ref(kind.api_version, kind.kind, NAMESPACE, SERVICE)) is kind
    rights = kind.rights(NAMESPACE, SERVICE)
    assert {right.verb for right in rights if right.name == SERVICE} == {"get", "update"}
    assert {right.group for right in rights if right.name == SERVICE} == {kind.api_version.partition("/")[0]}
    assert all(version.startswith(kind.api_version.partition("/")[0]) for version in kind.versions)


def keys(tree: ast.AST) -> set[Any]:
    """What an object is asked for: the key of ``x["key"]`` and of ``x.get("key")``."""
    found = [node.slice for node in ast.walk(tree) if isinstance(node, ast.Subscript)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            found += node.args[:1]
    return {key.value for key in found if isinstance(key, ast.Constant)}


@pytest.mark.parametrize("path", CALLERS, ids=lambda path: str(path.relative_to(UTILS)))
def test_only_a_kinds_own_file_knows_its_fields(path: Path) -> None:
    tree = ast.parse(path.read_text())
    kinds = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)} & {kind.kind for kind in KINDS}
    known = (keys(tree) & FIELDS) | kinds
    assert bool(known) == (path.name in OWN_FILES), known
