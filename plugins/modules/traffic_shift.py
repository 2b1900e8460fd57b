#!/usr/bin/python
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: traffic_shift
short_description: Split the traffic of a route between the subsets of a service
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Changes the weights of one named route of a VirtualService, or of all its routes to these subsets, and nothing else
    in the object. Routes of http, tls and tcp are understood.
  - Also mirrors requests, puts routes for a header or a cookie in front of the split, and keeps clients where they were
    once answered.
  - Writes on condition that nobody wrote meanwhile. After a conflict all is read and decided anew.
  - Refuses to send traffic to a subset that no DestinationRule defines or that has too few ready endpoints, and refuses
    while another VirtualService routes the same host at the same gateway.
notes:
  - Needs C(get) and C(update) on the VirtualService, and C(list) on VirtualServices and DestinationRules of all
    namespaces and on Pods and EndpointSlices of the service's namespace. The module asks for these rights before
    anything is touched; docs/canary-operator.yml grants them.
  - With O(wait) istiod is asked; O(istiod_access) says with which rights. Without them there is a warning, and
    O(unproven_wait) passes instead of proof.
extends_documentation_fragment:
  - corpv3.service_mesh._attributes
  - corpv3.service_mesh._attributes.action_group
  - corpv3.service_mesh._istiod
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    support: full
    details: The API server's dry run decides, webhooks included.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  namespace:
    description: Namespace of the VirtualService.
    type: str
    required: true
  virtual_service:
    description: Name of the VirtualService.
    type: str
    required: true
  service:
    description:
      - The service that is split, as the route's destinations name their host.
      - A short name means a service of O(namespace).
    type: str
    required: true
  route:
    description: Name of the http route. If not given, all routes are meant that have one of the subsets of O(service).
    type: str
    default: ""
  weights:
    description:
      - Percentage by subset, whole numbers. Together with destinations that are not named they have to sum to 100.
      - A subset that the route does not have yet is added to it.
    type: dict
    default: {}
  mirror:
    description: Send a copy of requests to a subset; its answers are thrown away.
    type: dict
    suboptions:
      subset:
        description: Where to.
        type: str
        default: ""
      percentage:
        description: Share of the requests.
        type: float
        default: 100
      state:
        description: Whether there is to be a mirror.
        type: str
        choices: [present, absent]
        default: present
  match_routes:
    description: Routes in front of the split for requests with certain headers or a cookie (A/B test).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the added route.
        type: str
        required: true
      subset:
        description: Where these requests go.
        type: str
        default: ""
      headers:
        description: Header name to C(exact), C(prefix) or C(regex) and its value. All of them have to match.
        type: dict
        default: {}
      cookie:
        description: Cookie name to value.
        type: dict
        default: {}
      state:
        description: Whether the route is to be there.
        type: str
        choices: [present, absent]
        default: present
  session_affinity:
    description: Keep a client at a subset once it was answered by it, by a cookie.
    type: dict
    suboptions:
      cookie_name:
        description: Name of the cookie. Its value is the name of the subset.
        type: str
        required: true
      subset:
        description: The subset that keeps its clients.
        type: str
        default: ""
      max_age:
        description: How long, in seconds.
        type: int
        default: 86400
      state:
        description: Whether clients are to be kept.
        type: str
        choices: [present, absent]
        default: present
  min_ready:
    description: Ready endpoints that each subset which gets traffic has to have.
    type: int
    default: 1
  wait:
    description:
      - Return only when every connected proxy has acknowledged the new routes.
      - Listeners, routes, clusters and endpoints count. A refused certificate or extension holds up no route.
    type: bool
    default: false
  wait_timeout:
    description: How many seconds to wait for that at most.
    type: int
    default: 30
  unproven_wait:
    description:
      - Seconds to wait where no istiod can be asked. There is a warning then, and RV(acknowledged) is false.
    type: float
    default: 5
seealso:
  - module: corpv3.service_mesh.mesh_sync_info
"""

EXAMPLES = r"""
- name: Give the new version a tenth, and wait until every proxy knows
  corpv3.service_mesh.traffic_shift:
    namespace: restaurant-management
    virtual_service: order-service
    service: order-service
    route: primary
    weights: {v1: 90, v2: 10}
    wait: true

- name: Send testers to the new version
  corpv3.service_mesh.traffic_shift:
    namespace: restaurant-management
    virtual_service: order-service
    service: order-service
    route: primary
    match_routes:
      - name: testers
        subset: v2
        headers: {x-tester: {exact: "yes"}}

- name: Mirror a fifth of the requests before any user sees the new version
  corpv3.service_mesh.traffic_shift:
    namespace: restaurant-management
    virtual_service: order-service
    service: order-service
    route: primary
    mirror: {subset: v2, percentage: 20}
"""

RETURN = r"""
weights:
  description:
    - Route to subset to weight, after the change.
    - A route without a name is called by its place, such as C(tcp[0]).
  returned: success
  type: dict
  sample: {primary: {v1: 90, v2: 10}}
weights_before:
  description: The same before the change.
  returned: success
  type: dict
resource_version:
  description: Version of the VirtualService after the change.
  returned: success
  type: str
attempts:
  description: How often the object was read and decided upon; more than 1 after conflicts with other writers.
  returned: success
  type: int
acknowledged:
  description: Whether every connected proxy has accepted the configuration.
  returned: O(wait) is true, outside check mode
  type: bool
