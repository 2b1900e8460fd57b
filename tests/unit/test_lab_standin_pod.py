"""Who a stand-in in a container is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "roles/lab/files/meshlab"))
from standin_pod import identity, keeper
from standin_store import Trace


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


@pytest.mark.parametrize(
    ("service", "environment", "keeps"),
    [
        ("order-service", {"DATABASE_HOST": "postgresql.database"}, True),
        ("order-service", {}, False),
        ("menu-service", {"DATABASE_HOST": "postgresql.database"}, False),
    ],
)
def test_orders_are_kept_where_databases_are_named(
    monkeypatch: pytest.MonkeyPatch, service: str, environment: dict[str, str], keeps: bool
) -> None:
    monkeypatch.setattr("os.environ", environment)
    assert bool(keeper(service)) == keeps


@pytest.mark.parametrize(
    ("traceparent", "expected"),
    [
        (
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"),
        ),
        # Not sampled, and not there.
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", ("", "")),
        ("", ("", "")),
    ],
)
def test_statements_belong_to_the_proxys_span(traceparent: str, expected: tuple[str, str]) -> None:
    trace = Trace("order-service", traceparent)
    assert (trace.trace, trace.parent) == expected
    assert trace.timed("redis", "SET", lambda: "OK") == "OK"
    assert [(span["name"], span["parentSpanId"]) for span in trace.spans] == [("SET", expected[1])]
