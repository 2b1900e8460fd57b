"""The commands that are typed while something is wrong, beside the previous code, in turns, on a lab of `make up`.

    python benchmarks/commands.py [--runs 5] [--against CHECKOUT [--against-lab FOLDER]] [--only abort ...]

- empty, ping: what Ansible itself takes on this machine: a play without a task, and one with ansible.builtin.ping.
- canary: canary.yml until the canary gets its first request; its pods' start is in it.
- abort, alert: canary_abort.yml and canary_abort_on_alert.yml until weight 0 is in the cluster.
- status, report, cost, smoke, validate: the whole command; validate reads one file and asks no cluster.

Each turn runs each of them once for each checkout, after one turn that is not counted. Both are run by the programs of
this checkout's .venv; the other one needs the collection's link (`make setup`), and either a link .lab to the lab or,
where its charts are others, a lab of its own, whose folder is given. Prints
minimum, median and maximum of wall-clock and CPU seconds (of all processes of the command), and of the ratios turn by
turn. Ends with 1 where a command fails. Restarts the slots of one service; the lab is left as it was found.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.integration.support.canary_lab import FINAL, QUICK, Lab, Sightings

# What needs no lab.
ALONE = ("empty", "ping", "validate")
SERVICE = "menu-service"
# Some share for the new version, and there it stays.
SPLIT = {**QUICK, "canary_service": SERVICE, "canary_strategy": "split", "canary_steps": [50]}
PING = [{"hosts": "localhost", "gather_facts": False, "vars": {}, "tasks": [{"ansible.builtin.ping": {}}]}]
_TICKS = os.sysconf("SC_CLK_TCK")
_MARK = "SERVICE_MESH_BENCHMARK"


class Seconds(NamedTuple):
    wall: float
    cpu: float


class Command:
    """A playbook that runs, and what it has taken so far with all that it started."""

    def __init__(self, checkout: Path, playbook: str, variables: dict[str, Any], inventory: bool = True) -> None:
        self._mark, self._command = uuid.uuid4().hex, f"{playbook} of {checkout}"
        environment = {name: text for name, text in os.environ.items() if not name.startswith("ANSIBLE_")}
        environment |= {
            "ANSIBLE_CONFIG": str(checkout / "ansible.cfg"),
            "PATH": f"{ROOT / '.venv/bin'}{os.pathsep}{os.environ['PATH']}",
            _MARK: self._mark,
        }
        path = playbook if "/" in playbook else f"playbooks/{playbook}.yml"
        hosts = ["-i", "inventories/lab"] if inventory else []
        command = [str(ROOT / ".venv/bin/ansible-playbook"), path, *hosts, "-e", json.dumps(variables)]
        self._output = Path(tempfile.gettempdir()) / f"benchmark-{self._mark}.log"
        self.begin = time.time()
        with self._output.open("wb") as file:
            self._process = subprocess.Popen(
                command, cwd=checkout, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file
            )

    def so_far(self, at: float) -> Seconds:
        """Until ``at`` by the clock; the CPU seconds are those of now."""
        return Seconds(at - self.begin, sum(_cpu(pid) for pid in self._processes()))

    def end(self) -> Seconds:
        """Of the whole command. Ends the benchmark where it failed."""
        __, status, usage = os.wait4(self._process.pid, 0)
        wall = time.time() - self.begin
        self._process.returncode = os.waitstatus_to_exitcode(status)
        if self._process.returncode:
            sys.exit(f"{self._command} failed:\n{self._output.read_text()[-3000:]}")
        self._output.unlink()
        return Seconds(wall, usage.ru_utime + usage.ru_stime)

    def _processes(self) -> Iterator[str]:
        mark = f"{_MARK}={self._mark}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (folder / "environ").read_bytes():
                    yield folder.name


def _cpu(pid: str) -> float:
    """Of a process and of its children that have ended."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / _TICKS
    return 0.0


