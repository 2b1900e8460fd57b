#!/usr/bin/python
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: canary
short_description: Roll out a new version of a service in steps, or roll it back
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Runs a canary without a controller in the cluster. The new image starts in the subset that has no traffic. The
    traffic moves to it in steps, and each step is measured. A failed step rolls everything back at once.
  - The state of the run is stored on the route's object, in the same request as the weights, so the two cannot
    disagree. The next call of the module resumes the run.
  - A Lease prevents two callers at a time. The module renews it while it runs, which distinguishes a live caller from a
    dead one.
  - The Deployment of each subset is found by its labels. At the end, the old version's is scaled to 0, or the new one's
    after a failure. Nothing is deployed twice.
  - With O(target.way=copy), one Deployment is enough, and any part of its pod template can be the change.
notes:
  - There is no controller. A run only advances while a process is running. Run O(state=reconciled) on a schedule.
  - docs/canary.md has every state and transition.
  - docs/canary-operator.yml has the required rights, docs/canary-proxies.yml those for provider V(envoy), and
    docs/canary-copy.yml those for O(target.way=copy). States V(progressed), V(resumed), V(undone) and V(detached) check
    them before anything is changed, and fail with the missing ones.
  - The module queries istiod for the routes that the proxies have accepted. O(istiod_access) has the required rights.
    Without them there is a warning, and a wait of O(unproven_wait) replaces proof.
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
    details: Returns the plan. The first write is a dry run of the API server.
  diff_mode:
    support: full
  idempotent:
    support: full
    details: There is no run for an image, a patch or a configuration that the stable side already has.
options:
  service:
    description:
      - The service's name.
      - Optional with O(state=reconciled), which then reconciles every run of O(namespace).
    type: str
    required: false
    default: ""
seealso:
  - module: corpv3.service_mesh.canary_info
  - module: corpv3.service_mesh.canary_analysis
  - module: corpv3.service_mesh.traffic_shift
"""

EXAMPLES = r"""
- name: Roll out order-service 2.0.0
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
        compare: {max_delta: 0.5}

- name: Roll it back
  corpv3.service_mesh.canary:
    namespace: restaurant-management
    service: order-service
    state: aborted
    reason: customers cannot pay

- name: Return to the version before the last promotion, at once
  corpv3.service_mesh.canary:
    namespace: restaurant-management
    service: order-service
    state: undone

- name: Try another log level of reviews-v1 in a copy of it
  corpv3.service_mesh.canary:
    namespace: bookinfo
    service: reviews
    target: {deployment: reviews-v1, way: copy}
    patch:
      spec:
        containers:
          - name: reviews
            env: [{name: LOG_LEVEL, value: debug}]
    provider: {url: "http://prometheus.example.com:9090"}
    metrics:
      - name: request-success-rate
        threshold_range: {min: 99}

- name: Leave reviews as it was found, with the promoted version
  corpv3.service_mesh.canary:
    namespace: bookinfo
    service: reviews
    state: detached

- name: Roll back or complete orphaned runs
  corpv3.service_mesh.canary:
    namespace: restaurant-management
    state: reconciled
"""

RETURN = r"""
phase:
  description:
    - The phase of the run. It ends in C(Succeeded) or C(Failed).
    - Empty if the service has never had a run.
  returned: always
  type: str
  sample: Succeeded
outcome:
  description: The phase in words, with C(Rolled back) or C(Given up) instead of C(Failed).
  returned: there is a run
  type: str
  sample: Rolled back
reason:
  description: The reason for the phase, in one sentence.
  returned: always
  type: str
  sample: request-success-rate is 51.2 % of 82 requests, below 99 %; chance does that once in 10^31 runs
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
  description: The stable side's image at the start of the run.
  returned: there is a run
  type: str
subsets:
  description: The subset of each side.
  returned: there is a run
  type: dict
  sample: {stable: v1, canary: v2}
weights:
  description: The weight of each side, in percent.
  returned: there is a run
  type: dict
  sample: {stable: 75, canary: 25}
step:
  description: The current step, counted from 1, the number of steps, and its weight.
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
  description: When the run must have ended.
  returned: there is a run
  type: str
history:
  description: Each change of phase or step with its time, weight, reason and actor.
  returned: there is a run
  type: list
  elements: dict
summary:
  description: The end or the present state of each run, one line for each.
  returned: not in check mode
  type: list
  elements: str
