"""What the API server requests from a node: logs, and port-forwards by websocket. There is no exec."""

from __future__ import annotations

import datetime
import re
import ssl
import threading
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from ..settings import Settings
from .port_forward import PROTOCOL, Connect, PortForward, handshake

# As istiod, pilot-agent and Envoy begin a line of theirs, or have it in a line of JSON.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
# Beyond it a line says something else than when it was written.
_TIME_WITHIN = 60


def container_log(logs: Path, namespace: str, pod: str, container: str, query: dict[str, list[str]]) -> tuple[int, str]:
    """HTTP status and text: of a container that really runs its lines, of a simulated one none."""
    if query.get("previous") == ["true"]:
        return 400, f'previous terminated container "{container}" in pod "{pod}" not found'
    path = logs / "pods" / namespace / pod / f"{container}.log"
    if not path.is_file():
        return 200, ""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    if since := query.get("sinceSeconds"):
        begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=int(since[0]))
        lines = list(_written_since(lines, begin.strftime("%Y-%m-%dT%H:%M:%S")))
    if tail := query.get("tailLines"):
        lines = lines[-int(tail[0]) :] if int(tail[0]) else []
    return 200, "".join(f"{line}\n" for line in lines)


def _written_since(lines: Iterable[str], begin: str) -> Iterable[str]:
    """Lines without a time of their own belong to the last one that has one."""
    wanted = True
    for line in lines:
        if found := _TIME.search(line[:_TIME_WITHIN]):
            wanted = found[0] >= begin
        if wanted:
            yield line


def _no_port_forward(namespace: str, pod: str, connect: Connect | None) -> tuple[int, str]:
    if connect is None:
        return 404, f"pod {namespace}/{pod} is simulated: no process listens to a port of it"
    return 400, f"the lab forwards ports by websocket, protocol {PROTOCOL}, alone"


class Kubelet(threading.Thread):
    """Answers only the API server: it requires a certificate of the lab's own CA.

    ``ports_of``: how to reach a port of a pod (namespace, name); None for a pod that is only simulated.
    """

    def __init__(self, settings: Settings, ports_of: Callable[[str, str], Connect | None]) -> None:
        super().__init__(name="kubelet", daemon=True)
        logs, pki = settings.logs, settings.state_dir / "pki"

        class Handler(BaseHTTPRequestHandler):
            # A websocket begins with no other.
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                address = urlsplit(self.path)
                match [unquote(part) for part in address.path.split("/")]:
                    case ["", "containerLogs", namespace, pod, name] if not {"", ".", ".."} & {namespace, pod, name}:
                        status, text = container_log(logs, namespace, pod, name, parse_qs(address.query))
                    case ["", "portForward", namespace, pod]:
                        connect = ports_of(namespace, pod)
                        key = self.headers.get("Sec-WebSocket-Key")
                        if connect and key and PROTOCOL in self.headers.get("Sec-WebSocket-Protocol", ""):
                            self._forward(key, parse_qs(address.query), connect)
                            return
                        status, text = _no_port_forward(namespace, pod, connect)
                    case _:
                        status, text = 404, "the lab's nodes have logs and port-forwards only"
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _forward(self, key: str, query: dict[str, list[str]], connect: Connect) -> None:
                self.send_response(101)
                for name, value in handshake(key).items():
                    self.send_header(name, value)
                self.end_headers()
                self.close_connection = True
                ports = [int(port) for ports in query.get("port", []) for port in ports.split(",")]
                PortForward(self.connection, ports, connect).serve()

            def log_message(self, format: str, *arguments: object) -> None:
                """Requests are not logged."""

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pki / "ca.crt"))
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(pki / "node.crt", pki / "node.key")
        self._server = ThreadingHTTPServer((settings.bridge_ip, settings.port("kubelet")), Handler)
        self.port = self._server.server_port
        # The handshake is the worker's: a client that says nothing must not hold up the others.
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)

    def run(self) -> None:
        """For ever."""
        self._server.serve_forever()
