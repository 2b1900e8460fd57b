# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Charts and kustomizations: how they are rendered, why one is not, and whether it is at fault itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.inputs import ChartInput, Reader

from .test_repositories import SERVICE, codes, names, program, read, write


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH."""
    path = tmp_path / "bin"
    path.mkdir()
    monkeypatch.setenv("PATH", str(path))
    return path


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        ('E1201 04:30:38.1 9089 run.go:72] "command failed" err="file \\"a\\" is missing"', 'file "a" is missing'),
        (
            'E1201 04:30:38.1 9089 run.go:72] "command failed" err=<\n\tno base\n\t: exit status 128\n >',
            "no base : exit status 128",
        ),
        ("Error: no base\nmore\n\nUse --debug flag to render out invalid YAML\n", "no base more"),
        ("warning: old\nerror: no base\n: exit status 128\n", "no base : exit status 128"),
        ("killed\n\n", "killed"),
        (
            "Error: the values of these charts:\nshop:\n- size is required\n",
            "the values of these charts: shop: - size is required",
        ),
    ],
)
def test_the_reason_why_a_program_failed(tmp_path: Path, tools: Path, printed: str, reason: str) -> None:
    (tools / "printed").write_text(f"{printed}\n")
    program(tools, "kubectl", f"/bin/cat {tools / 'printed'} >&2; exit 1")
    write(tmp_path / "tree", {"shop/kustomization.yaml": "resources: []\n"})
    assert [finding.message for finding in read(tmp_path / "tree").loaded.findings] == [reason]


BASE = "https://github.com/a/b//c?ref=v1"


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        (
            "error: trouble configuring builtin HelmChartInflationGenerator with config: `\nname: a\n`: "
            "must specify --enable-helm\n",
            "it renders helmCharts, for which helm downloads charts: set kustomize_enable_helm to allow it",
        ),
        (
            f"Error: accumulating resources: accumulation err='accumulating resources from '{BASE}': Get \"{BASE}\": "
            "dial tcp: lookup github.com: no such host': failed to run '/usr/bin/git fetch --depth=1 x v1': fatal\n"
            ": exit status 128\n",
            f"the remote base {BASE} could not be fetched",
        ),
        (
            "error: loading generator plugins: external plugins disabled; unable to load external plugin 'ksops'",
            "kustomize runs no plugins here: "
            "loading generator plugins: external plugins disabled; unable to load external plugin 'ksops'",
        ),
    ],
)
def test_a_kustomization_that_needs_more_than_the_files_is_no_fault(
    tmp_path: Path, tools: Path, printed: str, message: str
) -> None:
    (tools / "printed").write_text(printed)
    program(tools, "kubectl", f"/bin/cat {tools / 'printed'} >&2; exit 1")
    write(tmp_path / "tree", {"shop/kustomization.yaml": "resources: []\n"})
    (finding,) = read(tmp_path / "tree").loaded.findings
    assert (finding.rule.code, finding.severity, finding.message) == ("MESH009", "warning", message)


VALUES = "execution error at (shop/templates/a.yaml:3:6): set image"


@pytest.mark.parametrize(
    ("reason", "message", "line"),
    [
        (
            "An error occurred while checking for chart dependencies. You may need to run `helm dependency build` to "
            "fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: redis, web",
            "charts/ lacks its dependencies (redis, web): run helm dependency build",
            1,
        ),
        (VALUES, f"its own values do not suffice: {VALUES}", 3),
    ],
)
def test_a_chart_that_needs_more_than_the_files_is_no_fault(
    tmp_path: Path, tools: Path, reason: str, message: str, line: int
) -> None:
    (tools / "printed").write_text(f"Error: {reason}\n\nUse --debug flag to render out invalid YAML\n")
    program(tools, "helm", f"/bin/cat >/dev/null; /bin/cat {tools / 'printed'} >&2; exit 1")
    write(tmp_path / "tree", {"shop/Chart.yaml": "apiVersion: v2\nname: shop\n"})
    (finding,) = read(tmp_path / "tree").loaded.findings
    assert (finding.rule.code, finding.message, finding.line) == ("MESH009", message, line)
    # The values that a user states must suffice.
    reader = Reader(base=str(tmp_path))
    reader.chart(ChartInput(str(tmp_path / "tree/shop"), "shop", "default", {"a": 1}))
    assert codes(reader)[0][0] == ("MESH007" if reason == VALUES else "MESH009")


def test_values_may_contain_templates_for_the_chart(tmp_path: Path, tools: Path) -> None:
    program(tools, "helm", "echo 'Error: parse error at (a/templates/a.yaml:1): bad' >&2; exit 1")
    write(tmp_path / "tree", {"a/Chart.yaml": "name: a\n", "a/values.yaml": "host: 'a.{{ .Release.Name }}'\n"})
    assert codes(read(tmp_path / "tree"))[0][0] == "MESH007"
    write(tmp_path / "tree", {"a/values.yaml": "host: a\n<MORE_VALUES>\n"})
    assert codes(read(tmp_path / "tree")) == [("MESH008", "a")]


def test_a_file_that_git_ignores_is_needed(tmp_path: Path, tools: Path) -> None:
    tree = tmp_path / "tree"
    missing = f"evalsymlink failure on '{tree}/shop/env/a.env' : lstat {tree}/shop/env: no such file or directory"
    program(tools, "kubectl", f'echo "error: loading KV pairs: {missing}" >&2; exit 1')
    write(tree, {"shop/kustomization.yaml": "configMapGenerator: []\n", ".gitignore": "env/\n"})
    # Without git, or outside of a repository, it is simply missing.
    assert codes(read(tree)) == [("MESH007", "shop")]
    git = shutil.which("git", path=os.defpath)
    assert git
    (tools / "git").symlink_to(git)
    subprocess.run([git, "init", "--quiet", tree], check=True)
    (finding,) = read(tree).loaded.findings
    assert (finding.rule.code, finding.message) == (
        "MESH009",
        "shop/env/a.env is not here, because git ignores it: create it",
    )
    (tree / ".gitignore").unlink()
    assert codes(read(tree)) == [("MESH007", "shop")]


def test_a_folder_that_flux_creates_is_needed(tmp_path: Path, tools: Path) -> None:
    tree = tmp_path / "tree"
    missing = f"evalsymlink failure on '{tree}/prod/flux-system' : lstat {tree}/prod/flux-system: no such file"
    program(tools, "kubectl", f"echo \"error: accumulating resources from './flux-system': {missing}\" >&2; exit 1")
    write(tree, {"prod/kustomization.yaml": "resources: [./flux-system]\n"})
    (finding,) = read(tree).loaded.findings
    message = "prod/flux-system is not here: flux bootstrap creates it"
    assert (finding.rule.code, finding.message) == ("MESH009", message)


def test_a_chart_finds_its_dependencies_in_the_repository(tmp_path: Path, tools: Path) -> None:
    service = (SERVICE % "cart").replace("\n", "\\n")
    lacking = "Error: missing in charts/ directory"
    program(
        tools,
        "helm",
        f"""for name in base deep given; do
