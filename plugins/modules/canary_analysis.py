#!/usr/bin/python
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: canary_analysis
short_description: Judge a new version of a service by its traffic
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Compares the requests to a canary with thresholds and with the stable version in the same window, and reports
    whether to promote it or to roll it back. It changes nothing, so it also serves as a gate in any pipeline.
  - Decides by the evidence of the requests, regardless of how often it measures. C(fail) and C(pass) are wrong with a
    probability of at most O(rollback_error_rate) and O(promotion_error_rate). Between the two the verdict is
    C(inconclusive), with the number of further requests that it needs. docs/canary.md has the tests and their error
    rates.
  - Without any request the verdict is C(no_data), and if a metric cannot be measured it is C(error). Neither is ever a
    pass, unless the options of a query allow it.
  - Counts exactly. It includes the requests of a counter's first scrape, detects a restart of a proxy, and ignores
    everything before O(since).
notes:
  - Provider V(prometheus) needs no access to a cluster. V(envoy) needs the rights in docs/canary-proxies.yml. The
    module checks them first, and fails with the missing ones.
  - A request without any answer is counted when its proxy or its client times out. The metric V(traffic-share) shows it
    earlier.
extends_documentation_fragment:
  - corpv3.service_mesh._analysis
  - corpv3.service_mesh._attributes
  - corpv3.service_mesh._attributes.info_module
  - corpv3.service_mesh._attributes.action_group
  - kubernetes.core.k8s_auth_options
options:
  istio_namespace:
    description: Namespace of the gateways.
    type: str
    default: istio-system
  since:
    description:
      - When this run's canary got its first traffic, as Unix time or RFC 3339. Nothing before it counts, such as
        failures of a previous run.
    type: str
    default: ""
  count:
    description: Number of measurements. A final verdict ends them at once.
    type: int
    default: 1
  interval:
    description: Time between measurements, such as V(10s). With V(envoy) also between the first two readings.
    type: str
    default: 10s
  initial_delay:
    description: Time before the first measurement, such as V(30s).
    type: str
    default: ""
  no_data_timeout:
    description:
      - How long to continue after O(count) measurements while the verdict is C(no_data) or C(inconclusive), such as
        V(2m).
    type: str
    default: ""
  tallies:
    description:
      - RV(tallies) of an earlier call, so that its evidence against the canary still counts. A pass uses the requests
        of one call only.
    type: dict
    default: {}
  fail_on:
    description: Overall verdicts that fail the task.
    type: list
    elements: str
    choices: [pass, fail, no_data, error, inconclusive]
    default: []
seealso:
  - module: corpv3.service_mesh.traffic_shift
"""

EXAMPLES = r"""
- name: Continue the pipeline only if the new version is as good as the old one
  corpv3.service_mesh.canary_analysis:
    namespace: restaurant-management
    service: order-service
    stable: {subset: v1}
    canary: {subset: v2}
    provider: {url: "https://prometheus.example.com", token: "{{ prometheus_token }}"}
    since: "{{ shifted_at }}"
    count: 6
    interval: 10s
    no_data_timeout: 10m
    metrics:
      - name: request-success-rate
        threshold_range: {min: 99}
        compare: {max_delta: 0.5}
      - name: request-duration
        percentile: 99
        threshold_range: {max: 500}
    whole_service_guard: {max_increase: 1}
    fail_on: [fail, no_data, error, inconclusive]

- name: Read the proxies' own counters, every second
  corpv3.service_mesh.canary_analysis:
    namespace: restaurant-management
    service: order-service
    provider: {type: envoy}
    count: 10
    interval: 1s
    metrics:
      - name: request-success-rate
        threshold_range: {min: 90}
      - name: traffic-share
        threshold_range: {min: 12}

- name: Watch orders that fail
  corpv3.service_mesh.canary_analysis:
    namespace: restaurant-management
    service: order-service
    provider: {url: "https://mimir.example.com", path_prefix: prometheus, headers: {X-Scope-OrgID: shop}}
    metrics:
      - name: failed-orders
        query: sum(increase(restaurant_orders_total{status="failed",version="$version"}[$window])) or vector(0)
        window: 2m
        threshold_range: {max: 3}
