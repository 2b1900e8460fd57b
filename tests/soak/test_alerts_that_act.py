"""An alert rolls its service's canary back, once, and nothing else does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ..integration.support.canary_lab import NAMESPACE, Call, Lab, success
from .alert_chain import Rulebook, alerting, alerts_of, rulebook
from .conftest import Report

# What it takes beside: `for`, rate()'s window, a playbook on a busy machine.
PATIENCE_SECONDS = 120
FAULTS: dict[str, dict[str, Any]] = {
    "HighErrorRate": {"error_rate": 0.5},
    "HighLatency": {"latency_ms": 1500},
    "CanaryAbandoned": {},
}
RUNS = 3


@pytest.fixture
def hook(lab: Lab, tmp_path: Path) -> Iterator[Rulebook]:
    with rulebook(lab, tmp_path) as found:
        yield found


def split(lab: Lab, service: str = "") -> None:
    """A canary with half of the traffic and no measurement."""
    call = lab.call(strategy="split", steps=[50], image_tag=lab.tag(), **({"service": service} if service else {}))
    assert call.wait() == 0, call.tail


def carried(lab: Lab) -> Call:
    """A canary with half of the traffic and a process, which finds no failure."""
    metrics = [success(threshold_range={"min": 1})]
    call = lab.call(steps=[50], step_duration="10m", image_tag=lab.tag(), metrics=metrics, min_share=0)
    lab.until("half of the traffic", lambda: lab.now().weights[lab.canary] == 50)
    return call


def rollbacks(lab: Lab) -> list[str]:
    """The reasons for which the newest run was rolled back."""
    return [event["reason"] for event in lab.now().state["history"] if event["phase"] == "RollingBack"]


def since(stamp: str) -> float:
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


def stamp(seconds_ago: float = 0) -> str:
    return (
        datetime.fromtimestamp(time.time() - seconds_ago, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def alert(name: str = "HighErrorRate", **changes: Any) -> dict[str, Any]:
    """As Alertmanager writes it, about order-service."""
    labels = {"destination_service_name": "order-service", "destination_service_namespace": NAMESPACE}
    given = changes.pop("labels", labels)
    return {
        "status": "firing",
        "labels": {"alertname": name, **given},
        "annotations": {},
        "startsAt": stamp(),
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": f"{name}{sorted(given.items())}",
        **changes,
    }


@pytest.mark.parametrize("run", range(RUNS))
@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("begin", [split, carried], ids=["split", "carried"])
def test_a_firing_alert_rolls_the_canary_back(
    lab: Lab, hook: Rulebook, report: Report, tmp_path: Path, name: str, begin: Any, run: int
) -> None:
    if name == "CanaryAbandoned" and begin is carried:
        pytest.skip("the run has a process")
    stable, canary = lab.stable, lab.canary
    begin(lab)
    with alerting(lab, hook, tmp_path, name) as alertmanager, lab.load(rate=40), lab.sightings() as sightings:
        if FAULTS[name]:
            lab.fault(service=lab.service, version=canary, **FAULTS[name])

        def back() -> float:
            return next((seen.at for seen in sightings.seen if seen.weights[canary] == 0), 0.0)

        moment = lab.until("the weight is 0", back, PATIENCE_SECONDS)
        firing = {found["labels"]["alertname"]: found for found in alerts_of(alertmanager)}
        # Reminders arrive meanwhile.
        lab.until("the run has ended", lambda: lab.now().state["phase"] == "Failed", PATIENCE_SECONDS)
        lab.until("the chat is notified", lambda: hook.chat.received, PATIENCE_SECONDS)
        lab.fault(clear=True)
        time.sleep(8)
    assert sightings.seen[-1].weights == {stable: 100, canary: 0}
    reasons = rollbacks(lab)
    assert len(reasons) == 1 and f"alert {name} fires since" in reasons[0], reasons
    assert len(hook.chat.received) == 1 and name in hook.chat.received[0], hook.chat.received
    begun = since(firing[name]["startsAt"])
    plays = hook.plays
    report(f"weight 0 {moment - begun:.1f} s after {name} began to fire; {plays} playbook(s); {hook.chat.received[0]}")
    assert moment - begun > 0


def test_several_alerts_and_reminders_roll_it_back_once(lab: Lab, hook: Rulebook, report: Report) -> None:
    split(lab)
    both = [alert("HighErrorRate"), alert("HighLatency")]
    for __ in range(3):
        assert hook.post(*both) == 200
    # Another Alertmanager's view of the same, and the end of it.
    assert hook.post(*({**found, "fingerprint": f"other {found['fingerprint']}"} for found in both)) == 200
    assert hook.post(*({**found, "status": "resolved"} for found in both)) == 200
    lab.until("four playbooks have run", lambda: hook.ended == 4, PATIENCE_SECONDS)
    assert lab.now().state["phase"] == "Failed", hook.text
    assert len(rollbacks(lab)) == 1 and len(hook.chat.received) == 1, hook.text
    # A run that began after the alert: its reminders are not about it.
    split(lab)
    hook.post(*({**found, "fingerprint": f"third {found['fingerprint']}"} for found in both))
    lab.until("six playbooks have run", lambda: hook.ended == 6, PATIENCE_SECONDS)
    assert lab.now().weights[lab.canary] == 50 and len(hook.chat.received) == 1, hook.text
    report(f"{hook.plays} playbooks, notified once: {hook.chat.received[0]}")


def test_what_is_not_about_it_does_nothing(lab: Lab, hook: Rulebook, tmp_path: Path) -> None:
    split(lab)
    full = f"order-service.{NAMESPACE}.svc.cluster.local"
    trap = tmp_path / "trap"
    evil = f"{{{{ lookup('ansible.builtin.pipe', 'touch {trap}') }}}}"
    mesh = {"destination_service_name": "order-service", "destination_service_namespace": NAMESPACE}

    assert hook.post(alert(), token="another") == 401
    assert hook.post(alert(), token="") == 401
    assert hook.post() == 200
    ignored = [
        alert(status="resolved"),
        alert("PodDown"),
        alert("HighCPUUsage", labels={"namespace": NAMESPACE, "container": "order-service"}),
        alert(labels={**mesh, "destination_service_name": evil}),
        alert(labels={**mesh, "destination_service_namespace": evil}),
        alert(labels={**mesh, "cluster": evil}),
        alert(labels={"destination_service": f"order-service.{evil}"}),
        alert("CanaryStuck" + evil, labels={"service": "order-service", "namespace": NAMESPACE}),
        alert(startsAt=evil),
    ]
    assert hook.post(*ignored) == 200
    asked = [
        alert(labels={**mesh, "destination_service_name": "menu-service"}),
        alert(labels={**mesh, "destination_service_name": "no-such-service"}),
        alert(labels={**mesh, "destination_service_namespace": "another"}),
        alert(labels={**mesh, "cluster": "another"}),
        alert(startsAt=stamp(seconds_ago=3600)),
        # Nothing of what people read is passed on.
        alert(
            "CanaryStuck", labels={"service": "menu-service", "namespace": NAMESPACE}, annotations={"description": evil}
        ),
    ]
    assert hook.post(*asked) == 200
    lab.until("they have been looked at", lambda: hook.ended == len(asked), PATIENCE_SECONDS)
    assert lab.now().weights[lab.canary] == 50 and not hook.chat.received, hook.text
    assert hook.text.count("Nothing was changed") == len(asked), hook.text
    assert not trap.exists(), "what an alert says was evaluated"

    # And the rulebook is still there for one that is, by its full name.
    assert hook.post(alert("HighLatency", labels={"destination_service": full})) == 200
    lab.until("it is rolled back", lambda: lab.now().weights[lab.canary] == 0, PATIENCE_SECONDS)
    lab.until("the chat is notified", lambda: hook.chat.received, PATIENCE_SECONDS)
