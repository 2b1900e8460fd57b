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
    in the object. Supports routes of http, tls and tcp.
  - Can also mirror requests, insert routes for a header or a cookie before the split, and keep clients at the subset
    that answered them first.
  - Writes only if the object has not changed meanwhile. After a conflict, reads the object and decides again.
  - Refuses to send traffic to a subset that no DestinationRule defines or that has too few ready endpoints, and while
    another VirtualService routes the same host at the same gateway.
notes:
  - Needs C(get) and C(update) on the VirtualService, and C(list) on VirtualServices and DestinationRules of all
    namespaces and on Pods and EndpointSlices of the service's namespace. The module checks these rights before
    anything is changed. docs/canary-operator.yml grants them.
  - With O(wait) the module queries istiod. O(istiod_access) has the required rights. Without them there is a warning,
    and a wait of O(unproven_wait) replaces proof.
extends_documentation_fragment:
  - corpv3.service_mesh._attributes
  - corpv3.service_mesh._attributes.action_group
  - corpv3.service_mesh._istiod
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    support: full
    details: Uses a dry run of the API server, including webhooks.
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
      - The service of the split, as the host of the route's destinations.
      - A short name is a service of O(namespace).
    type: str
    required: true
  route:
    description: Name of the http route. By default all routes with one of the subsets of O(service).
    type: str
    default: ""
  weights:
    description:
      - Percentage by subset, in whole numbers. Together with the other destinations they must sum to 100.
      - A subset that the route does not have yet is added to it.
    type: dict
    default: {}
  mirror:
    description: Send a copy of requests to a subset, and discard its answers.
    type: dict
    suboptions:
      subset:
        description: The subset that gets the copies.
        type: str
        default: ""
      percentage:
        description: Share of the requests.
        type: float
        default: 100
      state:
        description: Whether there must be a mirror.
        type: str
        choices: [present, absent]
        default: present
  match_routes:
    description: Routes before the split for requests with certain headers or a cookie (A/B test).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the added route.
        type: str
        required: true
      subset:
        description: The subset that gets these requests.
        type: str
        default: ""
      headers:
        description: Header name to C(exact), C(prefix) or C(regex) and its value. All of them must match.
        type: dict
        default: {}
      cookie:
        description: Cookie name to value.
        type: dict
        default: {}
      state:
        description: Whether there must be such a route.
        type: str
        choices: [present, absent]
        default: present
  session_affinity:
    description: Keep a client at the subset that answered it first, by a cookie.
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
        description: Lifetime of the cookie, in seconds.
        type: int
        default: 86400
      secure:
        description: Whether browsers send the cookie over TLS only. If so, they ignore it over plain HTTP.
        type: bool
        default: true
      same_site:
        description: The cookie's attribute SameSite, for requests from other sites.
        type: str
        choices: [Lax, Strict, "None"]
        default: Lax
      state:
        description: Whether there must be session affinity.
        type: str
        choices: [present, absent]
        default: present
  min_ready:
    description: Minimum number of ready endpoints of each subset that gets traffic.
    type: int
    default: 1
  wait:
    description:
      - Return only when every connected proxy has acknowledged the new routes.
      - Listeners, routes, clusters and endpoints count. A refused certificate or extension does not block a route.
    type: bool
    default: false
  wait_timeout:
    description: Maximum number of seconds for O(wait).
    type: int
    default: 30
  unproven_wait:
    description:
      - Seconds to wait if no istiod can be queried. Then there is a warning, and RV(acknowledged) is false.
    type: float
    default: 5
seealso:
  - module: corpv3.service_mesh.mesh_sync_info
"""

EXAMPLES = r"""
- name: Give the new version a tenth, and wait for every proxy
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
    - A route without a name has its position instead, such as C(tcp[0]).
  returned: success
  type: dict
  sample: {primary: {v1: 90, v2: 10}}
weights_before:
  description: The same, before the change.
  returned: success
  type: dict
resource_version:
  description: Version of the VirtualService after the change.
  returned: success
  type: str
attempts:
  description: Number of attempts to write. More than 1 after conflicts with other writers.
  returned: success
  type: int
acknowledged:
  description: Whether every connected proxy has accepted the configuration.
  returned: O(wait) is true, outside check mode
  type: bool
