"""Several clusters one after the other. One lab plays three: each host of the inventory has a service of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ..integration.support.canary_lab import PROXIES, Lab, slowness, success
from ..integration.support.canary_records import failed, read
from .conftest import Report

SERVICES = {"first": "menu-service", "second": "order-service", "third": "auth-service"}
QUICK = {
    "canary_provider": PROXIES,
    "canary_metrics": [success(), slowness()],
    "canary_whole_service_guard": {},
    "canary_steps": [50],
    "canary_step_duration": "2s",
    "canary_interval": "500ms",
    "canary_drain": "2s",
}


@pytest.mark.parametrize("policy", ["keep", "rollback"])
def test_a_wave_that_fails_is_the_last_one(lab: Lab, report: Report, tmp_path: Path, policy: str) -> None:
    clusters = {name: Lab(lab.kubeconfig, lab.folder, service) for name, service in SERVICES.items()}
    before = {name: (cluster.stable, cluster.canary) for name, cluster in clusters.items()}
    images = {name: cluster.workloads() for name, cluster in clusters.items()}
    hosts = {
        name: {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "canary_service": service,
        }
        for name, service in SERVICES.items()
    }
    inventory = tmp_path / "clusters.yml"
    inventory.write_text(yaml.safe_dump({"clusters": {"hosts": hosts}}), encoding="utf-8")
    lab.fault(service="order-service", version=lab.canary, error_rate=1)
    with lab.unhidden(), lab.load("/api/v1/menu", rate=50, name="menu") as menu, lab.load(rate=50):
        call = lab.playbook(
            "canary.yml",
            *("-i", str(inventory), "--limit", ",".join(SERVICES)),
            **QUICK,
            lab_state_dir=str(lab.kubeconfig.parent),
            canary_image_tag=lab.tag(),
            canary_on_failed_wave=policy,
        )
        code = call.wait()
    report(f"{policy}: exit code {code}; {[(name, cluster.now().weights) for name, cluster in clusters.items()]}")
    assert code != 0
    stable, canary = before["first"]
    came_back = policy == "rollback"
    assert clusters["first"].now().weights == {stable: 100 * came_back, canary: 100 * (not came_back)}, call.tail
    serving = clusters["first"].workload(stable if came_back else canary)
    replicas, image = clusters["first"].workloads()[serving]
    assert replicas >= 2
    assert (image == images["first"][serving][1]) == came_back
    assert not failed(read(menu.output))
    assert clusters["second"].now().weights == dict(zip(before["second"], (100, 0), strict=True))
    assert clusters["third"].workloads() == images["third"], "its turn never came"
    assert not clusters["third"].now().state
    assert "request-success-rate" in call.text
