"""Whether the lab's processes answer."""

from __future__ import annotations

import ssl
import time
import urllib.error
import urllib.request
from typing import Any

from .components import Component
from .processes import Processes
from .settings import Settings

# A machine that does other work too is slow; a process that has ended is reported at once.
READY_SECONDS = 300


def wait(component: Component, processes: Processes, settings: Settings) -> None:
    """Wait until the component answers. Raises RuntimeError with the log's end where it ends or does not answer."""
    deadline = time.monotonic() + READY_SECONDS
    while component.health and not answers(component):
        if not processes.alive(component.name) or time.monotonic() > deadline:
            log = settings.logs / f"{component.name}.log"
            tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:])
            state = "does not answer" if processes.alive(component.name) else "ended"
            raise RuntimeError(f"{component.name} {state} ({component.health}); last lines of {log}:\n{tail}")
        time.sleep(0.1)


def answers(component: Component) -> bool:
    """Whether its health address answers as it should."""
    # Health endpoints of the control plane's own self-signed certificates: it is our process, on loopback.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(str(component.health), timeout=2) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        # The API server tells anonymous callers no more than that it is there once it serves at all.
        return error.code in (401, 403) and component.name != "kube-apiserver"
    except OSError:
        return False


def report(component: Component, processes: Processes) -> dict[str, Any]:
    """What the status says of a process: its pid and address, whether it runs and answers."""
    record = processes.record(component.name)
    alive = record is not None and record.alive
    healthy = alive and (component.health is None or answers(component))
    return {
        "name": component.name,
        "pid": record.pid if record and alive else None,
        "address": component.address,
        "health": "healthy" if healthy else "not answering" if alive else "stopped",
    }
