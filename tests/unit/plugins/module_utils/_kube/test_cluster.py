"""The API client, against a server that refuses, is away, or takes its time: M2, B4 and M19 of the canary's review."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.lease import Lease
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.cluster import ends_early
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from kubernetes.client import Configuration

ISTIO, SCALING, WIDGETS = "/apis/networking.istio.io/v1", "/apis/autoscaling/v2", "/apis/shop.example.com/v1"
ROUTE = Ref("networking.istio.io/v1", "VirtualService", "shop", "order-service")


class Server(ThreadingHTTPServer):
    """An API server whose answers a test sets, with a kubelet behind it that speaks the port-forward's protocol."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, tuple[int, Any]] = {
            "/version": (200, {"gitVersion": "v1.35.0"}),
            "/apis": (200, {"kind": "APIGroupList", "groups": []}),
            "/api/v1": (200, {"kind": "APIResourceList", "resources": []}),
        }
        self.lease: dict[str, Any] = {}
        self.renewals = 0
        # Seconds that a port-forward's handshake takes.
        self.handshake = 0.0
        self.asked: list[str] = []
        # Tokens that are valid; any, where there are none.
        self.tokens: set[str] = set()
        threading.Thread(target=self.serve_forever, args=[0.02], daemon=True).start()

    def handle_error(self, *__: Any) -> None:
        """A client that has given up."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *__: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(path)
        if not self._is_known():
            return
        if path.endswith("/portforward"):
            self._forward()
        elif "/leases/" in path:
            self._reply(*((200, self.server.lease) if self.server.lease else (404, {"message": "no such lease"})))
        else:
            self._reply(*self.server.answers.get(path, (404, {"message": f"no {path}"})))

    def do_POST(self) -> None:
        self._store()

    def do_PUT(self) -> None:
        self.server.renewals += 1
        self._store()

    def _is_known(self) -> bool:
        valid = {f"Bearer {token}" for token in self.server.tokens}
        if known := not valid or self.headers["Authorization"] in valid:
            return known
        self._reply(401, {"message": "Unauthorized"})
        return False

    def _store(self) -> None:
        if not self._is_known():
            self.rfile.read(int(self.headers["Content-Length"]))
            return
        found = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        found["metadata"]["resourceVersion"] = str(time.monotonic_ns())
        self.server.lease = found
        self._reply(200, found)

    def _reply(self, status: int, body: Any) -> None:
        text = json.dumps(body if status < 400 else {"kind": "Status", "code": status, "reason": "", **body}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _forward(self) -> None:
        if self.path.endswith("ports=403"):
            self._reply(403, {"message": "pods istiod-1 is forbidden"})
            return
        time.sleep(self.server.handshake)
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header(
            "Sec-WebSocket-Accept",
            base64.b64encode(hashlib.sha1(key.encode(), usedforsecurity=False).digest()).decode(),
        )
        self.send_header("Sec-WebSocket-Protocol", self.headers["Sec-WebSocket-Protocol"].split(",")[-1].strip())
        self.end_headers()
        port = int(self.path.rpartition("=")[2])
        for channel in (0, 1):
            self._frame(bytes([channel]) + port.to_bytes(2, "little"))
        request = self._message()
        if port == 9:
            self._frame(b"\x01connection refused")
            return
        if port == 7:
            # Neither an answer nor an end.
            time.sleep(5)
            return
        assert request.startswith(b"\x00GET /debug/syncz HTTP/1.1\r\n")
        body = b"x" * 100_000
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        for part in (head[:9], head[9:], body[:70_000], body[70_000:]):
            self._frame(b"\x00" + part)
        self.close_connection = True

    def _frame(self, data: bytes) -> None:
        size = len(data)
        length = bytes([size]) if size < 126 else b"\x7f" + struct.pack(">Q", size)
        self.wfile.write(b"\x82" + length + data)
        self.wfile.flush()

    def _message(self) -> bytes:
        """One masked frame of less than 64 KiB."""
        size = self.rfile.read(2)[1] & 0x7F
        if size == 126:
            (size,) = struct.unpack(">H", self.rfile.read(2))
        mask = self.rfile.read(4)
        return bytes(byte ^ mask[place % 4] for place, byte in enumerate(self.rfile.read(size)))


class Module:
    """What Cluster needs of one."""

    def __init__(self, host: str = "", **given: str) -> None:
        as_it_is = {"host": host, "api_key": "secret", "validate_certs": False}
        self.params = {**dict.fromkeys(AUTH_ARG_SPEC), **(given or as_it_is)}

    def requires(self, *__: Any, **___: Any) -> None:
        """They are there."""

    has_at_least = requires
    server_side_dry_run = False


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "K8S_AUTH_KUBECONFIG", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    # A kubeconfig is loaded into it, and each module has a process of its own.
    monkeypatch.setattr(Configuration, "_default", None)
    found = Server()
    yield found
    found.shutdown()
    found.server_close()


@pytest.fixture
def cluster(server: Server) -> Cluster:
    return Cluster(Module(f"http://127.0.0.1:{server.server_address[1]}"), impatient=True)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [403, 429, 503])
def test_m2_an_object_is_found_whatever_becomes_of_discovery(server: Server, cluster: Cluster, status: int) -> None:
    server.answers[ISTIO] = (status, {"message": "not now"})
    server.answers[f"{ISTIO}/namespaces/shop/virtualservices/order-service"] = (200, {"metadata": {"name": "found"}})
    found = cluster.get(ROUTE)
    assert found
    assert found["metadata"]["name"] == "found"


@pytest.mark.parametrize("status", [403, 503])
def test_m2_a_refusal_is_never_taken_for_there_is_none(server: Server, cluster: Cluster, status: int) -> None:
    for path in (f"{ISTIO}/namespaces/shop/virtualservices/order-service", WIDGETS):
        server.answers[path] = (status, {"message": "not now"})
    server.answers[f"{SCALING}/namespaces/shop/horizontalpodautoscalers"] = (status, {"message": "not now"})
    with pytest.raises(ApiFailure, match="not now"):
        cluster.get(ROUTE)
    with pytest.raises(ApiFailure, match="not now"):
        cluster.list("autoscaling/v2", "HorizontalPodAutoscaler", "shop")
    with pytest.raises(ApiFailure, match="not now"):
        cluster.get(Ref("shop.example.com/v1", "Widget", "shop", "one"))


def test_m2_what_was_missing_may_be_there_a_moment_later(server: Server, cluster: Cluster) -> None:
    assert cluster.resource("shop.example.com/v1", "Widget") is None
    server.answers[WIDGETS] = (200, {"resources": [{"kind": "Gadget", "name": "gadgets", "namespaced": True}]})
    assert cluster.resource("shop.example.com/v1", "Widget") is None
    server.answers[WIDGETS] = (200, {"resources": [{"kind": "Widget", "name": "widgets", "namespaced": True}]})
    assert cluster.resource("shop.example.com/v1", "Widget") == ("widgets", True)
    asked = len(server.asked)
    assert cluster.resource("shop.example.com/v1", "Widget")
    assert len(server.asked) == asked, "what is there is remembered"


def test_m2_a_client_is_made_without_discovery(server: Server) -> None:
    server.answers["/apis"] = server.answers["/version"] = (503, {"message": "not now"})
    Cluster(Module(f"http://127.0.0.1:{server.server_address[1]}"), impatient=True)  # type: ignore[arg-type]


def test_m2_an_unknown_kind_has_no_objects(cluster: Cluster) -> None:
    assert cluster.list("networking.istio.io/v1", "VirtualService") == []
    assert cluster.list("shop.example.com/v1", "Widget") == []


def test_m2_an_api_behind_the_api_server_that_is_away_hides_no_other(server: Server, cluster: Cluster) -> None:
    groups = {"away.example.com": 503, "shop.example.com": 200}
    server.answers["/apis"] = (
        200,
        {"groups": [{"name": name, "versions": [{"groupVersion": f"{name}/v1"}]} for name in groups]},
    )
    server.answers["/apis/away.example.com/v1"] = (503, {"message": "away"})
    server.answers[WIDGETS] = (200, {"resources": [{"kind": "Widget", "name": "widgets", "namespaced": True}]})
    assert cluster.api_versions() == ["v1", "away.example.com/v1", "shop.example.com/v1", "shop.example.com/v1/Widget"]


def test_b4_a_port_forward_brings_the_answer(cluster: Cluster) -> None:
    assert cluster.get_through_pod("istio-system", "istiod-1", 15014, "/debug/syncz") == b"x" * 100_000


def test_b4_the_lock_is_renewed_while_a_port_forward_shakes_hands(server: Server, cluster: Cluster) -> None:
    """With the client's own port-forward, each renewal of these seconds was a websocket, and ended the thread."""
    lease = Lease(cluster, "shop", "order-service", "me", 1)
    lease.acquire()
    server.handshake = 0.4
    try:
        begin = server.renewals
        for __ in range(4):
            cluster.get_through_pod("istio-system", "istiod-1", 15014, "/debug/syncz")
        assert server.renewals - begin >= 4
        assert not lease.lost
    finally:
        lease.release()


