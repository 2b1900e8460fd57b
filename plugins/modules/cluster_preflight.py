#!/usr/bin/python
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_preflight
short_description: Check that this is the right cluster and that the account has the needed rights
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Checks, before anything is changed, that the API server can be reached, accepts the credentials, is the expected
    cluster, is not too old, and allows what the run needs. Also checks the helm program.
  - Every problem has its own message with the way out.
  - Returns what a chart may need to know about the cluster, its distribution and its Services' IP family.
  - Never falls back to the service account of the pod in which Ansible runs, unless O(expected_uid) names this very
    cluster.
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
      - The uid of the cluster's namespace C(kube-system), which identifies the cluster.
      - One of O(expected_uid) and O(expected_server) is needed. Without either, the module fails and reports the uid
        that it found.
    type: str
    version_added: 0.1.0
  expected_server:
    description: The URL of the API server, if the account may not read namespace C(kube-system).
    type: str
    version_added: 0.1.0
  minimum_version:
    description: The oldest accepted version of Kubernetes. Without it, every version is accepted.
    type: str
    version_added: 0.1.0
  access:
    description: The rights that the account needs. Every combination is checked.
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
        description: The namespaces. They need not exist yet. Without any, the right is checked for the whole cluster.
        type: list
        elements: str
        default: []
      platforms:
        description: The distributions of Kubernetes that need it, by RV(platform.name). Without any, all of them do.
        type: list
        elements: str
        default: []
      names:
        description: The object names, like C(resourceNames) of a Role. Without any, all objects.
        type: list
        elements: str
        default: []
  distribution:
    description:
      - Whether to detect RV(platform), RV(ip_families) and RV(dual_stack), which only an installation of Istio needs.
    type: bool
    default: true
    version_added: 0.1.0
  helm_binary:
    description: The helm program to check. Empty if helm is not used.
    type: str
    default: helm
    version_added: 0.1.0
  questions:
    description:
      - What is checked. V(all) is everything above.
      - V(identity) checks only whether this is the expected cluster, with one request. All other options except
        O(expected_uid) and O(expected_server) are then ignored.
      - V(emergency) is the same, for what must not wait. Another cluster is refused. If the API server does not say
        which cluster it is, there is a warning.
    type: str
    choices: [all, identity, emergency]
    default: all
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
  returned: when the API server could be reached, and O(questions=all)
  type: str
platform:
  description:
    - The distribution of Kubernetes, by the versions of the API server and kubelets, API groups, and some of the nodes.
    - An account that may not list nodes does not find the distributions that only nodes show.
  returned: success, if O(distribution) is true
  type: dict
  contains:
    name:
      description: >-
        V(aks), V(eks), V(gke), V(google-distributed-cloud), V(k0s), V(k3d), V(k3s), V(microk8s), V(minikube),
        V(openshift) or V(rke2). Empty for any other distribution.
      type: str
      returned: always
    evidence:
      description: The evidence for the name, in words.
      type: str
      returned: always
ip_families:
  description:
    - The known IP families of the cluster's Services. The first one is the default for a Service that names none.
    - Empty if the account may read neither the ServiceCIDR nor the Service C(kubernetes).
  returned: success, if O(distribution) is true
  type: list
  elements: str
  sample: [IPv4]
dual_stack:
  description: >-
    Whether a Service can have both IP families. Not known if the account may not read the ServiceCIDR C(kubernetes),
    which Kubernetes has since 1.33.
  returned: success, if known and O(distribution) is true
  type: bool
helm_version:
  description: Version of helm, empty if it was not checked.
  returned: success
  type: str
denied:
  description: The rights that the account lacks. Empty if it has all of them, or if it is the wrong cluster.
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
      description: Name of the object, empty for all of them.
      type: str
      returned: always
