"""What the roles of the observability stack render, read and run by the programs themselves. Without a lab.

Prometheus and promtool are those that the lab builds. Jaeger and Alertmanager are in tests/soak/test_real_programs.py.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.pki import Pki

from ..support.database_servers import helm
from ..support.playbooks import ROOT

ENVIRONMENTS = ["production", "staging", "development"]
COMPONENTS = ["prometheus", "grafana", "loki", "jaeger", "kiali", "alloy"]
# What an API server shows, of which a rule reads the first and nothing the others.
SHOWN = """# TYPE apiserver_admission_webhook_rejection_count counter
apiserver_admission_webhook_rejection_count{name="validation.istio.io",error_type="calling_webhook_error"} 3
# TYPE apiserver_request_duration_seconds histogram
apiserver_request_duration_seconds_bucket{verb="GET",le="+Inf"} 9
apiserver_request_duration_seconds_sum{verb="GET"} 1
apiserver_request_duration_seconds_count{verb="GET"} 9
# TYPE etcd_requests_total counter
etcd_requests_total{operation="get"} 5
"""


def prometheus_tool(name: str) -> str:
    cached = sorted(glob.glob(os.path.expanduser(f"~/.cache/corpv3-service-mesh/prometheus-*/{name}")))
    found = shutil.which(name) or next(iter(cached), None)
    if not found:
        pytest.skip(f"there is no {name}: `make up` builds it")
    return found


def releases(environment: str, *arguments: str) -> dict[str, dict[str, Any]]:
    """The values of every release that the environment's inventory comes to, by the release's name."""
    return {item["name"]: item["values"] for item in json.loads(_releases(environment, *arguments)) if "values" in item}


@functools.cache
def _releases(environment: str, *arguments: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        out, play = Path(folder, "releases.json"), Path(folder, "play.yml")
        content = "{{ (" + " + ".join(f"__{name}_releases" for name in COMPONENTS) + ") | to_json }}"
        tasks: list[dict[str, Any]] = [
            {"ansible.builtin.import_role": {"name": f"corpv3.service_mesh.{name}", "tasks_from": "preflight"}}
            for name in COMPONENTS
        ]
        copy = {"content": content, "dest": str(out), "mode": "0600"}
        # As role release has it, which works them out.
        tasks.append({"ansible.builtin.copy": copy, "vars": {"role_path": str(ROOT / "roles/release")}})
        host = {"hosts": "clusters", "connection": "local", "gather_facts": False, "tasks": tasks}
        play.write_text(json.dumps([host]))
        command = [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "-i",
            f"inventories/{environment}",
            str(play),
        ]
        done = subprocess.run(
            [*command, "-e", "service_mesh_generated_secrets_allowed=true", *arguments],
            cwd=ROOT,
            env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return out.read_text()


def rendered(chart: str, release: str, values: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    command = [
        helm(),
        "template",
        release,
        str(ROOT / f"tests/charts/{chart}"),
        "--namespace",
        "istio-system",
        "-f",
        "-",
    ]
    done = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {(item["kind"], item["metadata"]["name"]): item for item in yaml.safe_load_all(done.stdout) if item}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_prometheus_takes_the_configuration(environment: str, tmp_path: Path) -> None:
    objects = rendered("prometheus", "prometheus", releases(environment)["prometheus"])
    for name, text in objects["ConfigMap", "prometheus-server"]["data"].items():
        (tmp_path / name).write_text(text.replace("/etc/config/", f"{tmp_path}/"))
    # The service account's files are a pod's, and the syntax does not need them.
    command = [
        prometheus_tool("promtool"),
        "check",
        "config",
        "--syntax-only",
        "--lint=none",
        str(tmp_path / "prometheus.yml"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rules = [str(path) for path in tmp_path.glob("rules-*.yml")]
    done = subprocess.run(
        [prometheus_tool("promtool"), "check", "rules", *rules], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_samples_leave_a_fifth_of_the_volume(environment: str) -> None:
    server = releases(environment)["prometheus"]["server"]
    size = server["persistentVolume"].get("size", "")
    # 40 of 50 GiB.
    assert (size, server["retentionSize"]) == (("50Gi", f"{40 * 1024**3}B") if size else ("", ""))


class _Metrics(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(SHOWN.encode())

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextlib.contextmanager
def api_server(pki: Pki) -> Iterator[str]:
    """Shows metrics at an address that its certificate does not have."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Metrics)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pki.path("api.crt"), pki.path("api.key"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def prometheus(folder: Path, config: dict[str, Any]) -> Iterator[str]:
    """A Prometheus with this configuration; its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    (folder / "prometheus.yml").write_text(json.dumps(config))
    command = [
        prometheus_tool("prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--storage.tsdb.retention.size={releases('production')['prometheus']['server']['retentionSize']}",
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([*command, f"--web.listen-address={address}"], stdout=log, stderr=subprocess.STDOUT)
    try:
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait()


def ask(url: str, path: str, **query: str) -> Any:
    with urlopen(f"{url}{path}?{urlencode(query)}", timeout=5) as answer:
        return json.load(answer)["data"]


def scraped(url: str) -> dict[str, Any]:
    """The only target, once it was looked at."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            for target in ask(url, "/api/v1/targets")["activeTargets"]:
                if target["health"] != "unknown":
                    found: dict[str, Any] = target
                    return found
        time.sleep(0.2)
    raise AssertionError("no target was scraped in 30 seconds")


