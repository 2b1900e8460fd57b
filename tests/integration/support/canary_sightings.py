"""Every write of a canary's VirtualService, as a watch sees it."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kubernetes import client, watch

NAMESPACE = "restaurant-management"
VIRTUAL_SERVICES = ("networking.istio.io", "v1", NAMESPACE, "virtualservices")
ANNOTATION = "canary.service-mesh.corpv3.com/"


@dataclass(frozen=True)
class Sighting:
    """One version of a VirtualService: the split of its route, and the run's state in its annotation."""

    at: float
    weights: dict[str, int]
    state: dict[str, Any]

    @property
    def agrees(self) -> bool:
        """The weights sum to 100, and are those that the state speaks of."""
        if sum(self.weights.values()) != 100:
            return False
        return not self.state or self.weights.get(self.state["canary"]["subset"]) == self.state["weight"]


class Sightings:
    """Every version of a VirtualService while it is open."""

    def __init__(self, api: client.ApiClient, name: str, route: str) -> None:
        self.name, self.route, self.seen = name, route, list[Sighting]()
        self._objects = client.CustomObjectsApi(api)
        self._watch: watch.Watch | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Sightings:
        self._thread.start()
        while not self.seen:
            time.sleep(0.02)
        return self

    def __exit__(self, *__: Any) -> None:
        self._catch_up()
        self._stop.set()
        if self._watch:
            self._watch.stop()
        self._thread.join(timeout=3)

    def _follow(self) -> None:
        while not self._stop.is_set():
            self._watch = watch.Watch()
            # The API server may go away in between, which is some tests' very subject.
            with contextlib.suppress(Exception):
                for event in self._watch.stream(
                    self._objects.list_namespaced_custom_object,
                    *VIRTUAL_SERVICES,
                    field_selector=f"metadata.name={self.name}",
                    timeout_seconds=2,
                ):
                    sighting = sighted(event["object"], self.route)
                    if not self.seen or not self._is_last(sighting):
                        self.seen.append(sighting)
            self._stop.wait(0.05)

    def _catch_up(self, seconds: float = 5) -> None:
        """On a busy machine the watch is behind: what the object is now must be among what was seen."""
        deadline = time.monotonic() + seconds
        # The API server may be away at the end as well.
        with contextlib.suppress(Exception):
            now = sighted(self._objects.get_namespaced_custom_object(*VIRTUAL_SERVICES, self.name), self.route)
            while not self._is_last(now):
                if time.monotonic() > deadline:
                    self.seen.append(now)
                    return
                time.sleep(0.02)

    def _is_last(self, sighting: Sighting) -> bool:
        last = self.seen[-1]
        return (last.weights, last.state) == (sighting.weights, sighting.state)

    def first(self, weights: Mapping[str, int], begin: float) -> float:
        """When the split was first seen since then. Ask after the end: until then the watch may be behind."""
        return next(sighting.at for sighting in self.seen if sighting.at >= begin and sighting.weights == weights)


def sighted(virtual_service: Mapping[str, Any], route: str) -> Sighting:
    """The split, and the state of the run that belongs to its own service."""
    found = next(entry for entry in virtual_service["spec"]["http"] if entry.get("name") == route)
    weights = {entry["destination"].get("subset", ""): entry.get("weight", 0) for entry in found["route"]}
    service = found["route"][0]["destination"]["host"].partition(".")[0]
    text = (virtual_service["metadata"].get("annotations") or {}).get(ANNOTATION + service)
    return Sighting(time.time(), weights, json.loads(text) if text else {})
