"""Where an order is kept: in PostgreSQL and Redis, as the design document's trace shows it.

Only in a container whose environment names the servers. Each statement is a span of its own, as a client library that
is instrumented would export it.
"""

import json
import os
import secrets
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import pg8000.native  # type: ignore[import-untyped]
import redis
from standin import NotKeptError  # type: ignore[import-not-found]

TIMEOUT = 10
CACHE_SECONDS = 3600
TABLES = (
    "CREATE TABLE IF NOT EXISTS orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, total numeric NOT NULL)",
    "CREATE TABLE IF NOT EXISTS order_items (order_id bigint NOT NULL REFERENCES orders, name text NOT NULL)",
)
Span = dict[str, Any]


class Trace:
    """The spans of one request, sent to the collector together."""

    def __init__(self, service: str, traceparent: str) -> None:
        self.service = service
        self.spans: list[Span] = []
        # Version, trace, the proxy's span, and whether anyone wants it.
        parts = traceparent.split("-")
        self.trace, self.parent = (parts[1], parts[2]) if len(parts) == 4 and parts[3] == "01" else ("", "")

    def timed(self, system: str, name: str, run: Callable[[], Any]) -> Any:
        """What ``run`` returns; a span says how long it took."""
        begin = time.time_ns()
        result = run()
        attribute = {"key": "db.system.name", "value": {"stringValue": system}}
        self.spans.append(
            {
                "traceId": self.trace,
                "spanId": secrets.token_hex(8),
                "parentSpanId": self.parent,
                "name": name,
                "kind": "SPAN_KIND_CLIENT",
                "startTimeUnixNano": str(begin),
                "endTimeUnixNano": str(time.time_ns()),
                "attributes": [attribute],
            }
        )
        return result

    def send(self, endpoint: str) -> None:
        """OTLP over HTTP. Raises OSError."""
        resource = {"attributes": [{"key": "service.name", "value": {"stringValue": self.service}}]}
        body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": self.spans}]}]}
        request = urllib.request.Request(  # noqa: S310
            f"{endpoint}/v1/traces", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT):  # noqa: S310
            pass


def keep(service: str, total: float, traceparent: str) -> int:
    """Keep an order in both servers, by the names that docs/database.md gives an application's Secret.

    Returns the order's number. Raises NotKeptError.
    """
    trace = Trace(service, traceparent)
    try:
        number = _insert(total, trace)
        _cache(number, total, trace)
    except (OSError, pg8000.native.Error, redis.RedisError) as error:
        raise NotKeptError(f"keeping an order: {type(error).__name__} {error}") from error
    endpoint = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    if endpoint and trace.trace:
        try:
            trace.send(endpoint)
        except OSError as error:
            # As with any exporter: a lost span is not a lost order.
            print(f"exporting spans: {error}", flush=True)
    return number


def _insert(total: float, trace: Trace) -> int:
    database = pg8000.native.Connection(
        os.environ["DATABASE_USER"],
        host=os.environ["DATABASE_HOST"],
        database=os.environ.get("DATABASE_NAME", "restaurant"),
        password=os.environ["DATABASE_PASSWORD"],
        timeout=TIMEOUT,
    )
    try:
        create_tables(database)
        database.run("BEGIN")
        order = "INSERT INTO orders (total) VALUES (:total) RETURNING id"
        ((number,),) = trace.timed("postgresql", "INSERT orders", lambda: database.run(order, total=total))
        item = "INSERT INTO order_items (order_id, name) VALUES (:number, 'soup')"
        trace.timed("postgresql", "INSERT order_items", lambda: database.run(item, number=number))
        trace.timed("postgresql", "COMMIT", lambda: database.run("COMMIT"))
    finally:
        database.close()
    return int(number)


def create_tables(database: pg8000.native.Connection) -> None:
    """Once, and one pod after the other: CREATE TABLE IF NOT EXISTS can fail if two sessions run it at once."""
    ((found,),) = database.run("SELECT to_regclass('order_items')::text")
    if found:
        return
    database.run("BEGIN")
    database.run("SELECT pg_advisory_xact_lock(1)")
    for table in TABLES:
        database.run(table)
    database.run("COMMIT")


def _cache(number: int, total: float, trace: Trace) -> None:
    address, password = os.environ["REDIS_HOST"], os.environ["REDIS_PASSWORD"]
    with redis.Redis(address, password=password, socket_timeout=TIMEOUT) as cache:
        text = json.dumps({"order_id": number, "total": total})
        trace.timed("redis", "SET", lambda: cache.set(f"order:cache:{number}", text, ex=CACHE_SECONDS))