def test_an_api_server_is_read_whose_certificate_lacks_its_address(tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki")
    pki.ensure([], node_address="10.100.128.1")
    (tmp_path / "token").write_text("token")
    job = releases("production")["prometheus"]["scrapeConfigs"]["kubernetes-api-servers"]
    job = {
        key: value for key, value in job.items() if key not in ("enabled", "kubernetes_sd_configs", "relabel_configs")
    }
    # The files of a pod's service account.
    job |= {"bearer_token_file": str(tmp_path / "token"), "scrape_interval": "1s", "scrape_timeout": "1s"}
    job["tls_config"] |= {"ca_file": str(pki.path("ca.crt"))}
    with api_server(pki) as address:
        job |= {"job_name": "kubernetes-api-servers", "static_configs": [{"targets": [address]}]}
        with prometheus(tmp_path, {"scrape_configs": [job]}) as url:
            target = scraped(url)
            assert (target["health"], target["lastError"]) == ("up", "")
            names = {*ask(url, "/api/v1/label/__name__/values")}
    # What a rule reads is there, what nothing reads is not.
    assert {"apiserver_admission_webhook_rejection_count", "apiserver_request_duration_seconds_count"} <= names
    assert not names & {"apiserver_request_duration_seconds_bucket", "etcd_requests_total"}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_grafana_starts_the_plugins_of_its_data_sources_and_no_others(environment: str) -> None:
    values = releases(environment)["grafana"]
    used = {source["type"] for source in values["datasources"]["datasources.yaml"]["datasources"]}
    disabled = values["grafana.ini"]["plugins"]["disable_plugins"].split(",")
    assert not used & {*disabled}
    assert disabled == sorted(disabled), "an order of its own at each run would restart Grafana"
    assert {"prometheus"} <= used and "elasticsearch" in disabled


@pytest.mark.parametrize("name", ["jaeger", "jaeger-storage", "jaeger-collector", "jaeger-query"])
def test_jaeger_collects_its_garbage_before_its_limit(name: str) -> None:
    values = releases("staging" if name == "jaeger" else "production")[name]["jaeger"]
    (variable,) = [entry for entry in values["extraEnv"] if entry["name"] == "GOMEMLIMIT"]
    limit = {"512Mi": 512, "2Gi": 2048}[values["resources"]["limits"]["memory"]]
    assert int(variable["value"]) == int(limit * 1024**2 * 0.8)
