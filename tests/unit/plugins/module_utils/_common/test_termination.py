"""However ansible-playbook ends, a canary inside its worker gets notice, and the time to roll back.

A stand-in for the module waits for the notice, and rolls back then; all else is the real thing.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ansible_runner
import pexpect
import pytest

ROOT = Path(__file__).resolve().parents[5]
ANSIBLE_PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))
# Seconds within which the rollback must begin.
AT_ONCE = 2.0
ACTION = """
import os
import time
from types import SimpleNamespace

from ansible_collections.corpv3.service_mesh.plugins.action.canary import ActionModule as Canary
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube import module as kube_module
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common import termination

OPTIONS = {
    **{name: {} for name in ("service", "progress_file", "events")},
    "progress_details": {"type": "bool"},
    "back_takes": {"type": "float"},
    "lines": {"type": "int"},
}


def main():
    module = kube_module.module_class(argument_spec=OPTIONS)
    service = module.params["service"]

    def log(line):
        with open(module.params["progress_file"], "a") as file:
            file.write(line + "\\n")

    def note(event):
        with open(module.params["events"], "a") as file:
            file.write(f"{time.time()} {service} {event}\\n")

    termination.note_signals()
    note(f"begun {os.getppid()}")
    log("25 % to v2")
    while not termination.reason():
        log("x" * 2000)
        time.sleep(0.05)
    note("noticed " + termination.reason())
    for number in range(module.params["lines"]):
        log(f"rolling back {number}")
    time.sleep(module.params["back_takes"])
    note("back")
    log("0 % to v2")
    module.fail_json(msg=f"canary of {service} was rolled back", phase="Failed")


class ActionModule(Canary):
    module = SimpleNamespace(main=main)
"""


class Run:
    """A playbook whose only task runs two canaries, one after the other."""

    def __init__(self, folder: Path) -> None:
        self._events = folder / "events"
        self.folder = folder
        (folder / "action_plugins").mkdir(parents=True)
        (folder / "action_plugins/waits.py").write_text(ACTION)
        self.temporary = folder / "tmp"
        self.temporary.mkdir()

    def playbook(self, back_takes: float = 0.5, lines: int = 1, **keywords: Any) -> str:
        events = {"events": str(self._events), "back_takes": back_takes, "lines": lines}
        task = {"waits": {"service": "{{ item }}", **events}, "loop": ["one", "two"], **keywords}
        path = self.folder / "play.yml"
        own = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        host = {"hosts": "localhost", "gather_facts": False, "vars": own, "tasks": [task]}
        path.write_text(json.dumps([host]))
        return str(path)

    @property
    def environment(self) -> dict[str, str]:
        others = {name: text for name, text in os.environ.items() if not name.startswith("ANSIBLE_")}
        # The configuration's own paths start at the repository's root.
        return others | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "TMPDIR": str(self.temporary)}

    @property
    def events(self) -> list[tuple[float, str]]:
        """When, and what."""
        if not self._events.exists():
            return []
        lines = [line.partition(" ") for line in self._events.read_text().splitlines()]
        return [(float(at), what) for at, __, what in lines]

    @property
    def ansible(self) -> int:
        """The process of ansible-playbook."""
        return int(self.events[0][1].split()[-1])

    def until(self, word: str, seconds: float = 60) -> float:
        """When it happened."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for at, what in self.events:
                if word in what:
                    return at
            time.sleep(0.02)
        raise AssertionError(f"no {word!r} within {seconds} s: {self.events}")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "run")


@pytest.fixture
def terminal(run: Run) -> Iterator[Callable[..., pexpect.spawn[str]]]:
    """A shell at a terminal, in which ansible-playbook runs its first canary."""
    started: list[pexpect.spawn[str]] = []

    def start(**options: Any) -> pexpect.spawn[str]:
        environment = {**run.environment, "PS1": "ready> "}
        shell = pexpect.spawn(
            "bash",
            ["--norc", "-i"],
            30,
            env=environment,
            encoding="utf-8",
            maxread=65536,
            # nohup, under which the tests may run, ignores it for all processes below.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
        )
        started.append(shell)
        shell.expect("ready> ")
        shell.sendline(f"{ANSIBLE_PLAYBOOK} {run.playbook(**options)} -i localhost, -c local; echo code=$?")
        shell.expect("25 % to v2")
        return shell

    yield start
    for shell in started:
        shell.close(force=True)


def rolled_back(run: Run, since: float, cause: str) -> None:
    """At once, to the end, for this cause; nothing was begun after it, and no file stays."""
    assert run.until(f"noticed {cause}", 10) - since < AT_ONCE
    run.until("one back", 30)
    # A terminal that takes nothing holds up the worker's end for a moment.
    deadline = time.monotonic() + 30
    while list(run.temporary.glob("canary-*")) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    assert [what.split()[:2] for __, what in run.events] == [["one", "begun"], ["one", "noticed"], ["one", "back"]]
    assert list(run.temporary.glob("canary-*")) == []


