"""The stand-in: one small program that answers as any of the restaurant's seven services would.

Or as one of the four of Istio's sample application Bookinfo, so that its files can be applied to the lab.

Started with one JSON argument: {"port", "service", "version", "pod", "faults"}. It needs nothing but the standard
library and imports nothing of the lab, so that it starts at once.
"""

import asyncio
import json
import os
import random
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

Headers = dict[str, Any]
Answer = tuple[int, Any, dict[str, str]]

PORTS = {
    "api-gateway": 8000,
    "order-service": 8001,
    "restaurant-service": 8002,
    "menu-service": 8003,
    "auth-service": 8004,
    "notification-service": 8005,
}
# Of Istio's sample all services listen at one port.
BOOKINFO = ("productpage", "details", "reviews", "ratings")
PORTS |= dict.fromkeys(BOOKINFO, 9080)
# What api-gateway hands on, by the first part of the path behind /api/v1/.
BACKENDS = {
    "orders": "order-service",
    "restaurants": "restaurant-service",
    "tables": "restaurant-service",
    "menu": "menu-service",
    "menu-items": "menu-service",
    "auth": "auth-service",
    "notifications": "notification-service",
}
# An order's way through the services, as the design document's trace shows it.
ORDER_CALLS = (
    ("restaurant-service", "GET", "/api/v1/restaurants/1"),
    ("menu-service", "GET", "/api/v1/menu-items"),
    ("notification-service", "POST", "/api/v1/notifications"),
)
# Headers that a well-behaved service hands on: tracing, and what header and cookie routes look at.
PROPAGATED = ("traceparent", "tracestate", "b3", "cookie", "authorization", "user-agent", "end-user")
CALL_SECONDS = 30
# What each order costs.
TOTAL = 45.99
# The pace in which a fault uses CPU: no request waits for longer than this.
CONSUME_SECONDS = 0.02
# Of its own network namespace, that is.
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104
REASONS = {200: "OK", 201: "Created", 302: "Found", 404: "Not Found", 502: "Bad Gateway", 503: "Service Unavailable"}


class Faults:
    """The faults that this pod should show, read again whenever the file changes."""

    def __init__(self, path: str, service: str, version: str) -> None:
        self.path, self.service, self.version = path, service, version
        self.stamp: int | None = None
        self.current: Headers = {}

    def now(self) -> Headers:
        """The fault of this service and version, {} for none."""
        try:
            stamp = os.stat(self.path).st_mtime_ns
        except OSError:
            self.stamp, self.current = None, {}
            return self.current
        if stamp != self.stamp:
            try:
                with open(self.path, encoding="utf-8") as source:
                    entries = json.load(source)
            except (OSError, ValueError):
                return self.current
            self.stamp, self.current = stamp, {}
            for entry in entries:
                if entry["service"] == self.service and entry.get("version") in (None, "", self.version):
                    self.current = entry
        return self.current


class Metrics:
    """The business metrics of the design document."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.orders = {"completed": 0, "failed": 0}
        self.revenue = 0.0
        self.requests = 0

    def text(self) -> str:
        """Prometheus' text format."""
        lines = ["# TYPE standin_requests_total counter", f"standin_requests_total {self.requests}"]
        if self.service == "order-service":
            lines.append("# TYPE restaurant_orders_total counter")
            lines += [f'restaurant_orders_total{{status="{s}"}} {n}' for s, n in sorted(self.orders.items())]
            lines += ["# TYPE restaurant_revenue_total counter", f"restaurant_revenue_total {self.revenue:.2f}"]
        if self.service == "restaurant-service":
            occupied = 12 + round(8 * abs((time.time() / 60) % 2 - 1))
            lines += ["# TYPE restaurant_table_occupancy gauge", f"restaurant_table_occupancy {occupied}"]
        if self.service == "auth-service":
            lines += ["# TYPE restaurant_active_users gauge", f"restaurant_active_users {len(self.orders) * 20}"]
        return "\n".join(lines) + "\n"


class RefusedError(Exception):
    """The connection must be reset without an answer."""


class NotKeptError(Exception):
    """A database did not take an order."""


