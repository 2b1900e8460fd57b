# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run whose evidence decides neither way."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.analysis import Outcome
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.metric import ERROR, INCONCLUSIVE
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.decide import decide
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.decision import Wait
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.transitions import (
    approved,
    promotion_requested,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.service import CanaryService
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase

from ....support.canary_calls import NothingYet, Running
from ....support.canary_cluster import FakeCluster
from .core.test_decide import GOOD, POLICY, World, a_run


def test_too_little_traffic_waits_as_long_as_the_deadline_allows_and_never_rolls_back() -> None:
    doubt = Outcome(INCONCLUSIVE, "at this rate it takes about 300 more requests")
    world = World(a_run(deadline=200), replace(POLICY, no_data_timeout=None), outcome=lambda __: doubt)
    waits: list[Wait] = []
    while world.state.phase != Phase.PAUSED:
        decision = decide(world.seen(), world.policy)
        waits += [decision] if isinstance(decision, Wait) and decision.what == "evidence" else []
        world.act(decision)
    # Two steps of 10 s and a drain of 5 s are left.
    assert world.now == pytest.approx(175, abs=1.5)
    assert waits[0].left == pytest.approx(160, abs=4)
    assert "300 more requests" in waits[0].detail
    assert (world.state.weight, world.state.lacks_evidence) == (5, True)
    # No approval comes, and the deadline passes: the call ends, the run stays.
    assert world.run().phase == Phase.PAUSED
    assert world.now >= 200


def test_rare_scrapes_are_part_of_the_time_that_the_remaining_steps_need() -> None:
    """Of healthy runs at 5 requests a second and 30 s between scrapes, 2 % rolled back at their deadline otherwise."""
    doubt = Outcome(INCONCLUSIVE, "at this rate it takes about 300 more requests")
    world = World(a_run(deadline=600), replace(POLICY, no_data_timeout=None), outcome=lambda __: doubt)
    world.changes = {"scrape_interval": 30.0}
    last_moment = 0.0
    while world.state.phase != Phase.PAUSED:
        last_moment = world.now
        world.act(decide(world.seen(), world.policy))
    # Two steps of three scrapes and one for their verdict, and a drain of 5 s are left.
    assert world.now == pytest.approx(600 - 2 * 120 - 5, abs=1.5)
    # Evidence of the last moment is still in time.
    world = World(a_run(deadline=600), world.policy)
    world.changes = {"scrape_interval": 30.0}
    world.outcome = lambda state: doubt if state.step == 0 and world.now < last_moment - 1 else GOOD
    assert world.run().phase == Phase.SUCCEEDED


def test_who_resumes_a_step_gives_it_the_time_of_three_scrapes() -> None:
    doubt = Outcome(INCONCLUSIVE, "too few requests")
    world = World(a_run(deadline=600), replace(POLICY, on_pause="return"), outcome=lambda __: doubt)
    world.changes = {"scrape_interval": 30.0}
    held = world.run()
    left = held.deadline - held.changed_at
    resumed = approved(held, 5000, "me", "continue")
    assert held.deadline == 600 + 80
    assert resumed.deadline - 5000 == pytest.approx(left + 10)


def test_who_resumes_a_run_that_lacked_evidence_gives_it_time() -> None:
    doubt = Outcome(INCONCLUSIVE, "too few requests")
    world = World(a_run(deadline=200), replace(POLICY, on_pause="return"), outcome=lambda __: doubt)
    held = world.run()
    world.now = 5000
    world.state = approved(held, world.now, "me", "continue")
    assert not world.state.lacks_evidence
    assert world.state.deadline == pytest.approx(5000 + 200 - held.changed_at + 10)
    world.outcome = lambda __: GOOD
    assert world.run().phase == Phase.SUCCEEDED


def test_a_promotion_without_measurements_keeps_the_old_pods() -> None:
    blind = Outcome(ERROR, "Prometheus does not answer", blind=300)
    world = World(a_run(), outcome=lambda state: blind if state.phase == Phase.PROMOTING else GOOD)
    world.run(until=lambda state: state.phase == Phase.PROMOTING)
    world.run(until=lambda __: world.now > world.state.changed_at + 600)
    assert (world.state.phase, world.state.weight, world.pods["order-service"]) == (Phase.PROMOTING, 100, 4)
    wait = decide(world.seen(), POLICY)
    assert isinstance(wait, Wait)
    assert "a measurement of the new version at 100 %" in wait.what
    assert wait.detail == "Prometheus does not answer"
    world.outcome = lambda __: GOOD
    assert world.run().phase == Phase.SUCCEEDED


def test_a_promotion_without_measurements_ends_as_asked_or_rolls_back_at_its_deadline() -> None:
    blind = Outcome(ERROR, "Prometheus does not answer", blind=300)
    for asked, end in ((True, Phase.SUCCEEDED), (False, Phase.FAILED)):
        world = World(a_run(), outcome=lambda state: blind if state.phase == Phase.PROMOTING else GOOD)
        state = world.run(until=lambda state: state.phase == Phase.PROMOTING)
        if asked:
            world.state = promotion_requested(state, world.now, "me", "I know better")
            assert promotion_requested(world.state, world.now, "me", "again") == world.state
            assert world.state.changed_at == state.changed_at
        assert world.run(ticks=20000).phase == end


def test_m13_a_step_lasts_three_scrapes_at_least() -> None:
    world = World(a_run())
    world.changes = {"scrape_interval": 15.0}
    world.run(until=lambda state: state.step == 0)
    begin = world.state.step_at
    world.run(until=lambda state: state.step == 1)
    assert world.state.step_at - begin == pytest.approx(45, abs=1.5)


def test_m19_a_prometheus_that_is_away_holds_the_run_and_never_rolls_it_back() -> None:
    for blind, phase in ((170.0, Phase.PROGRESSING), (190.0, Phase.PAUSED)):
        broken = Outcome("error", "Prometheus does not answer", blind=blind)
        policy = replace(POLICY, no_data_timeout=None, on_pause="return")
        world = World(a_run(), policy, outcome=lambda __, broken=broken: broken)  # type: ignore[misc]
        world.run(until=lambda state: state.weight == 5)
        for __ in range(20):
            world.act(decide(world.seen(), world.policy))
        assert (world.state.phase, world.state.weight) == (phase, 5)
    assert "nothing could be measured for 190 s" in world.state.reason


def test_reconcile_leaves_a_run_that_lacks_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CanaryService, "_watch", lambda *__: NothingYet())
    cluster = FakeCluster()
    held = Running(cluster, no_data_timeout="100ms", deadline="4s", on_pause="return").wait().state
    assert held
    assert (held.phase, held.lacks_evidence) == (Phase.PAUSED, True)
    time.sleep(max(0.0, held.deadline - time.time()))
    assert "its deadline is suspended" in Running(cluster, "reconcile").wait().note
    assert cluster.state() == held
    assert cluster.weights() == {"v1": 75, "v2": 25}
