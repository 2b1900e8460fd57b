# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh-validate as pip and pre-commit install it, from the package index that pip is configured for. Needs no lab."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
HOOK: dict[str, Any] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())[0]
ROUTE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: shop}
spec:
  hosts: [cart]
  http: [{route: [{destination: {host: cart, prot: 80}}]}]
"""
FIXED = ROUTE.replace("prot: 80", "port: {number: 80}")
# What knows neither Ansible nor a cluster starts as quickly as a linter.
HEAVY = {"ansible", "kubernetes", "urllib3", "ssl", "http.client", "jinja2", "cryptography"}
IMPORTED = f"""
import contextlib, io, sys
sys.argv = ["mesh-validate", "route.yaml"]
import os
os._exit = sys.exit
from corpv3_mesh_validate.launch import main
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
    main()
print(sorted({HEAVY!r} & set(sys.modules)))
"""


def run(command: Sequence[str | Path], cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Without this checkout on Python's path."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "GIT_", "PYTHON"))}
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**outside, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tracked files, as a clone has them."""
    folder = tmp_path_factory.mktemp("console") / "checkout"
    listed = run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], ROOT).stdout.splitlines()
    for name in listed:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module", params=["repository", "artifact"])
def programs(request: pytest.FixtureRequest, checkout: Path) -> Path:
    """The folder of the programs of a fresh virtual environment with the package."""
    source: Path = checkout
    if request.param == "artifact":
        galaxy = Path(sys.executable).with_name("ansible-galaxy")
        built = run([galaxy, "collection", "build", "--force", "--output-path", checkout.parent], checkout)
        assert built.returncode == 0, built.stderr
        (source,) = checkout.parent.glob("corpv3-service_mesh-*.tar.gz")
    environment = checkout.parent / f"venv-{request.param}"
    assert run([sys.executable, "-m", "venv", environment], checkout.parent).returncode == 0
    installed = run([environment / "bin/pip", "install", "--quiet", source], checkout.parent)
    assert installed.returncode == 0, installed.stderr
    return environment / "bin"


def test_pip_installs_a_program_that_finds_a_fault(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "route.yaml").write_text(ROUTE)
    red = run([programs / "mesh-validate", "route.yaml"], tmp_path)
    assert (red.returncode, red.stderr) == (1, "")
    assert red.stdout.startswith("route.yaml:6:")
    (tmp_path / "route.yaml").write_text(FIXED)
    green = run([programs / "mesh-validate", "--format", "json"], tmp_path)
    assert (green.returncode, green.stderr) == (0, "")
    assert json.loads(green.stdout)["findings"] == []
    nothing = run([programs / "mesh-validate", "nope"], tmp_path)
    assert nothing.returncode == 2
    assert "'nope' does not exist" in nothing.stderr


def test_it_explains_with_what_it_ships(programs: Path, tmp_path: Path) -> None:
    done = run([programs / "mesh-validate", "--explain", "IST0128"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Right:" in done.stdout


def test_a_file_is_checked_without_ansible(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "route.yaml").write_text(ROUTE)
    done = run([programs / "python", "-c", IMPORTED], tmp_path)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_cluster_needs_what_the_message_names(programs: Path, tmp_path: Path) -> None:
    done = run([programs / "mesh-validate", "--live"], tmp_path)
    assert done.returncode == 2
    assert "pip install 'corpv3-mesh-validate[live]'" in done.stderr


def test_ansible_finds_no_collection_beside_it(programs: Path, tmp_path: Path) -> None:
    """Half a collection in site-packages would hide the whole one."""
    code = "import importlib.util; print(importlib.util.find_spec('ansible_collections'))"
    assert run([programs / "python", "-c", code], tmp_path).stdout.strip() == "None"


def test_pre_commit_itself_runs_the_hook(checkout: Path, tmp_path: Path) -> None:
    """From a repository that has the hook's file, as its users name ours."""
    identity = {f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    for command in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "-m", "All"), ("tag", "0.1.0")):
        assert run(["git", *command], checkout, **identity).returncode == 0
    repository = tmp_path / "repository"
    (repository / "deploy").mkdir(parents=True)
    (repository / "deploy/cart.yml").write_text(ROUTE)
    config = {"repos": [{"repo": str(checkout), "rev": "0.1.0", "hooks": [{"id": HOOK["id"], "args": ["deploy"]}]}]}
    (repository / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    for command in (("init", "--quiet"), ("add", ".")):
        assert run(["git", *command], repository).returncode == 0
    called = [sys.executable, "-m", "pre_commit", "run", "--all-files", "--color", "never"]
    home = {"PRE_COMMIT_HOME": str(tmp_path / "home")}
    red = run(called, repository / "deploy", **home)
    assert red.returncode == 1, red.stdout + red.stderr
    assert "deploy/cart.yml:6:" in red.stdout
    (repository / "deploy/cart.yml").write_text(FIXED)
    green = run(called, repository / "deploy", **home)
    assert green.returncode == 0, green.stdout
    assert "Passed" in green.stdout