[ -f "$3/charts/$name/Chart.yaml" ] || [ -f "$3/charts/base/charts/$name/Chart.yaml" ] || {{
echo "{lacking}: $name" >&2; exit 1; }}; done
printf -- '---\\n# Source: shop/templates/a.yaml\\n{service}'""",
    )
    write(
        tmp_path / "tree",
        {
            "shop/Chart.yaml": "name: shop\ndependencies: [{name: base, repository: 'file://../base'}]\n",
            "shop/charts/given/Chart.yaml": "name: given\n",
            "base/requirements.yaml": "dependencies: [{name: deep, repository: 'file://../deep'}]\n",
            "base/Chart.yaml": "name: base\n",
            # Each of the two needs the other one.
            "deep/Chart.yaml": "name: deep\ndependencies: [{name: base, repository: 'file://../base'}]\n",
        },
    )
    before = sorted(tmp_path.rglob("*"))
    reader = Reader(base=str(tmp_path / "tree"))
    reader.read([str(tmp_path / "tree/shop")])
    assert [resource.source.file for resource in reader.loaded.resources] == ["shop/templates/a.yaml (rendered)"]
    assert sorted(tmp_path.rglob("*")) == before
    write(tmp_path / "tree", {"shop/Chart.yaml": "name: shop\ndependencies: [{name: base, repository: '@repo'}]\n"})
    (finding,) = Reader(base=str(tmp_path / "tree")).read([str(tmp_path / "tree/shop")]).findings
    assert finding.message == "charts/ lacks its dependencies (base): run helm dependency build"


def test_a_kustomization_reads_files_outside_of_its_folder_as_flux_does(tmp_path: Path, tools: Path) -> None:
    service = (SERVICE % "cart").replace("\n", "\\n")
    program(
        tools,
        "kubectl",
        f"""case "$*" in *LoadRestrictionsNone) printf '{service}'; exit;; esac
echo "error: accumulating resources: security; file '/a/b.yaml' is not in or below '/a/c'" >&2; exit 1""",
    )
    write(tmp_path / "tree", {"c/kustomization.yaml": "resources: [../b.yaml]\n"})
    assert names(read(tmp_path / "tree")) == ["cart"]


def test_kustomize_renders_charts_where_it_may(tmp_path: Path, tools: Path) -> None:
    service = (SERVICE % "cart").replace("\n", "\\n")
    program(tools, "kubectl", f"""case "$*" in *"--enable-helm --helm-command /x/helm") printf '{service}';; esac""")
    write(tmp_path / "tree", {"c/kustomization.yaml": "helmCharts: [{name: cart}]\n"})
    for may, found in ((True, ["cart"]), (False, [])):
        reader = Reader(base=str(tmp_path), helm="/x/helm", kustomize_enable_helm=may)
        reader.read([str(tmp_path / "tree")])
        assert names(reader) == found


def test_a_folder_of_any_name_is_a_release(tmp_path: Path, tools: Path) -> None:
    program(tools, "helm", f"echo $2 >> {tmp_path / 'names'}")
    for name in ("nemoRL", "Shop_2", "-", "a" * 60):
        write(tmp_path / "tree", {f"{name}/Chart.yaml": "apiVersion: v2\nname: x\n"})
    read(tmp_path / "tree")
    assert set((tmp_path / "names").read_text().split()) == {"nemorl", "shop-2", "release", "a" * 53}
