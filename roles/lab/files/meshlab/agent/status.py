"""A pod's status as a kubelet reports it."""

from __future__ import annotations

import datetime
from typing import Any

Object = dict[str, Any]


def now() -> str:
    """This second, as the API writes it."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def waiting(container: Object, reason: str, message: str = "") -> Object:
    """Status of a container that does not run."""
    state = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
    return _container(container, state, ready=False, started=False, restarts=0)


def running(container: Object, since: str, ready: bool, started: bool, restarts: int) -> Object:
    """Status of a container that runs."""
    return _container(container, {"running": {"startedAt": since}}, ready, started, restarts)


def completed(container: Object, at: str) -> Object:
    """Status of an init container that has done its work."""
    state = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": at, "finishedAt": at}}
    return _container(container, state, ready=True, started=False, restarts=0)


def _container(container: Object, state: Object, ready: bool, started: bool, restarts: int) -> Object:
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "ready": ready,
        "started": started,
        "restartCount": restarts,
        "state": state,
        "lastState": {},
    }


def conditions(previous: list[Object], values: dict[str, bool], reasons: dict[str, str]) -> list[Object]:
    """The pod's conditions, each with the time of its last change; conditions of others are kept."""
    by_type = {condition["type"]: condition for condition in previous}
    for kind, value in values.items():
        status = "True" if value else "False"
        if by_type.get(kind, {}).get("status") != status:
            by_type[kind] = {"type": kind, "status": status, "lastTransitionTime": now()}
        if not value and kind in reasons:
            by_type[kind]["reason"] = reasons[kind]
    return list(by_type.values())
