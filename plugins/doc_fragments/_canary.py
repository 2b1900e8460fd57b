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
  begun_before:
    description:
      - With V(aborted), only a run under way that began before this moment is taken back. Where there is none,
        nothing is done, which is no failure. For whoever acts on something that was seen then, such as an alert, since
        a run that began after it is not the cause.
      - Unix time, or as V(2026-01-31T12:00:00Z).
    type: str
    default: ""
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
  notice:
    description: A line of progress that is added once, as soon as the canary gets traffic.
    type: str
    default: ""
"""
