#!/usr/bin/python
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_preflight
short_description: Check that this is the right cluster and that the account may do its work
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Checks, before anything is changed, that the API server can be reached, accepts the credentials, is the cluster
    that the inventory means, is not too old, and allows what the run needs. Checks the helm program too.
  - Every problem has a message of its own, which says what to do about it.
  - Never falls back to the service account of the pod in which Ansible runs, unless O(expected_uid) says that this
    very cluster is meant.
requirements:
  - kubernetes.core 6.2.0 or newer, below 7
  - kubernetes (Python library) 24.2.0 or newer, not 36.0.0 or 36.0.1
  - PyYAML
extends_documentation_fragment:
  - corpv3.service_mesh._attributes
  - corpv3.service_mesh._attributes.info_module
  - corpv3.service_mesh._attributes.action_group
  - kubernetes.core.k8s_auth_options
options:
  expected_uid:
    description:
      - The uid of the cluster's namespace C(kube-system), which tells it from every other cluster.
      - One of O(expected_uid) and O(expected_server) is needed. Without any, the module fails and says which uid
        it found.
    type: str
    version_added: 0.1.0
  expected_server:
    description: The URL of the API server, where the account may not read namespace C(kube-system).
    type: str
    version_added: 0.1.0
  minimum_version:
    description: The oldest version of Kubernetes that will do.
    type: str
    default: "1.25"
    version_added: 0.1.0
  access:
    description: What the account has to be allowed to do. Every combination is asked for.
    type: list
    elements: dict
    default: []
    version_added: 0.1.0
    suboptions:
      verbs:
        description: The verbs.
        type: list
        elements: str
        required: true
      group:
        description: The API group, empty for the core group.
        type: str
        default: ''
      resources:
        description: The resources in their plural, such as V(deployments) or V(pods/portforward).
        type: list
        elements: str
        required: true
      namespaces:
        description: The namespaces. They need not exist yet. Without any, it is asked for the whole cluster.
        type: list
        elements: str
        default: []
  helm_binary:
    description: The helm program to check. An empty text if helm is not used.
    type: str
    default: helm
    version_added: 0.1.0
"""

EXAMPLES = r"""
- name: Check that this is the right cluster
  corpv3.service_mesh.cluster_preflight:
    expected_uid: 0b0c6d9c-6f0f-4a7e-9a55-7d0a8c0f8f11
    access:
      - verbs: [get, create, patch, delete]
        group: apps
        resources: [deployments]
        namespaces: [shop]
"""

RETURN = r"""
server:
  description: URL of the API server.
  returned: when it could be reached
  type: str
uid:
  description: The uid of namespace C(kube-system), empty if the account may not read it.
  returned: when the API server could be reached
  type: str
version:
  description: Version of Kubernetes.
  returned: when the API server could be reached
  type: str
helm_version:
  description: Version of helm, empty if it was not looked at.
  returned: success
  type: str
denied:
  description: What the account may not do. Empty if everything is allowed, or if it is the wrong cluster.
  returned: when the API server could be reached
  type: list
  elements: dict
  contains:
    verbs:
      description: The verbs.
      type: list
      elements: str
      returned: always
    group:
      description: The API group.
      type: str
      returned: always
    resource:
      description: The resource.
      type: str
      returned: always
    namespace:
      description: The namespace, empty for the whole cluster.
      type: str
      returned: always
