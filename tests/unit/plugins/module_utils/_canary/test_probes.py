"""A plan warns if pods get requests before they can answer."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.probes import unprobed

HTTP = {"httpGet": {"path": "/health", "port": 8003}}


def test_pods_that_get_requests_before_they_answer() -> None:
    (line,) = unprobed("menu-v1", {"name": "menu", "livenessProbe": HTTP})
    assert line.startswith("container menu of Deployment menu-v1 has no readinessProbe")


@pytest.mark.parametrize(
    "container", [None, {"name": "menu", "readinessProbe": HTTP}, {"name": "menu", "startupProbe": HTTP}]
)
def test_nothing_to_remark(container: dict[str, Any] | None) -> None:
    assert unprobed("menu-v1", container) == []
