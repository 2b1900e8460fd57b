"""The collection as a user has it: built, installed, and called from a repository of the user's own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from .test_repository import ROOT, tracked_files

HOOK: dict[str, Any] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())[0]
PACKAGE: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
# All of a repository.
EVERYTHING = ["-e", '{"validate_paths": ["."], "validate_live": false}']
# What is at the top of the artifact: a new name is for its users, or belongs in galaxy.yml's build_ignore.
CONTENTS = {
    *("CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml", "requirements.txt", "FILES.json", "MANIFEST.json"),
    *("changelogs", "console", "docs", "extensions", "inventories", "meta", "playbooks", "plugins", "roles"),
}
# What the commands of README and docs write where they are called; the first of them by the default of report_path.
REPORTS = [
    *(f"service-mesh-report-{name}.{ending}" for name in ("lab", "staging") for ending in ("html", "md", "json")),
    *("canary.md", "cost.json", "cost.md", "cost.txt", "mesh.sarif"),
]
ROUTE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: shop}
spec:
  hosts: [cart]
  http: [{route: [{destination: {host: cart, prot: 80}}]}]
"""
MENDED = ROUTE.replace("prot: 80", "port: {number: 80}")


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Without this checkout's configuration of Ansible, and with a PWD that is not the working directory."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "GIT_", "PYTHON"))}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**outside, "PATH": path, "PWD": "/", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built in a checkout in which the commands of README and docs were run."""
    folder = tmp_path_factory.mktemp("artifact")
    checkout = folder / "checkout"
    for path in tracked_files():
        target = checkout / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    for name in REPORTS:
        (checkout / name).write_text("treat it like the inventory")
    done = run("tools/artifact.sh", cwd=checkout)
    assert done.returncode == 0, done.stdout
    (built,) = (checkout / ".ansible/dist").glob("*.tar.gz")
    return built.rename(folder / built.name)


@pytest.fixture(scope="module")
def collections(artifact: Path) -> str:
    """The folder in which it is installed."""
    folder = artifact.parent / "collections"
    install = ("ansible-galaxy", "collection", "install", "--no-deps", "--offline", "-p", folder, artifact)
    done = run(*install, cwd=artifact.parent)
    assert done.returncode == 0, done.stdout
    return str(folder)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A user's own, with a fault in it."""
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy/cart.yml").write_text(ROUTE)
    assert run("git", "init", "--quiet", cwd=tmp_path).returncode == 0
    assert run("git", "add", ".", cwd=tmp_path).returncode == 0
    return tmp_path


def words(done: subprocess.CompletedProcess[str]) -> str:
    """The output as running text, since the callback breaks and quotes lines."""
    return " ".join(done.stdout.replace("''", "'").replace('\\"', '"').split())


