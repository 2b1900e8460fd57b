# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh-validate --live, against a server that answers as an API server does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._console import main as console
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube import module as kube_module

ISTIO = "networking.istio.io/v1"
ROUTE = {
    "metadata": {"name": "cart", "namespace": "shop"},
    "spec": {"hosts": ["cart"], "http": [{"route": [{"destination": {"host": "cart", "subset": "v1"}, "weight": 20}]}]},
}
VIRTUAL_SERVICES = {"name": "virtualservices", "kind": "VirtualService", "namespaced": True, "verbs": ["list"]}
GROUP = {
    "name": "networking.istio.io",
    "versions": [{"groupVersion": ISTIO, "version": "v1"}],
    "preferredVersion": {"groupVersion": ISTIO, "version": "v1"},
}
ANSWERS: dict[str, Any] = {
    "/version": {"gitVersion": "v1.35.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": []},
    "/apis": {"kind": "APIGroupList", "groups": [GROUP]},
    f"/apis/{ISTIO}": {"kind": "APIResourceList", "groupVersion": ISTIO, "resources": [VIRTUAL_SERVICES]},
    f"/apis/{ISTIO}/virtualservices": {"kind": "VirtualServiceList", "apiVersion": ISTIO, "items": [ROUTE]},
}


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *__: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        found = ANSWERS.get(self.path.partition("?")[0])
        text = json.dumps(found or {"kind": "Status", "code": 404, "reason": "NotFound", "message": "none"}).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_GET


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.chdir(tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
        config = {
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "shop", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "nowhere",
        }
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(config))
        yield str(path)
        server.shutdown()


def test_the_cluster_of_the_context_is_validated(kubeconfig: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = kube_module.module_class
    asked = ["--live", "--kubeconfig", kubeconfig, "--context", "shop", "--format", "json", "--level", "never"]
    console.main(asked)
    found = json.loads(capsys.readouterr().out)
    assert ("IST0101", "", "cart") in {(item["code"], item["file"], item["name"]) for item in found["findings"]}
    assert kube_module.module_class is before


def test_a_context_that_does_not_exist_ends_with_2(kubeconfig: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert console.main(["--live", "--kubeconfig", kubeconfig, "--context", "nowhere"]) == 2
    assert capsys.readouterr().err.startswith("mesh-validate: ")
