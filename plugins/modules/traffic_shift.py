#!/usr/bin/python
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: traffic_shift
short_description: Split the traffic of a route between the versions of a service
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Changes the weights of one named route of a VirtualService, or of all its routes to these subsets, and nothing else
    in the object. Supports routes of http, tls and tcp.
  - Changes the weights of one rule of an HTTPRoute, GRPCRoute, TLSRoute or TCPRoute of the Gateway API in the same way.
    The backends of a rule are Services, so each version has a Service of its own, and its name replaces the subset's.
  - Can also mirror requests, insert routes for a header or a cookie before the split, and keep clients at the subset
    that answered them first.
  - Writes only if the object has not changed meanwhile. After a conflict, reads the object and decides again.
  - Refuses to send traffic to a subset that no DestinationRule defines, to a Service that does not exist, or to one of
    them with too few ready endpoints. Refuses while another VirtualService routes the same host at the same gateway, or
    another route of the same kind has the same parent, host and match.
notes:
  - Needs C(get) and C(update) on the VirtualService, and C(list) on VirtualServices and DestinationRules of all
    namespaces and on Pods and EndpointSlices of the service's namespace. The module checks these rights before
    anything is changed. docs/canary-operator.yml grants them.
  - A route of the Gateway API needs C(get) and C(update) on it and C(get) on the Services of O(weights), C(list) on
    routes of its kind and on VirtualServices and C(get) on Gateways of all namespaces, and C(list) on Pods and
    EndpointSlices of the Services' namespaces. docs/gateway-api-operator.yml grants them.
  - Of the Gateway API, only an HTTPRoute at a Gateway was tried on a cluster. docs/canary.md lists what is unverified.
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
    description:
      - Namespace of the VirtualService or of the route.
      - Required, unless O(route_ref.namespace) is set.
    type: str
    default: ""
  virtual_service:
    description:
      - Name of the VirtualService.
      - Required, unless O(route_ref) is set. One of the two must be set, and not both.
    type: str
    default: ""
  route_ref:
    description:
      - The object and the rule whose traffic is split, of any supported kind.
      - Takes the place of O(virtual_service) and O(route), which must not be set with it.
    type: dict
    suboptions:
      kind:
        description:
          - Kind of the object. All but V(VirtualService) are kinds of the Gateway API.
          - The module queries the cluster for their definitions, and uses C(v1). For V(TLSRoute) and V(TCPRoute) it
            uses C(v1alpha2) if the cluster has no C(v1).
        type: str
        choices: [VirtualService, HTTPRoute, GRPCRoute, TLSRoute, TCPRoute]
        default: VirtualService
      name:
        description: Name of the object.
        type: str
        required: true
      namespace:
        description: Namespace of the object. By default O(namespace).
        type: str
        default: ""
      rule:
        description:
          - For a VirtualService the name of the http route, as in O(route).
          - Otherwise the name or index (from 0) of a rule. By default every rule with all Services of O(weights).
        type: str
        default: ""
  service:
    description:
      - The service of the split, as the host of the route's destinations.
      - A short name is a service of O(namespace).
      - Required for a VirtualService. Must not be set for the other kinds, which have no subsets.
    type: str
    default: ""
  route:
    description: Name of the http route. By default all routes with one of the subsets of O(service).
    type: str
    default: ""
  weights:
    description:
      - Percentage by subset, in whole numbers. Together with the other destinations they must sum to 100.
      - A subset that the route does not have yet is added to it.
      - For kinds of the Gateway API, percentage by Service, as C(name), or as C(namespace/name) in another namespace.
        A Service that is added gets the port of one that is there.
    type: dict
    default: {}
  mirror:
    description:
      - Send a copy of requests to a subset, and discard its answers.
      - For V(HTTPRoute) and V(GRPCRoute) this is a filter RequestMirror. The other kinds of the Gateway API have none.
    type: dict
    suboptions:
      subset:
        description: The subset, or the Service, that gets the copies.
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
    description:
      - Routes before the split for requests with certain headers or a cookie (A/B test).
      - For V(HTTPRoute) and V(GRPCRoute) these are rules. The other kinds of the Gateway API have none.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the added route.
        type: str
        required: true
      subset:
        description: The subset, or the Service, that gets these requests.
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
    description:
      - Keep a client at the subset that answered it first, by a cookie.
      - Not available for kinds of the Gateway API.
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
    description: Minimum number of ready endpoints of each subset, or Service, that gets traffic.
    type: int
    default: 1
  wait:
    description:
      - Return only when every connected proxy has acknowledged the new routes.
      - Listeners, routes, clusters and endpoints count. A refused certificate or extension does not block a route.
      - For kinds of the Gateway API, the status must show the new generation as accepted first. For each parent these
        are C(Accepted) and C(ResolvedRefs), and for a Gateway also C(Programmed).
    type: bool
    default: false
  wait_timeout:
    description: Maximum number of seconds for O(wait).
    type: int
    default: 30
  unproven_wait:
    description:
      - Seconds to wait if no istiod can be queried, or if no proxy shows the route of the Gateway API. Then there is a
        warning, and RV(acknowledged) is false.
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

- name: Give the Service of the new version a tenth, in an HTTPRoute with one rule
  corpv3.service_mesh.traffic_shift:
    route_ref: {kind: HTTPRoute, name: order-service, namespace: restaurant-management}
    weights: {order-service-v1: 90, order-service-v2: 10}
    wait: true

