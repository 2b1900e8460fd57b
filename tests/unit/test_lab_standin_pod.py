"""Who a stand-in in a container is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "roles/lab/files/meshlab"))
from standin_pod import identity


@pytest.mark.parametrize(
    ("service", "pod", "version", "port"),
    [
        ("order-service", "order-service-7dbc58cf-wlfd7", "v1", 8001),
        ("order-service", "order-service-v2-699b54c8c6-qdm4s", "v2", 8001),
        ("frontend", "frontend-66b87d5f9f-k8j6m", "v1", 8080),
    ],
)
def test_from_its_image_and_its_pods_name(service: str, pod: str, version: str, port: int) -> None:
    found = identity(service, pod)
    assert (found["service"], found["version"], found["port"]) == (service, version, port)
