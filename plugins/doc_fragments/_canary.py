# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This doc fragment is PRIVATE to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  state:
    description:
      - V(progressed) starts a run, or resumes the one of this image. Fails if the canary fails.
      - A run keeps the options by which it decides in its state, such as gates, metrics, limits, times and reactions. A
        call of V(progressed) with another value for any of them is refused, and the message has both values. All other
        states use the run's, regardless of the call's. The options for metrics (O(provider)) and for istiod are those
        of the call.
      - V(paused) holds the run. Its process continues to measure, and rolls back if the canary fails.
      - V(resumed) opens the gate at which the run waits, or ends a pause, and resumes an orphaned run.
      - V(promoted) skips the remaining steps. Pods must still become ready.
      - V(aborted) rolls back. This is always possible, also while another process runs the canary.
      - V(undone) returns to the version before the last run's promotion. All of its pods start, then all traffic moves
        to them at once, without measurements or gates. A second call changes nothing. Refused if the last run promoted
        nothing or is still in progress, or if another image has been deployed since.
      - V(reconciled) rolls back runs that are orphaned or past their deadline, and completes promotions and rollbacks
        that are already in progress.
      - V(detached) removes what O(target.way=copy) made and restores what it changed, except for the promoted pod
        template. Refused while a run is in progress or the copy has traffic. Then the last promotion can no longer be
        undone.
    type: str
    choices: [progressed, paused, resumed, promoted, aborted, undone, reconciled, detached]
    default: progressed
  scope:
    description: Whether V(progressed) returns at the end of the run, or after the next step.
    type: str
    choices: [run, step]
    default: run
  routes:
    description:
      - Names of the objects whose routes to the service are shifted together. The state on the first one counts.
      - By default the one with the service's name.
    type: list
    elements: str
    default: []
  route_kind:
    description:
      - Kind of O(routes). V(auto) takes the first kind that has an object of the first name, in the order of the
        choices.
      - V(HTTPRoute) and V(GRPCRoute) are routes of the Gateway API. Each version then has a Service of its own, whose
        name takes the place of the subset's. Every rule with both Services is shifted.
      - Session affinity is not available for them, and with several rules neither is V(ab).
    type: str
    choices: [auto, VirtualService, HTTPRoute, GRPCRoute]
    default: auto
  target:
    description: The Deployment that gets the new version, and where the new version is measured.
    type: dict
    suboptions:
      deployment:
        description:
          - Name of the Deployment. Required with V(copy). With V(slots), it must be one of the two.
          - A StatefulSet or a DaemonSet is refused.
        type: str
        default: ""
      way:
        description:
          - V(slots) uses two Deployments that exist and take turns.
          - V(copy) makes a copy of the Deployment, with C(-canary) after its name, from the live pod template, and a
            label with a value of its own. Subsets that are missing are added to the service's DestinationRule, which is
            made if there is none. A route to all pods of the Service names the subset then. A route of the Gateway API
            gets a Service for each side instead. O(state=detached) undoes all of it.
          - The label is one by which a subset selects the Deployment's pods, otherwise C(version),
            C(app.kubernetes.io/version) or C(service.istio.io/canonical-revision). The pods must have one of them.
          - docs/canary-copy.yml has the additional rights.
        type: str
        choices: [slots, copy]
        default: slots
      keep:
        description:
          - With V(copy), which Deployment has the service after a promotion.
          - V(original) gets the tested pod template, and the traffic as soon as its pods are ready. Then the copy is
            idle, with 0 pods, as after a rollback. O(state=detached) removes it.
          - With V(canary), the copy stays and the original is idle, with 0 pods. The next run takes the original.
        type: str
        choices: [original, canary]
        default: original
  patch:
    description:
      - What the pod template gets, as a strategic merge patch with C(metadata) (annotations, labels) and C(spec).
      - For example environment variables, arguments, resources or probes. The API server merges it, as for
        C(kubectl patch).
      - Only with O(target.way=copy). O(image) or O(image_tag) may be set as well.
    type: dict
    default: {}
  configuration:
    description:
      - ConfigMaps and Secrets of the Deployment that have another content for the new version.
      - Each becomes a new, immutable object, named by its content, and the pod template refers to that one. The object
        that the Deployment uses now is not changed. Only with O(target.way=copy).
      - O(state=detached) removes those that no Deployment refers to any more.
    type: list
    elements: dict
    default: []
    suboptions:
      kind:
        description: Kind of the object.
        type: str
        choices: [ConfigMap, Secret]
        required: true
      name:
        description: Name of the object that the Deployment uses, without the digits that an earlier canary added.
        type: str
        required: true
      data:
        description: Keys and their new texts. A key without a value is removed, other keys stay as they are.
        type: dict
        required: true
  image_tag:
    description: Tag, or digest such as C(sha256:...), of the new image in the repository of the present one.
    type: str
    default: ""
  image:
    description: The new image in full, instead of O(image_tag).
    type: str
    default: ""
  container:
    description: The container that gets the image. By default the one with the service's name, or the only one.
    type: str
    default: ""
  strategy:
    description:
      - V(weight) goes through O(steps).
      - V(ab) first sends the requests of O(match) to the new version, then all.
      - V(blue_green) starts all pods, then moves all traffic at once.
      - V(mirror) first sends copies of requests, then goes through O(steps).
      - V(split) sets the single weight of O(steps) and keeps it, without measurements.
    type: str
    choices: [weight, ab, blue_green, mirror, split]
    default: weight
  steps:
    description:
      - Percentages of the traffic, each more than the previous one.
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
    description:
      - Keep each client at the version that answered it first, by a cookie of this run. When a step gives the new
        version more traffic, only as many of the other clients move as the step's weight requires.
    type: dict
    suboptions:
      cookie_name:
        description: Name of the cookie.
        type: str
        required: true
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
  mirror_percentage:
    description: Percentage of requests that strategy V(mirror) copies.
    type: float
    default: 100
  step_duration:
    description: Minimum duration of a step. A step also lasts at least three scrapes of the counters.
    type: str
    default: 30s
  interval:
    description: Time between measurements.
    type: str
    default: 5s
  min_share:
    description:
      - Minimum share of traffic, as a fraction of its weight, below which the canary counts as hanging. Checked if
        there are enough requests. 0 disables it.
    type: float
    default: 0.3
  no_data_timeout:
    description:
      - How long a step may wait for evidence past its duration. By default, as long as O(deadline) leaves time for the
        remaining steps.
    type: str
    default: ""
  error_timeout:
    description:
      - How long measurements may fail before the run pauses. Until then the step continues. Failed measurements never
        cause a rollback.
    type: str
    default: 3m
  on_no_data:
    description: What to do if the canary had no requests.
    type: str
    choices: [pause, rollback]
    default: pause
  on_inconclusive:
    description: What to do if the requests neither confirm nor refute the canary.
    type: str
    choices: [pause, rollback]
    default: pause
  on_drift:
    description:
      - What to do if the split is changed by hand during the run. V(reassert) writes it again. V(fail) ends the run and
        leaves the traffic unchanged. Other edits of the object are always kept.
    type: str
    choices: [rollback, reassert, fail]
    default: rollback
  managed_by_others:
    description:
      - What to do at the start of a run if Argo CD, Flux, another Helm chart or an operator manages the
        VirtualServices or Deployments. Each of them overwrites weights, images and replicas, during a run or after it.
      - With V(accept), configure the tool yourself. docs/gitops.md has the fields that each tool must ignore.
      - An owner that reads these fields from the cluster before it writes is always accepted. Its objects have the
        annotation C(service-mesh.corpv3.com/keeps-canaries).
    type: str
    choices: [refuse, accept]
    default: refuse
    version_added: 0.1.0
  on_pause:
    description: Whether the call continues to watch a paused run, or returns.
    type: str
    choices: [watch, return]
    default: watch
  on_stable_change:
    description:
      - What to do if another image or pod template is deployed to the stable side during the run, such as a hotfix. The
        run was measured beside the old one, and its promotion would discard the new one.
      - V(pause) holds the run beside the changed stable side until O(state=resumed). At 100 % it rolls back.
        V(ignore) continues beside it.
    type: str
    choices: [rollback, pause, ignore]
    default: rollback
  deadline:
    description:
      - Maximum duration of a run, which must be longer than its steps together. A longer run is rolled back.
      - The deadline is suspended while the run is paused for lack of evidence, and extended by the step's duration when
        such a run is resumed.
    type: str
    default: 1h
  ready_timeout:
    description: How long pods may take to become ready, or to terminate.
    type: str
    default: 5m
  min_ready:
    description: Minimum number of ready pods of the canary. With 1, a restart of that pod ends the run.
    type: int
    default: 1
  drain:
    description: How long pods without traffic are kept for requests in progress.
    type: str
    default: 30s
  gates:
    description: Gates that must open before the run continues.
    type: list
    elements: dict
    default: []
    suboptions:
      at:
        description: Before the first step, each increase, the promotion, or the removal of the old version.
        type: str
        choices: [start, increase, promotion, end]
        required: true
      type:
        description:
          - V(url) must answer 200. V(hold) waits and continues to measure until another call with O(state=resumed).
          - V(return) ends the call with phase C(Waiting) or C(WaitingPromotion), for O(state=resumed) later.
        type: str
        choices: [hold, return, url]
        required: true
      url:
        description: For V(url).
        type: str
        default: ""
      timeout:
        description: The run is rolled back if the gate does not open in this time.
        type: str
        default: 30m
  lease_duration:
    description: Seconds without a renewal after which a holder counts as dead.
    type: int
    default: 30
  holder:
    description: Name of the caller, for other people. By default user and machine.
    type: str
    default: ""
  reason:
    description: The reason, for the history.
    type: str
    default: ""
  begun_before:
    description:
      - With V(aborted), roll back only a run that began before this moment. Otherwise nothing is changed, and the call
        succeeds. For reactions to an event of that time, such as an alert, since a later run is not its cause.
      - Unix time, or a time such as V(2026-01-31T12:00:00Z).
    type: str
    default: ""
  force:
    description:
      - With V(aborted), rolls back even if the state on the route is unreadable. All traffic goes to the
        subset of O(stable), and the annotation is replaced. By default, the subset is the one that the run's lock
        names, or the only one with ready pods.
      - With a readable state, it has no effect.
    type: bool
    default: false
  wait_timeout:
    description:
      - How long proxies may take to acknowledge new routes before the run is rolled back. No pod is removed before. A
        rollback that waits longer ends, reports the missing proxies, and leaves the rest to O(state=reconciled).
    type: str
    default: 1m
  unproven_wait:
    description: How long to wait instead if istiod cannot be queried.
    type: str
    default: 5s
  progress_file:
    description: A file to which lines of progress are appended. The action plugin of this module shows them at once,
      and sets O(progress_details) with C(-v).
    type: path
    default: ""
  progress_details:
    description:
      - Whether to log each metric, wait, image and number of pods. If not, only steps, changes of a step's verdict, and
        deviations from the plan are logged.
    type: bool
    default: true
  notice:
    description: A line of progress that is logged once, as soon as the canary gets traffic.
    type: str
    default: ""
"""
