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
  - docs/canary.md has every state and arrow.
  - docs/canary-operator.yml has the rights that are needed, docs/canary-proxies.yml those for the provider V(envoy).
    States V(progressed) and V(resumed) ask for them before anything is touched, and refuse with those that are missing.
  - istiod is asked what the proxies have accepted; O(istiod_access) says with which rights. Without them there is a
    warning, and O(unproven_wait) passes instead of proof.
extends_documentation_fragment:
  - corpv3.service_mesh._analysis
  - corpv3.service_mesh._attributes
  - corpv3.service_mesh._attributes.action_group
  - corpv3.service_mesh._canary
  - corpv3.service_mesh._istiod
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
    required: false
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

import contextlib
import signal
from collections.abc import Callable
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis import AnalysisFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_commands import RequestRefused
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_lease import LeaseHeld
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_objects import CanaryFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_options import options
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_plan import PlanFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_requests import (
    Canary,
    patiently,
    services_with_runs,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_result import ended, planned, together
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_rights import lacking_for_run
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary_state import (
    FAILED,
    ROLLING_BACK,
    StateFailure,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kubernetes import Cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._module import create_module, fail, public_arguments
from ansible_collections.corpv3.service_mesh.plugins.module_utils._objects import plain
from ansible_collections.corpv3.service_mesh.plugins.module_utils._traffic import TrafficFailure

FORBIDDEN = 403
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
        # At Ctrl-C Ansible removes the file before the run is back.
        with contextlib.suppress(FileNotFoundError):
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


def run(cluster: Cluster, params: dict[str, Any], check_mode: bool, warn: Callable[[str], None]) -> dict[str, Any]:
    say, cancelled = Progress(params["progress_file"]), Cancelled()
    if params["state"] == "reconciled" and not params["service"]:
        results = {}
        for service, names in services_with_runs(cluster, params["namespace"]):
            own = {**params, "service": service, "virtual_services": list(names)}
            canary = Canary(cluster, own, say, cancelled)
            results[service] = planned(canary, own) if check_mode else ended(patiently(canary.reconcile, say))
        return together(results)
    if not params["service"]:
        raise PlanFailure("service is missing: only state reconciled can do without.")
    canary = Canary(cluster, params, say, cancelled)
    if params["state"] in ("progressed", "resumed"):
        canary.check_options()
        if unproven := canary.check_rights():
            warn(f"{params['unproven_wait']} have to do instead of proof that the proxies have a change: {unproven}")
    if check_mode:
        return planned(canary, params)
    request = {
        "progressed": canary.progress,
        "paused": canary.pause,
        "resumed": canary.resume,
        "promoted": canary.promote,
        "aborted": canary.abort,
        "reconciled": canary.reconcile,
    }[params["state"]]
    return ended(patiently(request, say))


def main() -> None:
    module = create_module(options())
    # Headers may hold credentials.
    invocation = public_arguments(module, "provider")
    params = plain({key: module.params[key] for key in options()})
    try:
        cluster = Cluster(module, impatient=True)
        try:
            result = run(cluster, params, module.check_mode, module.warn)
        except ApiFailure as failure:
            lacking = lacking_for_run(cluster, params) if failure.status == FORBIDDEN else ""
            raise CanaryFailure("\n".join(filter(None, (str(failure), lacking)))) from failure
    except REFUSALS as error:
        fail(module, str(error), invocation=invocation)
    gone_wrong = result["phase"] in (FAILED, ROLLING_BACK) and params["state"] in ("progressed", "resumed", "promoted")
    if gone_wrong and not module.check_mode:
        message = f"canary of {params['service']} {result['image']} was taken back: {result['reason']}"
        fail(module, message, invocation=invocation, **result)
    module.exit_json(invocation=invocation, **result)


if __name__ == "__main__":
    main()
