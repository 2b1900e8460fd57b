"""Finding M11 of the canary's review: clients keep the version that has answered them, and the share is the weight."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.plan import traffic
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import Step
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.virtual_service import VirtualService

from ....support.canary_cluster import SERVICE, virtual_service
from .core.test_decide import a_run


def test_m11_the_clients_share_is_the_steps_weight() -> None:
    """Clients with their cookie, as shares of all; what the routes do with them at each step."""
    affinity = {"cookie_name": "corp", "max_age": 60}
    clients: dict[str, float] = {"": 1.0}
    live = virtual_service(SERVICE)
    weights = (5, 10, 25, 50)
    for number, weight in enumerate(weights):
        steps = tuple(Step(each, 30) for each in weights)
        run = a_run(phase=Phase.PROGRESSING, steps=steps, step=number, weight=weight, affinity=affinity)
        live = VirtualService(live).shifted(traffic(run, SERVICE)).obj
        # Some come for the first time; of the others some stayed away at the last step.
        clients = {cookie: share * 0.8 for cookie, share in clients.items()}
        clients[""] = clients.get("", 0) + 0.2
        away = {cookie: share / 4 for cookie, share in clients.items() if cookie}
        there, canary = requested(live["spec"]["http"], {c: share - away.get(c, 0) for c, share in clients.items()})
        assert sum(there.values()) == pytest.approx(sum(clients.values()) - sum(away.values()))
        assert canary / sum(there.values()) == pytest.approx(weight / 100, abs=0.005)
        again, same = requested(live["spec"]["http"], there)
        assert again == pytest.approx(there), "within a step every client stays"
        assert same == pytest.approx(canary)
        clients = {cookie: there.get(cookie, 0) + away.get(cookie, 0) for cookie in {*there, *away}}


def requested(routes: list[dict[str, Any]], clients: dict[str, float]) -> tuple[dict[str, float], float]:
    """The clients with the cookies that they have after a request each, and how many the canary answered."""
    after: dict[str, float] = defaultdict(float)
    canary = 0.0
    for cookie, share in clients.items():
        sent = f"a=b; corp={cookie}" if cookie else "a=b"
        route = next(route for route in routes if all(matches(match, sent) for match in route.get("match", [])))
        for destination in route["route"]:
            part = share * destination.get("weight", 100) / 100
            header = destination.get("headers", {}).get("response", {}).get("add", {}).get("Set-Cookie", "")
            after[header.partition(";")[0].removeprefix("corp=") or cookie] += part
            canary += part if destination["destination"]["subset"] == "v2" else 0
    return dict(after), canary


def matches(match: dict[str, Any], cookie: str) -> bool:
    return re.fullmatch(match["headers"]["cookie"]["regex"], cookie) is not None