proxies:
  description: Number of connected proxies.
  returned: O(wait) is true, outside check mode
  type: int
waited:
  description: Seconds from the write to the last acknowledgement.
  returned: O(wait) is true, outside check mode
  type: float
"""

from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod import (
    ISTIOD_OPTIONS,
    IstiodFailure,
    Istiods,
    Way,
    refuse_without_rights,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.propagation import Propagation
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.proxies import Proxy
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import (
    Affinity,
    MatchRoute,
    Mirror,
    Split,
    TrafficFailure,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.sent_routes import WrittenRoutes
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.shift import (
    COOKIE_OPTIONS,
    shift,
    shift_rights,
    wait_for_proxies,
    wait_without_proof,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.virtual_service import VirtualService
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.conditional_put import Written
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.module import create_module, run_module
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Ref, plain
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.rights import problem

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
                **COOKIE_OPTIONS,
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
    stays = {key: affinity[key] for key in ("subset", "max_age", "secure", "same_site")} if affinity else {}
    return Split(
        host=params["service"],
        route=params["route"],
        weights=_whole_numbers(params["weights"]),
        mirror=mirror and Mirror(mirror["subset"], mirror["percentage"], mirror["state"] == "present"),
        match_routes=[
            MatchRoute(e["name"], e["subset"], e["headers"], e["cookie"], e["state"] == "present")
            for e in params["match_routes"]
        ],
        affinity=affinity and Affinity(affinity["cookie_name"], present=affinity["state"] == "present", **stays),
    )


def _whole_numbers(given: dict[str, Any]) -> dict[str, int]:
    """Weights, which may be text from a survey or the command line. They are not rounded."""
    result = {}
    for subset, weight in given.items():
        if isinstance(weight, bool) or not str(weight).isdecimal() or int(weight) > 100:
            raise TrafficFailure(f"weights: {subset} is {weight!r}: set a whole number from 0 to 100.")
        result[subset] = int(weight)
    return result


def run(module: Any) -> dict[str, Any]:
    params = plain({key: module.params[key] for key in argument_spec()})
    split = requested(params)
    cluster = Cluster(module)
    ref = Ref(VirtualService.api_version, VirtualService.kind, params["namespace"], params["virtual_service"])
    if lacking := problem(cluster, shift_rights(ref, split.host), "shift this traffic", "docs/canary-operator.yml"):
        raise TrafficFailure(f"{lacking}\nNothing was changed.")
    way = Way.of(params)
    istiods = Istiods(cluster, way)
    waiting = params["wait"] and not module.check_mode
    before: list[Proxy] | None = None
    if waiting:
        try:
            refuse_without_rights(cluster, way)
            before = istiods.proxies()
        except (IstiodFailure, ApiFailure) as failure:
            module.warn(f"istiod cannot be queried, so a wait of {params['unproven_wait']} s replaces proof: {failure}")
    done = shift(cluster, ref, split, params["min_ready"], module.check_mode)
    result = report(done, split)
    if waiting:
        unproven_wait = params["unproven_wait"] if done.changed else 0
        if before is None:
            end = wait_without_proof(unproven_wait)
        else:
            propagation = Propagation(
                istiods,
                lambda: WrittenRoutes([VirtualService(done.after)]),
                unproven_wait,
                VirtualService(done.after).protocols(split),
                # Without a write, istiod sends nothing new.
                before=before if done.changed else (),
            )
            end = wait_for_proxies(propagation, params["wait_timeout"])
            if end.problem and not end.proof:
                module.warn(f"not proven: {end.problem}")
        result.update(acknowledged=end.proof, proxies=end.proxies, waited=round(end.seconds, 2))
    return result


def report(done: Written, split: Split) -> dict[str, Any]:
    sides = {"before": done.before, "after": done.after}
    return {
        "changed": done.changed,
        "weights_before": VirtualService(done.before).weights(split),
        "weights": VirtualService(done.after).weights(split),
        "resource_version": done.after["metadata"]["resourceVersion"],
        "attempts": done.attempts,
        "diff": {side: yaml.dump({"spec": obj["spec"]}) for side, obj in sides.items()} if done.changed else {},
    }


def main() -> None:
    run_module(create_module(argument_spec()), run)


if __name__ == "__main__":
    main()
