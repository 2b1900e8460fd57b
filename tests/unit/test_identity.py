"""Which cluster it is. Another one stops an emergency; an API server that does not report its identity does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = "0b0c6d9c-6f0f-4a7e-9a55-7d0a8c0f8f11"
# How the API server answers, what is asked, what is expected; whether it is refused, and in which words.
CASES: list[tuple[int, str, dict[str, str], bool, str]] = [
    (200, "identity", {"expected_uid": OURS}, False, ""),
    (200, "emergency", {"expected_uid": OURS}, False, ""),
    (200, "emergency", {"expected_uid": "another"}, True, "Wrong cluster"),
    (200, "identity", {}, True, "Neither expected_uid nor expected_server is set"),
    (403, "identity", {"expected_uid": OURS}, True, "may not read namespace kube-system"),
    (403, "emergency", {"expected_uid": OURS}, False, "It is not verified that this is the cluster"),
    (403, "emergency", {"expected_uid": OURS, "expected_server": "https://another"}, True, "Wrong cluster"),
    (503, "identity", {"expected_uid": OURS}, True, "answers 503"),
    (503, "emergency", {"expected_uid": OURS}, False, "It is not verified that this is the cluster"),
    (429, "emergency", {"expected_uid": OURS}, False, "It is not verified that this is the cluster"),
    (401, "emergency", {"expected_uid": OURS}, True, "does not accept the credentials"),
]


@pytest.fixture
def server() -> Iterator[str]:
    """An API server. The first part of the path is the status of what is asked about namespace kube-system."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            __, status, path = self.path.split("/", 2)
            code = 200
            answer: dict[str, Any] = {"gitVersion": "v1.36.0", "groups": [], "status": {"userInfo": {"username": "me"}}}
            if path.startswith("api/v1/namespaces/kube-system"):
                code, answer = int(status), {"kind": "Namespace", "metadata": {"uid": OURS}}
            elif path.startswith("apis"):
                answer["kind"] = "APIGroupList"
            body = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{found.server_address[1]}"
    found.shutdown()
    found.server_close()


def test_what_is_refused(server: str, tmp_path: Path) -> None:
    tasks = [
        {
            "corpv3.service_mesh.cluster_preflight": {
                "host": f"{server}/{status}",
                "api_key": "an-unknown-token",
                "questions": questions,
                **expected,
            },
            "register": f"result_{number}",
            "ignore_errors": True,
        }
        for number, (status, questions, expected, __, __) in enumerate(CASES)
    ]
    names = ", ".join(f"result_{number}" for number in range(len(CASES)))
    copy = {"dest": str(tmp_path / "results"), "content": "{{ [" + names + "] | to_json }}", "mode": "0600"}
    own = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    play = {"hosts": "localhost", "gather_facts": False, "vars": own, "tasks": [*tasks, {"ansible.builtin.copy": copy}]}
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), str(tmp_path / "play.yml")],
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (tmp_path / "results").exists(), done.stdout
    results = json.loads((tmp_path / "results").read_text())
    for (status, questions, __, refused, words), result in zip(CASES, results, strict=True):
        said = " ".join([result.get("msg", ""), *map(str, result.get("warnings", ()))])
        assert (result["failed"], words in said) == (refused, True), (status, questions, said)
