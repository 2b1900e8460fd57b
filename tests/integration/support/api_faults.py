"""A proxy in front of the API server that misbehaves on a test's request.

    with ApiFaults(kubeconfig) as faults:
        faults.add(Fault("PUT", "/virtualservices/", status=409, nth=2))
        run_playbook(..., variables={"service_mesh_kubeconfig": faults.kubeconfig(tmp_path)})

It speaks plain HTTP on loopback and holds the administrator's certificate itself, so its users need none. Its requests
are in ``log``.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import random
import re
import socket
import ssl
import struct
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

_CHUNK = 65536
_REASONS = {409: "Conflict", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable"}
Headers = dict[str, str]


@dataclass
class Fault:
    """What becomes of requests whose verb (PUT, or PUT|PATCH) and path these regular expressions find.

    ``status`` answers in the API server's place, ``reset`` cuts the connection, ``hang`` keeps silent for so many
    seconds and then cuts it, ``call`` lets a test do something first. ``after``: they come when the API server has
    done its part, which the client learns later (or never). ``body``: JSON that comes with ``status``.
    """

    verb: str = ""
    path: str = ""
    status: int = 0
    body: str = ""
    reset: bool = False
    hang: float = 0
    call: Callable[[], None] | None = None
    after: bool = False
    probability: float = 1
    # The n-th request that fits, and how many from there on; 0: all.
    nth: int = 1
    times: int = 1
    seen: int = 0
    hits: int = 0

    def strikes(self, verb: str, path: str) -> bool:
        if not re.fullmatch(self.verb or ".*", verb) or not re.search(self.path, path):
            return False
        self.seen += 1
        due = self.seen >= self.nth and not (self.times and self.seen >= self.nth + self.times)
        if due and random.random() < self.probability:  # noqa: S311
            self.hits += 1
            return True
        return False


@dataclass(frozen=True)
class Request:
    """One that went through, or did not. ``status`` 0: cut."""

    at: float
    verb: str
    path: str
    status: int
    faulty: bool

    @property
    def writes(self) -> bool:
        return self.verb in ("PUT", "POST", "PATCH", "DELETE")


class _CutError(Exception):
    """The client's connection must be reset."""


