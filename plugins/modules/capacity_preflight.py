#!/usr/bin/python
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: capacity_preflight
short_description: Check that the cluster has enough room, before anything is installed
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Compares the sum of the pods' requests with what the nodes have left beside the pods of others.
  - Checks that storage classes exist, and that no existing volume must shrink.
  - Looks for something that gives load balancers an address.
  - Reports all problems at once, with a table of the results.
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
  pods:
    description: The workloads.
    type: list
    elements: dict
    default: []
    version_added: 0.1.0
    suboptions:
      name:
        description: Name in the table.
        type: str
        required: true
      count:
        description: Number of pods.
        type: int
        default: 1
      per_node:
        description: Whether there is one pod on each node, regardless of O(pods[].count).
        type: bool
        default: false
      requests:
        description: What one pod requests, with C(cpu) and C(memory).
        type: dict
        default: {}
  own_namespaces:
    description: Namespaces whose pods are those of O(pods), so that they do not count a second time.
    type: list
    elements: str
    default: []
    version_added: 0.1.0
  volumes:
    description: The volume claims.
    type: list
    elements: dict
    default: []
    version_added: 0.1.0
    suboptions:
      namespace:
        description: Namespace of the claim.
        type: str
        required: true
      claim:
        description: Name of the claim.
        type: str
        required: true
      size:
        description: Its size.
        type: str
        required: true
      storage_class:
        description: Its storage class. If empty, the cluster's default.
        type: str
        default: ''
      expandable:
        description: Whether its size is in an object that can be changed, as opposed to a StatefulSet's template.
        type: bool
        default: true
  load_balancers:
    description: Names of Services of type C(LoadBalancer).
    type: list
    elements: str
    default: []
    version_added: 0.1.0
  load_balancer_required:
    description: Whether it is a problem if nothing is known to give them an address.
    type: bool
    default: false
    version_added: 0.1.0
"""

EXAMPLES = r"""
- name: Check the room
  corpv3.service_mesh.capacity_preflight:
    pods:
      - name: prometheus-server
        requests: {cpu: 500m, memory: 2Gi}
    own_namespaces: [istio-system]
    volumes:
      - namespace: istio-system
        claim: prometheus-server
        size: 50Gi
"""

RETURN = r"""
table:
  description: The results, as lines of text.
  returned: when the API server could be asked
  type: list
  elements: str
load_balancers:
  description: Whether something is known to give load balancers an address. True if there is none to check.
  returned: success
  type: bool
problems:
  description: The problems that must stop the installation.
  returned: when the API server could be asked
  type: list
  elements: str
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.module import create_module, run_module
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import plain
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight import capacity

_CRD = "apiextensions.k8s.io/v1"


def argument_spec() -> dict[str, Any]:
    pods = {
        "name": {"type": "str", "required": True},
        "count": {"type": "int", "default": 1},
        "per_node": {"type": "bool", "default": False},
        "requests": {"type": "dict", "default": {}},
    }
    volume = {
        "namespace": {"type": "str", "required": True},
        "claim": {"type": "str", "required": True},
        "size": {"type": "str", "required": True},
        "storage_class": {"type": "str", "default": ""},
        "expandable": {"type": "bool", "default": True},
    }
    return {
        "pods": {"type": "list", "elements": "dict", "default": [], "options": pods},
        "own_namespaces": {"type": "list", "elements": "str", "default": []},
        "volumes": {"type": "list", "elements": "dict", "default": [], "options": volume},
        "load_balancers": {"type": "list", "elements": "str", "default": []},
        "load_balancer_required": {"type": "bool", "default": False},
    }


def listed(cluster: Cluster, api_version: str, kind: str) -> list[dict[str, Any]]:
    """Empty if the account may not list them in the whole cluster."""
    try:
        return cluster.list(api_version, kind)
    except ApiFailure as failure:
        if failure.status != 403:
            raise
        return []


def run(module: Any) -> dict[str, Any]:
    params = plain(module.params)
    cluster = Cluster(module)
    pods = [
        capacity.Pods(entry["name"], entry["count"], entry["per_node"], capacity.need(entry["requests"]))
        for entry in params["pods"]
    ]
    volumes = [capacity.Volume(**entry) for entry in params["volumes"]]
    kinds = [("v1", "Node"), ("v1", "Pod"), ("v1", "PersistentVolumeClaim"), ("storage.k8s.io/v1", "StorageClass")]
    kinds += [("v1", "Service"), (_CRD, "CustomResourceDefinition")] if params["load_balancers"] else []
    with ThreadPoolExecutor(4) as pool:
        found = dict(pool.map(lambda kind: (kind[1], listed(cluster, *kind)), kinds))
    verdict = capacity.Verdict()
    if found["Node"]:
        free = capacity.free_by_node(found["Node"], found["Pod"], params["own_namespaces"])
        capacity.judge_pods(verdict, free, pods)
    else:
        verdict.add("nodes", "unknown", "the account may not list them, or there are none")
    capacity.judge_volumes(verdict, volumes, found["PersistentVolumeClaim"], found["StorageClass"])
    capacity.judge_addresses(
        verdict,
        params["load_balancers"],
        found["Node"],
        found.get("Service", []),
        [entry["metadata"]["name"] for entry in found.get("CustomResourceDefinition", [])],
        params["load_balancer_required"],
    )
    if verdict.problems:
        raise MeshError(
            "\n".join([*verdict.table(), "", *verdict.problems, "Nothing was changed."]),
            table=verdict.table(),
            problems=verdict.problems,
        )
    return {"table": verdict.table(), "problems": [], "load_balancers": verdict.load_balancers}


def main() -> None:
    run_module(create_module(argument_spec()), run)


if __name__ == "__main__":
    main()
