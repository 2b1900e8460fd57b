"""Istio and the cluster as a pair, and what comes from the registries that Istio retires: reported first."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.retired_registries import (
    ADDRESSES,
    INSTALL,
)
from kubernetes.client import ApiClient

from ..support.api_faults import ApiFaults, Fault
from ..support.planted import Objects, reader_of
from ..support.playbooks import ISTIO_PREFLIGHT, Run, RunPlaybook, play
from ..support.snapshots import Snapshot

IMAGES = f"{ADDRESSES[0]}/release"
# Role preflight, which would find it, does not run before the role here.
ALONE = {"istio_platform": "none"}


def reports(words: str, run: Run) -> bool:
    """Without regard to spaces: Ansible breaks the lines of its warnings, also within words."""
    return "".join(words.split()) in "".join(run.text.split())


def test_a_cluster_that_is_too_old_for_the_release_is_refused(
    run_playbook: RunPlaybook, kubeconfig: str, tmp_path: Path, cluster_snapshot: Snapshot
) -> None:
    before = cluster_snapshot()
    planes = [{"revision": "old", "version": "1.29.8"}, {"revision": "new", "version": "1.31.1"}]
    with ApiFaults(kubeconfig) as faults:
        older = json.dumps({"gitVersion": "v1.31.9", "major": "1", "minor": "31"})
        faults.add(Fault("GET", "^/version/?$", status=200, body=older, times=0))
        variables: dict[str, Any] = {
            "service_mesh_kubeconfig": faults.kubeconfig(tmp_path),
            "istio_revisions": planes,
            "istio_revision": "old",
            "preflight_minimum_version": "1.25",
        }
        run = run_playbook("site.yml", variables=variables)
        allowed = run_playbook(
            play(ISTIO_PREFLIGHT),
            variables={**variables, **ALONE, "istio_allow_unsupported_kubernetes": True},
            environment={"K8S_AUTH_KUBECONFIG": str(variables["service_mesh_kubeconfig"])},
        )
        variables.pop("preflight_minimum_version")
        too_old = run_playbook("site.yml", variables=variables)
    refusal = (
        "istio_version (istio_revisions[1].version) is 1.31.1: Istio 1.31 is supported on Kubernetes 1.32 to 1.36, and "
        "the cluster runs v1.31.9: upgrade the cluster first, or use a release of Istio 1.29."
    )
    assert run.failed == 1, run.stdout
    assert reports(refusal, run), run.stdout
    assert reports("set allow_unsupported: true. Nothing was changed", run), run.stdout
    assert reports("istio_allow_unsupported_kubernetes", run), run.stdout
    # That one is supported there.
    assert not reports("(istio_revisions[0].version) is", run), run.stdout
    assert allowed.rc == 0, allowed.stdout
    assert reports(refusal, allowed), allowed.stdout
    assert reports("minimum_version is 1.32", too_old), too_old.stdout
    assert reports("preflight_minimum_version", too_old), too_old.stdout
    assert cluster_snapshot() == before


def test_an_untested_pair_is_a_warning(run_playbook: RunPlaybook, kubeconfig: str) -> None:
    variables = {
        **ALONE,
        "istio_revisions": [{"revision": "old", "version": "1.20.1"}, {"revision": "new", "version": "1.99.0"}],
        "istio_revision": "old",
    }
    run = run_playbook(play(ISTIO_PREFLIGHT), variables=variables, environment={"K8S_AUTH_KUBECONFIG": kubeconfig})
    assert run.rc == 0, run.stdout
    assert reports("istio_version (istio_revisions[0].version) is 1.20.1: Istio 1.20 is supported on", run), run.stdout
    assert reports("which it was not tested with", run), run.stdout
    assert reports("istio_version (istio_revisions[1].version) is 1.99.0: this collection knows", run), run.stdout


@pytest.fixture
def planted(api: ApiClient) -> Iterator[None]:
    """A workload with an old sidecar, an injector that makes more of them, and a release that did all this."""
    objects = Objects(api)
    release = {"name": "trial", "config": {"global": {"hub": IMAGES}, "password": "SECRET-in-values"}, "manifest": ""}
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode()))).decode()
    injector = json.dumps({"global": {"hub": IMAGES}})
    text = yaml.safe_dump_all(
        [
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "trial", "namespace": "istio-system"},
                "spec": {
                    "replicas": 2,
                    "selector": {"matchLabels": {"app": "trial"}},
                    "template": {
                        "metadata": {"labels": {"app": "trial"}},
                        # Not istio-proxy: the lab would really run it.
                        "spec": {
                            "initContainers": [{"name": "istio-init", "image": f"{IMAGES}/proxyv2:1.30.3"}],
                            "containers": [{"name": "app", "image": "example.com/app:1"}],
                        },
                    },
                },
            },
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "istio-sidecar-injector-trial", "namespace": "istio-system"},
                "data": {"values": injector},
            },
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "helm.sh/release.v1",
                "metadata": {
                    "name": "sh.helm.release.v1.trial.v1",
                    "namespace": "istio-system",
                    "labels": {"owner": "helm", "name": "trial", "version": "1", "status": "deployed"},
                },
                "data": {"release": packed},
            },
        ]
    )
    objects.apply(text)
    yield
    objects.delete(text)


def test_images_from_retired_registries_are_reported(
    run_playbook: RunPlaybook, kubeconfig: str, planted: None, tmp_path: Path
) -> None:
    variables = {
        **ALONE,
        "istio_hub": IMAGES,
        "istio_chart_path": "",
        "istio_chart_repository": f"https://{ADDRESSES[2]}/charts",
    }
    run = run_playbook(play(ISTIO_PREFLIGHT), variables=variables, environment={"K8S_AUTH_KUBECONFIG": kubeconfig})
    assert (run.rc, run.changed) == (0, 0), run.stdout
    for words in (
        f"istio_hub is '{IMAGES}', but Istio retires {ADDRESSES[0]}",
        f"istio_chart_repository is 'https://{ADDRESSES[2]}/charts', but Istio retires",
        "running pods of istio-system/trial (2)",
        "new pods, by ConfigMap istio-system/istio-sidecar-injector-trial",
        "Helm releases istio-system/trial",
        f"Move them: {INSTALL}, then kubectl -n istio-system rollout restart deployment/trial",
        "8 December 2026, 15:00 UTC",
    ):
        assert reports(words, run), f"{words}\n{run.stdout}"

    report = run_playbook("report.yml", variables={"report_path": str(tmp_path / "lab"), "report_cost": False})
    assert report.rc == 0, report.stdout
    assert reports("Istio's registries: 1 workload, 1 injector, 1 release from registries that Istio retires", report)
    found = json.loads((tmp_path / "lab.json").read_text())["registries"]
    (workload,) = found["workloads"]
    assert (workload["namespace"], workload["kind"], workload["name"], workload["pods"]) == (
        *("istio-system", "Deployment", "trial"),
        2,
    )
    assert [item["name"] for item in found["injectors"]] == ["istio-sidecar-injector-trial"]
    assert [item["name"] for item in found["releases"]] == ["trial"]
    for ending in ("html", "md"):
        page = (tmp_path / f"lab.{ending}").read_text()
        for words in (INSTALL, "kubectl -n istio-system rollout restart deployment/trial", "8 December 2026"):
            assert words in page.replace("\\", ""), (ending, words)
    for path in tmp_path.glob("lab.*"):
        assert "SECRET-in-values" not in path.read_text()


def test_an_account_that_may_not_list_pods_everywhere_is_reported(
    run_playbook: RunPlaybook, api: ApiClient, kubeconfig: str, planted: None, tmp_path: Path
) -> None:
    objects = Objects(api)
    account = """
apiVersion: v1
kind: Namespace
metadata: {name: trial-account}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: trial, namespace: trial-account}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: trial, namespace: istio-system}
rules:
  - {apiGroups: [""], resources: [pods, configmaps], verbs: [list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: trial, namespace: istio-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: trial}
subjects: [{kind: ServiceAccount, name: trial, namespace: trial-account}]
"""
    objects.apply(account)
    try:
        reader = tmp_path / "kubeconfig"
        reader.write_text(json.dumps(reader_of(kubeconfig, "trial-account", "trial")))
        run = run_playbook(play(ISTIO_PREFLIGHT), variables=ALONE, environment={"K8S_AUTH_KUBECONFIG": str(reader)})
    finally:
        objects.delete(account)
    assert run.rc == 0, run.stdout
    assert reports("running pods of istio-system/trial (2)", run), run.stdout
    assert reports("The account may not list Pod outside of istio-system, restaurant-management", run), run.stdout
    assert reports("The account may not list Secret in istio-system", run), run.stdout
