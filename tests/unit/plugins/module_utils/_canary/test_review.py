"""Each blocker and major of the canary's review that its state machine answers for, by name.

Whole calls are in test_rollback.py, the client is in test_canary_review_client.py.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary import observe
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.decide import at_once, decide
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.decision import (
    Autoscale,
    Return,
    Scale,
    SetImage,
    Wait,
    Write,
    effort_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.ends import rolled_back
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.plan import Gate, traffic
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.run_options import plan_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.transitions import (
    approved,
    paused,
    promotion_requested,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.lease import (
    identity,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.observe import Acknowledgements, Gates
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.aside import Aside
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.virtual_service import VirtualService

from ....support.canary_calls import until
from ....support.canary_cluster import SERVICE, params, virtual_service
from .core.test_decide import POLICY, World, a_run


def test_b1_nothing_is_retired_while_a_proxy_still_sends_to_it() -> None:
    world = World(a_run())
    world.run(until=lambda state: state.phase == Phase.PROMOTING)
    world.changes = {"acknowledged": False, "behind": "api-7f.shop has not accepted route", "waited": 900.0}
    world.now += 900
    decision = decide(world.seen(), POLICY)
    assert decision == Wait("proxies: api-7f.shop has not accepted route", world.state.deadline - world.now)
    world.now = world.state.deadline + 1
    world.run(until=lambda state: state.phase == Phase.ROLLING_BACK)
    assert world.pods == {"order-service": 4, "order-service-v2": 4}


def test_b1_a_rollback_keeps_the_canarys_pods_and_names_the_reason() -> None:
    world = World(a_run())
    world.run(until=lambda state: state.weight == 50)
    world.state = rolled_back(world.seen(), "me", "asked for")
    world.written_at = world.now
    world.changes = {"acknowledged": False, "behind": "api-7f.shop has not accepted route"}
    end = world.run()
    assert (end.phase, end.weight, world.pods["order-service-v2"]) == (Phase.ROLLING_BACK, 0, 2)
    decision = decide(world.seen(), POLICY)
    assert isinstance(decision, Return)
    assert "api-7f.shop has not accepted route" in decision.left
    assert "state=reconciled" in decision.left
    world.changes = {}
    assert world.run().phase == Phase.FAILED
    assert world.pods["order-service-v2"] == 0


def test_b1_the_drain_begins_with_the_last_acknowledgement() -> None:
    world = World(a_run())
    world.run(until=lambda state: state.phase == Phase.PROMOTING)
    world.now += 100
    world.changes = {"acknowledged_for": 1.0}
    decision = decide(world.seen(), POLICY)
    while isinstance(decision, Autoscale):
        world.act(decision)
        decision = decide(world.seen(), POLICY)
    assert decision == Wait("drain of the old version", POLICY.drain - 1, planned=True)


class Istiod:
    """As Propagation has it: answers, or does not, or time has passed instead."""

    def __init__(self) -> None:
        self.proxies, self.problem, self.behind, self.seconds = 3, "", list[str](), 0.0
        self.answer: Callable[[], bool] = lambda: True
        self.writes = 0

    def written(self, begun: float | None = None) -> None:
        self.writes += 1

    def acknowledged(self) -> bool:
        return self.answer()


def test_b1_the_silence_of_an_istiod_that_has_answered_in_this_run_proves_nothing() -> None:
    istiod = Istiod()
    istiod.proxies, istiod.problem = 0, "there is no pod of istiod"
    assert until(Acknowledgements(istiod, proven=False).observe) < 1  # type: ignore[arg-type]
    acks = Acknowledgements(istiod, proven=True)  # type: ignore[arg-type]
    for __ in range(10):
        assert not acks.observe()
    assert "there is no pod of istiod" in acks.behind
    istiod.proxies, istiod.problem = 3, ""
    until(acks.observe)


def test_b1_an_answer_from_before_the_write_does_not_count() -> None:
    istiod, asked = Istiod(), threading.Event()

    def slow() -> bool:
        asked.wait()
        return True

    istiod.answer = slow
    acks = Acknowledgements(istiod, proven=True)  # type: ignore[arg-type]
    assert not acks.observe()
    acks.written()
    istiod.answer = lambda: False
    asked.set()
    for __ in range(5):
        assert not acks.observe()
    assert istiod.writes == 1


def test_b2_traffic_that_no_stable_pod_can_take_stays() -> None:
    world = World(a_run(phase=Phase.ROLLING_BACK, step=2, weight=100, changed_at=1))
    world.image, world.pods = "order-service:2", {"order-service": 0, "order-service-v2": 4}
    world.changes = {"stable_gone": "Deployment shop/order-service is gone", "stable_ready": 0, "waited": 900.0}
    assert isinstance(decide(world.seen(), POLICY), Wait)
    world.now += 900
    decision = decide(world.seen(), POLICY)
    assert isinstance(decision, Return)
    assert "Deployment shop/order-service is gone" in decision.left


def test_b3_a_promotion_before_the_image_is_set_sets_it_first() -> None:
    world = World(a_run())
    world.image = "order-service:0"
    world.state = promotion_requested(world.state, 1, "me", "hurry")
    world.run()
    assert world.state.phase == Phase.SUCCEEDED
    assert world.image == "order-service:2"


@pytest.mark.parametrize("phase", [Phase.INITIALIZED, Phase.WAITING, Phase.PAUSED, Phase.PROMOTING])
def test_b3_a_changed_image_is_noticed_in_every_phase(phase: Phase) -> None:
    world = World(a_run(phase=phase, weight=100 if phase == Phase.PROMOTING else 0))
    world.pods["order-service-v2"] = 4
    world.image, world.image_given = "order-service:3", True
    decision = decide(world.seen(), POLICY)
    assert isinstance(decision, Write)
    assert decision.state.phase == Phase.ROLLING_BACK
    assert "was changed to order-service:3" in decision.state.reason


def test_m1_the_canary_grows_with_the_stable_side() -> None:
    world = World(a_run())
    world.run(until=lambda state: state.weight == 50)
    world.pods["order-service"] = 20
    world.run(until=lambda state: state.weight == 100)
    assert world.pods["order-service-v2"] == 20
    world.run(until=lambda state: state.phase == Phase.SUCCEEDED)
    assert world.pods["order-service-v2"] == 20


def test_m1_also_where_the_run_waits_at_a_gate() -> None:
    world = World(a_run(), replace(POLICY, gates=[Gate("promotion", "hold", timeout=3600)]))
    world.run(until=lambda state: state.phase == Phase.WAITING_PROMOTION)
    world.pods["order-service"] = 6
    assert decide(world.seen(), world.policy) == Scale("order-service-v2", 6)


def test_m1_the_autoscaler_follows_the_traffic_before_the_drain_and_comes_back() -> None:
    world = World(a_run(), replace(POLICY, drain=500))
    world.run(until=lambda state: state.phase == Phase.PROMOTING)
    assert world.target == "order-service"
    for __ in range(6):
        world.act(decide(world.seen(), world.policy))
    assert (world.target, world.pinned) == ("order-service-v2", True)
    world.state = rolled_back(world.seen(), "me", "asked for")
    world.act(decide(world.seen(), world.policy))
    assert (world.target, world.pinned) == ("order-service", False)


def test_m1_pods_that_were_asked_for_late_get_their_time() -> None:
    world = World(a_run())
    world.run(until=lambda state: state.weight == 50)
    world.now += 900
    world.changes = {"canary_ready": 2, "canary_wanted": 20, "stable_wanted": 20, "scaled_for": 5.0}
    decision = decide(world.seen(), world.policy)
    assert decision == Wait("pods of order-service-v2, 2 of 20 ready", POLICY.ready_timeout - 5)


@pytest.mark.parametrize(("gate", "phase"), [("increase", Phase.WAITING), ("promotion", Phase.WAITING_PROMOTION)])
def test_m4_the_end_of_a_pause_opens_no_gate(gate: str, phase: Phase) -> None:
    world = World(a_run(), replace(POLICY, gates=[Gate(gate, "hold", timeout=3600)]))
    state = world.run(until=lambda found: found.phase == phase)
    resumed = approved(paused(state, world.now, "me", "incident"), world.now, "me", "it has ended")
    assert (resumed.phase, resumed.gate, resumed.passed_gates) == (phase, state.gate, ())
    opened = approved(resumed, world.now, "boss", "looks good")
    assert (opened.phase, opened.gate, opened.passed_gates) == (Phase.PROGRESSING, "", (state.gate,))


@pytest.mark.parametrize("changes", [{"stable_image": "order-service:1.0.1"}, {"stable_template": "another"}])
@pytest.mark.parametrize("weight", [5, 50])
def test_m5_a_hotfix_of_the_stable_side_is_not_thrown_away(changes: dict[str, object], weight: int) -> None:
    world = World(a_run(stable_template="first"))
    world.run(until=lambda state: state.weight == weight)
    world.changes = changes
    decision = decide(world.seen(), POLICY)
    assert isinstance(decision, Write)
    assert (decision.state.phase, decision.state.weight) == (Phase.ROLLING_BACK, 0)
    assert "of Deployment order-service was changed" in decision.state.reason
    held = decide(world.seen(), replace(POLICY, on_stable_change="pause"))
    assert isinstance(held, Write)
    assert (held.state.phase, held.state.weight) == (Phase.PAUSED, weight)
    ignored = decide(world.seen(), replace(POLICY, on_stable_change="ignore"))
    assert isinstance(ignored, Write)
    assert (ignored.state.phase, ignored.state.weight) == (Phase.PROGRESSING, weight)
    world.state = ignored.state
    assert not isinstance(decide(world.seen(), POLICY), Write)


def test_m6_a_takeover_of_an_old_step_queries_the_proxies_first() -> None:
    """Taken over, or written once more after a gate: the step's age proves nothing about the proxies then."""
    world = World(a_run(phase=Phase.PROGRESSING, step=0, weight=5))
    world.now = world.state.step_at + 10 * POLICY.sync_timeout
    pods = {"canary_ready": 2, "canary_wanted": 2, "canary_image": world.state.canary.image, "autoscaler_settled": True}
    world.changes = {**pods, "acknowledged": False, "behind": "api-7f.shop has not accepted route", "waited": 1.0}
    assert decide(world.seen(), POLICY) == Wait("proxies", POLICY.sync_timeout - 1)
    world.changes |= {"waited": POLICY.sync_timeout + 1}
    decision = decide(world.seen(), POLICY)
    assert isinstance(decision, Write) and decision.state.phase == Phase.ROLLING_BACK
    assert "api-7f.shop has not accepted route" in decision.state.reason