class StandIn:
    """One pod's service."""

    def __init__(self, identity: Headers, keep: Callable[[float, str], int] | None = None) -> None:
        """``keep``: puts an order where it stays, given its total and the request's traceparent. Returns its number."""
        self.keep = keep
        self.service, self.version, self.pod = identity["service"], identity["version"], identity["pod"]
        self.port = identity["port"]
        self.faults = Faults(identity["faults"], self.service, self.version)
        self.metrics = Metrics(self.service)
        self.draining = False
        self.open = 0

    async def serve(self) -> None:
        """Serve until SIGTERM, then finish the requests in progress."""
        await asyncio.sleep(float(self.faults.now().get("slow_start_seconds", 0)))
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        server = await asyncio.start_server(self.connection, EVERY_ADDRESS, self.port, backlog=512)
        consumer = asyncio.create_task(self.consume())
        await stop.wait()
        consumer.cancel()
        self.draining = True
        server.close()
        for __ in range(100):
            if not self.open:
                break
            await asyncio.sleep(0.05)

    async def consume(self) -> None:
        """Use the CPU (cores) and the memory (MiB) that a fault asks for, beside serving."""
        held = bytearray()
        while True:
            fault = self.faults.now()
            wanted = int(fault.get("memory_mb", 0)) * 2**20
            if len(held) != wanted:
                # Pages count once they are written.
                held = bytearray(b"\1") * wanted
            busy = min(float(fault.get("cpu", 0)), 1.0) * CONSUME_SECONDS
            end = time.process_time() + busy
            while time.process_time() < end:
                pass
            await asyncio.sleep(CONSUME_SECONDS - busy if busy else 1)

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client connection, kept alive."""
        try:
            while not self.draining:
                head = await reader.readuntil(b"\r\n\r\n")
                self.open += 1
                try:
                    keep = await self.exchange(head, reader, writer)
                finally:
                    self.open -= 1
                if not keep:
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError):
            pass
        except RefusedError:
            # A reset instead of an orderly close, as from a process that is not there.
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        finally:
            writer.close()

    async def exchange(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request. Returns whether the connection may continue."""
        request_line, *lines = head.decode("latin-1").split("\r\n")
        method, path, __ = request_line.split(" ", 2)
        headers = {}
        for line in lines:
            name, separator, value = line.partition(":")
            if separator:
                headers[name.lower()] = value.strip()
        body = await reader.readexactly(int(headers.get("content-length") or 0))
        status, payload, extra = await self.answer(method, path.split("?")[0], headers, body)
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        answer_headers = {
            "content-type": "application/json",
            "x-served-by": f"{self.service}/{self.version}/{self.pod}",
            **extra,
            "content-length": str(len(data)),
            "connection": "close" if self.draining else "keep-alive",
        }
        top = f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}\r\n"
        top += "".join(f"{name}: {value}\r\n" for name, value in answer_headers.items())
        writer.write(top.encode("latin-1") + b"\r\n" + data)
        await writer.drain()
        return not self.draining and headers.get("connection", "").lower() != "close"

    async def answer(self, method: str, path: str, headers: Headers, body: bytes) -> Answer:
        """(status, payload, headers) for a request."""
        if path == "/metrics":
            return 200, self.metrics.text().encode(), {"content-type": "text/plain; version=0.0.4"}
        if path in ("/health", "/api/v1/health"):
            return 200, {"status": "healthy", "service": self.service, "version": self.version}, {}
        if path == "/headers":
            # What an application sees of a request.
            return 200, headers, {}
        self.metrics.requests += 1
        fault = self.faults.now()
        if fault:
            await self.suffer(fault)
            if random.random() < float(fault.get("error_rate", 0)):  # noqa: S311
                if self.service == "order-service" and method == "POST":
                    self.metrics.orders["failed"] += 1
                return int(fault.get("error_code", 500)), {"error": "injected fault"}, {}
        return await self.serve_path(method, path, headers, body)

    async def suffer(self, fault: Headers) -> None:
        """Latency, hang and refusal."""
        if fault.get("refuse"):
            raise RefusedError
        if fault.get("hang"):
            await asyncio.sleep(3600)
        await asyncio.sleep(float(fault.get("latency_ms", 0)) / 1000)

    async def serve_path(self, method: str, path: str, headers: Headers, body: bytes) -> Answer:
        """What the real service would do."""
        parts = path.strip("/").split("/")
        if self.service in BOOKINFO:
            return await self.serve_book(method, parts, headers, body)
        if self.service == "frontend":
            if path == "/order":
                return await self.call("api-gateway", "POST", "/api/v1/orders", headers, body)
            page = b"<!doctype html><title>Restaurant</title><h1>Restaurant Management System</h1>\n"
            return 200, page, {"content-type": "text/html"}
        if parts[:2] != ["api", "v1"] or len(parts) < 3:
            return 404, {"error": f"no such path: {path}"}, {}
        if self.service == "api-gateway":
            backend = BACKENDS.get(parts[2])
            if not backend:
                return 404, {"error": f"no such path: {path}"}, {}
            return await self.call(backend, method, path, headers, body)
        if self.service == "order-service" and method == "POST":
            return await self.place_order(headers)
        return 200, {parts[2]: [], "service": self.service}, {}

    async def serve_book(self, method: str, parts: list[str], headers: Headers, body: bytes) -> Answer:
        """As the sample's services: productpage calls reviews, which call ratings from the second version on."""
        if self.service == "productpage":
            return await self.product_page(method, parts, headers, body)
        if parts[0] != self.service:
            return 404, {"error": "no such path"}, {}
        if self.service == "reviews" and self.version != "v1":
            # Reviews without stars are answered, too.
            await self.call("ratings", "GET", "/ratings/0", headers, b"")
        return 200, {"id": "0", "service": self.service}, {}

    async def product_page(self, method: str, parts: list[str], headers: Headers, body: bytes) -> Answer:
        """The page of the only book, its reviews, and the login that makes a reader known to the services behind."""
        if method == "POST" and parts == ["login"]:
            user = dict(pair.partition("=")[::2] for pair in body.decode().split("&")).get("username", "")
            location = headers.get("referer", "/productpage")
            return 302, {}, {"location": location, "set-cookie": f"session={user}; Path=/"}
        cookies = dict(pair.strip().partition("=")[::2] for pair in headers.get("cookie", "").split(";"))
        known = {"end-user": cookies["session"]} if "session" in cookies else {}
        if parts == ["productpage"] or parts[:3] == ["api", "v1", "products"]:
            return await self.call("reviews", "GET", "/reviews/0", {**headers, **known}, b"")
        return 404, {"error": "no such path"}, {}

    async def place_order(self, headers: Headers) -> Answer:
        """An order calls the services behind it; one that fails fails the order."""
        for service, method, path in ORDER_CALLS:
            status, __, __ = await self.call(service, method, path, headers, b"")
            if status >= 400:
                self.metrics.orders["failed"] += 1
                return 502, {"error": f"{service} answered {status}"}, {}
        number = self.metrics.orders["completed"] + 1
        if self.keep:
            try:
                number = await asyncio.to_thread(self.keep, TOTAL, headers.get("traceparent", ""))
            except NotKeptError as error:
                self.metrics.orders["failed"] += 1
                return 502, {"error": str(error)}, {}
        self.metrics.orders["completed"] += 1
        self.metrics.revenue += TOTAL
        return 201, {"order_id": number, "total": TOTAL}, {}

    async def call(self, service: str, method: str, path: str, headers: Headers, body: bytes) -> Answer:
        """Call another service through the pod's own sidecar; its answer's origin is handed on."""
        try:
            return await asyncio.wait_for(self.call_once(service, method, path, headers, body), CALL_SECONDS)
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            return 502, {"error": f"calling {service}: {type(error).__name__} {error}"}, {}

    async def call_once(self, service: str, method: str, path: str, headers: Headers, body: bytes) -> Answer:
        """One HTTP request on a connection of its own."""
        reader, writer = await asyncio.open_connection(service, PORTS[service])
        try:
            passed = {n: v for n, v in headers.items() if n in PROPAGATED or (n.startswith("x-") and "envoy" not in n)}
            passed.pop("x-forwarded-for", None)
            top = f"{method} {path} HTTP/1.1\r\nhost: {service}:{PORTS[service]}\r\nconnection: close\r\n"
            top += f"content-length: {len(body)}\r\n" + "".join(f"{n}: {v}\r\n" for n, v in passed.items())
            writer.write(top.encode("latin-1") + b"\r\n" + body)
            await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status_line, *lines = head.split("\r\n")
            found = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines if line}
            length = found.get("content-length")
            payload = await (reader.readexactly(int(length)) if length else reader.read())
            extra: dict[str, str] = {n: found[n] for n in ("x-served-by", "content-type") if n in found}
            return int(status_line.split(" ")[1]), payload, extra
        finally:
            writer.close()


if __name__ == "__main__":
    asyncio.run(StandIn(json.loads(sys.argv[1])).serve())
