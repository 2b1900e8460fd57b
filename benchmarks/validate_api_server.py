# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An API server alone, with Istio's kinds and as many objects as one likes; nothing else runs in it.

Made of the programs that the lab was built of, on free ports, with its data in a folder that goes afterwards.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "roles/lab/files"))
from meshlab.pki import Pki

_SECONDS = 60
_WRITERS = 4


@contextmanager
def api_server(tools: Mapping[str, str], folder: Path) -> Iterator[Server]:
    """``tools``: paths of etcd, kube-apiserver, kubectl and istio_charts."""
    etcd, peer, port = (f"http://127.0.0.1:{_free_port()}", f"http://127.0.0.1:{_free_port()}", _free_port())
    pki = Pki(folder / "pki")
    pki.ensure(["127.0.0.1"], node_address="127.0.0.1")
    server = Server(port, pki, folder / "kubeconfig")
    with ExitStack() as ended:
        # Its data need not survive a power cut.
        store = [tools["etcd"], f"--data-dir={folder}/etcd", "--unsafe-no-fsync", "--log-level=error"]
        store += [f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}", f"--listen-peer-urls={peer}"]
        store += [f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}"]
        ended.enter_context(_process(store))
        api = [tools["kube-apiserver"], f"--etcd-servers={etcd}", "--bind-address=127.0.0.1", f"--secure-port={port}"]
        api += ["--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.151.0.0/16"]
        api += [f"--tls-cert-file={pki.path('api.crt')}", f"--tls-private-key-file={pki.path('api.key')}"]
        api += [f"--client-ca-file={pki.path('ca.crt')}", f"--service-account-key-file={pki.path('sa.pub')}"]
        api += [f"--service-account-signing-key-file={pki.path('sa.key')}"]
        # Pods come without the ServiceAccounts that a controller would have made.
        api += ["--service-account-issuer=https://local", "--disable-admission-plugins=ServiceAccount"]
        ended.enter_context(_process(api))
        server.wait()
        kubectl = [tools["kubectl"], f"--kubeconfig={server.kubeconfig}"]
        definitions = f"{tools['istio_charts']}/base/files/crd-all.gen.yaml"
        subprocess.run([*kubectl, "create", "-f", definitions], check=True, stdout=subprocess.DEVNULL)
        established = ["wait", "--for=condition=Established", "crd", "--all", f"--timeout={_SECONDS}s"]
        subprocess.run([*kubectl, *established], check=True, stdout=subprocess.DEVNULL)
        yield server


class Server:
    """How to speak to it: as its administrator."""

    def __init__(self, port: int, pki: Pki, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self._port = port
        pki.kubeconfig(kubeconfig, f"https://127.0.0.1:{port}", "admin", "system:masters", "benchmark")
        self._tls = ssl.create_default_context(cafile=str(pki.path("ca.crt")))
        self._tls.load_cert_chain(pki.path("client-admin.crt"), pki.path("client-admin.key"))
        self._connections = threading.local()

    def wait(self) -> None:
        end = time.monotonic() + _SECONDS
        while True:
            try:
                self._request("GET", "/readyz")
                return
            except (OSError, RuntimeError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    def fill(self, objects: Iterable[dict[str, Any]]) -> None:
        with ThreadPoolExecutor(_WRITERS) as pool:
            for _done in pool.map(self._create, objects):
                pass

    def _create(self, obj: dict[str, Any]) -> None:
        place = _place(obj)
        self._request("POST", place, obj)
        if "status" in obj:
            self._request("PATCH", f"{place}/{obj['metadata']['name']}/status", {"status": obj["status"]})

    def _request(self, method: str, path: str, body: Any = None) -> None:
        kept = self._connections
        if not hasattr(kept, "connection"):
            kept.connection = http.client.HTTPSConnection("127.0.0.1", self._port, context=self._tls, timeout=_SECONDS)
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        try:
            kept.connection.request(method, path, json.dumps(body), {"Content-Type": kind})
            response = kept.connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException):
            del kept.connection
            raise
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {text.decode(errors='replace')[:500]}")


def _place(obj: Mapping[str, Any]) -> str:
    version, kind = obj["apiVersion"], obj["kind"].lower()
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    namespace = obj["metadata"].get("namespace")
    return f"{root}/namespaces/{urllib.parse.quote(namespace)}/{plural}" if namespace else f"{root}/{plural}"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def _process(command: list[str]) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
