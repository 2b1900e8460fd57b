"""However ansible-playbook ends, at each phase: it rolls the traffic back, or the next canary_reconcile.yml does.

What the user sees last says which of the two, and what to type.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pexpect
import pytest
from kubernetes import client

from ..integration.support.canary_lab import ENVIRONMENT, NAMESPACE, QUICK, ROOT, Lab
from ..integration.support.canary_records import failed, read
from .conftest import Report

# Ansible's own word for Ctrl-C comes after all of ours.
_ANSIBLES = re.compile(r"\[ERROR\]: User interrupted execution|^(\^C)?$")


# The session's leader is a shell, as at a user's terminal: the kernel hangs up a terminal whose leader ends, and the
# worker that outlives ansible-playbook could not write there.
_PROMPT = "user@terminal> "
# Longer than the orphaned worker writes nothing before its last line.
_QUIET_SECONDS = 6.0


class Terminal:
    """canary.yml in a shell at a terminal that is read continuously: a terminal without a reader stops Ansible."""

    def __init__(self, lab: Lab, **variables: Any) -> None:
        command = shlex.join(lab.command("canary.yml", variables))
        environment = {**os.environ, **ENVIRONMENT, "PS1": _PROMPT, "PLAYBOOK": command}
        shell = ["--norc", "--noprofile", "--noediting", "-i"]
        size = (50, 500)
        self._process = pexpect.spawn("bash", shell, 180, cwd=ROOT, env=environment, encoding="utf-8", dimensions=size)
        self._process.expect_exact(_PROMPT)
        self._process.sendline('eval "$PLAYBOOK"')
        self.text = ""
        self._read_at = time.monotonic()
        self._closed = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while not self._closed:
            try:
                self.text += self._process.read_nonblocking(65536, timeout=0.2)
                self._read_at = time.monotonic()
            except pexpect.TIMEOUT:
                continue
            except (pexpect.EOF, OSError, ValueError):
                return

    @functools.cached_property
    def ansible(self) -> int:
        return _children(int(self._process.pid))[0]

    def press_ctrl_c(self) -> None:
        self._process.sendintr()

    def close(self) -> None:
        self._closed = True
        self._reader.join()
        self._process.close()

    def lines(self) -> list[str]:
        """All that it has shown, once no process writes to it any more."""
        # The command shows a rollback to its end, and some runs drain for two minutes.
        deadline = time.monotonic() + 240
        while _PROMPT not in self.text or time.monotonic() < self._read_at + _QUIET_SECONDS:
            assert time.monotonic() < deadline, self.text[-2000:]
            time.sleep(0.1)
        text = self.text
        self._process.sendline("exit")
        self._reader.join(60)
        found = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in text.replace(_PROMPT, "").splitlines()]
        return [line for line in found if not _ANSIBLES.search(line)]


# How it ends


def ctrl_c(terminal: Terminal) -> None:
    terminal.press_ctrl_c()


def ctrl_c_twice(terminal: Terminal) -> None:
    terminal.press_ctrl_c()
    time.sleep(1)
    terminal.press_ctrl_c()


def closed_terminal(terminal: Terminal) -> None:
    terminal.close()


def terminated(terminal: Terminal) -> None:
    os.kill(terminal.ansible, signal.SIGTERM)


def cancelled_job(terminal: Terminal) -> None:
    """As ansible-runner does it, and with it AWX; the kernel, where memory is short, kills the first of them."""
    os.killpg(terminal.ansible, signal.SIGKILL)


def cancelled_workflow(terminal: Terminal) -> None:
    """As GitHub's runner does it, with its times."""
    for number, seconds in ((signal.SIGINT, 7.5), (signal.SIGTERM, 2.5), (signal.SIGKILL, 0.0)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(terminal.ansible, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and os.path.exists(f"/proc/{terminal.ansible}/exe"):
            time.sleep(0.1)


def all_killed(terminal: Terminal) -> None:
    """The machine, the container, or all of its processes at once: no process is left that could roll back."""
    children = _descendants(terminal.ansible)
    for pid in (terminal.ansible, *children):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(number) for number in file.read().split()]
    return []


def _descendants(pid: int) -> list[int]:
    return [found for child in _children(pid) for found in (child, *_descendants(child))]


ENDS = (ctrl_c, ctrl_c_twice, closed_terminal, terminated, cancelled_job, cancelled_workflow)

# Where it is then


@contextlib.contextmanager
def as_it_is(lab: Lab) -> Iterator[None]:
    yield


@contextlib.contextmanager
def pods_that_do_not_start(lab: Lab) -> Iterator[None]:
    lab.fault(service=lab.service, version=lab.canary, slow_start_seconds=600)
    try:
        yield
    finally:
        lab.fault(clear=True)


@contextlib.contextmanager
def old_pods_that_do_not_go(lab: Lab) -> Iterator[None]:
    pods = [pod.metadata.name for pod in lab.pods(lab.stable)]

    # An empty list would be merged with the present one; null removes it.
    def finalizers(names: list[str] | None) -> None:
        for pod in pods:
            with contextlib.suppress(client.ApiException):
                lab.core.patch_namespaced_pod(pod, NAMESPACE, {"metadata": {"finalizers": names}})

    finalizers(["test.corpv3.com/stays"])
    try:
        yield
    finally:
        finalizers(None)


def nothing(lab: Lab) -> None:
    pass


def pause(lab: Lab) -> None:
    assert lab.call("paused").wait() == 0


def abort(lab: Lab) -> None:
    """By another process, which does not live to complete it."""
    call = lab.call("aborted", drain="2m")
    lab.until("the rollback", lambda: lab.now().state.get("phase") == "RollingBack")
    call.kill()


@dataclass(frozen=True)
class Place:
    """What keeps a run in a phase, and what brings it there. traffic: whether the canary gets any."""

    variables: dict[str, Any]
    kept: Callable[[Lab], contextlib.AbstractContextManager[None]] = as_it_is
    brought: Callable[[Lab], None] = nothing
    traffic: bool = True


STEP: dict[str, Any] = {"canary_steps": [50], "canary_step_duration": "10m"}
PHASES = {
    "Initialized": Place({}, kept=pods_that_do_not_start, traffic=False),
    "Waiting": Place({"canary_gates": [{"at": "start", "type": "hold"}]}, traffic=False),
    "Progressing": Place(STEP),
    "Paused": Place(STEP, brought=pause),
    "WaitingPromotion": Place({"canary_gates": [{"at": "promotion", "type": "hold"}]}),
    "Promoting": Place({"canary_drain": "2m"}),
    "Finalising": Place({}, kept=old_pods_that_do_not_go),
    "RollingBack": Place({**STEP, "canary_drain": "2m"}, brought=abort, traffic=False),
}


@contextlib.contextmanager
def at(lab: Lab, phase: str) -> Iterator[Terminal]:
    place = PHASES[phase]
    variables = {**QUICK, "canary_service": lab.service, "canary_deadline": "1h", **place.variables}
    with place.kept(lab):
        terminal = Terminal(lab, **variables, canary_image_tag=lab.tag())
        if place.brought is not nothing:
            lab.until("the step", lambda: lab.now().state.get("phase") == "Progressing")
            time.sleep(1)
            place.brought(lab)
        lab.until(phase, lambda: lab.now().state.get("phase") == phase)
        yield terminal


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
@pytest.mark.parametrize("phase", PHASES)
def test_it_rolls_back_by_itself(lab: Lab, report: Report, phase: str, end: Any) -> None:
    stable, canary = lab.stable, lab.canary
    with lab.load() as load, lab.sightings() as sightings:
        with at(lab, phase) as terminal:
            begin = time.time()
            end(terminal)
            if phase != "Finalising":
                lab.until("the rollback", lambda: lab.now().state["phase"] in ("RollingBack", "Failed"), 10)
                assert lab.now().weights == {stable: 100, canary: 0}
        if phase == "Finalising":
            lab.until("the end", lambda: lab.now().state["phase"] == "Succeeded")
        elif phase not in ("Promoting", "RollingBack"):
            lab.until("the end", lambda: lab.now().state["phase"] == "Failed")
        lines = [] if end is closed_terminal else terminal.lines()
    if PHASES[phase].traffic and phase != "Finalising":
        zero = sightings.first({stable: 100, canary: 0}, begin)
        report(f"weight 0 after {zero - begin:.2f} s")
    assert [sighting for sighting in sightings.seen if not sighting.agrees] == []
    assert not failed(read(load.output))
    if lines:
        report(f"last line: {lines[-1]}")
        kinds = (
            "The stable version has all traffic, and nothing is left to do.",
            "The new version has all traffic, and nothing is left to do.",
            "The rest continues in the background: canary_status.yml -e canary_service=order-service shows it.",
        )
        assert lines[-1].startswith(kinds), "\n".join(lines[-20:])
        assert "canary_abort.yml" in lines[-1] or "nothing is left to do" in lines[-1]


@pytest.mark.parametrize("phase", PHASES)
def test_a_run_without_any_process_is_rolled_back_by_the_next_reconcile(lab: Lab, report: Report, phase: str) -> None:
    """Also what was decided already, a promotion, it brings to its end."""
    stable, canary = lab.stable, lab.canary
    with lab.load() as load, lab.sightings() as sightings:
        with at(lab, phase) as terminal:
            if PHASES[phase].traffic:
                # Every run reports this as soon as the canary gets traffic: later no process can.
                lab.until(
                    "the notice", lambda: "canary_reconcile.yml rolls it back on its schedule" in terminal.text, 5
                )
            all_killed(terminal)
            before = lab.now()
            time.sleep(1)
            assert lab.now().weights == before.weights
            begin = time.time()
            reconcile = lab.playbook("canary_reconcile.yml", canary_drain="1s")
            if phase not in ("Promoting", "Finalising"):
                lab.until("weight 0", lambda: lab.now().weights == {stable: 100, canary: 0})
        assert reconcile.wait() == 0, reconcile.tail
    if PHASES[phase].traffic and phase not in ("Promoting", "Finalising"):
        zero = sightings.first({stable: 100, canary: 0}, begin)
        report(f"weight 0 {zero - begin:.2f} s after canary_reconcile.yml was started")
    end = "Succeeded" if phase in ("Promoting", "Finalising") else "Failed"
    assert lab.now().state["phase"] == end
    assert [sighting for sighting in sightings.seen if not sighting.agrees] == []
    assert not failed(read(load.output))
