# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""An HTTP GET through Kubernetes' port-forward: on a websocket of its own, beside all other requests, in a given time.

The Kubernetes client's own port-forward takes the place of every other request of its ApiClient while it shakes hands,
and waits for that without end. The protocol is ``v4.channel.k8s.io``: each binary message is a channel's number, one
byte, and data; channel 0 is the connection to the port, channel 1 reports errors; the first message of each holds the
port's number, two bytes, little-endian (k8s.io/kubelet, pkg/cri/streaming/portforward/websocket.go).
"""

from __future__ import annotations

import http.client
import io
import json
import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure

try:
    import websocket
except ImportError:
    # The Kubernetes client depends on it, and Cluster reports that this one is missing.
    websocket = None

PROTOCOL = "v4.channel.k8s.io"
_DATA, _ERROR = 0, 1


def get(
    configuration: Any,
    place: str,
    headers: Mapping[str, str],
    path: str,
    seconds: float,
    asked_with: Mapping[str, str] | None = None,
) -> bytes:
    """The answer to ``GET path`` of a pod's port. Raises ApiFailure.

    ``configuration``: the Kubernetes client's. ``place``: the API server's path of the port-forward. ``headers``: who
    asks the API server. ``seconds``: for all of it. ``asked_with``: headers of the request to the port.
    """
    url = f"ws{configuration.host.removeprefix('http')}{place}"
    connection = websocket.WebSocket(sslopt=_tls(configuration), skip_utf8_validation=True)
    deadline = time.monotonic() + seconds
    try:
        sent = [f"{name}: {value}" for name, value in headers.items()]
        connection.connect(url, header=sent, subprotocols=[PROTOCOL], timeout=seconds, **_proxy(configuration))
        connection.settimeout(_left(deadline))
        connection.send_binary(bytes([_DATA]) + _request(path, asked_with or {}))
        response = http.client.HTTPResponse(_Socket(_Stream(connection, deadline)))  # type: ignore[arg-type]
        response.begin()
        status, body = response.status, response.read()
    except websocket.WebSocketBadStatusException as error:
        raise _refusal(error.status_code, str(error)) from error
    except (OSError, http.client.HTTPException, websocket.WebSocketException) as error:
        raise ApiFailure(0, "Unreachable", f"{place}: {error or type(error).__name__}") from error
    finally:
        connection.shutdown()
    if status != http.client.OK:
        raise ApiFailure(status, response.reason, f"{path} answers {status}")
    return body


def _request(path: str, headers: Mapping[str, str]) -> bytes:
    sent = {"Host": "localhost", "Connection": "close", "Accept-Encoding": "identity", **headers}
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items()), "", ""]
    return "\r\n".join(lines).encode()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no whole answer in time")
    return left


class _Stream(io.RawIOBase):
    """What comes from the port."""

    def __init__(self, connection: Any, deadline: float) -> None:
        self._connection, self._deadline = connection, deadline
        self._named: set[int] = set()
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            self._connection.settimeout(_left(self._deadline))
            try:
                message = self._connection.recv()
            except websocket.WebSocketConnectionClosedException:
                return 0
            if not message:
                return 0
            channel, data = message[0], message[1:]
            if channel not in self._named:
                # The port's number.
                self._named.add(channel)
            elif channel == _ERROR:
                raise ConnectionError(data.decode(errors="replace"))
            elif channel == _DATA:
                self._rest = data
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


class _Socket:
    """What http.client needs of a socket."""

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream

    def makefile(self, *__: Any, **___: Any) -> io.BufferedReader:
        return io.BufferedReader(self._stream)


def _tls(configuration: Any) -> dict[str, Any]:
    """As for all other requests."""
    found: dict[str, Any] = {"cert_reqs": ssl.CERT_NONE, "check_hostname": False}
    if configuration.verify_ssl:
        found = {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": configuration.ssl_ca_cert}
    named = {
        "certfile": configuration.cert_file,
        "keyfile": configuration.key_file,
        "server_hostname": getattr(configuration, "tls_server_name", None),
    }
    return {name: value for name, value in {**found, **named}.items() if value is not None}


def _proxy(configuration: Any) -> dict[str, Any]:
    if not configuration.proxy:
        return {}
    proxy = urlsplit(configuration.proxy)
    found: dict[str, Any] = {"http_proxy_host": proxy.hostname, "http_proxy_port": proxy.port or 80}
    if proxy.username:
        found["http_proxy_auth"] = (unquote(proxy.username), unquote(proxy.password or ""))
    if getattr(configuration, "no_proxy", None):
        found["http_no_proxy"] = str(configuration.no_proxy).split(",")
    return found


def _refusal(status: int, text: str) -> ApiFailure:
    """A handshake that is refused: the API server's message is at the end of the websocket client's."""
    try:
        said = json.loads(text.rpartition(" -+-+- ")[2])
        return ApiFailure(int(said["code"]), str(said.get("reason", "")), str(said["message"]))
    except (ValueError, KeyError, TypeError):
        return ApiFailure(status, "", text)