class Turn:
    """All commands of one checkout, each once."""

    def __init__(self, lab: Lab | None, checkout: Path, folder: Path) -> None:
        self._given, self._checkout, self._folder = lab, checkout, folder
        self._canary = ""

    @property
    def _lab(self) -> Lab:
        if self._given is None:
            raise RuntimeError("this command needs a lab")
        return self._given

    def canary(self) -> Seconds:
        self._end_split()
        self._canary = self._lab.canary
        variables = {**self._lab.variables, **SPLIT, "canary_image_tag": self._lab.tag()}
        with self._lab.sightings() as sightings:
            command = Command(self._checkout, "canary", variables)
            found = self._until(sightings, command, lambda weight: weight > 0)
            command.end()
        return found

    def abort(self) -> Seconds:
        self._ensure_split()
        return self._back("canary_abort", {"canary_reason": "a benchmark"})

    def alert(self) -> Seconds:
        self._ensure_split()
        # Only an alert that began after the run ends it.
        fired = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return self._back(
            "canary_abort_on_alert", {"canary_alert": {"name": "B", "service": SERVICE, "started": fired}}
        )

    def _ensure_split(self) -> None:
        if not self._canary or self._lab.now().weights[self._canary] == 0:
            self.canary()

    def _back(self, playbook: str, variables: dict[str, Any]) -> Seconds:
        """The split is rolled back."""
        given = {**self._lab.variables, "canary_service": SERVICE, "canary_drain": "1s", **variables}
        with self._lab.sightings() as sightings:
            command = Command(self._checkout, playbook, given)
            found = self._until(sightings, command, lambda weight: weight == 0)
            command.end()
        return found

    def _end_split(self) -> None:
        """A split stays until it is ended, and no other run begins before."""
        if self._lab.now().state.get("phase", FINAL[0]) not in FINAL:
            self.whole("canary_abort", canary_service=SERVICE, canary_drain="1s")

    def _until(self, sightings: Sightings, command: Command, reached: Callable[[int], bool]) -> Seconds:
        def found() -> Any:
            return next((s for s in sightings.seen if s.at >= command.begin and reached(s.weights[self._canary])), None)

        return command.so_far(self._lab.until("the weight", found).at)

    def whole(self, playbook: str, inventory: bool = True, **variables: Any) -> Seconds:
        own = {**self._lab.variables, **variables} if inventory else variables
        return Command(self._checkout, playbook, own, inventory).end()

    def commands(self) -> dict[str, Callable[[], Seconds]]:
        file, empty, ping = (self._folder / name for name in ("route.yml", "empty.yml", "ping.yml"))
        file.write_text(
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: reviews, namespace: shop}\n"
            "spec: {hosts: [reviews], http: [{route: [{destination: {host: reviews}}]}]}\n"
        )
        own = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        empty.write_text(json.dumps([{**PING[0], "tasks": []}]))
        ping.write_text(json.dumps([{**PING[0], "vars": own}]))
        return {
            "empty": lambda: self.whole(str(empty), inventory=False),
            "ping": lambda: self.whole(str(ping), inventory=False),
            "validate": lambda: self.whole(
                "validate", inventory=False, validate_live=False, validate_paths=[str(file)]
            ),
            "canary": self.canary,
            "status": lambda: self.whole("canary_status", canary_service=SERVICE),
            "abort": self.abort,
            "alert": self.alert,
            "smoke": lambda: self.whole("smoke"),
            "cost": lambda: self.whole("cost"),
            "report": lambda: self.whole("report", report_path=str(self._folder / "report")),
        }


def spread(values: Iterable[float]) -> str:
    found = sorted(values)
    return f"{found[0]:6.2f} {statistics.median(found):6.2f} {found[-1]:6.2f}"


def show(name: str, results: dict[str, list[Seconds]]) -> None:
    """Minimum, median, maximum of each checkout, and of ours divided by the other."""
    for index, unit in enumerate(Seconds._fields):
        columns = [f"{who} {spread(row[index] for row in rows)}" for who, rows in results.items()]
        if len(results) == 2:
            ours, others = results.values()
            # On a busy machine the watch may be behind the process, whose CPU seconds are then unknown.
            pairs = [(one[index], other[index]) for one, other in zip(ours, others, strict=True)]
            ratios = [one / other for one, other in pairs if other] or [0.0]
            columns.append(f"ratio {spread(ratios)}")
        print(f"{name:9} {unit:5} " + "   ".join(columns), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--against", type=Path, metavar="CHECKOUT")
    parser.add_argument("--against-lab", type=Path, metavar="FOLDER", help="its own lab, where its charts are others")
    parser.add_argument("--only", action="append", default=[], metavar="COMMAND")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        alone = bool(options.only) and set(options.only) <= set(ALONE)
        lab = None if alone else Lab(ROOT / ".lab/kubeconfig", folder, SERVICE)
        theirs = Lab(options.against_lab / "kubeconfig", folder, SERVICE) if lab and options.against_lab else lab
        turns = {"ours": Turn(lab, ROOT, folder)}
        if options.against:
            turns["against"] = Turn(theirs, options.against.resolve(), folder)
        labs = [found for found in (lab, theirs if theirs is not lab else None) if found]
        for found in labs:
            found.settle()
        print(
            f"{options.runs} runs each, in turns; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; min median max"
        )
        try:
            for name in turns["ours"].commands():
                if options.only and name not in options.only:
                    continue
                results: dict[str, list[Seconds]] = {who: [] for who in turns}
                for turn in range(options.runs + 1):
                    for who, of_checkout in turns.items():
                        seconds = of_checkout.commands()[name]()
                        if turn:
                            results[who].append(seconds)
                show(name, results)
            print(f"load {os.getloadavg()[0]:.1f} at the end")
        finally:
            for found in labs:
                found.settle()


if __name__ == "__main__":
    main()