proxies:
  description: How many proxies were asked about.
  returned: O(wait) is true, outside check mode
  type: int
waited:
  description: Seconds from the write to the last proxy's acknowledgement.
  returned: O(wait) is true, outside check mode
  type: float
"""

from functools import partial
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils import _yaml
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
from ansible_collections.corpv3.service_mesh.plugins.module_utils._objects import Ref, plain
from ansible_collections.corpv3.service_mesh.plugins.module_utils._rights import problem
from ansible_collections.corpv3.service_mesh.plugins.module_utils._traffic import (
    Affinity,
    MatchRoute,
    Mirror,
    Split,
    TrafficFailure,
    protocols,
    weights,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._traffic_shift import (
    NETWORKING,
    Shift,
    nonces,
    shift,
    shift_rights,
    wait_for_proxies,
)

_STATE = {"type": "str", "choices": ["present", "absent"], "default": "present"}


def argument_spec() -> dict[str, Any]:
    subset = {"type": "str", "default": ""}
    return {
        "namespace": {"type": "str", "required": True},
        "virtual_service": {"type": "str", "required": True},
        "service": {"type": "str", "required": True},
        "route": {"type": "str", "default": ""},
        "weights": {"type": "dict", "default": {}},
        "mirror": {
            "type": "dict",
            "options": {"subset": subset, "percentage": {"type": "float", "default": 100}, "state": _STATE},
        },
        "match_routes": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "name": {"type": "str", "required": True},
                "subset": subset,
                "headers": {"type": "dict", "default": {}},
                "cookie": {"type": "dict", "default": {}},
                "state": _STATE,
            },
        },
        "session_affinity": {
            "type": "dict",
            "options": {
                "cookie_name": {"type": "str", "required": True},
                "subset": subset,
                "max_age": {"type": "int", "default": 86400},
                "state": _STATE,
            },
        },
        "min_ready": {"type": "int", "default": 1},
        "wait": {"type": "bool", "default": False},
        "wait_timeout": {"type": "int", "default": 30},
        "unproven_wait": {"type": "float", "default": 5},
        **ISTIOD_OPTIONS,
    }


def requested(params: dict[str, Any]) -> Split:
    mirror, affinity = params["mirror"], params["session_affinity"]
    return Split(
        host=params["service"],
        route=params["route"],
        weights=_whole_numbers(params["weights"]),
        mirror=mirror and Mirror(mirror["subset"], mirror["percentage"], mirror["state"] == "present"),
        match_routes=[
            MatchRoute(e["name"], e["subset"], e["headers"], e["cookie"], e["state"] == "present")
            for e in params["match_routes"]
        ],
        affinity=affinity
        and Affinity(affinity["cookie_name"], affinity["subset"], affinity["max_age"], affinity["state"] == "present"),
    )


def _whole_numbers(given: dict[str, Any]) -> dict[str, int]:
    """Weights as a survey or the command line may give them, "10" for 10; nothing is rounded."""
    result = {}
    for subset, weight in given.items():
        if isinstance(weight, bool) or not str(weight).isdecimal() or int(weight) > 100:
            raise TrafficFailure(f"weights: {subset} is {weight!r}, but has to be a whole number from 0 to 100.")
        result[subset] = int(weight)
    return result


def run(module: Any) -> dict[str, Any]:
    params = plain({key: module.params[key] for key in argument_spec()})
    split = requested(params)
    cluster = Cluster(module)
    ref = Ref(NETWORKING, "VirtualService", params["namespace"], params["virtual_service"])
    if lacking := problem(cluster, shift_rights(ref, split.host), "shift this traffic", "docs/canary-operator.yml"):
        raise TrafficFailure(f"{lacking}\nNothing was changed.")
    way = Way.of(params)
    ask = partial(connected_proxies, cluster, way)
    waiting = params["wait"] and not module.check_mode
    before = None
    if waiting:
        try:
            refuse_without_rights(cluster, way)
            before = nonces(ask())
        except (IstiodFailure, ApiFailure) as failure:
            module.warn(
                f"istiod cannot be asked, so {params['unproven_wait']} s have to do instead of proof: {failure}"
            )
    done = shift(cluster, ref, split, params["min_ready"], module.check_mode)
    result = report(done, split)
    if waiting:
        # Nothing was written: whatever istiod sends now is no news.
        known = before if done.changed or before is None else {}
        unproven_wait = params["unproven_wait"] if done.changed else 0
        end = wait_for_proxies(ask, known, params["wait_timeout"], unproven_wait, protocols(done.after, split))
        result.update(acknowledged=end.proof, proxies=end.proxies, waited=round(end.seconds, 2))
    return result


def report(done: Shift, split: Split) -> dict[str, Any]:
    sides = {"before": done.before, "after": done.after}
    return {
        "changed": done.changed,
        "weights_before": weights(done.before, split),
        "weights": weights(done.after, split),
        "resource_version": done.after["metadata"]["resourceVersion"],
        "attempts": done.attempts,
        "diff": {side: _yaml.dump({"spec": obj["spec"]}) for side, obj in sides.items()} if done.changed else {},
    }


def main() -> None:
    module = create_module(argument_spec())
    try:
        result = run(module)
    except (ApiFailure, TrafficFailure) as error:
        fail(module, str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
