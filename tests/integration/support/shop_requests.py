"""Requests through the gateway to a shop that is not the restaurant."""

from __future__ import annotations

import time
import urllib.request
from pathlib import Path

from .canary_load import Load
from .canary_rate import carried_load
from .playbooks import lab_address

PATH = "/api/v1/menu-items"


def wait_served(host: str, seconds: float, path: str = PATH) -> None:
    """Until the gateway answers for the shop's host."""
    deadline = time.monotonic() + seconds
    while not _answers(host, path):
        assert time.monotonic() < deadline, "the gateway does not serve the shop"
        time.sleep(0.2)


def _answers(host: str, path: str) -> bool:
    request = urllib.request.Request(f"{lab_address(8080)}{path}", headers={"Host": host})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def requests_to(host: str, folder: Path, path: str = PATH, wanted: float = 50, header: str = "Accept: */*") -> Load:
    """So many a second, or as many as the machine carries."""
    headers, url = [f"Host: {host}", header], f"{lab_address(8080)}{path}"
    return carried_load(lambda rate: Load(url, headers, folder / "load.jsonl", rate), wanted)
