"""What stands between an alert and a canary: the lab's Prometheus, a real Alertmanager, ansible-rulebook, a chat."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from ..integration.support.canary_lab import ROOT, Lab
from ..integration.support.database_servers import free_port
from ..integration.support.pinned import pinned

TOKEN = "of-this-test-alone"
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_START_SECONDS = 60.0


@contextlib.contextmanager
def process(argv: list[str], port: int, log: Path, environment: Mapping[str, str] | None = None) -> Iterator[None]:
    """It runs and listens. Ended with all that it started."""
    with log.open("wb") as file:
        started = subprocess.Popen(
            argv,
            cwd=ROOT,
            env=dict(environment or os.environ),
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert started.poll() is None and time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.1)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGTERM)
        try:
            started.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
            started.wait()


class Chat:
    """A webhook as chats have it. Keeps what it receives."""

    def __init__(self) -> None:
        self.received = received = list[str]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *__: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/a-secret-of-the-chat"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Rulebook:
    """ansible-rulebook with the collection's rulebook, listening."""

    port: int
    log: Path
    chat: Chat

    @property
    def text(self) -> str:
        """Without colours and the ends of lines, which are where the terminal would have its edge."""
        plain = re.sub(r"\x1b\[[0-9;]*m", "", self.log.read_text(encoding="utf-8", errors="replace"))
        return " ".join(plain.split())

    @property
    def plays(self) -> int:
        """Playbooks that have begun."""
        return self.text.count("PLAY [Roll back a canary because of an alert]")

    @property
    def ended(self) -> int:
        return self.text.count("PLAY RECAP")

    def post(self, *alerts: Mapping[str, Any], token: str = TOKEN) -> int:
        """As Alertmanager posts its notifications; the status of the answer."""
        body = json.dumps({"version": "4", "receiver": "canaries", "alerts": alerts}).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/alerts", body, headers)
        try:
            with _OPENER.open(request, timeout=10) as answer:
                status: int = answer.status
                return status
        except urllib.error.HTTPError as error:
            return error.code


@contextlib.contextmanager
def rulebook(lab: Lab, folder: Path) -> Iterator[Rulebook]:
    """An inventory of its own, as a machine has it that only acts on alerts."""
    cluster = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "service_mesh_environment": "lab",
        "service_mesh_kubeconfig": str(lab.kubeconfig),
        "service_mesh_cluster_uid": (lab.kubeconfig.parent / "cluster_uid").read_text(encoding="utf-8").strip(),
        "canary_istiod_access": "pod_address",
        "canary_drain": "3s",
    }
    inventory, variables = folder / "hosts.yml", folder / "variables.yml"
    inventory.write_text(yaml.safe_dump({"clusters": {"hosts": {"lab": cluster}}}), encoding="utf-8")
    port, chat = free_port(), Chat()
    variables.write_text(yaml.safe_dump({"service_mesh_alerts_port": port}), encoding="utf-8")
    programs = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "SERVICE_MESH_ALERTS_TOKEN": TOKEN,
        "SERVICE_MESH_REPORT_URL": chat.url,
    }
    argv = [str(programs / "ansible-rulebook"), "--rulebook", "corpv3.service_mesh.canary_abort"]
    argv += ["--inventory", str(inventory), "--vars", str(variables), "--env-vars", "SERVICE_MESH_ALERTS_TOKEN"]
    found = Rulebook(port, folder / "rulebook.log", chat)
    try:
        with process(argv, port, found.log, environment):
            yield found
    finally:
        chat.close()


def quick(rules: str, alert: str) -> str:
    """A rule file one of whose alerts fires within seconds. Only the times differ."""
    text = rules.replace("[5m]", "[10s]").replace("interval: 30s", "interval: 1s").replace("> 300", "> 5")
    return re.sub(rf"(alert: {alert}\n(?:(?!alert: ).)*?for: )\w+", r"\g<1>2s", text, flags=re.DOTALL)


@contextlib.contextmanager
def alerting(lab: Lab, hook: Rulebook, folder: Path, alert: str) -> Iterator[str]:
    """The lab's Prometheus with that alert made quick, and an Alertmanager that posts to the rulebook: its address."""
    port, cluster_port = free_port(), free_port()
    token, configuration = folder / "token", folder / "alertmanager.yml"
    token.write_text(TOKEN, encoding="utf-8")
    configuration.write_text(yaml.safe_dump(alertmanager_configuration(hook.port, token)), encoding="utf-8")
    argv = [str(pinned("alertmanager")), f"--config.file={configuration}", f"--storage.path={folder / 'alertmanager'}"]
    argv += [f"--web.listen-address=127.0.0.1:{port}", f"--cluster.listen-address=127.0.0.1:{cluster_port}"]

    state = lab.kubeconfig.parent
    target, rules = state / "prometheus.yml", folder / "rules"
    before = target.read_text(encoding="utf-8")
    shutil.copytree(state / "prometheus-rules", rules)
    for path in rules.iterdir():
        path.write_text(quick(path.read_text(encoding="utf-8"), alert), encoding="utf-8")
    config = yaml.safe_load(before)
    config["rule_files"] = [name.replace(str(state / "prometheus-rules"), str(rules)) for name in config["rule_files"]]
    config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}]}
    with process(argv, port, folder / "alertmanager.log"):
        try:
            target.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
            reload(lab)
            yield f"http://127.0.0.1:{port}"
        finally:
            target.write_text(before, encoding="utf-8")
            reload(lab)


def alertmanager_configuration(port: int, token: Path) -> dict[str, Any]:
    """The receiver and the route of docs/alerts-that-act.md, as role prometheus renders them."""
    text = (ROOT / "docs/alerts-that-act.md").read_text(encoding="utf-8")
    documented = yaml.safe_load(text.split("```yaml\n")[1].partition("```")[0])
    receivers, routes = (
        documented["prometheus_alertmanager_receivers"],
        documented["prometheus_alertmanager_first_routes"],
    )
    hook = receivers[0]["webhook_configs"][0]
    hook["url"] = f"http://127.0.0.1:{port}/alerts"
    hook["http_config"]["authorization"]["credentials_file"] = str(token)
    # Reminders without a long wait.
    routes = [{**route, "group_interval": "2s", "repeat_interval": "4s"} for route in routes]
    return {
        "receivers": [{"name": "unused"}, *receivers],
        "route": {"receiver": "unused", "group_by": ["alertname", "namespace"], "routes": routes},
    }


def reload(lab: Lab) -> None:
    request = urllib.request.Request(f"{lab.prometheus}/-/reload", method="POST")
    with _OPENER.open(request, timeout=30):
        pass


def alerts_of(alertmanager_url: str) -> list[dict[str, Any]]:
    """What Alertmanager knows of, resolved ones not among it."""
    with _OPENER.open(f"{alertmanager_url}/api/v2/alerts", timeout=10) as answer:
        found: list[dict[str, Any]] = json.load(answer)
        return found
