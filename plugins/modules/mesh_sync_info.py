#!/usr/bin/python
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_sync_info
short_description: Report whether all proxies have the latest configuration
version_added: 0.1.0
description:
  - Queries every istiod for the configuration that it sent to each proxy, and for the one that the proxy has accepted,
    like C(istioctl proxy-status).
  - With O(timeout), waits until everything that was sent is accepted. Only then is a change of a VirtualService in
    effect.
  - A refusal counts while the proxy watches resources of that type. One that it no longer watches is left out, such as
    the certificate of a deleted Gateway, even if istiod still lists it.
author:
  - corpv3 platform team (@corpv3)
options:
  namespaces:
    description: Only report the proxies of these namespaces. Empty for all.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds to wait for the proxies to accept. V(0) checks once.
    type: int
    default: 0
notes:
  - A proxy that is out of sync does not fail the module. Check RV(in_sync).
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - corpv3.service_mesh._attributes
  - corpv3.service_mesh._attributes.info_module
  - corpv3.service_mesh._attributes.action_group
  - corpv3.service_mesh._istiod
"""

EXAMPLES = r"""
- name: Wait until the new weights are in effect
  corpv3.service_mesh.mesh_sync_info:
    namespaces: [istio-system, restaurant-management]
    timeout: 30
  register: mesh
  failed_when: not mesh.in_sync
"""

RETURN = r"""
in_sync:
  description: Whether each proxy has accepted everything that was sent to it.
  returned: always
  type: bool
msg:
  description: The same in words, with the names of the proxies that are behind.
  returned: always
  type: str
  sample: 16 proxies are in sync
proxies:
  description: The connected proxies.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the pod.
      type: str
    namespace:
      description: Namespace of the pod.
      type: str
    type:
      description: V(sidecar), V(router), V(waypoint) or V(ztunnel).
      type: str
    version:
      description: Istio's version, as reported by the proxy.
      type: str
    in_sync:
      description: Whether this proxy has accepted everything that was sent to it.
      type: bool
    stale:
      description: What it has not accepted yet.
      type: list
      elements: str
      sample: [route]
    rejected:
      description: What it refused, with the reason.
      type: list
      elements: str
"""

import time
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod import (
    Way,
    connected_proxies,
    refuse_without_rights,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod_options import ISTIOD_OPTIONS
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.module import create_module, run_module


def argument_spec() -> dict[str, Any]:
    return {
        **ISTIOD_OPTIONS,
        "namespaces": {"type": "list", "elements": "str", "default": []},
        "timeout": {"type": "int", "default": 0},
    }


def run(module: Any) -> dict[str, Any]:
    params = module.params
    way = Way.of(params)
    deadline = time.monotonic() + params["timeout"]
    cluster = Cluster(module)
    refuse_without_rights(cluster, way)
    while True:
        found = connected_proxies(cluster, way)
        if params["namespaces"]:
            found = [proxy for proxy in found if proxy.namespace in params["namespaces"]]
        behind = [proxy for proxy in found if not proxy.in_sync]
        if not behind or time.monotonic() >= deadline:
            break
        time.sleep(0.5)
    return {
        "in_sync": not behind,
        "msg": "; ".join(proxy.describe() for proxy in behind) or f"{len(found)} proxies are in sync",
        "proxies": [
            {
                "name": proxy.name,
                "namespace": proxy.namespace,
                "type": proxy.type,
                "version": proxy.version,
                "in_sync": proxy.in_sync,
                "stale": list(proxy.stale),
                "rejected": list(proxy.rejected),
            }
            for proxy in found
        ],
    }


def main() -> None:
    run_module(create_module(argument_spec()), run)


if __name__ == "__main__":
    main()
