"""A port-forward as a kubelet serves it by websocket: protocol v4.channel.k8s.io.

Each port has two channels, for data and for errors. A message begins with its channel's number, and the first message
of each channel is the port's number (Kubernetes, pkg/kubelet/cri/streaming/portforward/websocket.go). `kubectl
port-forward` speaks SPDY inside of its websocket, which the lab does not.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import hashlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

PROTOCOL = "v4.channel.k8s.io"
_WEBSOCKET_ID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_BINARY, _CLOSE, _PING, _PONG = 2, 8, 9, 10
_NETWORK_NAMESPACE = 0x40000000
_NAMESPACES = Path("/run/netns")
_CONNECT_SECONDS = 5
_CHUNK = 65536


class Stream(Protocol):
    """A connection, in plain text or not."""

    def recv(self, size: int, /) -> bytes:
        """Up to ``size`` bytes; none at the end."""

    def sendall(self, data: bytes, /) -> None:
        """All of them."""


Connect = Callable[[int], socket.socket]


def handshake(key: str) -> dict[str, str]:
    """The headers that answer a client's upgrade."""
    accepted = base64.b64encode(hashlib.sha1((key + _WEBSOCKET_ID).encode(), usedforsecurity=False).digest())
    return {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": accepted.decode(),
        "Sec-WebSocket-Protocol": PROTOCOL,
    }


def connect_in(netns: str, port: int) -> socket.socket:
    """A connection to a pod's own loopback, from within its network namespace."""
    with _in_namespace(netns):
        return socket.create_connection(("127.0.0.1", port), _CONNECT_SECONDS)


def connect_on_host(address: str, port: int) -> socket.socket:
    """For a pod that runs in the host's namespace, at an address of its own: the other end sees the loopback."""
    return socket.create_connection((address, port), _CONNECT_SECONDS, source_address=("127.0.0.1", 0))


@contextlib.contextmanager
def _in_namespace(netns: str) -> Iterator[None]:
    """The calling thread alone enters the namespace, and comes back."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net", "rb") as before, open(_NAMESPACES / netns, "rb") as wanted:
        if libc.setns(wanted.fileno(), _NETWORK_NAMESPACE):
            raise OSError(ctypes.get_errno(), f"cannot enter network namespace {netns}")
        try:
            yield
        finally:
            libc.setns(before.fileno(), _NETWORK_NAMESPACE)


class PortForward:
    """One websocket, after its handshake, and the connections that it carries."""

    def __init__(self, client: Stream, ports: list[int], connect: Connect) -> None:
        self._client, self._ports, self._connect = client, ports, connect
        self._sending = threading.Lock()
        self._targets: dict[int, socket.socket] = {}

    def serve(self) -> None:
        """Until either side ends."""
        try:
            for index, port in enumerate(self._ports):
                for channel in (2 * index, 2 * index + 1):
                    self._send(_BINARY, bytes([channel]) + struct.pack("<H", port))
            for index, port in enumerate(self._ports):
                self._open(index, port)
            if self._targets:
                self._forward()
        except OSError:
            # One of both is gone.
            pass
        finally:
            with contextlib.suppress(OSError):
                self._send(_CLOSE, struct.pack(">H", 1000))
            for target in self._targets.values():
                target.close()

    def _open(self, index: int, port: int) -> None:
        try:
            target = self._connect(port)
        except OSError as error:
            text = f"an error occurred forwarding {port} -> {port}: {error}"
            self._send(_BINARY, bytes([2 * index + 1]) + text.encode())
            return
        target.settimeout(None)
        self._targets[2 * index] = target
        threading.Thread(target=self._answer, args=(2 * index, target), daemon=True).start()

    def _answer(self, channel: int, target: socket.socket) -> None:
        """What comes from the pod."""
        with contextlib.suppress(OSError):
            while data := target.recv(_CHUNK):
                self._send(_BINARY, bytes([channel]) + data)
            self._send(_CLOSE, struct.pack(">H", 1000))

    def _forward(self) -> None:
        """What comes from the client."""
        while True:
            kind, data = self._message()
            if kind == _CLOSE:
                return
            if kind == _PING:
                self._send(_PONG, data)
            elif kind == _BINARY and data and data[0] in self._targets:
                self._targets[data[0]].sendall(data[1:])

    def _message(self) -> tuple[int, bytes]:
        first, second = self._read(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self._read(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._read(8))
        mask = self._read(4) if second & 0x80 else bytes(4)
        data = self._read(length)
        repeated = (mask * (length // 4 + 1))[:length]
        plain = int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")
        return first & 0x0F, plain.to_bytes(length, "big")

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            if not (more := self._client.recv(size - len(data))):
                raise ConnectionError("the client is gone")
            data += more
        return data

    def _send(self, kind: int, data: bytes) -> None:
        length = len(data)
        if length < 126:
            head = bytes([0x80 | kind, length])
        elif length < 65536:
            head = bytes([0x80 | kind, 126]) + struct.pack(">H", length)
        else:
            head = bytes([0x80 | kind, 127]) + struct.pack(">Q", length)
        with self._sending:
            self._client.sendall(head + data)
