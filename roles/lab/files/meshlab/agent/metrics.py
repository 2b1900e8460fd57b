"""What the really running containers use, under the names and labels of cAdvisor's metrics.

There are no cgroups: a container's processes are those of one session. Its memory is their resident pages without those
that files back, which is nearest to what a kubelet counts as the working set.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .pod import PodWorker

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
CPU = "container_cpu_usage_seconds_total"
MEMORY = "container_memory_working_set_bytes"


@dataclass
class Usage:
    """CPU seconds so far and bytes now."""

    cpu: float = 0.0
    memory: int = 0

    def add(self, other: Usage) -> None:
        """Both together."""
        self.cpu += other.cpu
        self.memory += other.memory


def by_session() -> dict[int, Usage]:
    """What the processes of each session use; a process that has ended counts with the parent that waited for it."""
    found: dict[int, Usage] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
            resident, shared = (int(field) for field in (folder / "statm").read_text(encoding="ascii").split()[1:3])
        except OSError:
            continue
        fields = text[text.rindex(")") + 2 :].split()
        usage = Usage(sum(int(field) for field in fields[11:15]) / TICKS, (resident - shared) * PAGE)
        found.setdefault(int(fields[3]), Usage()).add(usage)
    return found


def exposition(pods: Iterable[PodWorker], sessions: dict[int, Usage]) -> str:
    """Prometheus' text format. As with cAdvisor, a pod has a series of its own beside those of its containers."""
    series: list[tuple[str, Usage]] = []
    for pod in pods:
        labels = f'namespace="{pod.context.namespace}",pod="{pod.context.name}"'
        whole = Usage()
        for container in pod.containers:
            usage = sessions.get(container.session or 0)
            if container.session and usage:
                series.append((f'{labels},container="{container.spec["name"]}"', usage))
                whole.add(usage)
        series.append((f'{labels},container=""', whole))
    return "\n".join(_lines(series)) + "\n"


def _lines(series: list[tuple[str, Usage]]) -> Iterator[str]:
    yield f"# TYPE {CPU} counter"
    yield from (f"{CPU}{{{labels}}} {usage.cpu:.2f}" for labels, usage in series)
    yield f"# TYPE {MEMORY} gauge"
    yield from (f"{MEMORY}{{{labels}}} {usage.memory}" for labels, usage in series)


class ContainerMetrics(threading.Thread):
    """Answers Prometheus."""

    def __init__(self, port: int, pods: Callable[[], list[PodWorker]]) -> None:
        super().__init__(name="container metrics", daemon=True)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = exposition(pods(), by_session()).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:
                """Every scrape would be a line."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)

    def run(self) -> None:
        """For ever."""
        self._server.serve_forever()
