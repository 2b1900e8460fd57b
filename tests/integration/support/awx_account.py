"""The account in a cluster that a Kubernetes credential of AWX belongs to, and an AWX that has it: fixtures."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client

from .awx_job import Awx, Credential
from .canary_lab import ROOT, Lab

_NAME, _NAMESPACE = "awx-test", "kube-system"


@contextlib.contextmanager
def service_account(api: client.ApiClient) -> Iterator[Credential]:
    """A service account that may do everything, and what AWX would keep of it; gone at the end."""
    core, rights = client.CoreV1Api(api), client.RbacAuthorizationV1Api(api)
    metadata = {"name": _NAME, "namespace": _NAMESPACE}
    core.create_namespaced_service_account(_NAMESPACE, {"metadata": metadata})
    try:
        rights.create_cluster_role_binding(
            {
                "metadata": {"name": _NAME},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
                "subjects": [{"kind": "ServiceAccount", **metadata}],
            }
        )
        asked = {"spec": {"audiences": [], "expirationSeconds": 7200}}
        token = core.create_namespaced_service_account_token(_NAME, _NAMESPACE, asked).status.token
        settings = api.configuration
        yield Credential(settings.host, token, Path(settings.ssl_ca_cert).read_text())
    finally:
        core.delete_namespaced_service_account(_NAME, _NAMESPACE)
        with contextlib.suppress(client.ApiException):
            rights.delete_cluster_role_binding(_NAME)


@pytest.fixture(scope="module")
def credential(whole_lab: Lab) -> Iterator[Credential]:
    with service_account(whole_lab.api) as account:
        yield account


@pytest.fixture(scope="module")
def awx(whole_lab: Lab, credential: Credential, tmp_path_factory: pytest.TempPathFactory) -> Awx:
    variables = {**whole_lab.variables, "service_mesh_kubeconfig": None}
    return Awx(tmp_path_factory.mktemp("awx"), ROOT / "inventories/lab", variables, credential)