def test_b4_port_forwards_do_not_wait_for_each_other(server: Server, cluster: Cluster) -> None:
    server.handshake = 0.4
    begin = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        answers = [
            pool.submit(cluster.get_through_pod, "istio-system", f"pod-{number}", 15014, "/debug/syncz")
            for number in range(8)
        ]
        assert all(answer.result() for answer in answers)
    assert time.monotonic() - begin < 2


@pytest.mark.parametrize(("port", "handshake"), [(15014, 5.0), (7, 0.0)])
def test_b4_a_kubelet_that_hangs_is_given_up(server: Server, cluster: Cluster, port: int, handshake: float) -> None:
    server.handshake = handshake
    cluster._timeouts = (1, 1)
    begin = time.monotonic()
    with pytest.raises(ApiFailure, match="portforward"):
        cluster.get_through_pod("istio-system", "istiod-1", port, "/debug/syncz")
    assert time.monotonic() - begin < 3


def test_b4_a_refusal_is_reported_in_the_api_servers_words(cluster: Cluster) -> None:
    with pytest.raises(ApiFailure, match="pods istiod-1 is forbidden") as raised:
        cluster.get_through_pod("istio-system", "istiod-1", 403, "/debug/syncz")
    assert raised.value.status == 403
    with pytest.raises(ApiFailure, match="connection refused"):
        cluster.get_through_pod("istio-system", "istiod-1", 9, "/debug/syncz")


