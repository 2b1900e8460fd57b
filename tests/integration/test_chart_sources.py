"""Every role's chart repository as a classic repository and as an OCI registry: the same charts, so nothing changes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from .chart_server import ChartServer
from .conftest import INVENTORY, ROOT, RunPlaybook

own_lab = pytest.mark.skipif(bool(INVENTORY), reason="serves the lab's own charts")


@own_lab
@pytest.mark.parametrize("scheme", ["https", "oci"])
def test_the_mesh_and_its_components_come_from_either(
    run_playbook: RunPlaybook, kubeconfig: str, tmp_path: Path, scheme: str
) -> None:
    tools = json.loads((Path(kubeconfig).parent / "tools.json").read_text())
    charts = [*Path(tools["istio_charts"]).iterdir(), *(ROOT / "tests/charts").iterdir()]
    with ChartServer(tmp_path) as server:
        for folder in charts:
            if (folder / "Chart.yaml").exists():
                command = [tools["helm"], "package", str(folder), "--destination", str(tmp_path)]
                subprocess.run(command, check=True, capture_output=True)
        for archive in tmp_path.glob("*.tgz"):
            server.add(archive)
        variables = {
            "service_mesh_chart_mirror": f"{scheme}://{server.address}",
            # Not from disk, as the lab has it.
            "service_mesh_chart_path": "",
            "istio_chart_path": "",
            "istio_version": server.version_of("istiod"),
            "kiali_chart_version": server.version_of("kiali-server"),
        }
        arguments = ("--check", "--tags", "istio,observability")
        run = run_playbook("site.yml", *arguments, variables=variables, environment=server.trust)
    assert run.rc == 0, run.stdout
    assert run.changed == 0, run.stdout
    asked = "\n".join(server.asked)
    for folder in ("istio", "kiali", "prometheus-community", "grafana-community", "jaegertracing"):
        assert f"/{folder}/" in asked, folder
