"""A constant rate of requests, sent whether or not the answers keep up, by a process of its own.

    python canary_load.py --url http://127.0.0.1:8080/api/v1/orders --header 'Host: restaurant.corpv3.com' --output FILE

It ends at SIGTERM, after the last answers. Each request becomes one line of JSON: see canary_records.Record. Only the
standard library, and no thread of pytest's: what is measured must not wait for the one who measures.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

TIMEOUT = 15.0
_FLUSH_SECONDS = 0.2
_START_SECONDS = 15.0


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request in progress."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.answer: asyncio.Future[tuple[int, str]] | None = None
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self.answer and not self.answer.done():
            self.answer.set_exception(ConnectionError(str(exc or "closed without an answer")))

    @property
    def usable(self) -> bool:
        return self.transport is not None and not self.transport.is_closing()

    def close(self) -> None:
        if self.transport:
            self.transport.abort()

    def ask(self, request: bytes) -> asyncio.Future[tuple[int, str]]:
        """The future of (status, x-served-by)."""
        self.buffer = b""
        self.answer = asyncio.get_running_loop().create_future()
        if self.transport is None:
            raise ConnectionError("closed")
        self.transport.write(request)
        return self.answer

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, separator, body = self.buffer.partition(b"\r\n\r\n")
        if not separator or self.answer is None or self.answer.done():
            return
        status_line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, __, value in (line.partition(":") for line in lines)}
        if headers.get("transfer-encoding", "").lower() == "chunked":
            complete = body.endswith(b"0\r\n\r\n")
        else:
            complete = len(body) >= int(headers.get("content-length", 0))
        if complete:
            if headers.get("connection", "").lower() == "close" and self.transport:
                self.transport.close()
            self.answer.set_result((int(status_line.split(" ")[1]), headers.get("x-served-by", "")))


class Schedule:
    """Sends on a schedule that answers do not move."""

    def __init__(self, rate: float, timeout: float, output: TextIO) -> None:
        self._pause, self._timeout, self._output = 1 / rate, timeout, output
        self._in_progress: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Until stopped; then waits for requests in progress."""
        loop = asyncio.get_running_loop()
        flushing = loop.create_task(self._flush())
        begin, wall, number = loop.time(), time.time(), 0
        while not stop.is_set():
            due = begin + number * self._pause
            wait = due - loop.time()
            if wait > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), wait)
                continue
            task = loop.create_task(self._one(wall + due - begin))
            self._in_progress.add(task)
            task.add_done_callback(self._in_progress.discard)
            number += 1
        if self._in_progress:
            await asyncio.wait(self._in_progress)
        flushing.cancel()

    async def _one(self, due: float) -> None:
        sent, status = time.time(), 0
        try:
            async with asyncio.timeout(self._timeout):
                sent, status, served = await self.exchange()
        except OSError as error:
            served = f"!{type(error).__name__} {error}"
        record = {"due": due, "sent": sent, "answered": time.time(), "status": status, "served": served}
        self._output.write(json.dumps(record) + "\n")

    async def exchange(self) -> tuple[float, int, str]:
        """One request: when it was sent, its status, and who answered. Raises OSError if there is no answer."""
        raise NotImplementedError

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            self._output.flush()


class Requests(Schedule):
    """On as few connections as there are requests in progress."""

    def __init__(self, url: str, headers: Sequence[str], rate: float, timeout: float, output: TextIO) -> None:
        super().__init__(rate, timeout, output)
        parts = urlsplit(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._request = "\r\n".join([f"GET {parts.path or '/'} HTTP/1.1", *headers, "", ""]).encode()
        self._idle: list[Connection] = []

    async def exchange(self) -> tuple[float, int, str]:
        connection = await self._connection()
        sent = time.time()
        try:
            status, served = await connection.ask(self._request)
        except (OSError, asyncio.CancelledError):
            connection.close()
            raise
        if connection.usable:
            self._idle.append(connection)
        return sent, status, served

    async def _connection(self) -> Connection:
        while self._idle:
            # The one used last: few connections stay warm instead of many that the gateway may be about to close.
            connection = self._idle.pop()
            if connection.usable:
                return connection
        loop = asyncio.get_running_loop()
        __, made = await loop.create_connection(Connection, *self._address)
        return made


class Load:
    """The generator as a process; open from the first answer on."""

    program = __file__

    def __init__(
        self, url: str, headers: Sequence[str], output: Path, rate: float = 100, timeout: float = TIMEOUT
    ) -> None:
        self.output, self.rate = output, rate
        self._argv = [sys.executable, self.program, "--url", url, "--output", str(output)]
        self._argv += [f"--header={header}" for header in headers]
        self._argv += ["--rate", str(rate), "--timeout", str(timeout)]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Load:
        self.output.unlink(missing_ok=True)
        self._process = subprocess.Popen(self._argv)
        deadline = time.monotonic() + _START_SECONDS
        while not (self.output.exists() and self.output.stat().st_size):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"no answer from {self._argv[3]}")
            time.sleep(0.05)
        return self

    def __exit__(self, *__: Any) -> None:
        self.stop()

    def stop(self) -> None:
        """No more requests; returns when the last one is answered."""
        if self._process and self._process.poll() is None:
            self._process.terminate()
            self._process.wait()


def run(description: str | None, generator: Callable[[str, Sequence[str], float, float, TextIO], Schedule]) -> None:
    """Send until SIGTERM."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--header", action="append", required=True, help="as 'Host: restaurant.corpv3.com'")
    parser.add_argument("--output", required=True)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--timeout", type=float, default=TIMEOUT)
    options = parser.parse_args()

    async def send() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        with open(options.output, "w", encoding="utf-8") as output:
            await generator(options.url, options.header, options.rate, options.timeout, output).run(stop)

    asyncio.run(send())


if __name__ == "__main__":
    run(__doc__, Requests)