- name: The same in the second rule of a GRPCRoute
  corpv3.service_mesh.traffic_shift:
    route_ref: {kind: GRPCRoute, name: kitchen, namespace: restaurant-management, rule: 1}
    weights: {kitchen-v1: 90, kitchen-v2: 10}
"""

RETURN = r"""
weights:
  description:
    - Route to subset to weight, after the change.
    - A route without a name has its position instead, such as C(tcp[0]). A rule without a name is C(rules[0]).
  returned: success
  type: dict
  sample: {primary: {v1: 90, v2: 10}}
weights_before:
  description: The same, before the change.
  returned: success
  type: dict
resource_version:
  description: Version of the object after the change.
  returned: success
  type: str
attempts:
  description: Number of attempts to write. More than 1 after conflicts with other writers.
  returned: success
  type: int
accepted:
  description:
    - Whether the status shows the object as it is now as accepted, for each parent. If it does not within
      O(wait_timeout), the module fails.
  returned: O(wait) is true, outside check mode, for kinds of the Gateway API
  type: bool
acknowledged:
  description: Whether every connected proxy has accepted the configuration.
  returned: O(wait) is true, outside check mode
  type: bool
proxies:
  description: Number of connected proxies.
  returned: O(wait) is true, outside check mode
  type: int
waited:
  description: Seconds from the write to the last acknowledgement, with those until the status was accepted.
  returned: O(wait) is true, outside check mode
  type: float
"""

import time
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod import (
    IstiodFailure,
    Istiods,
    Way,
    refuse_without_rights,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.propagation import Propagation
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.proxies import Proxy
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import Route, Split, TrafficFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.routes import served_ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.sent_routes import WrittenRoutes
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.shift import (
    Acknowledged,
    shift,
    shift_rights,
    wait_for_proxies,
    wait_for_status,
    wait_without_proof,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.shift_options import argument_spec, asked
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.conditional_put import Written
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.module import create_module, run_module
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import plain
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.rights import problem


def run(module: Any) -> dict[str, Any]:
    params = plain({key: module.params[key] for key in argument_spec()})
    kind, namespace, name, split = asked(params)
    cluster = Cluster(module)
    ref = served_ref(kind, namespace, name, cluster.resource)
    manifest = "docs/gateway-api-operator.yml" if kind.by_service else "docs/canary-operator.yml"
    if lacking := problem(cluster, shift_rights(ref, split), "shift this traffic", manifest):
        raise TrafficFailure(f"{lacking}\nNothing was changed.")
    istiods = Istiods(cluster, Way.of(params))
    waiting = params["wait"] and not module.check_mode
    before = proxies_before(module, cluster, istiods, params) if waiting else None
    done = shift(cluster, ref, split, params["min_ready"], module.check_mode)
    result = report(kind, done, split)
    if waiting:
        begin = time.monotonic()
        result |= {"accepted": True} if wait_for_status(cluster, ref, params["wait_timeout"]) else {}
        left = max(0.0, params["wait_timeout"] - (time.monotonic() - begin))
        end = wait_for(istiods, params["unproven_wait"], left, kind(done.after), done.changed, split, before)
        if end.problem and not end.proof:
            module.warn(f"not proven: {end.problem}")
        waited = round(time.monotonic() - begin, 2)
        result.update(acknowledged=end.proof, proxies=end.proxies, waited=waited)
    return result


def proxies_before(module: Any, cluster: Cluster, istiods: Istiods, params: dict[str, Any]) -> list[Proxy] | None:
    """The proxies as they are before the write. None, with a warning, if no istiod can be queried."""
    try:
        refuse_without_rights(cluster, Way.of(params))
        return istiods.proxies()
    except (IstiodFailure, ApiFailure) as failure:
        module.warn(f"istiod cannot be queried, so a wait of {params['unproven_wait']} s replaces proof: {failure}")
        return None


def wait_for(
    istiods: Istiods,
    unproven_wait: float,
    timeout: float,
    route: Route,
    changed: bool,
    split: Split,
    before: list[Proxy] | None,
) -> Acknowledged:
    """Until the proxies have the route. ``before``: as they were before the write; None if istiod cannot be queried."""
    unproven_wait = unproven_wait if changed else 0
    if before is None:
        return wait_without_proof(unproven_wait)
    protocols = route.protocols(split)
    # Without a write, istiod sends nothing new.
    known = before if changed else ()
    propagation = Propagation(istiods, lambda: WrittenRoutes([route]), unproven_wait, protocols, before=known)
    unseen_wait = unproven_wait if route.by_service and protocols == {"http"} else None
    return wait_for_proxies(propagation, timeout, unseen_wait)


def report(kind: type[Route], done: Written, split: Split) -> dict[str, Any]:
    sides = {"before": done.before, "after": done.after}
    return {
        "changed": done.changed,
        "weights_before": kind(done.before).weights(split),
        "weights": kind(done.after).weights(split),
        "resource_version": done.after["metadata"]["resourceVersion"],
        "attempts": done.attempts,
        "diff": {side: yaml.dump({"spec": obj["spec"]}) for side, obj in sides.items()} if done.changed else {},
    }


def main() -> None:
    run_module(create_module(argument_spec()), run)


if __name__ == "__main__":
    main()