"""

import datetime
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils import _preflight
from ansible_collections.corpv3.service_mesh.plugins.module_utils._api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm import Helm, HelmFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kubernetes import (
    Cluster,
    create_module,
    fail,
    library_problem,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._objects import Ref


def argument_spec() -> dict[str, Any]:
    access = {
        "verbs": {"type": "list", "elements": "str", "required": True},
        "group": {"type": "str", "default": ""},
        "resources": {"type": "list", "elements": "str", "required": True},
        "namespaces": {"type": "list", "elements": "str", "default": []},
    }
    return {
        "expected_uid": {"type": "str"},
        "expected_server": {"type": "str"},
        "minimum_version": {"type": "str", "default": "1.25"},
        "access": {"type": "list", "elements": "dict", "default": [], "options": access},
        "helm_binary": {"type": "str", "default": "helm"},
    }


def connect(module: Any) -> tuple[Cluster, str]:
    """The cluster and its version; nothing else matters if this fails."""
    given = _preflight.Given.of(module.params, os.environ)
    in_pod = _preflight.falls_back_to_pod(given, os.environ)
    if in_pod and not module.params["expected_uid"]:
        fail(module, _preflight.NO_CREDENTIAL)
    problem = library_problem() or ("" if in_pod else _preflight.kubeconfig_problem(given, os.environ))
    if problem:
        fail(module, problem)
    try:
        cluster = Cluster(module)
    except ApiFailure as failure:
        fail(module, _preflight.connection_problem(failure, given.host or "The API server"))
    try:
        version = cluster.version()
    except ApiFailure as failure:
        if failure.status == 401:
            fail(module, unknown_account(cluster))
        fail(module, _preflight.connection_problem(failure, cluster.server))
    if cluster.account() == "system:anonymous":
        fail(module, unknown_account(cluster))
    return cluster, version


def unknown_account(cluster: Cluster) -> str:
    now = datetime.datetime.now(datetime.UTC)
    return _preflight.credential_problem(cluster.server, cluster.token, cluster.client_certificate, now)


def read_uid(cluster: Cluster) -> str:
    try:
        namespace = cluster.get(Ref("v1", "Namespace", "", "kube-system"))
    except ApiFailure as failure:
        if failure.status != 403:
            raise
        return ""
    return str(namespace["metadata"]["uid"]) if namespace else ""


def denials(cluster: Cluster, wanted: list[_preflight.Access]) -> list[_preflight.Access]:
    # One question is enough for an administrator.
    if not wanted or cluster.may("*", "*", "*"):
        return []
    with ThreadPoolExecutor(8) as pool:
        allowed = pool.map(lambda access: cluster.may(*access), wanted)
        return [access for access, may in zip(wanted, allowed, strict=True) if not may]


def helm_problem(binary: str) -> tuple[str, str]:
    """Its version and what is wrong with it."""
    if not binary:
        return "", ""
    try:
        return ".".join(map(str, Helm(binary).require_version())), ""
    except HelmFailure as failure:
        return "", str(failure)


def run(module: Any) -> None:
    params = module.params
    cluster, version = connect(module)
    if not cluster.verifies_tls:
        module.warn(
            f"The certificate of {cluster.server} is not verified, so nobody can tell who answers. In AWX this happens "
            "when a credential says 'Verify SSL' but its field for the certificate authority is empty: paste the CA "
            "there. Elsewhere: K8S_AUTH_VERIFY_SSL, or insecure-skip-tls-verify in the kubeconfig."
        )
    uid = read_uid(cluster)
    found = {"server": cluster.server, "uid": uid, "version": version}
    problem = _preflight.identity_problem(
        cluster.server, uid, params["expected_server"] or "", params["expected_uid"] or ""
    )
    if problem:
        fail(module, problem, denied=[], **found)
    denied = _preflight.summary(denials(cluster, _preflight.expanded(params["access"])))
    helm_version, wrong_helm = helm_problem(params["helm_binary"])
    problems = [
        _preflight.version_problem(version, params["minimum_version"]),
        wrong_helm,
        _preflight.access_problem(denied, cluster.account() if denied else ""),
    ]
    if any(problems):
        fail(module, "\n".join(filter(None, problems)), denied=denied, **found)
    module.exit_json(changed=False, helm_version=helm_version, denied=denied, **found)


def main() -> None:
    module = create_module(argument_spec())
    try:
        run(module)
    except ApiFailure as failure:
        fail(module, f"The API server does not answer as it should: {failure}")


if __name__ == "__main__":
    main()