def test_b4_an_address_that_does_not_answer_is_reported(server: Server, cluster: Cluster) -> None:
    server.shutdown()
    server.server_close()
    with pytest.raises(ApiFailure, match="portforward"):
        cluster.get_through_pod("istio-system", "istiod-1", 15014, "/debug/syncz")


def a_kubeconfig(folder: Path, server: Server, user: dict[str, Any]) -> Path:
    path = folder / "kubeconfig"
    cluster = {"server": f"http://127.0.0.1:{server.server_address[1]}"}
    entries = {"clusters": ("cluster", cluster), "users": ("user", user)}
    content = {place: [{"name": "one", kind: value}] for place, (kind, value) in entries.items()}
    contexts = [{"name": "one", "context": {"cluster": "one", "user": "one"}}]
    path.write_text(yaml.safe_dump({**content, "contexts": contexts, "current-context": "one"}), encoding="utf-8")
    return path


def of_a_token_file(folder: Path, server: Server, token: str) -> Path:
    (folder / "token").write_text(token, encoding="utf-8")
    return a_kubeconfig(folder, server, {"tokenFile": str(folder / "token")})


def of_a_kubeconfig(folder: Path, server: Server, token: str) -> Path:
    return a_kubeconfig(folder, server, {"token": token})


def of_an_exec_plugin(folder: Path, server: Server, token: str) -> Path:
    """One that does not report when its token expires."""
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token}}
    (folder / "credential").write_text(json.dumps(credential), encoding="utf-8")
    plugin = {"apiVersion": credential["apiVersion"], "command": "cat", "args": [str(folder / "credential")]}
    return a_kubeconfig(folder, server, {"exec": {**plugin, "interactiveMode": "Never"}})


