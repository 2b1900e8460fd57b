#!/usr/bin/python
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: canary
short_description: Bring a new version of a service into production step by step, or take it back
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Runs a canary without any controller in the cluster. The new image starts in the subset that has no traffic; the
    traffic moves to it in steps; each step is measured; a step that fails takes everything back at once.
  - The run's state lies on the VirtualService and is written in the same request as the weights, so the two cannot
    disagree. Whoever calls the module again goes on where the run is.
  - A Lease keeps two callers apart. It is renewed while the module lives, so a dead one is told from a living one.
  - The Deployment of each subset is found by its labels. The old version's is scaled to 0 at the end, the new one's if
    it failed; nothing is deployed a second time.
notes:
  - Nothing carries a run on while no process does. Put O(state=reconciled) on a schedule.
  - docs/canary.md has every state and arrow, and the Role that is needed.
extends_documentation_fragment:
  - corpv3.service_mesh._analysis
  - corpv3.service_mesh._attributes
  - corpv3.service_mesh._attributes.action_group
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    support: full
    details: The plan is returned, and the API server is asked for a dry run of the first write.
  diff_mode:
    support: full
  idempotent:
    support: full
    details: An image that is stable already makes no run.
options:
  service:
    description:
      - The service's name.
      - May be left out with O(state=reconciled), which then looks after every run of O(namespace).
    type: str
    default: ""
  state:
    description:
      - V(progressed) starts a run, or goes on with the one of this image. Fails if the canary fails.
      - V(paused) holds it. Whoever runs it goes on measuring, and takes it back if it fails.
      - V(resumed) opens the gate at which it waits, or ends a pause, and carries it on if nobody else does.
      - V(promoted) skips what is left of the steps. Pods are still waited for.
      - V(aborted) takes it back. This is always possible, whoever runs it.
      - V(reconciled) takes back what nobody carries on or what is over its deadline, and finishes what was decided.
    type: str
    choices: [progressed, paused, resumed, promoted, aborted, reconciled]
    default: progressed
  scope:
    description: Whether V(progressed) goes to the end of the run, or returns when the next step has passed.
    type: str
    choices: [run, step]
    default: run
  virtual_services:
    description:
      - VirtualServices whose routes to the service's subsets are shifted. The first one's state counts.
      - If not given, the one that is called as the service.
    type: list
    elements: str
    default: []
  image_tag:
    description: Tag, or digest as C(sha256:...), of the new image in the repository of the present one.
    type: str
    default: ""
  image:
    description: The new image in full, instead of O(image_tag).
    type: str
    default: ""
  container:
    description: The container whose image it is. If not given, the one that is called as the service, or the only one.
    type: str
    default: ""
  strategy:
    description:
      - V(weight) goes through O(steps).
      - V(ab) first sends the requests of O(match) to the new version, then all.
      - V(blue_green) brings up all pods, then moves all traffic at once.
      - V(mirror) first sends copies of requests, then goes through O(steps).
      - V(split) sets the one weight of O(steps) and leaves it so, without measuring.
    type: str
    choices: [weight, ab, blue_green, mirror, split]
    default: weight
  steps:
    description:
      - Percentages of the traffic, each more than the last.
      - An entry may also be a dictionary of C(weight), C(duration) and C(mirror), a percentage of copied requests.
    type: list
    elements: raw
    default: [5, 10, 25, 50, 100]
  match:
    description: The requests of strategy V(ab).
    type: dict
    suboptions:
      headers:
        description: Header name to C(exact), C(prefix) or C(regex) and its value.
        type: dict
        default: {}
      cookie:
        description: Cookie name to value.
        type: dict
        default: {}
  session_affinity:
    description: Keep clients that were once answered by the new version there during the run, by a cookie.
    type: dict
    suboptions:
      cookie_name:
        description: Name of the cookie.
        type: str
        required: true
      max_age:
        description: How long, in seconds.
        type: int
        default: 86400
  mirror_percentage:
    description: How much of the requests strategy V(mirror) copies.
    type: float
    default: 100
  step_duration:
    description: How long a step is watched at least.
    type: str
    default: 30s
  checks:
    description: Rounds of measurements in a row that have to pass before a step is left.
    type: int
    default: 3
  interval:
    description: From round to round.
    type: str
    default: 5s
  min_share:
    description:
      - The canary's part of the traffic may not fall below this part of its weight, or it hangs. Checked where there
        are enough requests to tell. 0 leaves it out.
    type: float
    default: 0.3
  no_data_timeout:
    description: How long past a step's duration evidence is waited for.
    type: str
    default: 60s
  on_no_data:
    description: What becomes of a run without evidence.
    type: str
    choices: [rollback, pause]
    default: rollback
  on_inconclusive:
    description: What becomes of a run whose measurements neither pass nor fail.
    type: str
    choices: [pause, rollback]
    default: pause
  on_drift:
    description:
      - What to do when somebody changes the split by hand during the run. V(reassert) writes it again, V(fail) ends the
        run and leaves the traffic as it is. Other edits of the object are always kept.
    type: str
    choices: [rollback, reassert, fail]
    default: rollback
  on_pause:
    description: Whether a paused run is watched on, or the call returns and nobody watches.
    type: str
    choices: [watch, return]
    default: watch
  deadline:
    description: A run that has not ended by then is taken back.
    type: str
    default: 1h
  ready_timeout:
    description: How long pods may take to become ready, or to go.
    type: str
    default: 5m
  min_ready:
    description: Ready pods that the canary has at least. With 1, the restart of that one pod ends the run.
    type: int
    default: 1
  drain:
    description: How long the pods of a side that gets no traffic any more are kept for requests under way.
    type: str
    default: 30s
  gates:
    description: What has to be open before the run goes on.
    type: list
    elements: dict
    default: []
    suboptions:
      at:
        description: Before the first step, before each increase, before the promotion, or before the old version goes.
        type: str
        choices: [start, increase, promotion, end]
        required: true
      type:
        description:
          - V(url) has to answer 200. V(hold) waits, and goes on measuring, until O(state=resumed) is called elsewhere.
          - V(return) ends the call with phase C(Waiting) or C(WaitingPromotion), for O(state=resumed) later.
        type: str
        choices: [hold, return, url]
        required: true
      url:
        description: For V(url).
        type: str
        default: ""
      timeout:
        description: A gate that is not open by then takes the run back.
        type: str
        default: 30m
  lease_duration:
    description: Seconds without a sign of life after which a holder counts as dead.
    type: int
    default: 30
  holder:
    description: Who runs it, for others to read. If not given, user and machine.
    type: str
    default: ""
  reason:
    description: Why, for the history.
    type: str
    default: ""
  istiod_access:
    description:
      - How each istiod is asked what the proxies have acknowledged, see M(corpv3.service_mesh.traffic_shift).
    type: str
    choices: [port_forward, pod_address]
    default: port_forward
  wait_timeout:
    description: How long proxies may take to acknowledge new routes.
    type: str
    default: 1m
  unproven_wait:
    description: How long is waited instead where istiod cannot be asked.
    type: str
    default: 5s
  progress_file:
    description: A file to which each line of progress is added. The action plugin of this name shows them at once.
    type: path
    default: ""
