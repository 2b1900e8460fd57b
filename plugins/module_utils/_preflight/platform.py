# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which distribution of Kubernetes a cluster is, from what its API server and its nodes report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object

# Distributions that put their name in the version of their API server and kubelets.
_VERSION_MARKS = (("-gke.", "gke"), ("-eks-", "eks"), ("+k3s", "k3s"), ("+rke2", "rke2"), ("+k0s", "k0s"))
# Distributions with a plain version, which label their nodes.
_NODE_LABELS = (
    ("microk8s.io/cluster", "microk8s"),
    ("minikube.k8s.io/version", "minikube"),
    ("kubernetes.azure.com/cluster", "aks"),
)
_OPENSHIFT_GROUP = "config.openshift.io"


class Platform(NamedTuple):
    """A distribution's name, empty if it is not known, and the evidence for it, in words."""

    name: str
    evidence: str


def platform_of(version: str, api_groups: Iterable[str], nodes: Sequence[Object] | None) -> Platform:
    """The distribution of a cluster.

    ``version`` is the API server's gitVersion, such as ``v1.33.5-gke.1000``; ``nodes`` are some of the cluster's
    nodes, or None where they could not be listed.
    """
    if _OPENSHIFT_GROUP in api_groups:
        return Platform("openshift", f"API group {_OPENSHIFT_GROUP}")
    # Kubelets first: the nodes matter, and a virtual cluster has another API server than its nodes.
    for node in nodes or ():
        kubelet = str(_info(node).get("kubeletVersion", ""))
        if name := _marked(kubelet):
            return _refined(name, f"kubelet {kubelet} of node {_name(node)}", node)
    if name := _marked(version):
        return Platform(name, f"API server {version}")
    for node in nodes or ():
        for label, name in _NODE_LABELS:
            if label in (node["metadata"].get("labels") or {}):
                return Platform(name, f"label {label} of node {_name(node)}")
    if nodes is None:
        return Platform("", f"API server {version}; the nodes, which could show more, could not be listed")
    return Platform("", f"API server {version}; neither API groups nor nodes name a distribution")


def _marked(version: str) -> str:
    return next((name for mark, name in _VERSION_MARKS if mark in version), "")


def _refined(name: str, evidence: str, node: Object) -> Platform:
    """Distributions with equal versions, distinguished by a node."""
    if name == "gke":
        provider = str((node.get("spec") or {}).get("providerID") or "gce://")
        if not provider.startswith("gce://"):
            # Google's software on other machines has its plugins where Kubernetes expects them (istio/istio#54890).
            return Platform("google-distributed-cloud", f"{evidence}, at {provider.partition('://')[0]}")
    # K3s in a container has its plugins in the container's /bin; its image is named as the operating system.
    if name == "k3s" and str(_info(node).get("osImage", "")).startswith("K3s"):
        return Platform("k3d", f"{evidence}, whose operating system is {_info(node)['osImage']}")
    return Platform(name, evidence)


def _info(node: Object) -> Object:
    info: Object = (node.get("status") or {}).get("nodeInfo") or {}
    return info


def _name(node: Object) -> str:
    return str(node["metadata"]["name"])
