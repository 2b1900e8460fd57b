# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.platform import platform_of

PLAIN = "v1.36.3"
GROUPS = ["apps", "networking.k8s.io"]


def node(
    kubelet: str = PLAIN, provider: str = "", system: str = "Debian GNU/Linux 12", label: str = ""
) -> dict[str, Any]:
    return {
        "metadata": {"name": "node-0", "labels": {label: "true"} if label else {}},
        "spec": {"providerID": provider} if provider else {},
        "status": {"nodeInfo": {"kubeletVersion": kubelet, "osImage": system}},
    }


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("v1.33.5-gke.1000", "gke"),
        ("v1.33.1-eks-595af52", "eks"),
        ("v1.33.4+k3s1", "k3s"),
        ("v1.33.4+rke2r1", "rke2"),
        ("v1.33.4+k0s", "k0s"),
        (PLAIN, ""),
    ],
)
def test_the_api_servers_version_is_enough(version: str, name: str) -> None:
    found = platform_of(version, GROUPS, None)
    assert found.name == name
    assert version in found.evidence


@pytest.mark.parametrize(
    ("nodes", "name", "evidence"),
    [
        ([node("v1.33.5-gke.1000", "gce://project/zone/gke-0")], "gke", "kubelet v1.33.5-gke.1000 of node node-0"),
        # Google's software on the user's own machines.
        ([node("v1.31.0-gke.889", "baremetal://10.0.0.2")], "google-distributed-cloud", "baremetal"),
        ([node("v1.31.0-gke.889", "vsphere://421c")], "google-distributed-cloud", "vsphere"),
        ([node("v1.33.4+k3s1", "k3s://server")], "k3s", "kubelet v1.33.4+k3s1"),
        ([node("v1.33.4+k3s1", "k3s://k3d-a-server-0", "K3s v1.33.4+k3s1")], "k3d", "K3s v1.33.4+k3s1"),
        ([node(label="microk8s.io/cluster")], "microk8s", "label microk8s.io/cluster of node node-0"),
        ([node(label="minikube.k8s.io/version")], "minikube", "minikube.k8s.io/version"),
        ([node(label="kubernetes.azure.com/cluster")], "aks", "kubernetes.azure.com/cluster"),
        # A node that a cloud provider has not met yet has no providerID, one of virtual-kubelet another version.
        ([node("v1.19.10-vk-azure-aci-1.6.1"), node("v1.33.5-gke.1000")], "gke", "v1.33.5-gke.1000"),
        ([node("v1.36.3", "kind://docker/kind/kind-control-plane")], "", "neither API groups nor nodes"),
        ([], "", "neither API groups nor nodes"),
    ],
)
def test_the_nodes_tell_what_the_api_server_does_not(nodes: list[dict[str, Any]], name: str, evidence: str) -> None:
    found = platform_of(PLAIN, GROUPS, nodes)
    assert found.name == name
    assert evidence in found.evidence


def test_a_virtual_cluster_is_what_its_nodes_are() -> None:
    assert platform_of("v1.33.4+k3s1", GROUPS, [node("v1.33.5-gke.1000", "gce://a/b/c")]).name == "gke"


def test_openshift_is_recognized_by_its_configuration_api() -> None:
    found = platform_of(PLAIN, [*GROUPS, "config.openshift.io"], [node(system="Red Hat Enterprise Linux CoreOS 419")])
    assert found == ("openshift", "API group config.openshift.io")
    # MicroShift has these too, and other folders.
    assert platform_of(PLAIN, [*GROUPS, "route.openshift.io", "security.openshift.io"], [node()]).name == ""


def test_nodes_that_could_not_be_read_are_not_taken_for_none() -> None:
    assert "could not be listed" in platform_of(PLAIN, GROUPS, None).evidence
