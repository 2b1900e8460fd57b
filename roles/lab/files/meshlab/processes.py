"""Processes that outlive their starter: started detached, recorded, and ended only while the pid is still ours."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Record:
    """A started process. ``started`` (clock ticks since boot) and ``boot`` tell it from a later one with its pid."""

    name: str
    pid: int
    started: int
    boot: str
    fingerprint: str

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return self.boot == boot_id() and start_ticks(self.pid) == self.started


def boot_id() -> str:
    """The kernel's id of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def start_ticks(pid: int) -> int | None:
    """When the process started, or None where there is none (a zombie counts as none)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[0] == "Z" else int(fields[19])


class Processes:
    """The processes recorded in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def record(self, name: str) -> Record | None:
        """The record of a name, dead or alive."""
        try:
            return Record(**json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def records(self) -> Iterator[Record]:
        """All records, by name."""
        for path in sorted(self.folder.glob("*.json")):
            record = self.record(path.stem)
            if record:
                yield record

    def alive(self, name: str) -> bool:
        """Whether the recorded process runs."""
        record = self.record(name)
        return record is not None and record.alive

    def ensure(
        self, name: str, argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> bool:
        """Start the process unless it already runs with these arguments. True if it was started."""
        fingerprint = hashlib.sha256(json.dumps([list(argv), sorted((env or {}).items())]).encode()).hexdigest()
        record = self.record(name)
        if record and record.alive:
            if record.fingerprint == fingerprint:
                return False
            self.stop(name)
        self.start(name, argv, log, env, cwd, fingerprint)
        return True

    def start(
        self,
        name: str,
        argv: Sequence[str],
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        fingerprint: str = "",
    ) -> subprocess.Popen[bytes]:
        """Start a process in a session of its own and record it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if env is None else {**os.environ, **env},
                cwd=cwd,
                start_new_session=True,
            )
        record = Record(name, process.pid, start_ticks(process.pid) or 0, boot_id(), fingerprint)
        temporary = self.folder / f".{name}.tmp"
        temporary.write_text(json.dumps(asdict(record)), encoding="utf-8")
        temporary.replace(self.folder / f"{name}.json")
        return process

    def signal(self, name: str, number: int) -> None:
        """Send a signal to the process alone (not to its children)."""
        record = self.record(name)
        if record and record.alive:
            os.kill(record.pid, number)

    def stop(self, name: str, grace: float = 10.0) -> None:
        """End the process and its session: TERM, then KILL after ``grace`` seconds. Forgets the record."""
        record = self.record(name)
        if record and record.alive:
            _signal_session(record.pid, signal.SIGTERM)
            deadline = time.monotonic() + grace
            while record.alive and time.monotonic() < deadline:
                _reap(record.pid)
                time.sleep(0.05)
            # The session may hold children that outlived their parent (an Envoy behind a killed pilot-agent).
            _signal_session(record.pid, signal.SIGKILL)
            _reap(record.pid)
        (self.folder / f"{name}.json").unlink(missing_ok=True)


def _signal_session(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