def test_m7_a_question_that_hangs_holds_up_nothing() -> None:
    forever = threading.Event()
    question = Aside(lambda: forever.wait() or 1)
    begin = time.monotonic()
    for __ in range(3):
        assert question.answer(0, 0.01) is None
    assert time.monotonic() - begin < 0.5
    assert sum(thread.name.startswith("Thread") and thread.daemon for thread in threading.enumerate()) < 20
    forever.set()
    assert question.answer(0, 1) == 1


def test_m7_an_earlier_answer_does_not_count() -> None:
    answers = iter([1, 2])
    question = Aside(lambda: next(answers))
    question.begin()
    time.sleep(0.05)
    assert question.answer(time.monotonic(), 1) == 2


def test_m7_a_gate_that_hangs_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "_is_open", lambda __: time.sleep(5))
    gates = Gates([Gate("start", "url", "http://gate.example.com", 60)])
    begin = time.monotonic()
    for __ in range(5):
        assert gates.open(a_run(gate="start")) == frozenset()
    assert time.monotonic() - begin < 1


def test_m7_a_cancelled_run_rolls_back_without_a_measurement() -> None:
    world = World(a_run())
    world.run(until=lambda state: state.weight == 50)
    seen = replace(world.seen(), blind=True, cancelled="the process received SIGTERM")
    decision = at_once(seen, POLICY)
    assert isinstance(decision, Write)
    assert (decision.state.phase, decision.state.weight) == (Phase.ROLLING_BACK, 0)
    assert at_once(replace(seen, cancelled=""), POLICY) is None


