# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults planted in a running mesh are found, named at the right object, and gone after the fix. Reading is enough."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.client import ApiClient, ApiException, AppsV1Api, CustomObjectsApi

from ..support.accounts import documented
from ..support.planted import Objects, reader_of
from ..support.playbooks import ROOT, RunPlaybook

HERE = Path(__file__).parent
FAULTS = yaml.safe_load((HERE / "faults.yaml").read_text())
NAMESPACES = ["trial-mesh", "trial-plain", "trial-late", "trial-labels"]


@pytest.fixture(scope="module")
def objects(api: ApiClient) -> Iterator[Objects]:
    client = Objects(api)
    client.apply((HERE / "base.yaml").read_text())
    for namespace in NAMESPACES:
        wait_until_available(AppsV1Api(api), namespace)
    yield client
    client.delete_namespaces(NAMESPACES)


def wait_until_available(apps: AppsV1Api, namespace: str) -> None:
    """A Service without a ready pod is a finding, also while the pods start."""
    deadline = time.monotonic() + 120
    while waited_for := [
        deployment.metadata.name
        for deployment in apps.list_namespaced_deployment(namespace).items
        if (deployment.status.available_replicas or 0) < deployment.spec.replicas
    ]:
        assert time.monotonic() < deadline, f"{waited_for} in {namespace} are not available"
        time.sleep(0.5)


def findings(run_playbook: RunPlaybook, tmp_path: Path, **variables: Any) -> list[dict[str, Any]]:
    report = tmp_path / "report.json"
    run = run_playbook(
        "validate.yml",
        variables={
            "validate_namespaces": NAMESPACES,
            "validate_fail_on": "never",
            "validate_reports": {"json": str(report)},
            **variables,
        },
    )
    assert run.rc == 0, run.stdout
    found: list[dict[str, Any]] = json.loads(report.read_text())["findings"]
    return found


def named(fault: dict[str, Any], found: list[dict[str, Any]]) -> bool:
    keys = [key for key in ("kind", "namespace", "name", "field") if key in fault]
    return any(
        fault["code"] in (item["code"], *item["aliases"]) and all(item[key] == fault[key] for key in keys)
        for item in found
    )


def test_planted_faults_are_found_and_gone_after_the_fix(
    run_playbook: RunPlaybook, objects: Objects, tmp_path: Path
) -> None:
    before = findings(run_playbook, tmp_path)
    assert [item for item in before if item["level"] != "info"] == []
    for fault in FAULTS:
        objects.apply(fault["objects"])
    planted = findings(run_playbook, tmp_path)
    missed = [fault["what"] for fault in FAULTS if not named(fault, planted)]
    assert missed == [], planted
    for fault in FAULTS:
        objects.delete(fault["objects"])
    after = findings(run_playbook, tmp_path)
    assert [fault["what"] for fault in FAULTS if named(fault, after)] == []


def test_a_refused_certificate_is_reported_while_its_gateway_exists(
    run_playbook: RunPlaybook, objects: Objects
) -> None:
    """A proxy that still has the certificate of the test before refuses the whole listener, not the Secret."""
    fault = next(fault for fault in FAULTS if fault["name"] == "bad-secret")
    objects.apply(fault["objects"])
    try:
        refused = run_playbook(ask_istiod(until="mesh.msg is search('refused (Secret|Listener)')", retries=30, delay=1))
    finally:
        objects.delete(fault["objects"])
    assert refused.rc == 0, refused.stdout
    gone = run_playbook(ask_istiod(failed_when="not mesh.in_sync"))
    assert gone.rc == 0, gone.stdout


def ask_istiod(**keywords: Any) -> str:
    """A play that has the sync status of all proxies in ``mesh``, and waits for them for a while at most."""
    # A listener that is gone drains for 45 s, and watches its certificate until then.
    options = {"istiod_access": "pod_address", "timeout": 0 if "until" in keywords else 90}
    play = {
        "hosts": "clusters",
        "gather_facts": False,
        "environment": {"K8S_AUTH_KUBECONFIG": "{{ service_mesh_kubeconfig }}"},
        "tasks": [{"corpv3.service_mesh.mesh_sync_info": options, "register": "mesh", **keywords}],
    }
    return yaml.safe_dump([play])


