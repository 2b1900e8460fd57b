"""The canary's state machine in a world that does what the test sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.analysis import Outcome
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.metric import (
    FAIL,
    INCONCLUSIVE,
    NO_DATA,
    PASS,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.decide import decide
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.decision import (
    Abandon,
    Autoscale,
    Observation,
    Policy,
    Return,
    Scale,
    Scaler,
    SetImage,
    Wait,
    Write,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.ends import rolled_back, wanted_scaler
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.plan import Gate, steps_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import (
    RouteNames,
    Slot,
    State,
    dump,
    load,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.transitions import (
    approved,
    paused,
    promotion_requested,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase

POLICY = Policy(actor="test", drain=5, no_data_timeout=30, ready_timeout=60, sync_timeout=20)
GOOD = Outcome(PASS, "all metrics pass")
BAD = Outcome(FAIL, "request-success-rate is 50 %, below 99 %", final=True)


def a_run(strategy: str = "weight", **changes: object) -> State:
    match = {"headers": {"x-tester": {"exact": "yes"}}} if strategy == "ab" else {}
    steps = [10] if strategy == "split" else [5, 50, 100]
    state = State(
        run="r",
        service="order-service",
        where=RouteNames("VirtualService", ("order-service",)),
        phase=Phase.INITIALIZED,
        stable=Slot("v1", "order-service", "order-service:1"),
        canary=Slot("v2", "order-service-v2", "order-service:2"),
        steps=steps_of(strategy, [] if strategy in ("blue_green", "ab") else steps, 10, 100, match),
        started=0,
        deadline=3600,
        capacity=4,
        strategy=strategy,
        match=match,
    )
    return replace(state, **changes)  # type: ignore[arg-type]


class World:
    """Pods start, proxies acknowledge and measurements pass, each after a while."""

    def __init__(self, state: State, policy: Policy = POLICY, outcome: Callable[[State], Outcome] = lambda __: GOOD):
        self.state, self.policy, self.outcome = state, policy, outcome
        self.now = 1.0
        self.pods = {state.stable.workload: state.capacity, state.canary.workload: 0}
        self.image, self.pinned, self.target = "order-service:1", False, state.stable.workload
        self.image_given, self.stable_image = False, state.stable.image
        self.entered = 0
        self.written_at = -100.0
        self.log: list[State] = []
        self.changes: dict[str, object] = {}

    def seen(self) -> Observation:
        state, stable, canary = self.state, self.state.stable.workload, self.state.canary.workload
        acknowledged = self.now - self.written_at >= 2
        seen = Observation(
            now=self.now,
            state=state,
            acknowledged=acknowledged,
            waited=self.now - self.written_at,
            stable_ready=self.pods[stable],
            canary_ready=self.pods[canary],
            stable_wanted=self.pods[stable],
            canary_wanted=self.pods[canary],
            stable_pods=self.pods[stable],
            canary_pods=self.pods[canary],
            canary_rolled_out=True,
            canary_image=self.image,
            outcome=self.outcome(state) if state.gets_traffic else None,
            image_given=self.image_given,
            stable_image=self.stable_image,
            autoscaler_settled=Scaler(self.pinned, self.target) == wanted_scaler(state, acknowledged),
            autoscaler_released=not self.pinned,
            steps_entered=self.entered,
        )
        return replace(seen, **self.changes)  # type: ignore[arg-type]

    def run(self, until: Callable[[State], bool] = lambda __: False, ticks: int = 2000) -> State:
        for __ in range(ticks):
            if until(self.state):
                return self.state
            decision = decide(self.seen(), self.policy)
            self.check_sound()
            if isinstance(decision, Return):
                return self.state
            self.act(decision)
        raise AssertionError(f"no end: {self.state.phase}, {self.state.reason}, {decision}")

    def act(self, decision: object) -> None:
        self.now += 0.5
        if isinstance(decision, Write | Abandon):
            # The cluster stores text.
            new = load(dump(decision.state))
            if new.step != self.state.step:
                self.entered += 1
            if new.weight != self.state.weight:
                self.written_at = self.now
            self.state = new
            self.log.append(new)
        elif isinstance(decision, Scale):
            self.pods[decision.workload] = decision.replicas
        elif isinstance(decision, SetImage):
            assert self.state.weight == 0
            self.image, self.image_given = self.state.canary.image, True
        elif isinstance(decision, Autoscale):
            self.pinned, self.target = decision.pinned, decision.workload
        elif isinstance(decision, Wait):
            self.now += 1

    def check_sound(self) -> None:
        """A version with traffic has pods."""
        state = self.state
        if state.weight:
            assert self.pods[state.canary.workload] > 0
        if state.weight < 100:
            assert self.pods[state.stable.workload] > 0

    @property
    def path(self) -> list[tuple[str, int]]:
        return [(state.phase, state.weight) for state in self.log]


def test_a_healthy_run_goes_through_its_steps_and_retires_the_old_version() -> None:
    world = World(a_run())
    end = world.run()
    assert world.path == [
        (Phase.PROGRESSING, 5),
        (Phase.PROGRESSING, 50),
        (Phase.PROGRESSING, 100),
        (Phase.PROMOTING, 100),
        (Phase.FINALISING, 100),
        (Phase.SUCCEEDED, 100),
    ]
    assert world.pods == {"order-service": 0, "order-service-v2": 4}
    assert (world.pinned, world.target) == (False, "order-service-v2")
    assert len(end.history) == 6


def test_pods_are_there_before_their_traffic() -> None:
    world = World(a_run())
    world.run(until=lambda state: state.weight == 5)
    assert world.pods["order-service-v2"] == 1
    world.run(until=lambda state: state.weight == 50)
    assert world.pods["order-service-v2"] == 2
    world.run(until=lambda state: state.weight == 100)
    assert world.pods["order-service-v2"] == 4


@pytest.mark.parametrize("weight", [5, 50, 100])
def test_a_failing_step_rolls_everything_back_at_once(weight: int) -> None:
    world = World(a_run(), outcome=lambda state: BAD if state.weight == weight else GOOD)
    end = world.run()
    assert (end.phase, end.weight, end.reason) == (Phase.FAILED, 0, BAD.reason)
    assert world.path[-2:] == [(Phase.ROLLING_BACK, 0), (Phase.FAILED, 0)]
    assert world.log[-3].weight == weight
    assert world.pods == {"order-service": 4, "order-service-v2": 0}
    assert (world.pinned, world.target) == (False, "order-service")


def test_a_failure_while_the_old_version_drains_still_rolls_back() -> None:
    world = World(a_run(), outcome=lambda state: BAD if state.phase == Phase.PROMOTING else GOOD)
    assert world.run().phase == Phase.FAILED


@pytest.mark.parametrize("strategy", ["weight", "blue_green", "ab", "mirror"])
@pytest.mark.parametrize("bad", [False, True])
def test_a_takeover_ends_as_an_undisturbed_run_would(strategy: str, bad: bool) -> None:
    def outcome(state: State) -> Outcome:
        return BAD if bad and state.weight >= 50 else GOOD

    undisturbed = World(a_run(strategy), outcome=outcome)
    undisturbed.run()
    for kill in range(400):
        world = World(a_run(strategy), outcome=outcome)
        world.run(until=lambda __, kill=kill, world=world: world.now > 1 + kill * 0.5)  # type: ignore[misc]
        if world.state.final:
            break
        # Nothing but the cluster survives.
        successor = World(world.state, outcome=outcome)
        successor.now, successor.pods, successor.image = world.now + 40, world.pods, world.image
        successor.pinned, successor.target = world.pinned, world.target
        successor.run()
        assert successor.state.phase == undisturbed.state.phase
        assert successor.pods == undisturbed.pods
        assert successor.target == undisturbed.target
        assert not successor.pinned
    assert kill > 10


def test_without_evidence_there_is_no_promotion() -> None:
    nothing = Outcome(NO_DATA, "there was no request")
    world = World(a_run(), replace(POLICY, on_no_data="rollback"), outcome=lambda __: nothing)
    end = world.run()
    assert (end.phase, end.weight) == (Phase.FAILED, 0)
    assert "s after the step's duration: there was no request" in end.reason
    held = World(a_run(), replace(POLICY, on_pause="return"), outcome=lambda __: nothing).run()
    assert (held.phase, held.weight) == (Phase.PAUSED, 5)


def test_what_is_inconclusive_waits_for_an_approval() -> None:
    doubt = Outcome(INCONCLUSIVE, "one failure, which the limit allows")
    world = World(a_run(), replace(POLICY, on_pause="return"), outcome=lambda __: doubt)
    assert world.run().phase == Phase.PAUSED
    strict = World(a_run(), replace(POLICY, on_inconclusive="rollback"), outcome=lambda __: doubt)
    assert strict.run().phase == Phase.FAILED


def test_an_error_that_does_not_end_never_promotes() -> None:
    broken = Outcome("error", "Prometheus does not answer")
    # It is not a reason to roll back either.
    assert World(a_run(), replace(POLICY, on_pause="return"), outcome=lambda __: broken).run().phase == Phase.PAUSED


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"now": 4000.0}, "deadline"),
        ({"drift": "VirtualService was changed by hand"}, "changed by hand"),
        ({"cancelled": "the process received SIGTERM"}, "SIGTERM"),
        ({"canary_image": "order-service:3"}, "image of Deployment order-service-v2 was changed to order-service:3"),
        ({"canary_ready": 0}, "no longer has a ready pod"),
        (
            {"canary_ready": 0, "canary_problem": "order-service-v2-x: CrashLoopBackOff"},
            "no longer has a ready pod: order-service-v2-x: CrashLoopBackOff",
        ),
        ({"unsafe": "another VirtualService routes the same host"}, "another VirtualService"),
    ],
)
def test_trouble_rolls_the_run_back(changes: dict[str, object], reason: str) -> None:
    world = World(a_run())
    world.run(until=lambda state: state.weight == 5)
    decision = decide(replace(world.seen(), **changes), POLICY)  # type: ignore[arg-type]
    assert isinstance(decision, Write)
    assert (decision.state.phase, decision.state.weight) == (Phase.ROLLING_BACK, 0)
    assert reason in decision.state.reason


def test_drift_has_three_policies() -> None:
    world = World(a_run())
    world.run(until=lambda state: state.weight == 5)
    world.changes = {"drift": "weights are 80/20"}
    again = decide(world.seen(), replace(POLICY, on_drift="reassert"))
    assert isinstance(again, Write)
    assert again.state == world.state
    world.policy = replace(POLICY, on_drift="fail")
    end = world.run(until=lambda state: state.final)
    assert (end.phase, end.weight) == (Phase.FAILED, 5)
    assert not world.pinned


def test_proxies_that_never_acknowledge_roll_it_back() -> None:
    world = World(a_run())
    world.changes = {"acknowledged": False, "behind": "api-7f.shop has not accepted route"}
    end = world.run()
    assert (end.phase, end.weight) == (Phase.ROLLING_BACK, 0)
    assert "not every proxy has the routes of weight 5 % after 21 s: api-7f.shop has not accepted route" in end.reason
    world.changes = {}
    assert world.run().phase == Phase.FAILED


def test_pods_that_never_get_ready_roll_it_back() -> None:
    world = World(a_run())
    world.changes = {"canary_ready": 0, "canary_problem": "order-service-v2-x: container app waits: ImagePullBackOff"}
    end = world.run()
    assert end.phase == Phase.FAILED
    assert "0 of 1 pods of order-service-v2 are ready" in end.reason
    assert end.reason.endswith(" s: order-service-v2-x: container app waits: ImagePullBackOff")


def test_the_rollback_waits_for_a_stable_side_that_has_no_pods() -> None:
    world = World(a_run(phase=Phase.FINALISING, step=2, weight=100, changed_at=1))
    world.image, world.pods = "order-service:2", {"order-service": 0, "order-service-v2": 4}
    world.state = rolled_back(world.seen(), "me", "asked for")
    assert (world.state.phase, world.state.weight) == (Phase.ROLLING_BACK, 100)
    end = world.run()
    assert (end.phase, end.weight) == (Phase.FAILED, 0)
    assert world.pods == {"order-service": 4, "order-service-v2": 0}


def test_gates_hold_the_run_until_an_approval() -> None:
    gates = [Gate(at, "return", timeout=1800) for at in ("start", "increase", "promotion")]
    world = World(a_run(), replace(POLICY, gates=gates))
    waited = []
    for __ in range(10):
        state = world.run()
        if state.final:
            break
        waited.append((state.phase, state.gate, state.weight))
        world.state = approved(state, world.now, "boss", "looks good")
    assert waited == [
        (Phase.WAITING, "start", 0),
        (Phase.WAITING, "increase 2", 5),
        (Phase.WAITING, "increase 3", 50),
        (Phase.WAITING_PROMOTION, "promotion", 100),
    ]
    assert world.state.phase == Phase.SUCCEEDED


def test_a_gate_is_opened_by_its_url_or_not_at_all() -> None:
    policy = replace(POLICY, gates=[Gate("start", "url", "http://gate.example.com", 60)])
    world = World(a_run(), policy)
    assert world.run().reason == "gate start did not open within 60 s"
    world = World(a_run(), policy)
    world.changes = {"open_urls": frozenset({"http://gate.example.com"})}
    assert world.run().phase == Phase.SUCCEEDED


def test_the_last_gate_keeps_the_old_pods() -> None:
    policy = replace(POLICY, gates=[Gate("end", "url", "http://gate.example.com", 60)])
    world = World(a_run(), policy)
    world.run(until=lambda state: state.phase == Phase.ROLLING_BACK)
    assert world.pods["order-service"] == 4
    assert world.run().phase == Phase.FAILED


def test_a_paused_run_is_watched() -> None:
    world = World(a_run())
    state = world.run(until=lambda found: found.weight == 50)
    world.state = paused(state, world.now, "me", "lunch")
    assert isinstance(decide(world.seen(), POLICY), Wait)
    world.outcome = lambda __: BAD
    assert world.run().phase == Phase.FAILED


def test_a_pause_ends_where_it_began() -> None:
    world = World(a_run())
    state = world.run(until=lambda found: found.weight == 50)
    held = paused(state, world.now, "me", "lunch")
    assert paused(held, world.now, "me", "again") == held
    resumed = approved(held, world.now, "me", "back")
    assert (resumed.phase, resumed.step_at) == (Phase.PROGRESSING, state.step_at)
    world.state = resumed
    assert world.run().phase == Phase.SUCCEEDED


def test_a_promotion_asked_for_skips_steps_but_not_pods() -> None:
    world = World(a_run(), outcome=lambda __: Outcome(NO_DATA, "quiet"))
    state = world.run(until=lambda found: found.weight == 5)
    world.state = promotion_requested(state, world.now, "me", "I know better")
    world.run(until=lambda found: found.phase == Phase.PROMOTING)
    assert world.pods["order-service-v2"] == 4
    world.run()
    assert world.state.phase == Phase.SUCCEEDED


def test_a_split_stays_as_it_is() -> None:
    world = World(a_run("split"))
    end = world.run()
    assert (end.phase, end.weight) == (Phase.PAUSED, 10)


def test_one_step_a_call() -> None:
    world = World(a_run(), replace(POLICY, one_step=True))
    ends = []
    for __ in range(4):
        world.entered = 0
        ends.append((world.run().phase, world.state.weight))
    assert ends == [(Phase.PROGRESSING, 5), (Phase.PROGRESSING, 50), (Phase.PROGRESSING, 100), (Phase.SUCCEEDED, 100)]
