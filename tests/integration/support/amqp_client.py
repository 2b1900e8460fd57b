"""As much of AMQP 0-9-1 as it takes to put a message into a durable queue and to get it out again."""

from __future__ import annotations

import socket
import struct
from types import TracebackType

METHOD, HEADER, BODY = 1, 2, 3
CONNECTION, CHANNEL, QUEUE, BASIC, CONFIRM = 10, 20, 50, 60, 85


class AmqpRefusedError(Exception):
    """The broker ended the connection."""


def short(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def long(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


class Amqp:
    """A connection with one channel."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.sendall(b"AMQP\x00\x00\x09\x01")
        self.expect(CONNECTION, 10)
        self.send(
            0, CONNECTION, 11, long(b"") + short("PLAIN") + long(f"\0{user}\0{password}".encode()) + short("en_US")
        )
        tuning = self.expect(CONNECTION, 30)
        self.send(0, CONNECTION, 31, tuning[:6] + struct.pack(">H", 0))
        self.send(0, CONNECTION, 40, short("/") + short("") + b"\0")
        self.expect(CONNECTION, 41)
        self.send(1, CHANNEL, 10, short(""))
        self.expect(CHANNEL, 11)

    def __enter__(self) -> Amqp:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def frame(self, kind: int, channel: int, payload: bytes) -> None:
        self.socket.sendall(struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce")

    def send(self, channel: int, group: int, method: int, arguments: bytes) -> None:
        self.frame(METHOD, channel, struct.pack(">HH", group, method) + arguments)

    def receive(self) -> tuple[int, bytes]:
        kind, _channel, size = struct.unpack(">BHI", self.exactly(7))
        payload = self.exactly(size)
        assert self.exactly(1) == b"\xce"
        return kind, payload

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                more = self.socket.recv(size - len(data))
            except ConnectionResetError as error:
                raise AmqpRefusedError("reset by the broker") from error
            if not more:
                raise AmqpRefusedError("closed by the broker")
            data += more
        return data

    def expect(self, group: int, method: int) -> bytes:
        """Arguments of the method that must come next."""
        kind, payload = self.receive()
        found = struct.unpack(">HH", payload[:4])
        if kind != METHOD or found != (group, method):
            raise AmqpRefusedError(f"{found} instead of {(group, method)}: {payload[4:]!r}")
        return payload[4:]

    def declare(self, queue: str) -> int:
        """A durable queue. Returns the number of its messages."""
        durable = 2
        self.send(1, QUEUE, 10, b"\0\0" + short(queue) + bytes([durable]) + long(b""))
        answer = self.expect(QUEUE, 11)
        (messages,) = struct.unpack(">I", answer[1 + answer[0] : 5 + answer[0]])
        return int(messages)

    def publish(self, queue: str, body: bytes) -> None:
        """A persistent message; returns when the broker has it on its volume."""
        self.send(1, CONFIRM, 10, b"\0")
        self.expect(CONFIRM, 11)
        self.send(1, BASIC, 40, b"\0\0" + short("") + short(queue) + b"\0")
        delivery_mode = struct.pack(">HB", 1 << 12, 2)
        self.frame(HEADER, 1, struct.pack(">HHQ", BASIC, 0, len(body)) + delivery_mode)
        self.frame(BODY, 1, body)
        self.expect(BASIC, 80)

    def get(self, queue: str) -> bytes:
        self.send(1, BASIC, 70, b"\0\0" + short(queue) + b"\1")
        self.expect(BASIC, 71)
        self.receive()
        kind, body = self.receive()
        assert kind == BODY
        return body