"""

import datetime
import os
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.program import Helm, HelmFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.module import create_module, run_module
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.rights import Right, expanded, missing, summary
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight import cluster as verdicts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.platform import platform_of

# The nodes of one cluster are alike, and a large one has thousands.
_NODES_LOOKED_AT = 20


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
        "distribution": {"type": "bool", "default": True},
        "helm_binary": {"type": "str", "default": "helm"},
        "questions": {"type": "str", "choices": ["all", "identity", "emergency"], "default": "all"},
    }


def reach(module: Any, impatient: bool = False) -> Cluster:
    """The cluster that the options and K8S_AUTH_* lead to."""
    given = verdicts.Given.of(module.params, os.environ)
    in_pod = verdicts.falls_back_to_pod(given, os.environ)
    if in_pod and not module.params["expected_uid"]:
        raise MeshError(verdicts.NO_CREDENTIAL)
    problem = verdicts.library_problem() or ("" if in_pod else verdicts.kubeconfig_problem(given, os.environ))
    if problem:
        raise MeshError(problem)
    try:
        return Cluster(module, impatient=impatient)
    except ApiFailure as failure:
        raise MeshError(verdicts.connection_problem(failure, given.host or "The API server")) from failure


def connect(module: Any) -> tuple[Cluster, str]:
    """The cluster and its version; nothing else matters if this fails."""
    cluster = reach(module)
    try:
        version = cluster.version()
    except ApiFailure as failure:
        if failure.status == 401:
            raise MeshError(unknown_account(cluster)) from failure
        raise MeshError(verdicts.connection_problem(failure, cluster.server)) from failure
    if cluster.account() == "system:anonymous":
        raise MeshError(unknown_account(cluster))
    return cluster, version


def warn_of_unverified(module: Any, cluster: Cluster) -> None:
    if not cluster.verifies_tls:
        module.warn(
            f"The certificate of {cluster.server} is not verified, so its identity is uncertain. In AWX, this means a "
            "credential has 'Verify SSL' set but its field for the certificate authority is empty: paste the CA there. "
            "Elsewhere, check K8S_AUTH_VERIFY_SSL, and insecure-skip-tls-verify in the kubeconfig."
        )


def unknown_account(cluster: Cluster) -> str:
    now = datetime.datetime.now(datetime.UTC)
    return verdicts.credential_problem(cluster.server, cluster.token, cluster.client_certificate, now)


def read_uid(cluster: Cluster) -> str:
    try:
        return str(cluster.request("get", "/api/v1/namespaces/kube-system")["metadata"]["uid"])
    except ApiFailure as failure:
        if failure.status not in (403, 404):
            raise
        return ""


def identify(module: Any, emergency: bool) -> dict[str, Any]:
    """Whether this is the expected cluster, with one request."""
    expected_uid, expected_server = (module.params[name] or "" for name in ("expected_uid", "expected_server"))
    # Later requests retry on their own.
    cluster = reach(module, impatient=emergency)
    warn_of_unverified(module, cluster)
    uid, silence = "", "the account may not read namespace kube-system"
    try:
        uid = read_uid(cluster)
    except ApiFailure as failure:
        if failure.status == 401:
            raise MeshError(unknown_account(cluster)) from failure
        silence = verdicts.connection_problem(failure, cluster.server)
        if not emergency:
            raise MeshError(silence) from failure
    if not uid and not emergency and cluster.account() == "system:anonymous":
        raise MeshError(unknown_account(cluster))
    found = {"server": cluster.server, "uid": uid}
    if emergency and expected_uid and not uid:
        module.warn(f"It is not verified that this is the cluster with the uid {expected_uid}: {silence}")
        expected_uid, expected_server = "", expected_server or cluster.server
    if problem := verdicts.identity_problem(cluster.server, uid, expected_server, expected_uid):
        raise MeshError(problem, denied=[], **found)
    return {"denied": [], **found}


def denials(cluster: Cluster, wanted: list[Right]) -> list[Right]:
    # One question is enough for an administrator.
    if not wanted or cluster.may("*", "*", "*"):
        return []
    return missing(cluster, wanted)


def ask(cluster: Cluster, path: str, **query: Any) -> Any:
    """The answer, or None: optional knowledge must not block the end of a canary."""
    try:
        return cluster.request("get", path, query=list(query.items()))
    except ApiFailure:
        return None


def find_platform(cluster: Cluster, version: str) -> dict[str, str]:
    groups = ask(cluster, "/apis") or {"groups": []}
    nodes = ask(cluster, "/api/v1/nodes", limit=_NODES_LOOKED_AT)
    return platform_of(version, [group["name"] for group in groups["groups"]], nodes and nodes["items"])._asdict()


def needed_access(cluster: Cluster, version: str, access: list[Any], about: dict[str, Any]) -> list[Any]:
    """The entries for the cluster's distribution; ``about`` has the distribution if it was detected already."""
    if not any(entry["platforms"] for entry in access):
        return access
    name = (about.get("platform") or find_platform(cluster, version))["name"]
    return [entry for entry in access if name in (entry["platforms"] or [name])]


def find_ip_families(cluster: Cluster) -> dict[str, Any]:
    if addresses := ask(cluster, "/apis/networking.k8s.io/v1/servicecidrs/kubernetes"):
        families = ["IPv6" if ":" in network else "IPv4" for network in addresses["spec"]["cidrs"]]
        return {"ip_families": families, "dual_stack": len(families) > 1}
    # It has only the first family, even if there are two.
    service = ask(cluster, "/api/v1/namespaces/default/services/kubernetes")
    return {"ip_families": service["spec"].get("ipFamilies", []) if service else []}


def helm_problem(binary: str) -> tuple[str, str]:
    """Its version, and what is wrong with it."""
    if not binary:
        return "", ""
    try:
        return ".".join(map(str, Helm(binary).require_version())), ""
    except HelmFailure as failure:
        return "", str(failure)


def preflight(module: Any) -> dict[str, Any]:
    params = module.params
    cluster, version = connect(module)
    warn_of_unverified(module, cluster)
    uid = read_uid(cluster)
    found = {"server": cluster.server, "uid": uid, "version": version}
    problem = verdicts.identity_problem(
        cluster.server, uid, params["expected_server"] or "", params["expected_uid"] or ""
    )
    if problem:
        raise MeshError(problem, denied=[], **found)
    about: dict[str, Any] = {}
    if params["distribution"]:
        about = {"platform": find_platform(cluster, version), **find_ip_families(cluster)}
    lacking = denials(cluster, expanded(needed_access(cluster, version, params["access"], about)))
    denied = summary(lacking)
    helm_version, wrong_helm = helm_problem(params["helm_binary"])
    problems = [
        verdicts.version_problem(version, params["minimum_version"] or ""),
        wrong_helm,
        verdicts.access_problem(lacking, cluster.account() if lacking else ""),
    ]
    if any(problems):
        raise MeshError("\n".join(filter(None, problems)), denied=denied, **found)
    return {"helm_version": helm_version, "denied": denied, **about, **found}


def run(module: Any) -> dict[str, Any]:
    questions = module.params["questions"]
    try:
        return preflight(module) if questions == "all" else identify(module, emergency=questions == "emergency")
    except ApiFailure as failure:
        raise MeshError(f"The API server does not answer as expected: {failure}") from failure


def main() -> None:
    run_module(create_module(argument_spec()), run)


if __name__ == "__main__":
    main()
