#!/usr/bin/python
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: canary_info
short_description: Tell how the canaries of a namespace stand
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Tells what the newest run of each service says of itself, beside what the cluster shows, such as the live weights,
    the pods, who carries it on, and whatever differs from what the run has written.
  - Changes nothing and takes no lock, so it can be asked at any time.
notes:
  - A drift is an answer, not a failure. Use RV(canaries[].drift).
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
      - The service. If not given, every one of the namespace that has a canary or could have one, which is to say two
        subsets and a VirtualService of its name.
    type: str
    default: ""
  virtual_services:
    description:
      - As of M(corpv3.service_mesh.canary). Needed only before the service's first run.
    type: list
    elements: str
    default: []
  container:
    description: As of M(corpv3.service_mesh.canary).
    type: str
    default: ""
seealso:
  - module: corpv3.service_mesh.canary
"""

EXAMPLES = r"""
- name: See how order-service stands
  corpv3.service_mesh.canary_info:
    namespace: restaurant-management
    service: order-service
  register: found

- name: Stop here if a canary is under way anywhere
  corpv3.service_mesh.canary_info:
    namespace: restaurant-management
  register: found
  failed_when: found.active | length > 0
"""

RETURN = r"""
canaries:
  description: One for each service.
  returned: always
  type: list
  elements: dict
  contains:
    service:
      description: The service.
      type: str
    phase:
      description: Where its newest run is. Empty where there has never been one.
      type: str
      sample: Progressing
    reason:
      description: Why it is there.
      type: str
    run_id:
      description: Name of the run.
      type: str
    image:
      description: The canary's image. Without a run, the image in use.
      type: str
    stable_image:
      description: The stable side's image when the run started.
      type: str
    previous_image:
      description: What a run that C(Succeeded) has replaced, so the image to go back to.
      type: str
    subsets:
      description: Which subset is which side.
      type: dict
      sample: {stable: v1, canary: v2}
    stable_now:
      description: The subset that has all traffic, or gets it back.
      type: str
    weights:
      description: Percentages of both sides, as they are in the cluster.
      type: dict
      sample: {stable: 90, canary: 10}
    routes:
      description: The live weights of each VirtualService, route and subset.
      type: dict
    slots:
      description: Of each subset its C(workload), C(image), and how many pods are C(wanted) and C(ready).
      type: dict
    step:
      description: The step in force, counted from 1, out of how many, and its weight.
      type: dict
      sample: {index: 2, total: 5, weight: 10}
    gate:
      description: The gate at which it waits.
      type: str
    holder:
      description: Who has the lock. Empty where nobody has.
      type: str
    holder_alive:
      description: Whether that process still renews it.
      type: bool
    started:
      description: When the run started.
      type: str
    deadline:
      description: When it has to have ended.
      type: str
    seconds_left:
      description: Until then; 0 where it has ended.
      type: int
    history:
      description: Each change of phase or step with its time, weight, reason and who made it.
      type: list
      elements: dict
    drift:
      description: What differs from what the run has written, each as a sentence.
      type: list
      elements: str
      sample: ["HorizontalPodAutoscaler order-service is still pinned for the run, which has ended"]
active:
  description: Services whose run has not ended.
  returned: always
  type: list
  elements: str
table:
  description: All of it for people, line by line.
  returned: always
  type: list
  elements: str
"""

import time
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_look import look, services_in
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_objects import CanaryFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_report import described, lines
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_state import StateFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kubernetes import Cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._module import create_module, fail


def main() -> None:
    module = create_module(
        {
            "namespace": {"type": "str", "required": True},
            "service": {"type": "str", "default": ""},
            "virtual_services": {"type": "list", "elements": "str", "default": []},
            "container": {"type": "str", "default": ""},
        }
    )
    try:
        result = ask(Cluster(module), module.params)
    except (ApiFailure, CanaryFailure, StateFailure) as error:
        fail(module, str(error))
    module.exit_json(changed=False, **result)


def ask(cluster: Cluster, params: dict[str, Any]) -> dict[str, Any]:
    namespace, service = params["namespace"], params["service"]
    wanted = (
        {service: tuple(params["virtual_services"]) or (service.partition(".")[0],)}
        if service
        else services_in(cluster, namespace)
    )
    views = [look(cluster, namespace, name, names, time.time(), params["container"]) for name, names in wanted.items()]
    table = [line for view in views for line in lines(view, full=bool(service))]
    return {
        "canaries": [described(view) for view in views],
        "active": [view.service for view in views if view.state is not None and not view.state.final],
        "table": table or [f"No service of {namespace} has two subsets, so none can have a canary."],
    }


if __name__ == "__main__":
    main()
