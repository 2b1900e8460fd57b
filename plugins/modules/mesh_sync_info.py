#!/usr/bin/python
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_sync_info
short_description: Tell whether all proxies run the mesh's last configuration
version_added: 0.1.0
description:
  - Asks every istiod which configuration it sent to each proxy and which one the proxy has accepted,
    as C(istioctl proxy-status) does.
  - Waits, if asked to, until everything that was sent is accepted. A change of a VirtualService is in force only then.
  - A refusal counts for as long as the proxy watches something of that type. What it refused once and does not want any
    more, such as the certificate of a Gateway that was deleted, is left out, though istiod still lists it.
author:
  - corpv3 platform team (@corpv3)
options:
  namespaces:
    description: Look at the proxies of these namespaces only. Empty for all.
    type: list
    elements: str
    default: []
  timeout:
    description: Wait so many seconds for the proxies to accept. V(0) looks once.
    type: int
    default: 0
notes:
  - A proxy that is out of sync is an answer, not a failure. Use RV(in_sync).
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - corpv3.service_mesh._attributes
  - corpv3.service_mesh._attributes.info_module
  - corpv3.service_mesh._attributes.action_group
  - corpv3.service_mesh._istiod
"""

EXAMPLES = r"""
- name: Wait until the new weights are in force
  corpv3.service_mesh.mesh_sync_info:
    namespaces: [istio-system, restaurant-management]
    timeout: 30
  register: mesh
  failed_when: not mesh.in_sync
"""

RETURN = r"""
in_sync:
  description: Whether each proxy accepted all that was sent to it.
  returned: always
  type: bool
msg:
  description: The same in words; names the proxies that are behind.
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
      description: Istio's version as the proxy gives it.
      type: str
    in_sync:
      description: Whether this proxy accepted all that was sent to it.
      type: bool
    stale:
      description: What it has not accepted yet.
      type: list
      elements: str
      sample: [route]
    rejected:
      description: What it refused, and why.
      type: list
      elements: str
"""

import time

from ansible_collections.corpv3.service_mesh.plugins.module_utils._api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istiod import (
    ISTIOD_OPTIONS,
    IstiodFailure,
    Way,
    connected_proxies,
    refuse_without_rights,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kubernetes import Cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._module import create_module, fail


def main() -> None:
    module = create_module(
        {
            **ISTIOD_OPTIONS,
            "namespaces": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 0},
        }
    )
    params = module.params
    way = Way.of(params)
    deadline = time.monotonic() + params["timeout"]
    try:
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
    except (ApiFailure, IstiodFailure) as error:
        fail(module, str(error))
    module.exit_json(
        changed=False,
        in_sync=not behind,
        msg="; ".join(proxy.describe() for proxy in behind) or f"{len(found)} proxies are in sync",
        proxies=[
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
    )


if __name__ == "__main__":
    main()
