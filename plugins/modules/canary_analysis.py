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
  - Measures what the requests to a canary came to, against thresholds and against the stable version in the same
    window, and says whether it may be promoted or has to be rolled back. It changes nothing, so it also serves as a
    gate in any pipeline.
  - Without enough requests there is no verdict but C(no_data), and what cannot be measured is an C(error). Neither is
    ever a pass, unless the options say so.
  - Counts exactly. Requests that a counter came with at its first scrape are counted, a restart of a proxy is seen, and
    nothing before O(since) counts.
notes:
  - The provider V(prometheus) needs no access to a cluster. V(envoy) needs the rights in docs/canary-proxies.yml; the
    module asks for them first, and fails with those that are missing.
  - A request that gets no answer at all is counted when its proxy or its client gives up. The metric V(traffic-share)
    shows it earlier.
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
      - When this run's canary got its first traffic, as Unix time or RFC 3339. Nothing before it counts, so the
        failures of a run before this one do not.
    type: str
    default: ""
  count:
    description: How often is measured. A decision ends it at once.
    type: int
    default: 1
  interval:
    description: Time between measurements, such as V(10s). With V(envoy) also that between the first two readings.
    type: str
    default: 10s
  initial_delay:
    description: Time before the first measurement, such as V(30s).
    type: str
    default: ""
  no_data_timeout:
    description: For how long, such as V(2m), more is measured than O(count) while the verdict is C(no_data).
    type: str
    default: ""
  tallies:
    description:
      - RV(tallies) of an earlier call, so that limits hold over several calls.
    type: dict
    default: {}
  fail_on:
    description: Overall verdicts with which the task fails.
    type: list
    elements: str
    choices: [pass, fail, no_data, error, inconclusive]
    default: []
seealso:
  - module: corpv3.service_mesh.traffic_shift
"""

EXAMPLES = r"""
- name: Let the pipeline go on only if the new version is as good as the old one
  corpv3.service_mesh.canary_analysis:
    namespace: restaurant-management
    service: order-service
    stable: {subset: v1}
    canary: {subset: v2}
    provider: {url: "https://prometheus.example.com", token: "{{ prometheus_token }}"}
    since: "{{ shifted_at }}"
    count: 6
    interval: 10s
    metrics:
      - name: request-success-rate
        threshold_range: {min: 99}
        compare: {max_ratio: 2}
      - name: request-duration
        percentile: 99
        threshold_range: {max: 500}
        compare: {max_ratio: 1.5}
        failure_limit: 1
    whole_service_guard: {max_increase: 1}
    fail_on: [fail, no_data, error, inconclusive]

- name: Ask the proxies themselves, every second
  corpv3.service_mesh.canary_analysis:
    namespace: restaurant-management
    service: order-service
    provider: {type: envoy}
    count: 10
    interval: 1s
    metrics:
      - name: request-success-rate
        window: 3s
        threshold_range: {min: 90}
        critical: true
      - name: traffic-share
        window: 3s
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
    - C(pass) if the last measurement of every metric passes.
    - C(fail) if a metric failed more often than its limit allows.
    - C(error) if something could not be measured, C(no_data) if there were too few requests.
    - C(inconclusive) if there was a failure that the limit allows, or if O(metrics[].no_data) says so.
  returned: always
  type: str
  sample: fail
reason:
  description: Why, in one sentence.
  returned: always
  type: str
  sample: request-success-rate is 51.2 % of 82 requests over 30 s, below 99 %
should_promote:
  description: Whether there is evidence that the canary is good.
  returned: always
  type: bool
should_roll_back:
  description: Whether the canary failed, or could not be measured more often in a row than the limit allows.
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
      description: Why.
      type: str
    value:
      description: What was measured, none where nothing was.
      type: float
    baseline:
      description: The same of the stable side, or of the time before O(since) for the guard.
      type: float
    samples:
      description: Of how many requests.
      type: int
    baseline_samples:
      description: Of how many requests the baseline is.
      type: int
    threshold:
      description: What the value had to be, in words.
      type: str
    window:
      description: How many seconds the measurement is about.
      type: float
    query:
      description: What was asked for.
      type: str
    critical:
      description: Whether the first failure decides.
      type: bool
    at:
      description: Of which moment the measurement is.
      type: str
tallies:
  description: What each metric has come to, for O(tallies) of the next call.
  returned: always
  type: dict
  sample: {request-success-rate: {passes: 3, failures: 1, errors_in_a_row: 0}}
"""

import time
from dataclasses import asdict
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis import VERDICTS, AnalysisFailure, seconds
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_options import (
    lacking_for_source,
    metrics_of,
    options,
    source_of,
    target_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_run import Analysis, Tally, moment, run
from ansible_collections.corpv3.service_mesh.plugins.module_utils._api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kubernetes import Cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._module import create_module, fail, public_arguments
from ansible_collections.corpv3.service_mesh.plugins.module_utils._objects import plain


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
    source = source_of(params, cluster, metrics)
    if cluster and (lacking := lacking_for_source(cluster, params)):
        raise AnalysisFailure(lacking)
    analysis = Analysis(metrics, target_of(params), source, moment(params["since"]), earlier(params["tallies"]))
    time.sleep(delay)
    outcome = run(analysis, source, params["count"], interval, patience)
    return {
        "verdict": outcome.verdict,
        "reason": outcome.reason,
        "should_promote": outcome.should_promote,
        "should_roll_back": outcome.should_roll_back,
        "measurements": [measurement.report() for measurement in analysis.measurements],
        "tallies": {key: asdict(tally) for key, tally in analysis.tallies.items()},
    }


def earlier(given: dict[str, Any]) -> dict[str, Tally]:
    try:
        return {key: Tally(**{name: int(count) for name, count in tally.items()}) for key, tally in given.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise AnalysisFailure(f"tallies are not those of an earlier call: {error}") from error


def main() -> None:
    module = create_module(argument_spec())
    # Headers may hold credentials.
    invocation = public_arguments(module, "provider")
    try:
        result = analyse(module)
    except (AnalysisFailure, ApiFailure) as error:
        fail(module, str(error), invocation=invocation)
    if result["verdict"] in module.params["fail_on"]:
        fail(module, f"{result['verdict']}: {result['reason']}", invocation=invocation, **result)
    module.exit_json(changed=False, invocation=invocation, **result)


if __name__ == "__main__":
    main()