@pytest.mark.parametrize("phase", [Phase.INITIALIZED, Phase.PROGRESSING, Phase.FINALISING, Phase.ROLLING_BACK])
def test_m9_no_phase_fights_another_controller_without_end(phase: Phase) -> None:
    world = World(
        a_run(phase=phase, step=0 if phase == Phase.PROGRESSING else -1, weight=5 if phase == Phase.PROGRESSING else 0)
    )
    world.pods["order-service-v2"], world.image = 1, "order-service:2"
    world.changes = {"autoscaler_settled": False, "canary_wanted": 1}
    tried: dict[str, int] = {}
    for __ in range(30):
        decision = decide(replace(world.seen(), tries=tried), POLICY)
        if not isinstance(decision, Autoscale):
            break
        tried["the HorizontalPodAutoscaler"] = tried.get("the HorizontalPodAutoscaler", 0) + 1
    assert len(tried) == 1
    if phase in (Phase.FINALISING, Phase.ROLLING_BACK):
        assert isinstance(decision, Return)
        assert "another controller undoes the change of" in decision.left
    else:
        assert isinstance(decision, Write)
        assert decision.state.phase == Phase.ROLLING_BACK


def test_m9_a_canary_that_grows_again_and_again_fights_with_no_other() -> None:
    world = World(a_run())
    world.run(until=lambda state: state.weight == 50)
    tried = {effort_of(Scale("order-service-v2", pods), world.state): 9 for pods in range(30)}
    world.pods["order-service"] = 80
    decision = decide(replace(world.seen(), tries=tried), POLICY)
    assert decision == Scale("order-service-v2", 40)