def validated(repository: Path, collections: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    command = ("ansible-playbook", "corpv3.service_mesh.validate")
    return run(*command, *arguments, cwd=repository, ANSIBLE_COLLECTIONS_PATH=collections)


def test_the_playbook_is_red_with_a_fault_and_green_without(repository: Path, collections: str) -> None:
    red = validated(repository, collections, EVERYTHING)
    assert red.returncode != 0, red.stdout
    assert "MESH101" in red.stdout
    assert "deploy/cart.yml:6:" in words(red)
    (repository / "deploy/cart.yml").write_text(MENDED)
    green = validated(repository, collections, EVERYTHING)
    assert green.returncode == 0, green.stdout
    assert "nothing found in 1 object of 1 file" in words(green)


def test_the_playbook_reads_the_repositorys_configuration(repository: Path, collections: str) -> None:
    (repository / "mesh-validate.yml").write_text("suppress: [MESH101]\n")
    done = validated(repository, collections, EVERYTHING)
    assert done.returncode == 0, done.stdout
    assert "1 suppressed" in words(done)


def test_the_artifact_is_a_python_package_with_the_hooks_program(artifact: Path) -> None:
    """pip builds it in tests/integration/validate/test_console_program.py, since that needs a package index."""
    assert (HOOK["language"], HOOK["pass_filenames"]) == ("python", False)
    package, _dot, module = PACKAGE["project"]["scripts"][HOOK["entry"]].partition(":")[0].partition(".")
    built = PACKAGE["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {folder: target for folder, target in built["sources"].items() if target == package} == {"console": package}
    with tarfile.open(artifact) as archive:
        names = set(archive.getnames())
    assert {"pyproject.toml", "LICENSE", f"console/{module}.py", *built["only-include"]} <= names


def test_the_artifact_has_what_its_users_need_and_nothing_else(artifact: Path) -> None:
    with tarfile.open(artifact) as archive:
        names = {member.name for member in archive if member.isfile()}
    assert {name.partition("/")[0] for name in names} == CONTENTS
    assert {name.split("/")[1] for name in names if name.startswith("inventories/")} == {
        *("development", "production", "staging")
    }, "what inventory_new copies"
    assert {name.split("/")[2] for name in names if name.startswith("roles/lab/")} == {
        *("defaults", "meta", "tasks", "vars")
    }, "the lab's playbooks are there to say what they need"


def test_readmes_section_names_only_what_the_artifact_has(artifact: Path) -> None:
    """tests/integration/playbooks/test_installed_collection.py runs its commands against a cluster."""
    section = (ROOT / "README.md").read_text().split("\n## The installed collection\n")[1].split("\n## ")[0]
    with tarfile.open(artifact) as archive:
        names = set(archive.getnames())
    playbooks = re.findall(r"ansible-playbook corpv3\.service_mesh\.(\w+)", section)
    assert {f"playbooks/{playbook}.yml" for playbook in playbooks} <= names
    assert set(playbooks) == {"validate", "inventory_new", "smoke", "canary"}
    (requirements,) = re.findall(r"ansible_collections/corpv3/service_mesh/(\S+)", section)
    assert requirements in names
    environment = yaml.safe_load((ROOT / "execution-environment.yml").read_text())
    assert f"'{environment['dependencies']['ansible_core']['package_pip']}'" in section


@pytest.mark.parametrize("inventory", [(), ("-i", "inventories/lab")], ids=["alone", "with its inventory"])
def test_the_lab_reports_at_once_that_it_needs_a_checkout(
    repository: Path, collections: str, inventory: tuple[str, ...]
) -> None:
    command = ("ansible-playbook", "corpv3.service_mesh.lab_up", *inventory)
    done = run(*command, cwd=repository, ANSIBLE_COLLECTIONS_PATH=collections)
    assert done.returncode != 0
    assert "the lab needs a checkout of the collection's repository" in words(done), done.stdout
    assert "TASK [" not in done.stdout


def test_every_playbook_of_the_lab_asks_for_a_checkout() -> None:
    for path in sorted((ROOT / "playbooks").glob("*.yml")):
        (needs,) = {"checkout=true" in play["hosts"] for play in yaml.safe_load(path.read_text())}
        assert needs == path.stem.startswith("lab_"), path.name


def test_files_are_validated_without_the_library_of_kubernetes(repository: Path, collections: str) -> None:
    blocked = repository / "blocked/kubernetes/__init__.py"
    blocked.parent.mkdir(parents=True)
    blocked.write_text("raise ImportError('the library of kubernetes is not installed')")
    (repository / "deploy/cart.yml").write_text(MENDED)
    command = ("ansible-playbook", "corpv3.service_mesh.validate", *EVERYTHING)
    without = {"PYTHONPATH": str(blocked.parents[1]), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    done = run(*command, cwd=repository, ANSIBLE_COLLECTIONS_PATH=collections, **without)
    assert done.returncode == 0, done.stdout
    assert "nothing found in 1 object of 1 file" in words(done)


def test_the_playbook_writes_its_reports_where_they_were_asked_for(repository: Path, collections: str) -> None:
    asked = {"validate_live": False, "validate_paths": ["deploy/*.yml"]}
    reports = {"validate_reports": {"sarif": "mesh.sarif", "json": "deploy/known.json"}}
    red = validated(repository, collections, ["-e", json.dumps({**asked, **reports})])
    assert red.returncode != 0, red.stdout
    sarif = json.loads((repository / "mesh.sarif").read_text())
    place = sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "deploy/cart.yml"
    for name in ("mesh.sarif", "deploy/known.json"):
        assert f"written: {repository / name}" in words(red)
    known = validated(repository, collections, ["-e", json.dumps({**asked, "validate_baseline": "deploy/known.json"})])
    assert known.returncode == 0, known.stdout
    assert list(Path(collections).rglob("mesh.sarif")) == []


def test_own_checks_are_found_where_the_user_stands(repository: Path, collections: str) -> None:
    guide = (ROOT / "docs/validation.md").read_text()
    example = next(block for block in re.findall(r"```python\n(.*?)```", guide, re.DOTALL) if "SHOP002" in block)
    (repository / "checks.py").write_text(example)
    (repository / "deploy/cart.yml").write_text(MENDED.replace("hosts: [cart]", "hosts: [cart.example.org]"))
    asked = {
        "validate_live": False,
        "validate_paths": ["deploy"],
        "validate_fail_on": "warning",
        "validate_policy": {"python": ["checks.py"]},
    }
    done = validated(repository, collections, ["-e", json.dumps(asked)])
    assert done.returncode != 0
    assert "SHOP002" in done.stdout, done.stdout


def test_a_tree_without_configuration_is_not_called_good(repository: Path, collections: str) -> None:
    (repository / "deploy/cart.yml").write_text("- name: a play\n  hosts: all\n")
    red = validated(repository, collections, EVERYTHING)
    assert red.returncode != 0, red.stdout
    assert "the checks know no object in 1 file of '.'" in words(red)
    allowed = json.dumps({"validate_live": False, "validate_paths": ["."], "validate_allow_empty": True})
    green = validated(repository, collections, ["-e", allowed])
    assert green.returncode == 0, green.stdout


def test_a_missing_path_is_reported_with_its_start(repository: Path, collections: str) -> None:
    red = validated(repository, collections, ["-e", '{"validate_live": false, "validate_paths": ["nope/"]}'])
    assert red.returncode != 0
    assert f"'nope/' does not exist. Relative paths start at {repository}." in words(red)


def test_git_and_the_build_leave_out_what_readme_and_docs_have_written(artifact: Path) -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "playbooks").glob("*.yml")]
    text = "\n".join(page.read_text() for page in pages)
    assert set(re.findall(r'"(?:sarif|json|markdown|table)": "([^"]+)"|summary_path=(\w+\.md)', text)) == {
        *((name, "") for name in ("cost.json", "cost.md", "cost.txt", "mesh.sarif")),
        ("", "canary.md"),
    }, "REPORTS names them all"
    asked = run("git", "check-ignore", *REPORTS, cwd=ROOT)
    assert asked.stdout.split() == REPORTS
    with tarfile.open(artifact) as built:
        names = set(built.getnames())
    assert "README.md" in names
    assert sorted(names & set(REPORTS)) == []
