"""What a cluster brings beside pods: volumes and load balancers; and the reader of Prometheus's configuration."""

from __future__ import annotations

import threading
from collections.abc import Callable

from .addresses import AddressGiver
from .api import Api
from .prometheus_config import Reloader
from .settings import Settings
from .volumes import Provisioner, ensure_class


def run(settings: Settings) -> None:
    """For ever; ends where one of its parts does, so that it shows."""
    ensure_class(Api(settings))
    ended = threading.Event()
    for part in (Provisioner(settings).run, AddressGiver(settings).run, Reloader(settings).run):
        threading.Thread(target=_until_it_ends, args=(part, ended), daemon=True).start()
    ended.wait()


def _until_it_ends(part: Callable[[], None], ended: threading.Event) -> None:
    try:
        part()
    finally:
        ended.set()