def test_m9_an_image_that_is_set_back_ends_the_run() -> None:
    world = World(a_run())
    world.image = "order-service:0"
    seen = replace(world.seen(), tries={"Deployment order-service-v2's image": 10})
    assert isinstance(decide(replace(seen, tries={}), POLICY), Autoscale | SetImage)
    world.pinned = True
    decision = decide(replace(world.seen(), tries=seen.tries), POLICY)
    assert isinstance(decision, Write)
    assert decision.state.phase == Phase.ROLLING_BACK


def test_m11_the_cookie_is_of_one_run() -> None:
    affinity = {"cookie_name": "corp", "max_age": 60}
    cookies = []
    for run in ("first", "second"):
        split = traffic(a_run(run=run, phase=Phase.PROGRESSING, step=0, weight=5, affinity=affinity), SERVICE)
        route = VirtualService(virtual_service(SERVICE)).shifted(split).obj["spec"]["http"]
        cookies.append(route[0]["match"][0]["headers"]["cookie"]["regex"])
        assert f"corp={run};" in route[2]["route"][1]["headers"]["response"]["add"]["Set-Cookie"]
    assert cookies[0] != cookies[1]


def test_m11_clients_that_stay_have_pods() -> None:
    given = {"cookie_name": "corp", "max_age": 60}
    assert [step.capacity for step in plan_of(params(steps=[5, 50], session_affinity=given))] == [100, 100]
    assert [step.capacity for step in plan_of(params(steps=[5, 50]))] == [5, 50]


def test_m12_two_processes_are_never_the_same() -> None:
    assert identity("me") != identity("me")