table:
  description: The run in words, one line for each change.
  returned: there is a run
  type: list
  elements: str
measurements:
  description: The last measurements, as M(corpv3.service_mesh.canary_analysis) returns them.
  returned: something was measured
  type: list
  elements: dict
rollback:
  description: When the rollback was decided, when the weight was 0, and the seconds between.
  returned: the call rolled the run back
  type: dict
plan:
  description: The plan of the run, line by line.
  returned: check mode
  type: list
  elements: str
differs:
  description: Options in which the call differs from the run in progress.
  returned: the call was refused for that reason
  type: list
  elements: str
  sample: [gates, metrics]
services:
  description: Results by service, of O(state=reconciled) without a service.
  returned: O(state=reconciled) and no O(service)
  type: dict
"""

import contextlib
import time
from collections.abc import Callable
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.plan import PlanFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.detach import Detachable
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.failures import CanaryFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.options import interval_of, options
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.reconcile import (
    Reconcilable,
    ReconcileFailure,
    reconcile,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.result import (
    ended,
    planned,
    planned_all,
    together,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.retries import explained, with_retries
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common import termination
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.module import create_module, run_module
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import plain
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.cluster import ends_early

FORBIDDEN = 403


class Progress:
    """Appends lines of progress to a file that the action plugin follows."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __call__(self, line: str) -> None:
        # On Ctrl-C, Ansible removes the file before the rollback is complete.
        with contextlib.suppress(FileNotFoundError):
            if self._path:
                with open(self._path, "a", encoding="utf-8") as file:
                    file.write(f"{line}\n")


def answer(cluster: Cluster, params: dict[str, Any], check_mode: bool, warn: Callable[[str], None]) -> dict[str, Any]:
    log, cancelled = Progress(params["progress_file"]), termination.reason
    # On a signal the run rolls back, instead of being orphaned.
    termination.note_signals()
    if params["state"] == "reconciled" and not params["service"]:
        if check_mode:
            return together(planned_all(cluster, params, log, cancelled))
        return together(
            {service: ended(found) for service, found in reconcile(cluster, params, log, cancelled).items()}
        )
    if not params["service"]:
        raise PlanFailure("service is missing: only state=reconciled does not need it.")
    canary = Detachable(cluster, params, log, cancelled)
    if params["state"] in ("progressed", "resumed"):
        canary.check_options()
        deadline = time.time() + interval_of(params, "deadline")
        if cluster.token_is_fixed and (early := ends_early(cluster.token, deadline)):
            warn(early)
    asks_first = params["state"] in ("progressed", "resumed", "undone", "detached")
    if asks_first and (unproven := canary.check_rights()):
        warn(f"a wait of {params['unproven_wait']} replaces proof that the proxies have a change: {unproven}")
    if check_mode:
        return planned(canary, params)
    request = {
        "progressed": canary.progress,
        "paused": canary.pause,
        "resumed": canary.resume,
        "promoted": canary.promote,
        "aborted": canary.abort,
        "undone": canary.undo,
        "reconciled": canary.reconcile,
        "detached": canary.detach,
    }[params["state"]]
    return ended(with_retries(request, log))


def run(module: Any) -> dict[str, Any]:
    params = plain({key: module.params[key] for key in options()})
    cluster = Cluster(module, impatient=True)
    try:
        result = answer(cluster, params, module.check_mode, module.warn)
    except ApiFailure as failure:
        canary = Reconcilable(cluster, params, Progress(""), termination.reason)
        lacking = canary.lacking_rights() if failure.status == FORBIDDEN else ""
        raise CanaryFailure("\n".join(filter(None, (explained(failure), lacking)))) from failure
    except ReconcileFailure as error:
        values = together({service: ended(found) for service, found in error.results.items()})
        raise MeshError(f"these runs could not be reconciled, all others were:\n{error}", **values) from error
    forward = params["state"] in ("progressed", "resumed", "promoted", "undone")
    if forward and result["phase"] in (Phase.FAILED, Phase.ROLLING_BACK) and not module.check_mode:
        what = "the undo to" if params["state"] == "undone" else "canary of"
        message = f"{what} {params['service']} {result['image']} was rolled back: {result['reason']}"
        raise MeshError(message, **result)
    return result


def main() -> None:
    # Headers may hold credentials, and so may the content of a Secret.
    run_module(create_module(options()), run, "provider", "configuration")


if __name__ == "__main__":
    main()