"""

RETURN = r"""
verdict:
  description:
    - C(pass) if the evidence shows that every metric of requests is within its limits, and the last value of every
      query is.
    - C(fail) if the evidence shows that a metric exceeds a limit, or if a query failed more often than allowed.
    - C(error) if a metric could not be measured, C(no_data) if there were no requests.
    - C(inconclusive) if there is not enough evidence yet, if a query had an allowed failure, or by
      O(metrics[].no_data).
  returned: always
  type: str
  sample: fail
reason:
  description: The reason, in one sentence.
  returned: always
  type: str
  sample: request-success-rate is 51.2 % of 82 requests, below 99 %; chance does that once in 10^31 runs
should_promote:
  description: Whether there is evidence that the canary is good.
  returned: always
  type: bool
should_roll_back:
  description: Whether the canary failed. A failed measurement does not justify a rollback.
  returned: always
  type: bool
measurements:
  description: Every measurement, in order.
  returned: always
  type: list
  elements: dict
  contains:
    metric:
      description: Name of the metric.
      type: str
    verdict:
      description: V(pass), V(fail), V(no_data), V(error) or V(inconclusive).
      type: str
    reason:
      description: The reason.
      type: str
    value:
      description:
        - The measured value, if there is one. For V(request-duration), the percentage of slow requests.
      type: float
    baseline:
      description: The value of the stable side, or of the time before O(since) for the guard.
      type: float
    samples:
      description: The number of requests.
      type: int
    baseline_samples:
      description: The number of requests of the baseline.
      type: int
    threshold:
      description: The limits of the value, in words.
      type: str
    window:
      description: The seconds that the measurement covers.
      type: float
    query:
      description: The query.
      type: str
    requests_left:
      description: How many more requests of the canary a pass needs at the present rates, if known.
      type: int
    seconds_left:
      description: How long these requests take at the present rate.
      type: float
    at:
      description: The time of the measurement.
      type: str
tallies:
  description: The evidence against the canary so far, for O(tallies) of the next call.
  returned: always
  type: dict
"""

import time
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.analysis import Analysis, moment, run
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.metric import (
    VERDICTS,
    AnalysisFailure,
    seconds,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.options import (
    lacking_for_source,
    metrics_of,
    options,
    rates_of,
    source_of,
    target_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.module import create_module, run_module
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import plain


def argument_spec() -> dict[str, Any]:
    return {
        **options(),
        "count": {"type": "int", "default": 1},
        "interval": {"type": "str", "default": "10s"},
        "initial_delay": {"type": "str", "default": ""},
        "no_data_timeout": {"type": "str", "default": ""},
        "tallies": {"type": "dict", "default": {}},
        "fail_on": {"type": "list", "elements": "str", "choices": list(VERDICTS), "default": []},
    }


def analyse(module: Any) -> dict[str, Any]:
    params = plain({key: module.params[key] for key in argument_spec()})
    metrics = metrics_of(params)
    interval = seconds(params["interval"], "interval")
    delay, patience = (
        seconds(params[key], key) if params[key] else 0.0 for key in ("initial_delay", "no_data_timeout")
    )
    cluster = Cluster(module) if params["provider"]["type"] == "envoy" else None
    target = target_of(params)
    source = source_of(params, cluster, metrics, target)
    if cluster and (lacking := lacking_for_source(cluster, params)):
        raise AnalysisFailure(lacking)
    since, tallies = moment(params["since"]), params["tallies"]
    analysis = Analysis(metrics, target, source, since, tallies, rates_of(params))
    time.sleep(delay)
    outcome = run(analysis, source, params["count"], interval, patience)
    result = {
        "verdict": outcome.verdict,
        "reason": outcome.reason,
        "should_promote": outcome.should_promote,
        "should_roll_back": outcome.should_roll_back,
        "measurements": [measurement.report() for measurement in analysis.measurements],
        "tallies": analysis.tallies,
    }
    if outcome.verdict in params["fail_on"]:
        raise MeshError(f"{outcome.verdict}: {outcome.reason}", **result)
    return result


def main() -> None:
    # Headers may hold credentials.
    run_module(create_module(argument_spec()), analyse, "provider")


if __name__ == "__main__":
    main()
