"""The last line names where the traffic is, which process rolls it back, and what to type."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.plugin_utils.last_word import last_word

SPLIT, BACK = {"stable": 75, "canary": 25}, {"stable": 100, "canary": 0}
RECONCILED = "until canary_reconcile.yml rolls it back, on its schedule. To roll it back now:"
AT_ONCE = "canary_abort.yml -e canary_service=orders, with the same -i."


@pytest.mark.parametrize(
    ("result", "end"),
    [
        (
            {"phase": "Failed", "weights": BACK, "msg": "canary of orders orders:2 was rolled back: SIGINT"},
            "The stable version has all traffic, and nothing is left to do.",
        ),
        (
            {"phase": "Succeeded", "weights": {"canary": 100}, "reason": "orders:2 is the stable version now"},
            "The new version has all traffic, and nothing is left to do.",
        ),
        (
            {"phase": "RollingBack", "weights": BACK, "reason": "the weight is 0, and the rest is not complete"},
            "The stable version has all traffic. canary_reconcile.yml completes the rest, on its schedule. "
            f"To complete it now: {AT_ONCE}",
        ),
        (
            {"phase": "RollingBack", "weights": {"canary": 100}, "reason": "the stable side has no pods"},
            f"The canary may keep its share of 100 % {RECONCILED} {AT_ONCE}",
        ),
        (
            {"phase": "Progressing", "weights": SPLIT, "reason": ""},
            f"The canary may keep its share of 25 % {RECONCILED} {AT_ONCE}",
        ),
        (
            {"msg": "the API server does not answer"},
            f"The canary may keep its share {RECONCILED} {AT_ONCE}",
        ),
        (
            {"phase": "Finalising", "weights": {"canary": 100}, "reason": "old pods are left"},
            "The new version has all traffic and keeps it. canary_reconcile.yml completes the rest, "
            "on its schedule or now, with the same -i.",
        ),
    ],
)
def test_the_last_line(result: dict[str, Any], end: str) -> None:
    first, last = last_word(result, "orders").split("\n")
    assert last == end
    assert str(result.get("msg") or result["reason"]) in first
