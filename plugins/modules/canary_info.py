#!/usr/bin/python
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: canary_info
short_description: Report the status of the canaries in a namespace
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Reports the state of each service's newest run, beside what the cluster shows, such as live weights, pods, the
    process that runs the canary, and any drift from what the run has written.
  - Changes nothing and takes no lock, so it can run at any time.
notes:
  - A drift does not fail the module. Check RV(canaries[].drift).
extends_documentation_fragment:
  - corpv3.service_mesh._attributes
  - corpv3.service_mesh._attributes.info_module
  - corpv3.service_mesh._attributes.action_group
  - kubernetes.core.k8s_auth_options
options:
  namespace:
    description: Namespace of the services.
    type: str
    required: true
  service:
    description:
      - The service. By default every service of the namespace that has a run, or that has two subsets and a
        VirtualService of its name.
    type: str
    default: ""
  routes:
    description:
      - As for M(corpv3.service_mesh.canary). Required only before the service's first run.
    type: list
    elements: str
    default: []
  route_kind:
    description: As for M(corpv3.service_mesh.canary). Required only before the service's first run.
    type: str
    choices: [auto, VirtualService, HTTPRoute, GRPCRoute]
    default: auto
  container:
    description: As for M(corpv3.service_mesh.canary).
    type: str
    default: ""
seealso:
  - module: corpv3.service_mesh.canary
"""

EXAMPLES = r"""
- name: Show the status of order-service
  corpv3.service_mesh.canary_info:
    namespace: restaurant-management
    service: order-service
  register: found

- name: Stop here if any canary is in progress
  corpv3.service_mesh.canary_info:
    namespace: restaurant-management
  register: found
  failed_when: found.active | length > 0
"""

RETURN = r"""
canaries:
  description: One entry for each service.
  returned: always
  type: list
  elements: dict
  contains:
    service:
      description: The service.
      type: str
    phase:
      description: The phase of its newest run. Empty if there has never been one.
      type: str
      sample: Progressing
    outcome:
      description: The phase in words, with C(Rolled back) or C(Given up) instead of C(Failed).
      type: str
      sample: Rolled back
    reason:
      description: The reason for the phase.
      type: str
    run_id:
      description: Name of the run.
      type: str
    image:
      description: The canary's image. Without a run, the image in use.
      type: str
    stable_image:
      description: The stable side's image at the start of the run.
      type: str
    previous_image:
      description: The image that a run in C(Succeeded) replaced, and to which an undo returns.
      type: str
    subsets:
      description: The subset of each side.
      type: dict
      sample: {stable: v1, canary: v2}
    stable_now:
      description: The subset that has all traffic, or gets it in a rollback.
      type: str
    weights:
      description: The live weight of each side, in percent.
      type: dict
      sample: {stable: 90, canary: 10}
    routes:
      description: The live weights of each object, route and subset.
      type: dict
    slots:
      description: For each subset its C(workload), C(image), and how many pods are C(wanted) and C(ready).
      type: dict
    step:
      description: The current step, counted from 1, the number of steps, and its weight.
      type: dict
      sample: {index: 2, total: 5, weight: 10}
    gate:
      description: The gate at which the run waits.
      type: str
    holder:
      description: The holder of the lock. Empty if there is none.
      type: str
    holder_alive:
      description: Whether the holder still renews the lock.
      type: bool
    started:
      description: When the run started.
      type: str
    deadline:
      description: When the run must have ended.
      type: str
    seconds_left:
      description: Seconds until the deadline. 0 if the run has ended.
      type: int
    history:
      description: Each change of phase or step with its time, weight, reason and actor.
      type: list
      elements: dict
    drift:
      description: Each difference from what the run has written, as a sentence.
      type: list
      elements: str
      sample: ["HorizontalPodAutoscaler order-service is still pinned for the run, which has ended"]
active:
  description: Services whose run has not ended.
  returned: always
  type: list
  elements: str
table:
  description: All of it in words, line by line.
  returned: always
  type: list
  elements: str
"""

import time
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.overview import observe, services_in
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.route_names import ROUTE_KIND, route_names
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.status import described, lines
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.module import create_module, run_module


def argument_spec() -> dict[str, Any]:
    return {
        "namespace": {"type": "str", "required": True},
        "service": {"type": "str", "default": ""},
        "routes": {"type": "list", "elements": "str", "default": []},
        "route_kind": ROUTE_KIND,
        "container": {"type": "str", "default": ""},
    }


def run(module: Any) -> dict[str, Any]:
    cluster, params = Cluster(module), module.params
    namespace, service = params["namespace"], params["service"]
    wanted = (
        {service: route_names(cluster, namespace, service, params["routes"], params["route_kind"])}
        if service
        else services_in(cluster, namespace, module.warn)
    )
    statuses = [
        observe(cluster, namespace, name, where, time.time(), params["container"]) for name, where in wanted.items()
    ]
    table = [line for status in statuses for line in lines(status, full=bool(service))]
    return {
        "canaries": [described(status) for status in statuses],
        "active": [status.service for status in statuses if status.state is not None and not status.state.final],
        "table": table or [f"No service of {namespace} has two subsets, so none can have a canary."],
    }


def main() -> None:
    run_module(create_module(argument_spec()), run)


if __name__ == "__main__":
    main()