seealso:
  - module: corpv3.service_mesh.canary_info
  - module: corpv3.service_mesh.canary_analysis
  - module: corpv3.service_mesh.traffic_shift
"""

EXAMPLES = r"""
- name: Bring order-service 2.0.0 into production
  corpv3.service_mesh.canary:
    namespace: restaurant-management
    service: order-service
    image_tag: 2.0.0
    provider: {url: "http://prometheus.example.com:9090"}
    metrics:
      - name: request-success-rate
        threshold_range: {min: 99}
      - name: request-duration
        threshold_range: {max: 500}
        compare: {max_ratio: 2}

- name: Take it back, now
  corpv3.service_mesh.canary:
    namespace: restaurant-management
    service: order-service
    state: aborted
    reason: customers cannot pay

- name: Clean up after runs that nobody carries on
  corpv3.service_mesh.canary:
    namespace: restaurant-management
    state: reconciled
"""

RETURN = r"""
phase:
  description:
    - Where the run is. C(Succeeded) and C(Failed) are ends.
    - Empty where the service has never had a run.
  returned: always
  type: str
  sample: Succeeded
reason:
  description: Why it is there, in one sentence.
  returned: always
  type: str
  sample: request-success-rate is 51.2 % of 82 requests over 3 s, below 99 %
