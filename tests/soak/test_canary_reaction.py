"""Seconds from a gross fault at a quarter of the traffic to the write of weight 0, with stock labels. Reported only."""

from __future__ import annotations

import json
import statistics
import time
from typing import Any

import pytest

from ..integration.support.canary_lab import PROXIES, Lab
from ..integration.support.canary_records import bad, failed, read
from .conftest import Report
from .test_canary_traffic import FAULTS, METRICS

RUNS = 5
WEIGHT = 25


def reaction(lab: Lab, fault: dict[str, Any], provider: dict[str, Any]) -> tuple[float, int]:
    """Seconds to weight 0, and how many requests were bad."""
    canary, stable = lab.canary, lab.stable
    with lab.unhidden(), lab.sightings() as sightings, lab.load() as load:
        call = lab.call(image_tag=lab.tag(), steps=[WEIGHT, 50], step_duration="90s", metrics=METRICS, **provider)
        lab.until(f"{WEIGHT} %", lambda: lab.now().weights[canary] == WEIGHT, 120)
        time.sleep(6)
        begin = lab.fault(service=lab.service, version=canary, **fault)
        lab.until("weight 0", lambda: lab.now().weights[canary] == 0, 120)
        time.sleep(1)
        lab.fault(clear=True)
        assert call.wait() != 0
    zero = sightings.first({stable: 100, canary: 0}, begin)
    records = [record for record in read(load.output) if record.sent >= begin - 1]
    found = bad(records)
    assert found is not None, "the fault was felt"
    assert not [record for record in failed(records) if record.version == stable]
    return zero - begin, found.count


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("provider", ["envoy", "prometheus"])
def test_a_gross_fault(lab: Lab, report: Report, provider: str, kind: str) -> None:
    given: dict[str, Any] = {"provider": PROXIES, "interval": "500ms"}
    if provider == "prometheus":
        given = {"provider": {"url": lab.prometheus}, "interval": "1s"}
    measured = []
    for __ in range(RUNS):
        measured.append(reaction(lab, FAULTS[kind], given))
        lab.settle()
    seconds, lost = zip(*measured, strict=True)
    report(
        f"{provider}, scrape {lab.settings['scrape_interval']}: median {statistics.median(seconds):.2f} s "
        f"({min(seconds):.2f} to {max(seconds):.2f}), bad requests {json.dumps(sorted(lost))}"
    )