Rotate = Callable[[Path, Server, str], Path]
SOURCES = pytest.mark.parametrize("rotate", [of_a_token_file, of_a_kubeconfig, of_an_exec_plugin])


@SOURCES
@pytest.mark.parametrize("impatient", [True, False])
def test_m19_a_token_that_is_replaced_is_read_again(
    server: Server, tmp_path: Path, rotate: Rotate, impatient: bool
) -> None:
    server.tokens = {"first"}
    server.answers[f"{ISTIO}/namespaces/shop/virtualservices/order-service"] = (200, {"metadata": {"name": "found"}})
    cluster = Cluster(Module(kubeconfig=str(rotate(tmp_path, server, "first"))), impatient)  # type: ignore[arg-type]
    assert cluster.get(ROUTE)
    server.tokens = {"second"}
    rotate(tmp_path, server, "second")
    assert cluster.get(ROUTE)
    assert cluster.token == "second"
    with cluster.kubeconfig(str(tmp_path)) as path:
        assert '"second"' in Path(path).read_text(encoding="utf-8"), "other programs get it as well"
    assert not cluster.token_is_fixed


def test_m19_the_lock_and_a_port_forward_outlive_a_token(server: Server, tmp_path: Path) -> None:
    server.tokens = {"first"}
    given = of_a_token_file(tmp_path, server, "first")
    cluster = Cluster(Module(kubeconfig=str(given)), impatient=True)  # type: ignore[arg-type]
    lease = Lease(cluster, "shop", "order-service", "me", 1)
    lease.acquire()
    try:
        of_a_token_file(tmp_path, server, "second")
        server.tokens = {"second"}
        assert cluster.get_through_pod("istio-system", "istiod-1", 15014, "/debug/syncz") == b"x" * 100_000
        renewals = server.renewals
        time.sleep(0.6)
        assert server.renewals > renewals
        assert not lease.lost
    finally:
        lease.release()


def test_m19_a_token_that_is_not_replaced_is_read_again_once_and_reported(server: Server, tmp_path: Path) -> None:
    server.tokens = {"first"}
    given = of_a_token_file(tmp_path, server, "first")
    cluster = Cluster(Module(kubeconfig=str(given)), impatient=True)  # type: ignore[arg-type]
    server.tokens = {"second"}
    for __ in range(3):
        with pytest.raises(ApiFailure, match="Unauthorized") as raised:
            cluster.get(ROUTE)
        assert raised.value.status == 401
    assert len(server.asked) == 3, "the same token again is not a new one"


def test_m19_many_threads_read_it_again_once(server: Server, tmp_path: Path) -> None:
    server.tokens = {"first"}
    cluster = Cluster(
        Module(kubeconfig=str(of_a_token_file(tmp_path, server, "first"))),  # type: ignore[arg-type]
        impatient=True,
    )
    server.answers[f"{ISTIO}/namespaces/shop/virtualservices/order-service"] = (200, {"metadata": {"name": "found"}})
    of_a_token_file(tmp_path, server, "second")
    server.tokens = {"second"}
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda __: cluster.get(ROUTE), range(8)))


def test_m19_a_token_that_expires_before_the_run_is_reported(cluster: Cluster) -> None:
    assert cluster.token_is_fixed
    ends = int(time.time()) + 600
    claims = base64.urlsafe_b64encode(json.dumps({"exp": ends}).encode()).decode().rstrip("=")
    token = f"e30.{claims}.sig"
    assert "before the run's deadline" in ends_early(token, ends + 1)
    assert ends_early(token, ends) == ""
    assert ends_early("secret", ends) == "", "not every token says it"