run_id:
  description: Name of the run.
  returned: there is a run
  type: str
  sample: 20260131-120000-4f1a
image:
  description: The canary's image.
  returned: there is a run
  type: str
stable_image:
  description: The stable side's image when the run started.
  returned: there is a run
  type: str
subsets:
  description: Which subset is which side.
  returned: there is a run
  type: dict
  sample: {stable: v1, canary: v2}
weights:
  description: Percentages of both sides.
  returned: there is a run
  type: dict
  sample: {stable: 75, canary: 25}
step:
  description: The step in force, counted from 1, out of how many, and its weight.
  returned: there is a run
  type: dict
  sample: {index: 3, total: 5, weight: 25}
gate:
  description: The gate at which the run waits.
  returned: there is a run
  type: str
started:
  description: When the run started.
  returned: there is a run
  type: str
deadline:
  description: When it has to have ended.
  returned: there is a run
  type: str
history:
  description: Each change of phase or step with its time, weight, reason and who made it.
  returned: there is a run
  type: list
  elements: dict
table:
  description: The run for people, line by line.
  returned: there is a run
  type: list
  elements: str
measurements:
  description: The last measurements, as M(corpv3.service_mesh.canary_analysis) returns them.
  returned: something was measured
  type: list
  elements: dict
rollback:
  description: When the way back was decided, when the weight was 0, and the seconds between.
  returned: the call took the run back
  type: dict
plan:
  description: What the run will do, line by line.
  returned: check mode
  type: list
  elements: str
services:
  description: Results by service, of O(state=reconciled) without a service.
  returned: O(state=reconciled) and no O(service)
  type: dict
"""

import signal
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils import _yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis import AnalysisFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_lease import LeaseHeld
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_machine import RequestRefused
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_objects import CanaryFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_options import options
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_plan import PlanFailure, describe_plan
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_requests import (
    Canary,
    Result,
    services_with_runs,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_state import (
    FAILED,
    ROLLING_BACK,
    StateFailure,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_table import report, stamp, table
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kubernetes import (
    Cluster,
    create_module,
    fail,
    public_arguments,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._objects import plain
from ansible_collections.corpv3.service_mesh.plugins.module_utils._traffic import TrafficFailure

# So many rounds of measurements are returned.
_SHOWN = 40

REFUSALS = (
    AnalysisFailure,
    ApiFailure,
    CanaryFailure,
    LeaseHeld,
    PlanFailure,
    RequestRefused,
    StateFailure,
    TrafficFailure,
)


class Progress:
    """Lines for the file that somebody reads along."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __call__(self, line: str) -> None:
        if self._path:
            with open(self._path, "a", encoding="utf-8") as file:
                file.write(f"{line}\n")


class Cancelled:
    """Whether the process was told to end. The run goes back then, instead of being left where it is."""

    def __init__(self) -> None:
        self._by = ""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, number: int, __: Any) -> None:
        self._by = signal.Signals(number).name

    def __call__(self) -> str:
        return f"the process was told to end ({self._by})" if self._by else ""


