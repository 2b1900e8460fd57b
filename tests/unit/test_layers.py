"""Each import contract of pyproject.toml notices what it forbids, and lower layers do not speak of upper ones."""

from __future__ import annotations

import ast
import copy
import importlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest
import yaml
from importlinter.configuration import configure

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = "ansible_collections.corpv3.service_mesh"
LINTER = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
UTILS = "plugins.module_utils"
# Contract -> imports that break it, and no other one: importer, imported.
FORBIDDEN = {
    "Action plugins use modules, all plugins use module_utils, never the other way round": [
        (f"{UTILS}.mesh_checks", "plugins.modules.canary"),
        ("plugins.modules.canary", "plugins.plugin_utils.progress"),
        ("plugins.filter.user_path", "plugins.modules.canary"),
        ("plugins.test.quantity", "plugins.filter.user_path"),
    ],
    "Each package of module_utils uses only those below it; packages of one line do not know each other": [
        (f"{UTILS}._common.files", f"{UTILS}._kube.fields"),
        (f"{UTILS}._kube.fields", f"{UTILS}._document.html"),
        (f"{UTILS}._mesh.mesh", f"{UTILS}._validate.check"),
        (f"{UTILS}._topology.graph", f"{UTILS}._canary.result"),
        (f"{UTILS}._validate.check", f"{UTILS}.mesh_checks"),
        # A package that the list does not have.
        (f"{UTILS}._unlisted", f"{UTILS}._common.files"),
    ],
    "What a canary decides needs no API": [
        (f"{UTILS}._canary.core.decide", f"{UTILS}._kube.api"),
        (f"{UTILS}._canary.core.state", f"{UTILS}._istio.istiod"),
        # Not on the way of another file either.
        (f"{UTILS}._canary.core.terms", f"{UTILS}._canary.lease"),
    ],
    "Providers of metrics do not know each other": [
        (f"{UTILS}._analysis.providers.envoy", f"{UTILS}._analysis.providers.prometheus"),
    ],
    "Only _kube.module and _kube.cluster know Ansible and kubernetes.core, only _kube.cluster the API client": [
        (f"{UTILS}._common.files", "ansible"),
        (f"{UTILS}._kube.module", "kubernetes"),
        (f"{UTILS}._helm.program", "urllib3"),
    ],
    "The pure core gets its cluster from the module that calls it": [
        (f"{UTILS}._report.collect", f"{UTILS}._kube.cluster"),
        ("plugins.action.canary", f"{UTILS}._kube.cluster"),
    ],
}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    configure()
    return grimp.build_graph(COLLECTION, include_external_packages=True, cache_dir=None)


def broken_by(graph: grimp.ImportGraph) -> list[str]:
    """The names of the contracts that the imports break."""
    found = []
    for contract in LINTER["contracts"]:
        module = importlib.import_module(f"importlinter.contracts.{contract['type']}")
        kind = getattr(module, f"{contract['type'].capitalize()}Contract")
        # The linter gets its options as texts.
        options = {key: str(value) if isinstance(value, bool) else value for key, value in contract.items()}
        if not kind(contract["name"], LINTER, options).check(copy.deepcopy(graph), verbose=False).kept:
            found.append(contract["name"])
    return found


def test_every_contract_has_an_import_that_breaks_it() -> None:
    assert [contract["name"] for contract in LINTER["contracts"]] == list(FORBIDDEN)


def test_the_code_breaks_none(graph: grimp.ImportGraph) -> None:
    assert broken_by(graph) == []


@pytest.mark.parametrize(
    ("contract", "importer", "imported"),
    [(contract, *planted) for contract, pairs in FORBIDDEN.items() for planted in pairs],
)
def test_a_forbidden_import_breaks_its_contract(
    graph: grimp.ImportGraph, contract: str, importer: str, imported: str
) -> None:
    planted = copy.deepcopy(graph)
    names = [f"{COLLECTION}.{name}" if name.startswith("plugins") else name for name in (importer, imported)]
    if "_unlisted" in importer:
        planted.add_module(names[0])
    assert set(names) <= planted.modules
    planted.add_import(importer=names[0], imported=names[1], line_number=1, line_contents="planted")
    assert broken_by(planted) == [contract]


def test_lint_imports_reads_an_import_that_stands_inside_a_function(tmp_path: Path) -> None:
    """The linter itself, as `make lint` calls it, on a copy with one import too many."""
    tree = tmp_path / COLLECTION.replace(".", "/")
    shutil.copytree(ROOT / "plugins", tree / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    # The contract on _kube.cluster names its tests.
    tests = "tests/unit/plugins/module_utils/_kube"
    shutil.copytree(ROOT / tests, tree / tests, ignore=shutil.ignore_patterns("__pycache__"))
    with (tree / "plugins/module_utils/_common/text.py").open("a") as file:
        file.write(f"\n\ndef planted():\n    from {COLLECTION}.{UTILS}._kube import fields\n    return fields\n")
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"Contracts: {len(FORBIDDEN) - 1} kept, 1 broken." in done.stdout
    assert re.search(rf"{UTILS}\._common\.text -> \S+{UTILS}\._kube\.fields", done.stdout), done.stdout


# ---------------------------------------------------------------------------------------------------------------------
# Words


def strings(path: Path) -> Iterator[str]:
    """All texts of a file except the examples of modules, which are playbooks."""
    tree = ast.parse(path.read_text())
    examples = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == "EXAMPLES" for to in node.targets)
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in examples:
            yield node.value


def variables() -> set[str]:
    """The variables of the roles that are not also options of modules."""
    found = {"service_mesh_app_namespace", "service_mesh_istio_namespace", "service_mesh_kubeconfig"}
    for path in (ROOT / "roles").glob("*/meta/argument_specs.yml"):
        for entry in yaml.safe_load(path.read_text())["argument_specs"].values():
            found |= set(entry.get("options") or {})
    options: set[str] = set()
    for folder in ("modules", "doc_fragments"):
        for path in (ROOT / "plugins" / folder).glob("*.py"):
            options |= set(re.findall(r"^ +(\w+):$", path.read_text(), re.MULTILINE))
    return found - options


# What names an upper layer on purpose.
SPEAK_OF_ROLES = {
    # Part of a result, for users of the collection's roles.
    "_cost/optimizations.py",
    # They go with the addresses, after December 2026.
    "_preflight/retired_registries.py",
    # The parameters of a filter.
    "_helm/messages.py",
}


def test_lower_layers_name_their_options_and_roles_add_the_variables() -> None:
    playbooks = [path.stem for path in (ROOT / "playbooks").glob("*.yml")]
    upper = re.compile(rf"\b(?:{'|'.join(variables())})\b|(?<![-\w])(?:{'|'.join(playbooks)})\.yml\b|\bplaybooks/")
    found = {
        (str(path.relative_to(ROOT / "plugins" / folder)), match[0])
        for folder in ("module_utils", "modules")
        for path in (ROOT / "plugins" / folder).rglob("*.py")
        for text in strings(path)
        if (match := upper.search(text))
    }
    assert {(path, name) for path, name in found if path not in SPEAK_OF_ROLES} == set()
    assert {path for path, _name in found} == SPEAK_OF_ROLES