class ApiFaults:
    """The proxy, in a thread of its own."""

    def __init__(self, kubeconfig: str | Path) -> None:
        found = yaml.safe_load(Path(kubeconfig).read_text(encoding="utf-8"))
        cluster, user = found["clusters"][0]["cluster"], found["users"][0]["user"]
        parts = urlsplit(cluster["server"])
        self._upstream = (str(parts.hostname), parts.port or 443)
        self._tls = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        with tempfile.NamedTemporaryFile() as pair:
            pair.write(base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"]))
            pair.flush()
            self._tls.load_cert_chain(pair.name)
        self.port = 0
        self.log: list[Request] = []
        self._faults: list[Fault] = []
        self._down_until = 0.0
        self._connections: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> ApiFaults:
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._client, "127.0.0.1", 0, limit=2**20), self._loop
        )
        self.port = server.result().sockets[0].getsockname()[1]
        return self

    def __exit__(self, *__: Any) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _end(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def kubeconfig(self, folder: Path) -> str:
        """A kubeconfig whose server is the proxy."""
        path = folder / "faulty.kubeconfig"
        path.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "faulty",
                    "clusters": [{"name": "faulty", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
                    "users": [{"name": "faulty", "user": {}}],
                    "contexts": [{"name": "faulty", "context": {"cluster": "faulty", "user": "faulty"}}],
                }
            ),
            encoding="utf-8",
        )
        return str(path)

    def add(self, fault: Fault) -> Fault:
        """From the next request on."""
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """No more faults."""
        self._faults = []

    def down(self, seconds: float) -> None:
        """Reset every connection, open ones and new ones, for so long."""
        self._down_until = time.monotonic() + seconds
        self._loop.call_soon_threadsafe(lambda: [_reset(writer) for writer in list(self._connections)])

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await _body(reader, _headers(head))
                if time.monotonic() < self._down_until:
                    raise _CutError
                if upstream is None or upstream[0].at_eof():
                    upstream = await asyncio.open_connection(*self._upstream, ssl=self._tls, limit=2**20)
                if not await self._exchange(head, body, (reader, writer), upstream):
                    return
        except _CutError:
            _reset(writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(writer)
            for end in (writer, upstream[1] if upstream else None):
                if end:
                    end.close()

    async def _exchange(
        self,
        head: bytes,
        body: bytes,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> bool:
        """One request. Returns whether the connection may continue."""
        verb, path, __ = head.split(b"\r\n", 1)[0].decode().split(" ")
        at = time.time()
        fault = next((entry for entry in self._faults if entry.strikes(verb, path)), None)
        if fault and fault.status:
            self.log.append(Request(at, verb, path, fault.status, True))
            client[1].write(_answer(fault.status, fault.body or _refusal(fault.status)))
            await client[1].drain()
            return True
        if fault and not fault.after:
            await self._suffer(fault, verb, path, at)
        upstream[1].write(_renamed(head, f"{self._upstream[0]}:{self._upstream[1]}") + body)
        await upstream[1].drain()
        answer = await upstream[0].readuntil(b"\r\n\r\n")
        status = int(answer.split(b" ", 2)[1])
        if fault and fault.after:
            await self._suffer(fault, verb, path, at)
        self.log.append(Request(at, verb, path, status, bool(fault)))
        client[1].write(answer)
        if status == 101:
            await asyncio.gather(_pump(client[0], upstream[1]), _pump(upstream[0], client[1]))
            return False
        return await _relay(upstream[0], client[1], _headers(answer), verb == "HEAD" or status in (204, 304))

    async def _suffer(self, fault: Fault, verb: str, path: str, at: float) -> None:
        if fault.call:
            await asyncio.to_thread(fault.call)
        await asyncio.sleep(fault.hang)
        if fault.hang or fault.reset:
            self.log.append(Request(at, verb, path, 0, True))
            raise _CutError


def _headers(head: bytes) -> Headers:
    lines = head.decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value.strip() for name, __, value in (line.partition(":") for line in lines if line)}


async def _body(reader: asyncio.StreamReader, headers: Headers) -> bytes:
    if headers.get("transfer-encoding") == "chunked":
        whole = b""
        while not whole.endswith(b"0\r\n\r\n"):
            whole += await reader.readuntil(b"\r\n")
        return whole
    return await reader.readexactly(int(headers.get("content-length") or 0))


def _renamed(head: bytes, host: str) -> bytes:
    return re.sub(rb"(?im)^host:[^\r]*", b"Host: " + host.encode(), head, count=1)


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: Headers, empty: bool) -> bool:
    """An answer's body as it comes. Returns whether the connection may continue."""
    if empty:
        return True
    if headers.get("transfer-encoding") == "chunked":
        size = -1
        while size != 0:
            line = await reader.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            writer.write(line + await reader.readexactly(size + 2))
            await writer.drain()
        return True
    if "content-length" in headers:
        writer.write(await reader.readexactly(int(headers["content-length"])))
        await writer.drain()
        return True
    await _pump(reader, writer)
    return False


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


def _refusal(status: int) -> str:
    """As the API server words it."""
    return json.dumps(
        {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "reason": _REASONS.get(status, ""),
            "code": status,
            "message": f"the test's proxy answers {status}",
        }
    )


def _answer(status: int, text: str) -> bytes:
    extra = "Retry-After: 1\r\n" if status == 429 else ""
    reason = _REASONS.get(status, "")
    top = f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\n{extra}Content-Length: {len(text)}\r\n\r\n"
    return (top + text).encode()


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        # Linger of no time: the close is a reset.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
