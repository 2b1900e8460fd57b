"""Every role's chart repository as a classic repository and as an OCI registry, by one variable."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ..support.chart_server import ChartServer
from ..support.playbooks import INVENTORY, ROOT, RunPlaybook

pytestmark = pytest.mark.skipif(bool(INVENTORY), reason="serves the lab's own charts")
# In Istio's source all charts are 1.0.0; its releases are built with their own number.
ISTIO_VERSION = yaml.safe_load((ROOT / "inventories/lab/group_vars/clusters/lab.yml").read_text())["istio_version"]


@pytest.fixture
def server(kubeconfig: str, tmp_path: Path) -> Iterator[ChartServer]:
    """With the charts that the lab has on disk."""
    tools = json.loads((Path(kubeconfig).parent / "tools.json").read_text())

    def package(folder: Path, *arguments: str) -> None:
        command = [tools["helm"], "package", str(folder), "--destination", str(tmp_path), *arguments]
        subprocess.run(command, check=True, capture_output=True)

    for folder in Path(tools["istio_charts"]).iterdir():
        package(folder, "--version", ISTIO_VERSION)
    for about in (ROOT / "tests/charts").glob("*/Chart.yaml"):
        package(about.parent)
    with ChartServer(tmp_path) as found:
        for archive in tmp_path.glob("*.tgz"):
            found.add(archive)
        yield found


def variables_of(server: ChartServer, scheme: str) -> dict[str, Any]:
    return {
        "service_mesh_chart_mirror": f"{scheme}://{server.address}",
        # Not from disk, as the lab has it.
        "service_mesh_chart_path": "",
        "istio_chart_path": "",
    }


@pytest.mark.parametrize("scheme", ["https", "oci"])
def test_istio_comes_from_either(run_playbook: RunPlaybook, server: ChartServer, scheme: str) -> None:
    arguments = ("--check", "--diff", "--tags", "istio")
    run = run_playbook("site.yml", *arguments, variables=variables_of(server, scheme), environment=server.trust)
    assert run.rc == 0, run.stdout
    folder = "/v2/istio" if scheme == "oci" else "/istio"
    for chart in ("base", "cni", "istiod", "gateway"):
        path = (
            f"{folder}/{chart}/manifests/{ISTIO_VERSION}"
            if scheme == "oci"
            else f"{folder}/{chart}-{ISTIO_VERSION}.tgz"
        )
        assert path in server.asked
    # The number is all that the charts on disk lack.
    assert f"helm.sh/chart: istiod-{ISTIO_VERSION}" in run.text


@pytest.mark.parametrize("scheme", ["https", "oci"])
def test_components_come_from_either_and_nothing_changes(
    run_playbook: RunPlaybook, server: ChartServer, scheme: str
) -> None:
    variables = {**variables_of(server, scheme), "kiali_chart_version": server.version_of("kiali-server")}
    arguments = ("--check", "--tags", "observability")
    run = run_playbook("site.yml", *arguments, variables=variables, environment=server.trust)
    assert (run.rc, run.changed) == (0, 0), run.stdout
    asked = "\n".join(server.asked)
    for folder in ("kiali", "prometheus-community", "grafana-community", "grafana", "jaegertracing"):
        assert f"/{folder}/" in asked, folder
