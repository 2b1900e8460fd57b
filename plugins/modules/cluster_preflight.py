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
  - Returns what a chart may need to know of the cluster, its distribution and its Services' IP family.
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
    description: The oldest version of Kubernetes that will do. Without it, any will.
    type: str
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
      platforms:
        description: The distributions of Kubernetes that need it, by RV(platform.name). Without any, all of them do.
        type: list
        elements: str
        default: []
      names:
        description: The objects that are meant, as C(resourceNames) of a Role has them. Without any, all of them.
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
platform:
  description:
    - The distribution of Kubernetes, by the versions of the API server and kubelets, API groups, and some of the nodes.
    - An account that may not list nodes does not find those distributions that only their nodes tell.
  returned: success
  type: dict
  contains:
    name:
      description: >-
        V(aks), V(eks), V(gke), V(google-distributed-cloud), V(k0s), V(k3d), V(k3s), V(microk8s), V(minikube),
        V(openshift) or V(rke2). Empty if it is none of these.
      type: str
      returned: always
    evidence:
      description: What it was told by, in words.
      type: str
      returned: always
ip_families:
  description:
    - The IP families that are known to be the cluster's Services'. The first is what a Service gets that names none.
    - Empty if the account may read neither the ServiceCIDR nor the Service C(kubernetes).
  returned: success
  type: list
  elements: str
  sample: [IPv4]
dual_stack:
  description: >-
    Whether a Service can have both IP families. Not known if the account may not read the ServiceCIDR C(kubernetes),
    which Kubernetes has since 1.33.
  returned: success, if known
  type: bool
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
    name:
      description: The object that is meant, empty for all of them.
      type: str
      returned: always
"""

import datetime
import os
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils import _preflight
from ansible_collections.corpv3.service_mesh.plugins.module_utils._api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm import Helm, HelmFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kubernetes import Cluster, library_problem
from ansible_collections.corpv3.service_mesh.plugins.module_utils._module import create_module, fail
from ansible_collections.corpv3.service_mesh.plugins.module_utils._objects import Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._platform import platform_of

# Nodes of one cluster are alike; a large one has thousands.
_NODES_LOOKED_AT = 20
from ansible_collections.corpv3.service_mesh.plugins.module_utils._rights import Right, expanded, missing, summary


def argument_spec() -> dict[str, Any]:
    access = {
        "verbs": {"type": "list", "elements": "str", "required": True},
        "group": {"type": "str", "default": ""},
        "resources": {"type": "list", "elements": "str", "required": True},
        "namespaces": {"type": "list", "elements": "str", "default": []},
        "platforms": {"type": "list", "elements": "str", "default": []},
        "names": {"type": "list", "elements": "str", "default": []},
    }
    return {
        "expected_uid": {"type": "str"},
        "expected_server": {"type": "str"},
        "minimum_version": {"type": "str"},
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


def denials(cluster: Cluster, wanted: list[Right]) -> list[Right]:
    # One question is enough for an administrator.
    if not wanted or cluster.may("*", "*", "*"):
        return []
    return missing(cluster, wanted)


def ask(cluster: Cluster, path: str, **query: Any) -> Any:
    """The answer, or None: what is only good to know must not stand in the way of a canary's end."""
    try:
        return cluster.request("get", path, query=list(query.items()))
    except ApiFailure:
        return None


def find_platform(cluster: Cluster, version: str) -> dict[str, str]:
    groups = ask(cluster, "/apis") or {"groups": []}
    nodes = ask(cluster, "/api/v1/nodes", limit=_NODES_LOOKED_AT)
    return platform_of(version, [group["name"] for group in groups["groups"]], nodes and nodes["items"])._asdict()


def find_ip_families(cluster: Cluster) -> dict[str, Any]:
    if addresses := ask(cluster, "/apis/networking.k8s.io/v1/servicecidrs/kubernetes"):
        families = ["IPv6" if ":" in network else "IPv4" for network in addresses["spec"]["cidrs"]]
        return {"ip_families": families, "dual_stack": len(families) > 1}
    # It has the first family only, also where there are two.
    service = ask(cluster, "/api/v1/namespaces/default/services/kubernetes")
    return {"ip_families": service["spec"].get("ipFamilies", []) if service else []}


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
    platform = find_platform(cluster, version)
    access = [entry for entry in params["access"] if platform["name"] in (entry["platforms"] or [platform["name"]])]
    lacking = denials(cluster, expanded(access))
    denied = summary(lacking)
    helm_version, wrong_helm = helm_problem(params["helm_binary"])
    problems = [
        _preflight.version_problem(version, params["minimum_version"] or ""),
        wrong_helm,
        _preflight.access_problem(lacking, cluster.account() if lacking else ""),
    ]
    if any(problems):
        fail(module, "\n".join(filter(None, problems)), denied=denied, **found)
    module.exit_json(
        changed=False,
        helm_version=helm_version,
        denied=denied,
        platform=platform,
        **find_ip_families(cluster),
        **found,
    )


def main() -> None:
    module = create_module(argument_spec())
    try:
        run(module)
    except ApiFailure as failure:
        fail(module, f"The API server does not answer as it should: {failure}")


if __name__ == "__main__":
    main()