def planned(module: Any, canary: Canary) -> dict[str, Any]:
    """A check run: nothing is written, not even the lock."""
    params = module.params
    existing = canary.objects.state()
    if params["state"] != "progressed":
        active = existing is not None and not existing.final
        shown = {**report(existing), "table": table(existing)} if existing else {"phase": "", "reason": "no run"}
        return {**shown, "changed": active}
    state = canary.planned()
    if state is None:
        return {"changed": False, "phase": "", "reason": "the image is the stable one already", "plan": []}
    plan = describe_plan(state, params["min_ready"])
    if existing != state:
        canary.objects.write(existing, state, dry_run=True)
    end = (
        {state.stable.subset: 0, state.canary.subset: 100}
        if params["strategy"] != "split"
        else {
            state.stable.subset: 100 - state.steps[0].weight,
            state.canary.subset: state.steps[0].weight,
        }
    )
    before = {"image": state.stable.image, "weights": {state.stable.subset: 100, state.canary.subset: 0}}
    after = {"image": state.canary.image, "weights": end}
    return {
        **report(state),
        "changed": True,
        "plan": plan,
        "table": plan,
        "diff": {
            "before": _yaml.dump(before),
            "after": _yaml.dump(after) + "".join(f"# {line}\n" for line in plan),
        },
    }


def shown(result: Result) -> dict[str, Any]:
    """A result as return values."""
    if result.state is None:
        return {"changed": result.changed, "phase": "", "reason": result.note}
    values = {**report(result.state), "changed": result.changed, "table": table(result.state)}
    if result.note:
        values["reason"] = result.note
    if result.watch:
        values["measurements"] = [entry.report() for entry in result.watch.measurements[-_SHOWN:]]
    back = result.rollback
    if back and back.weight_zero_at:
        decided = back.decided_at or back.weight_zero_at
        values["rollback"] = {
            "decided_at": stamp(decided),
            "weight_zero_at": stamp(back.weight_zero_at),
            "seconds": round(back.weight_zero_at - decided, 3),
        }
    return values


def run(module: Any, cluster: Cluster, params: dict[str, Any]) -> dict[str, Any]:
    say, cancelled = Progress(params["progress_file"]), Cancelled()
    if params["state"] == "reconciled" and not params["service"]:
        return reconcile_all(module, cluster, params, say, cancelled)
    if not params["service"]:
        raise PlanFailure("service is missing: only state reconciled can do without.")
    canary = Canary(cluster, params, say, cancelled)
    if params["state"] in ("progressed", "resumed"):
        canary.check_options()
    if module.check_mode:
        return planned(module, canary)
    request = {
        "progressed": canary.progress,
        "paused": canary.pause,
        "resumed": canary.resume,
        "promoted": canary.promote,
        "aborted": canary.abort,
        "reconciled": canary.reconcile,
    }[params["state"]]
    return shown(request())


def reconcile_all(
    module: Any, cluster: Cluster, params: dict[str, Any], say: Progress, cancelled: Cancelled
) -> dict[str, Any]:
    results = {}
    for service, names in services_with_runs(cluster, params["namespace"]):
        canary = Canary(cluster, {**params, "service": service, "virtual_services": list(names)}, say, cancelled)
        results[service] = planned(module, canary) if module.check_mode else shown(canary.reconcile())
    lines = [line for result in results.values() for line in result.get("table", [])]
    return {
        "changed": any(result["changed"] for result in results.values()),
        "phase": "",
        "reason": f"{len(results)} runs looked at",
        "services": results,
        "table": lines or ["no run is under way"],
    }


def main() -> None:
    module = create_module(options())
    # Headers may hold credentials.
    invocation = public_arguments(module, "provider")
    params = plain({key: module.params[key] for key in options()})
    try:
        result = run(module, Cluster(module), params)
    except REFUSALS as error:
        fail(module, str(error), invocation=invocation)
    gone_wrong = result["phase"] in (FAILED, ROLLING_BACK) and params["state"] in ("progressed", "resumed", "promoted")
    if gone_wrong and not module.check_mode:
        message = f"canary of {params['service']} {result['image']} was taken back: {result['reason']}"
        fail(module, message, invocation=invocation, **result)
    module.exit_json(invocation=invocation, **result)


if __name__ == "__main__":
    main()