def test_ctrl_c(run: Run, terminal: Any) -> None:
    """The rollback takes longer than the 10 s after which Ansible sends each worker its last signal."""
    shell = terminal(back_takes=12)
    since = time.time()
    shell.sendintr()
    shell.expect("Another Ctrl-C ends the command at once")
    shell.expect("rolling back 0")
    shell.expect("canary of one was rolled back")
    shell.expect("code=99")
    rolled_back(run, since, "the process received SIGINT")


def test_ctrl_c_twice(run: Run, terminal: Any) -> None:
    shell = terminal(back_takes=4)
    since = time.time()
    shell.sendintr()
    shell.expect("Another Ctrl-C ends the command at once")
    shell.sendintr()
    shell.expect("ready> ", timeout=2)
    rolled_back(run, since, "the process received SIGINT")


def test_a_closed_terminal(run: Run, terminal: Any) -> None:
    shell = terminal()
    since = time.time()
    shell.close()
    rolled_back(run, since, "ansible-playbook is gone")


@pytest.mark.parametrize(
    ("send", "number"),
    [(os.kill, signal.SIGTERM), (os.killpg, signal.SIGTERM), (os.kill, signal.SIGHUP), (os.killpg, signal.SIGKILL)],
    ids=["SIGTERM", "SIGTERM to its group", "SIGHUP", "SIGKILL to its group"],
)
def test_a_signal_to_ansible_playbook(run: Run, terminal: Any, send: Any, number: signal.Signals) -> None:
    shell = terminal()
    since = time.time()
    send(run.ansible, number)
    shell.expect("ansible-playbook has ended: its worker rolls the canary back")
    shell.expect("canary of one was rolled back")
    rolled_back(run, since, "the process received" if number == signal.SIGTERM else "ansible-playbook is gone")


def test_a_cancelled_workflow(run: Run) -> None:
    """As GitHub's runner ends a step: signals to its own process alone, which exec has made ansible-playbook.

    SIGINT, after 7.5 s SIGTERM, after 2.5 s more SIGKILL (actions/runner, ProcessInvoker.cs).
    """
    script = run.folder / "step.sh"
    script.write_text(f"exec {ANSIBLE_PLAYBOOK} {run.playbook(back_takes=12)} -i localhost, -c local\n")
    output = run.folder / "output"
    with output.open("wb") as file:
        step = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            env=run.environment,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    run.until("one begun")
    assert run.ansible == step.pid
    since = time.time()
    for number, seconds in ((signal.SIGINT, 7.5), (signal.SIGTERM, 2.5), (signal.SIGKILL, 10.0)):
        step.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            step.wait(seconds)
            break
    # Ansible sends its worker SIGTERM as well, and either may be the first.
    rolled_back(run, since, "the process received SIG")
    assert "The canary rolls back" in output.read_text()


def test_the_terminal_is_released_while_the_rollback_continues(run: Run, terminal: Any) -> None:
    shell = terminal(back_takes=6)
    since = time.time()
    os.kill(run.ansible, signal.SIGKILL)
    shell.expect("The rest continues in the background")
    assert time.time() - since < 5
    rolled_back(run, since, "ansible-playbook is gone")


def test_a_terminal_that_takes_nothing(run: Run, terminal: Any) -> None:
    """Neither the run nor its rollback waits for a reader, however many lines there are."""
    terminal(lines=20000)
    # What a terminal and all queues on the way to it hold.
    time.sleep(5)
    since = time.time()
    os.kill(run.ansible, signal.SIGTERM)
    rolled_back(run, since, "the process received")


def test_a_tasks_timeout(run: Run, terminal: Any) -> None:
    """It rolls its own canary back, and the next item has its turn: Ansible's word for it."""
    shell = terminal(timeout=2)
    shell.expect("canary of one was rolled back")
    run.until("one noticed the process received SIGALRM", 10)
    run.until("two noticed the process received SIGALRM", 10)


def test_a_cancelled_job(run: Run) -> None:
    """As AWX cancels one: ansible-runner kills ansible-playbook and its process group."""
    (run.folder / "project").mkdir()
    thread, runner = ansible_runner.interface.run_async(
        private_data_dir=str(run.folder),
        playbook=run.playbook(),
        envvars=run.environment,
        cmdline="-i localhost, -c local",
        cancel_callback=lambda: bool(run.events) and time.time() - run.events[0][0] > 1,
        settings={"pexpect_timeout": 1},
        quiet=True,
    )
    begun = run.until("one begun")
    thread.join(60)
    assert runner.status == "canceled"
    rolled_back(run, begun + 1, "ansible-playbook is gone")
