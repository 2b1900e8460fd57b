"""The design document's five alerts, each raised by a fault and ended with it; its own durations, all at once."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from ..integration.support.canary_lab import NAMESPACE, Lab
from .conftest import Report

# alert: the service whose fault raises it, and the label that names it.
EXPECTED = {
    "HighErrorRate": ("restaurant-service", "destination_service_name"),
    "HighLatency": ("notification-service", "destination_service_name"),
    "PodDown": ("frontend", "deployment"),
    "HighCPUUsage": ("auth-service", "container"),
    "HighMemoryUsage": ("menu-service", "container"),
}
FAULTS: tuple[dict[str, Any], ...] = (
    {"service": "restaurant-service", "error_rate": 0.5},
    {"service": "notification-service", "latency_ms": 1500},
    # Health checks see no fault: a new pod that does not listen yet is one that does not become available.
    {"service": "frontend", "slow_start_seconds": 7200},
    {"service": "auth-service", "cpu": 0.1},
    {"service": "menu-service", "memory_mb": 240},
)
PATHS = {"errors": "/api/v1/restaurants", "latency": "/api/v1/notifications"}
# So little that two cores with other work can give it; the rule uses the share.
CPU_LIMIT = "50m"
# rate()'s 5 minutes, 10 minutes of `for`, evaluations, and a busy machine.
FIRING_SECONDS = 2400
RESOLVED_SECONDS = 1800
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Watch:
    """When each alert was first seen pending, firing and gone, in seconds."""

    lab: Lab
    begin: float = field(default_factory=time.monotonic)
    pending: dict[str, float] = field(default_factory=dict)
    firing: dict[str, float] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)

    def observe(self) -> set[str]:
        """Those of the five that fire now, for the service that they should."""
        with _OPENER.open(f"{self.lab.prometheus}/api/v1/alerts", timeout=30) as answer:
            alerts = json.load(answer)["data"]["alerts"]
        now, found = time.monotonic() - self.begin, set()
        for alert in alerts:
            name = alert["labels"]["alertname"]
            if name not in EXPECTED:
                continue
            service, label = EXPECTED[name]
            if alert["labels"].get(label) != service:
                continue
            self.pending.setdefault(name, now)
            if alert["state"] == "firing":
                self.firing.setdefault(name, now)
                self.annotations[name] = alert["annotations"]["description"]
                found.add(name)
        return found


@pytest.fixture
def tight_limit(lab: Lab) -> Iterator[None]:
    """auth-service with a CPU limit that a small fault reaches."""
    deployment = lab.apps.read_namespaced_deployment("auth-service", NAMESPACE)
    before = deployment.spec.template.spec.containers[0].resources

    def limit(resources: Any) -> None:
        container = {"name": "auth-service", "resources": lab.api.sanitize_for_serialization(resources)}
        lab.apps.patch_namespaced_deployment(
            "auth-service", NAMESPACE, {"spec": {"template": {"spec": {"containers": [container]}}}}
        )

    limit({"limits": {**before.limits, "cpu": CPU_LIMIT}, "requests": {**before.requests, "cpu": CPU_LIMIT}})
    yield
    limit(before)


@pytest.fixture
def faults(lab: Lab, tight_limit: None) -> Iterator[None]:
    for fault in FAULTS:
        lab.fault(**fault)
    pods = lab.core.list_namespaced_pod(NAMESPACE, label_selector="app=frontend").items
    lab.core.delete_namespaced_pod(pods[0].metadata.name, NAMESPACE)
    yield
    end_faults(lab)


def end_faults(lab: Lab) -> None:
    lab.fault(clear=True)
    for pod in lab.core.list_namespaced_pod(NAMESPACE, label_selector="app=frontend").items:
        if not all(status.ready for status in pod.status.container_statuses or []):
            lab.core.delete_namespaced_pod(pod.metadata.name, NAMESPACE)


def test_the_documents_alerts_fire_and_resolve(lab: Lab, faults: None, report: Report) -> None:
    watch = Watch(lab)
    with contextlib.ExitStack() as stack:
        for name, path in PATHS.items():
            stack.enter_context(lab.load(path, rate=3, name=name))
        while set(watch.firing) != set(EXPECTED):
            assert time.monotonic() - watch.begin < FIRING_SECONDS, f"firing: {sorted(watch.firing)}"
            watch.observe()
            time.sleep(5)
        for name, at in watch.firing.items():
            report(
                f"{name} pending after {watch.pending[name]:.0f} s, firing after {at:.0f} s: {watch.annotations[name]}"
            )
        end_faults(lab)
        ended, resolved = time.monotonic(), dict[str, float]()
        while set(resolved) != set(EXPECTED):
            assert time.monotonic() - ended < RESOLVED_SECONDS, f"resolved: {sorted(resolved)}"
            for name in set(EXPECTED) - watch.observe() - set(resolved):
                resolved[name] = time.monotonic() - ended
            time.sleep(5)
        for name, seconds in resolved.items():
            report(f"{name} resolved {seconds:.0f} s after its fault ended")