def test_the_playbook_fails_on_what_is_bad_enough_and_shows_it(
    run_playbook: RunPlaybook, objects: Objects, tmp_path: Path
) -> None:
    (tmp_path / "change.yaml").write_text(FAULTS[0]["objects"])
    change = {"validate_paths": [str(tmp_path)], "validate_namespaces": NAMESPACES}
    run = run_playbook("validate.yml", variables=change)
    assert run.rc != 0
    assert "error IST0101 VirtualService trial-mesh/to-unknown-host: " in run.stdout
    assert "VirtualService trial-mesh/to-unknown-host" in run.text
    mild = run_playbook(
        "validate.yml", variables={**change, "validate_suppress": ["IST0101=VirtualService trial-mesh/*"]}
    )
    assert mild.rc == 0, mild.stdout


def test_a_change_that_breaks_live_objects_is_reported_before_it_is_made(
    run_playbook: RunPlaybook, objects: Objects, tmp_path: Path
) -> None:
    # Nothing is wrong with the new Service itself: it takes the pods away from the one that others call.
    (tmp_path / "change.yaml").write_text(
        "apiVersion: v1\nkind: Service\nmetadata: {name: cart, namespace: trial-mesh}\n"
        "spec:\n  selector: {app: trolley}\n  ports: [{name: http, port: 8080}]\n"
    )
    found = findings(run_playbook, tmp_path, validate_paths=[str(tmp_path / "change.yaml")])
    assert ("MESH213", "cart") in [(item["code"], item["name"]) for item in found]


def test_reading_is_enough(run_playbook: RunPlaybook, objects: Objects, kubeconfig: str, tmp_path: Path) -> None:
    """Secrets, and the way to istiod, are decisions of their own."""
    reads = (ROOT / "docs/validation-reader.yml").read_text()
    decisions = (ROOT / "docs/validation-secrets.yml").read_text() + istiod_access("mesh-validation")
    variables = {
        "validate_namespaces": NAMESPACES,
        "validate_fail_on": "never",
        "validate_reports": {"json": str(tmp_path / "report.json")},
    }
    objects.apply(reads)
    try:
        reader = tmp_path / "kubeconfig"
        reader.write_text(json.dumps(reader_of(kubeconfig, "mesh-validation", "mesh-validation")))
        variables["service_mesh_kubeconfig"] = str(reader)
        little = run_playbook("validate.yml", variables={**variables, "validate_istiod_access": "port_forward"})
        assert re.findall(r"(\S+) was not read", little.text) == ["Secret"], little.stdout
        assert "may not ask istiod by port_forward. docs/istiod-by-port-forward.yml grants what it lacks" in little.text
        objects.apply(decisions)
        try:
            run = run_playbook("validate.yml", variables={**variables, "validate_istiod_access": "pod_address"})
        finally:
            objects.delete(decisions)
        assert run.rc == 0, run.stdout
        assert "not read" not in run.text
        assert "is not known" not in run.text
    finally:
        objects.delete(reads)


def istiod_access(account: str) -> str:
    """The documented Role for istiod's address, bound to an account in the namespace of its name."""
    (role,) = documented("istiod-by-pod-address.yml")
    name = role["metadata"]["name"]
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": role["metadata"],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": account}],
    }
    return f"\n---\n{yaml.safe_dump_all([role, binding])}"


VIEWER = """\
apiVersion: v1
kind: Namespace
metadata: {name: mesh-viewer}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: viewer, namespace: mesh-viewer}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: mesh-viewer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: viewer, namespace: mesh-viewer}]
"""
CANARY = {"canary_service": "order-service", "canary_image_tag": "9.9.9"}


