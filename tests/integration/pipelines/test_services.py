"""The manifests of docs/services: by the API server, and by its RBAC."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
import yaml

from ..support.accounts import Accounts, accounts, documented
from ..support.canary_lab import FINAL, NAMESPACE, Call, Lab
from ..support.playbooks import ROOT, kubectl_of

__all__ = ["accounts"]

SERVICES = ROOT / "docs/services"
SERVICE = "notification-service"
RECONCILE = documented("services/canary-reconcile.yml")
BY_ADDRESS = documented("istiod-by-pod-address.yml")


@pytest.fixture
def lab(whole_lab: Lab) -> Iterator[Lab]:
    """Faults of other services are left alone."""
    found = Lab(whole_lab.kubeconfig, whole_lab.folder, SERVICE)
    yield found
    for call in found.calls:
        call.kill()
    if found.now().state["phase"] not in FINAL:
        assert found.call("aborted", reason="the test has ended").wait() == 0


def orphan(lab: Lab) -> tuple[str, str]:
    """A run with a tenth of the traffic, whose process is dead: its stable and its canary side."""
    stable, canary = lab.stable, lab.canary
    call = lab.call(image_tag=lab.tag(), steps=[10], step_duration="10m", deadline="1h")
    lab.until("the canary has its share", lambda: lab.now().weights[canary] == 10 or not call.running)
    assert call.running, call.tail
    call.kill()
    return stable, canary


def reconciled(lab: Lab, kubeconfig: str) -> Call:
    """As the CronJob does it, for this service alone."""
    call = lab.playbook("canary_reconcile.yml", kubeconfig=kubeconfig, canary_service=SERVICE, canary_drain="1s")
    assert call.wait() == 0, call.tail
    return call


@pytest.mark.parametrize("name", ["canary-reconcile.yml", "canary-rulebook.yml"])
def test_the_api_server_accepts_the_manifest(kubeconfig: str, name: str) -> None:
    """In a namespace that exists and is restricted: a dry run makes none."""
    objects = [each for each in yaml.safe_load_all((SERVICES / name).read_text()) if each["kind"] != "Namespace"]
    for each in objects:
        each["metadata"].pop("namespace", None)
    words = ["-n", NAMESPACE, "apply", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "-f", "-"]
    command = [*kubectl_of(kubeconfig), *words]
    done = subprocess.run(command, input=yaml.safe_dump_all(objects), capture_output=True, text=True, check=False)
    # A pod that does not fit the level gets a warning.
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("(server dry run)") == len(objects)


def test_the_role_is_enough_to_roll_back_an_orphaned_run(lab: Lab, accounts: Accounts) -> None:
    stable, canary = orphan(lab)
    call = reconciled(lab, accounts.add("canary-reconcile", [*RECONCILE, *BY_ADDRESS]))
    assert lab.now().state["phase"] == "Failed"
    assert lab.now().weights == {stable: 100, canary: 0}
    assert "may not" not in call.text and "instead of proof" not in call.text, call.tail
