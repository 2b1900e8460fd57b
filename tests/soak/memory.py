"""What the processes of a container hold while they work, beside the limit that a role sets."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

MIB = 1024**2
_FIELD = re.compile(r"^(Pss_Anon|Pss_File|Pss_Shmem): +(\d+) kB$", re.MULTILINE)


def bytes_of(quantity: str) -> int:
    """Of a limit of Kubernetes, such as 512Mi."""
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", quantity).groups()  # type: ignore[union-attr]
    return int(number) * {"Mi": MIB, "Gi": 1024 * MIB}[unit]


def _proportional(process: int) -> dict[str, int]:
    """Bytes by kind of page. A page that n processes share counts for each of them as its nth part."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return {}
    return {name: int(kilobytes) * 1024 for name, kilobytes in _FIELD.findall(text)}


def working_in(folder: Path) -> list[int]:
    """Processes whose working directory is below the folder: a server that has left the ones that started it."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "cwd").readlink().is_relative_to(folder):
                found.append(int(entry.name))
    return found


class Memory:
    """Samples processes from start to end. `held` and `files` are the greatest sums over all of them, in bytes.

    A kernel that reaches a container's limit drops pages of files first, so only what is `held` (anonymous and shared
    memory) can get a process killed.
    """

    def __init__(self, processes: Callable[[], list[int]], seconds: float = 0.5) -> None:
        self._processes, self._seconds = processes, seconds
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.held = self.files = 0

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._done.wait(self._seconds):
            found = [_proportional(process) for process in self._processes()]
            self.held = max(self.held, sum(one.get("Pss_Anon", 0) + one.get("Pss_Shmem", 0) for one in found))
            self.files = max(self.files, sum(one.get("Pss_File", 0) for one in found))

    def beside(self, limit: int) -> str:
        return f"{self.held // MIB} MiB held, and {self.files // MIB} MiB of files, of {limit // MIB} MiB"