def test_an_account_that_may_not_read_the_mesh_gets_no_pass(
    run_playbook: RunPlaybook, api: ApiClient, kubeconfig: str, tmp_path: Path
) -> None:
    """Kubernetes' own role `view` has nothing of Istio's."""
    objects = Objects(api)
    objects.apply(VIEWER)
    try:
        viewer = tmp_path / "kubeconfig"
        viewer.write_text(json.dumps(reader_of(kubeconfig, "mesh-viewer", "viewer")))
        account = {"service_mesh_kubeconfig": str(viewer)}
        refused = run_playbook("validate.yml", variables=account)
        gate = run_playbook("canary.yml", "--check", variables={**account, **CANARY})
        allowed = run_playbook("validate.yml", variables={**account, "validate_allow_unread": ["*"]})
    finally:
        objects.delete(VIEWER)
    for run in (refused, gate):
        assert run.rc != 0, run.stdout
        assert "could not be read, so there may be more findings: the account may not list" in run.text
        assert "list authorizationpolicies, peerauthentications, requestauthentications (security.istio.io)" in run.text
        assert ", virtualservices, " in run.text
        assert "allow_unread names kinds that may stay unread" in run.text
        # `view` has them, and Secrets may stay unread.
        assert "deployments (apps)" not in run.text
        assert "list secrets" not in run.text
    assert "Run the canary" not in gate.stdout
    assert allowed.rc == 0, allowed.stdout
    assert "were not read: the account may not list them" in allowed.text


def test_the_documented_accounts_pass_the_gate_of_a_canary(
    run_playbook: RunPlaybook, api: ApiClient, kubeconfig: str, tmp_path: Path
) -> None:
    reader = (ROOT / "docs/validation-reader.yml").read_text()
    operator = [*yaml.safe_load_all((ROOT / "docs/canary-operator.yml").read_text())]
    bindings = [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": f"{role['kind']}Binding",
            "metadata": role["metadata"],
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": role["kind"],
                "name": role["metadata"]["name"],
            },
            "subjects": [{"kind": "ServiceAccount", "name": "mesh-validation", "namespace": "mesh-validation"}],
        }
        for role in operator
    ]
    account = f"{reader}\n---\n{yaml.safe_dump_all([*operator, *bindings])}"
    objects = Objects(api)
    objects.apply(account)
    try:
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps(reader_of(kubeconfig, "mesh-validation", "mesh-validation")))
        planned = run_playbook("canary.yml", "--check", variables={"service_mesh_kubeconfig": str(path), **CANARY})
    finally:
        objects.delete(account)
    assert planned.rc == 0, planned.stdout
    assert "order-service:9.9.9" in planned.text


# Not one that istiod watches, so nothing in it begins or ends with the definition.
UDP_ROUTES = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: udproutes.gateway.networking.k8s.io
  annotations:
    api-approved.kubernetes.io: unapproved, of a test
    gateway.networking.k8s.io/bundle-version: v1.6.3
    gateway.networking.k8s.io/channel: standard
spec:
  group: gateway.networking.k8s.io
  names: {kind: UDPRoute, listKind: UDPRouteList, plural: udproutes, singular: udproute}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""
RETRYING_ROUTE = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: retrying, namespace: trial-mesh}
spec:
  rules: [{retry: {attempts: 2}, backendRefs: [{name: cart, port: 8080}]}]
"""


def test_the_gateway_api_is_that_of_the_cluster(
    run_playbook: RunPlaybook, objects: Objects, api: ApiClient, kubeconfig: str, tmp_path: Path
) -> None:
    (tmp_path / "route.yaml").write_text(RETRYING_ROUTE)
    role = (ROOT / "docs/validation-reader.yml").read_text()
    options = {"validate_paths": [str(tmp_path / "route.yaml")]}

    def unknown(**more: Any) -> list[str]:
        found = findings(run_playbook, tmp_path, **options, **more)
        return [item["message"] for item in found if item["code"] == "MESH101"]

    assert unknown() == []
    try:
        objects.apply(UDP_ROUTES + role)
        _wait_until_served(api, "gateway.networking.k8s.io", "v1")
        reader = tmp_path / "kubeconfig"
        reader.write_text(json.dumps(reader_of(kubeconfig, "mesh-validation", "mesh-validation")))
        wanted = ["unknown field 'retry' (Gateway API 1.6 has it in its experimental channel)"]
        assert unknown(service_mesh_kubeconfig=str(reader), validate_istiod_access="port_forward") == wanted
        assert unknown(validate_gateway_api_version="1.7") == []
    finally:
        objects.delete(UDP_ROUTES + role)


def _wait_until_served(api: ApiClient, group: str, version: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(ApiException):
            CustomObjectsApi(api).get_api_resources(group, version)
            return
        time.sleep(0.2)
    pytest.fail(f"{group}/{version} is not served")
