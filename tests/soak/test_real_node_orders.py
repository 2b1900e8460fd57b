"""Orders that are kept: the application's stand-in, PostgreSQL, Redis and Jaeger as containers of the lab's real node.

The application reaches the databases as docs/database.md says: through its sidecars, past its NetworkPolicies, with a
Secret of its own.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Report
from .real_databases import NAMESPACE as DATABASE
from .real_databases import password, sized, sql
from .real_node import RealLab, needs_real_node, real_lab, until
from .real_orders import ALL_IN_ONE, CALLS, NAMESPACE, calls, order, trace_of

pytestmark = needs_real_node
APPLICATION, SECRET = "restaurant-management", "order-database"
PLACED = {
    "lab_real_node_namespaces": [APPLICATION, DATABASE],
    "lab_real_node_apps": ["istio-ingressgateway", "jaeger"],
}
STACK: dict[str, Any] = {
    **sized("20m"),
    **ALL_IN_ONE,
    "restaurant_app_services": {
        "order-service": {
            "secrets": [SECRET],
            "env": [{"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": f"http://jaeger-collector.{NAMESPACE}:4318"}],
        }
    },
}
# The design document's trace: what order-service does beside its calls. The commit is a statement, too.
STATEMENTS = {
    ("postgresql", "INSERT orders"),
    ("postgresql", "INSERT order_items"),
    ("postgresql", "COMMIT"),
    ("redis", "SET"),
}


@pytest.fixture(scope="module")
def lab() -> Iterator[RealLab]:
    for found in real_lab(**PLACED):
        found.playbook("site", "namespaces,istio,database", **PLACED, **STACK)
        give_the_application_its_secret(found)
        found.playbook("site", **PLACED, **STACK)
        yield found


def give_the_application_its_secret(lab: RealLab) -> None:
    """As docs/database.md has it, and Redis's."""
    data = {
        "DATABASE_HOST": f"postgresql.{DATABASE}",
        "DATABASE_USER": "restaurant",
        "DATABASE_PASSWORD": password(lab, "postgresql", "app-password"),
        "REDIS_HOST": f"redis.{DATABASE}",
        "REDIS_PASSWORD": password(lab, "redis"),
    }
    metadata = {"name": SECRET, "namespace": APPLICATION}
    lab.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": APPLICATION}})
    lab.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})


def rows(lab: RealLab, server: int, number: int) -> str:
    """What PostgreSQL has of the order: its total and its items."""
    statement = "SELECT total, count(name) FROM orders JOIN order_items ON order_id = id GROUP BY id HAVING id = "
    return sql(lab, server, statement + str(number), check=False)


def cached(lab: RealLab, number: int) -> str:
    """What Redis has of it."""
    call = ("redis-cli", "--no-auth-warning", "-a", password(lab, "redis"), "GET", f"order:cache:{number}")
    return lab.kubectl("-n", DATABASE, "exec", "redis-0", "--", *call).strip()


def test_an_order_is_in_postgresql_on_its_replicas_and_in_redis(lab: RealLab) -> None:
    number = order(lab, secrets.token_hex(16))
    assert rows(lab, 0, number) == "45.99|1"
    for replica in (1, 2):
        until(lambda replica=replica: rows(lab, replica, number) == "45.99|1", "replicated", 60)
    assert cached(lab, number) == f'{{"order_id": {number}, "total": 45.99}}'
    assert order(lab, secrets.token_hex(16)) > number


def test_its_trace_is_the_documents(lab: RealLab, report: Report) -> None:
    trace = secrets.token_hex(16)
    order(lab, trace)

    def statements() -> set[tuple[str, str]]:
        return {
            (tag["value"], span["operationName"])
            for span in trace_of(lab, trace)["spans"]
            for tag in span["tags"]
            if tag["key"] == "db.system.name"
        }

    # Spans arrive in batches.
    until(lambda: calls(trace_of(lab, trace)) >= CALLS and statements() >= STATEMENTS, "the trace is complete")
    report(f"real node: an order's trace: {sorted(calls(trace_of(lab, trace)))}, {sorted(statements())}")
    assert calls(trace_of(lab, trace)) == CALLS
    assert statements() == STATEMENTS


def test_an_order_that_no_database_takes_is_not_confirmed(lab: RealLab) -> None:
    """A failed order, and no failed service: the others are still served."""
    lab.kubectl("-n", DATABASE, "scale", "statefulset/redis", "--replicas=0")
    try:
        lab.kubectl("-n", DATABASE, "wait", "--for=delete", "pod/redis-0", "--timeout=120s")
        with pytest.raises(OSError, match="502"):
            order(lab, secrets.token_hex(16))
    finally:
        lab.kubectl("-n", DATABASE, "scale", "statefulset/redis", "--replicas=1")
    lab.kubectl("-n", DATABASE, "rollout", "status", "statefulset/redis", "--timeout=5m")
    until(lambda: placed(lab), "orders are placed again", 60)


def placed(lab: RealLab) -> bool:
    try:
        return order(lab, secrets.token_hex(16)) > 0
    except OSError:
        return False
