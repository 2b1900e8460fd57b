"""The canary's playbooks as an operator uses them: the plan, a run with a gate, its status, and what is refused."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pexpect
import pytest

from ..support.canary_lab import NAMESPACE, QUICK, Lab, success
from ..support.canary_rate import GENTLE
from ..support.canary_records import failed, read
from ..support.playbooks import RunPlaybook
from ..support.snapshots import Snapshot

SERVICE = "menu-service"
# Requests a second. Beside another lab, two slow cores do not carry more all the time.
RATE = 50
RUN = {"canary_service": SERVICE, "canary_image_tag": "2.0.0"}
# One run reports all problems at once.
WRONG: tuple[tuple[dict[str, Any], tuple[str, ...]], ...] = (
    (
        {
            "canary_service": "waiter",
            "canary_image_tag": "latest",
            "canary_steps": [50, 25],
            "canary_interval": "soon",
            "canary_strategy": "ab",
            "canary_session_affinity": {"cookie_name": "side"},
            "canary_gates": [{"at": "end", "type": "hold"}, {"at": "start", "type": "url"}],
            "canary_wave": "some",
        },
        (
            "canary_service is 'waiter', which is not one of",
            "canary_image_tag is 'latest'",
            "canary_steps has 25 after 50",
            "canary_interval is 'soon', which is not a valid time",
            "canary_strategy is ab, and canary_match selects no requests",
            "canary_session_affinity is set",
            "gate of type hold at end",
            "gate of type url at start with url",
            "canary_wave is 'some'",
            "Nothing was changed.",
        ),
    ),
    (
        {
            **RUN,
            "service_mesh_prometheus_url": "",
            "canary_gates": [{"at": "promotion", "type": "prompt"}],
            "canary_deadline": "10s",
        },
        (
            "canary_provider.url is",
            "canary_gates prompts at the terminal (prompt at promotion), but there is no terminal",
            "canary_deadline is 10s, and the steps alone take",
        ),
    ),
)


@pytest.fixture
def lab(whole_lab: Lab) -> Iterator[Lab]:
    menu = Lab(whole_lab.kubeconfig, whole_lab.folder, SERVICE)
    menu.settle()
    yield menu
    menu.settle()


@pytest.mark.parametrize(("variables", "words"), WRONG, ids=["run", "surroundings"])
def test_bad_input_is_reported_all_at_once(
    variables: dict[str, Any], words: tuple[str, ...], run_playbook: RunPlaybook
) -> None:
    run = run_playbook("canary.yml", variables=variables)
    assert run.rc != 0
    assert [word for word in words if word not in run.text] == [], run.stdout


def test_the_plan_changes_nothing(run_playbook: RunPlaybook, cluster_snapshot: Snapshot) -> None:
    before = cluster_snapshot()
    variables = {**RUN, **QUICK, "canary_image_tag": "9.9.9"}
    run = run_playbook("canary.yml", "--check", "--diff", variables=variables)
    assert run.rc == 0, run.stdout
    assert cluster_snapshot() == before
    assert run.changed == 1, run.stdout
    assert "step 1/1: weight 50 % for 1 s" in run.text, run.stdout
    assert "menu-service:9.9.9" in run.text, run.stdout


def test_a_run_waits_at_its_gate_until_another_user_opens_it(lab: Lab, run_playbook: RunPlaybook) -> None:
    stable, canary = lab.stable, lab.canary
    # Of its own, so that a lab can have the test again.
    wanted = {**RUN, **QUICK, "canary_image_tag": lab.tag()}
    gate = {"canary_gates": [{"at": "promotion", "type": "hold"}], "canary_holder": "alice"}
    gate["canary_steps"] = [30, 35, 40, 45, 50]
    with lab.load("/api/v1/menu", RATE):
        call = lab.playbook("canary.yml", **{**wanted, **gate})
        lab.until("the gate", lambda: lab.now().state.get("phase") == "WaitingPromotion")
        # What happens is shown while it happens.
        lab.until("the gate's line", lambda: "gate promotion waits for approval" in call.text, 5)
        # The gate is the run's: to resume without it is refused, and the approval need not name it.
        same_but = {**wanted, "canary_steps": gate["canary_steps"]}
        ungated = run_playbook("canary.yml", "--check", variables=same_but)
        assert ungated.rc != 0, ungated.stdout
        assert "this call has none" in ungated.text and "The variables are canary_gates." in ungated.text, (
            ungated.stdout
        )
        status = run_playbook("canary_status.yml", variables={"canary_service": SERVICE})
        assert status.rc == 0, status.stdout
        assert "alice (process" in status.text, status.stdout
        opened = run_playbook("canary_resume.yml", variables={**RUN, **QUICK, "canary_holder": "bob"})
        assert opened.rc == 0, opened.stdout
        assert call.wait() == 0, call.tail
    assert lab.now().weights == {stable: 0, canary: 100}
    assert "bob" in json.dumps(lab.now().state["history"])
    text = " ".join(call.text.split())
    for said in ("pass request-success-rate", "is the stable version now", "Succeeded after"):
        assert said in text, call.text
    # A line for each step, one for each change of its verdict, and Ansible's own; the gate has three more.
    assert len(call.text.splitlines()) <= 60, call.text
    assert "fail" not in call.text.partition("PLAY RECAP")[0].lower(), call.text
    again = run_playbook("canary.yml", variables=wanted)
    assert again.rc == 0, again.stdout
    assert again.changed == 0, again.stdout


def test_m18_a_promotion_is_undone_without_a_failed_request_and_only_once(lab: Lab, run_playbook: RunPlaybook) -> None:
    stable, canary = lab.stable, lab.canary
    undo = {"canary_service": SERVICE, "canary_drain": "3s", "canary_reason": "customers cannot pay"}
    with lab.load("/api/v1/menu", GENTLE) as load:
        before = lab.workloads()[lab.workload(stable)]
        promoted = lab.call(image_tag=lab.tag(), strategy="blue_green", metrics=[success()], drain="1s")
        assert promoted.wait() == 0, promoted.tail
        plan = run_playbook("canary_undo.yml", "--check", variables=undo)
        assert plan.rc == 0 and plan.changed == 1, plan.stdout
        assert "then all traffic to them at once, without steps and unmeasured" in plan.text, plan.stdout
        assert lab.now().weights == {stable: 0, canary: 100}
        begin = time.time()
        with lab.sightings() as sightings:
            undone = run_playbook("canary_undo.yml", variables=undo)
            assert undone.rc == 0 and undone.changed == 1, undone.stdout
        time.sleep(1)
    back = sightings.first({stable: 100, canary: 0}, begin)
    print(f"undo: all traffic back {back - begin:.1f} s after canary_undo.yml began")
    assert [sighting for sighting in sightings.seen if not sighting.agrees] == []
    assert lab.workloads()[lab.workload(stable)] == before
    lab.until("the bad version's pods are gone", lambda: not lab.pods(canary))
    assert "customers cannot pay" in json.dumps(lab.now().state["history"])
    for arguments in ([], ["--check"]):
        again = run_playbook("canary_undo.yml", *arguments, variables=undo)
        assert again.rc == 0 and again.changed == 0, again.stdout
        assert "is already undone" in again.text, again.stdout
    assert not failed(read(load.output))


def test_ctrl_c_rolls_the_canary_back(lab: Lab) -> None:
    stable, canary = lab.stable, lab.canary
    slow = {**QUICK, "canary_image_tag": lab.tag(), "canary_step_duration": "10m", "canary_deadline": "1h"}
    with lab.load("/api/v1/menu", RATE):
        terminal = lab.terminal("canary.yml", canary_service=SERVICE, **slow)
        terminal.expect("Ctrl-C rolls the canary back")
        assert lab.now().weights == {stable: 50, canary: 50}
        terminal.sendintr()
        terminal.expect("Another Ctrl-C ends the command at once")
        terminal.expect("RollingBack, 0 % to")
        terminal.expect(r"canary of menu-service .* was rolled back: the process received SIGINT")
        terminal.expect(pexpect.EOF)
        terminal.close()
        assert terminal.exitstatus == 99
        # ansible-playbook does not end before.
        assert lab.now().state["phase"] == "Failed"
    assert lab.now().weights == {stable: 100, canary: 0}
    assert "SIGINT" in json.dumps(lab.now().state["history"])


def test_a_job_that_is_killed_rolls_the_canary_back(lab: Lab) -> None:
    """As ansible-runner does it where AWX cancels one."""
    stable, canary = lab.stable, lab.canary
    slow = {**QUICK, "canary_image_tag": lab.tag(), "canary_step_duration": "10m", "canary_deadline": "1h"}
    with lab.load("/api/v1/menu", RATE):
        terminal = lab.terminal("canary.yml", canary_service=SERVICE, **slow)
        terminal.expect("Ctrl-C rolls the canary back")
        os.killpg(terminal.pid, signal.SIGKILL)
        lab.until("weight 0", lambda: lab.now().weights == {stable: 100, canary: 0}, 5)
        lab.until("the end", lambda: lab.now().state["phase"] == "Failed")
    assert "ansible-playbook is gone" in json.dumps(lab.now().state["history"])


def test_an_alert_rolls_back_only_a_run_that_began_before_it(lab: Lab, run_playbook: RunPlaybook) -> None:
    def alert(**changes: Any) -> str:
        """The playbook's message; it must not fail."""
        fired = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        fields = {"name": "HighErrorRate", "service": SERVICE, "namespace": NAMESPACE, "started": fired, **changes}
        run = run_playbook("canary_abort_on_alert.yml", variables={"canary_alert": fields, "canary_drain": "1s"})
        assert run.rc == 0, run.stdout
        return run.text

    # Of the run before this one 2.0.0 may be the stable version.
    run = {**RUN, **QUICK, "canary_image_tag": "3.0.0", "canary_strategy": "split", "canary_steps": [50]}
    split = run_playbook("canary.yml", variables=run)
    assert split.rc == 0, split.stdout
    hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="seconds")
    for words, said in (
        ("which is not before", alert(started=hour_ago)),
        ("no run is in progress", alert(service="no-such-service")),
        ("no run is in progress", alert(service="order-service")),
        ("the alert is of the namespace another", alert(namespace="another")),
        ("the alert is of the cluster another", alert(cluster="another")),
    ):
        assert words in said and "Nothing was changed" in said, said
    assert lab.now().weights[lab.canary] == 50
    full = f"{SERVICE}.{NAMESPACE}.svc.cluster.local"
    assert "the canary was rolled back, its image was" in alert(service=full)
    assert lab.now().weights[lab.canary] == 0
    assert "alert HighErrorRate fires since" in json.dumps(lab.now().state["history"])
    assert "no run is in progress" in alert()
