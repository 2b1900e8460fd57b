"""roles/istio with the definitions of the Gateway API: installed, kept if they are newer, never of another channel."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from ..support.pinned import pinned
from ..support.playbooks import INVENTORY, RunPlaybook
from ..support.snapshots import Snapshot

pytestmark = pytest.mark.skipif(bool(INVENTORY), reason="changes definitions, so only on the tests' own lab")

POLICY = "safe-upgrades.gateway.networking.k8s.io"


@pytest.fixture(scope="module")
def release() -> Path:
    return pinned("gateway-api")


def manifest(release: Path, folder: Path, channel: str, version: str = "") -> dict[str, Any]:
    """Variables with a manifest as the project's releases have it. ``version``: if it claims another one."""
    text = "\n---\n".join(path.read_text() for path in sorted((release / "config/crd" / channel).glob("gateway*.yaml")))
    number = release.name.rpartition("@v")[2]
    path = folder / f"{channel}-{version or number}.yaml"
    path.write_text(text.replace(f"v{number}", f"v{version or number}"))
    return {
        "istio_gateway_api_version": version or number,
        "istio_gateway_api_channel": channel,
        "istio_gateway_api_manifest": str(path),
    }


def definitions(api: client.ApiClient) -> dict[str, str]:
    """Name -> release."""
    listed = client.ApiextensionsV1Api(api).list_custom_resource_definition().items
    return {
        each.metadata.name: each.metadata.annotations["gateway.networking.k8s.io/bundle-version"]
        for each in listed
        if each.spec.group.startswith("gateway.networking.")
    }


@pytest.fixture(scope="module")
def installed(
    api: client.ApiClient, release: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """Variables; what they install is removed at the end."""
    assert not definitions(api)
    yield manifest(release, tmp_path_factory.mktemp("standard"), "standard")
    admission, extensions = client.AdmissionregistrationV1Api(api), client.ApiextensionsV1Api(api)
    with contextlib.suppress(client.ApiException):
        admission.delete_validating_admission_policy_binding(POLICY)
        admission.delete_validating_admission_policy(POLICY)
    for name in definitions(api):
        extensions.delete_custom_resource_definition(name)


def test_a_release_is_shown_installed_and_then_unchanged(
    run_playbook: RunPlaybook, cluster_snapshot: Snapshot, api: client.ApiClient, installed: dict[str, Any]
) -> None:
    before = cluster_snapshot()
    plan = run_playbook("site.yml", "--tags", "istio", "--check", "--diff", variables=installed)
    assert plan.rc == 0, plan.stdout
    assert "+ name: httproutes.gateway.networking.k8s.io" in plan.text
    assert cluster_snapshot() == before
    done = run_playbook("site.yml", "--tags", "istio", variables=installed)
    assert done.rc == 0, done.stdout
    wanted = [obj for obj in yaml.safe_load_all(Path(installed["istio_gateway_api_manifest"]).read_text()) if obj]
    names = {obj["metadata"]["name"] for obj in wanted if obj["kind"] == "CustomResourceDefinition"}
    assert definitions(api) == dict.fromkeys(names, f"v{installed['istio_gateway_api_version']}")
    assert client.AdmissionregistrationV1Api(api).read_validating_admission_policy(POLICY)
    again = run_playbook("site.yml", "--tags", "istio", variables=installed)
    assert (again.rc, again.changed) == (0, 0), again.stdout


def test_newer_definitions_stay(
    run_playbook: RunPlaybook, release: Path, tmp_path: Path, installed: dict[str, Any]
) -> None:
    run = run_playbook(
        "site.yml", "--tags", "istio_preflight", variables=manifest(release, tmp_path, "standard", "1.5.1")
    )
    assert run.rc == 0, run.stdout
    newer = installed["istio_gateway_api_version"]
    assert f"The Gateway API's definitions stay at v{newer}, which is newer than 1.5.1." in run.text


def test_another_channel_is_refused(
    run_playbook: RunPlaybook, release: Path, tmp_path: Path, installed: dict[str, Any]
) -> None:
    run = run_playbook("site.yml", "--tags", "istio_preflight", variables=manifest(release, tmp_path, "experimental"))
    assert run.failed == 1, run.stdout
    assert "The cluster has the standard channel." in run.text
    assert "istio_gateway_api_channel is experimental" in run.text
