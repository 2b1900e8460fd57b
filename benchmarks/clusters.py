# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many clusters in one inventory: time, CPU, memory and processes at 1, 10 and 100 of them.

    make up && python benchmarks/clusters.py [--hosts 1 10 100] [--forks 20] [--only canary_status validate]

One lab plays all clusters. Each host of the inventory has an address of its own for the lab's API server (127.0.1.N,
which this program relays to it), a kubeconfig of its own, and a namespace of its own with a small service in two
slots. Shared are the API server itself, its definitions, istiod and Prometheus. The namespaces of all hosts are there
in every row, so that a host has as much to read among one as among a hundred. Their pods have no sidecar and get no
requests; a canary of them goes through all its states and finds no data, which its metrics here let pass.

Measured are ansible-playbook and all that it starts; not the API server, and not the relay. Namespaces are deleted at
the end.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from kubernetes import client, config
from kubernetes.dynamic import DynamicClient

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.process_tree import Usage, measured

OWNER = {"app.kubernetes.io/managed-by": "benchmarks-clusters"}
SERVICE = "shop"
# Without requests there is no evidence, so a query takes its place, which proves nothing either.
NOTHING = {"name": "failures", "query": "vector(0)", "window": "500ms", "threshold_range": {"max": 1}}
VARIABLES: dict[str, Any] = {
    "canary_service": SERVICE,
    "canary_routes": [SERVICE],
    "canary_services": [SERVICE],
    "canary_metrics": [NOTHING],
    "canary_whole_service_guard": {"max_increase": 1},
    "canary_steps": [50],
    "canary_step_duration": "1s",
    "canary_interval": "500ms",
    "canary_drain": "1s",
    "canary_min_ready": 1,
    # One istiod serves the routes of all clusters, to the same proxies.
    "canary_wait_timeout": "5m",
    # Of the lab's own namespaces as well: a finding there is not what is measured.
    "validate_fail_on": "never",
}
# canary comes last: it changes what the others look at.
PLAYBOOKS = ("canary_status", "canary_abort", "validate", "canary")


def main() -> None:
    options = _options()
    # As Ctrl-C does: the namespaces go all the same.
    signal.signal(signal.SIGTERM, lambda *__: sys.exit("terminated"))
    kubeconfig = yaml.safe_load(options.kubeconfig.read_text(encoding="utf-8"))
    dynamic = DynamicClient(config.new_client_from_config(str(options.kubeconfig)))
    uid = client.CoreV1Api(dynamic.client).read_namespace("kube-system").metadata.uid
    most = max(options.hosts)
    print(f"forks {options.forks}, {os.cpu_count()} cores, waves of {options.wave} in canary\n")
    print("| playbook | clusters | wall, s | CPU, s | CPU per cluster, s | memory, MiB | processes | load before |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder, _relayed(kubeconfig, most), _namespaces(dynamic, most):
        for name in options.only:
            for hosts in options.hosts:
                load = os.getloadavg()[0]
                usage = _run(
                    name, _inventory(hosts, uid, options.kubeconfig, kubeconfig, Path(folder)), options, Path(folder)
                )
                print(
                    f"| {name} | {hosts} | {usage.wall:.1f} | {usage.cpu:.1f} | {usage.cpu / hosts:.2f} "
                    f"| {usage.memory:.0f} | {usage.processes} | {load:.1f} |",
                    flush=True,
                )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--forks", type=int, default=20)
    parser.add_argument("--wave", type=int, default=20, help="clusters at a time in canary.yml")
    parser.add_argument("--only", nargs="+", choices=PLAYBOOKS, default=PLAYBOOKS)
    parser.add_argument("--kubeconfig", type=Path, default=ROOT / ".lab/kubeconfig")
    options = parser.parse_args()
    if max(options.hosts) > 254:
        parser.error("--hosts: at most 254, since each has an address of 127.0.1.0/24")
    if not options.kubeconfig.is_file():
        sys.exit(f"There is no kubeconfig at {options.kubeconfig}: bring up a lab with `make up`.")
    return options


def _run(name: str, hosts: dict[str, Any], options: argparse.Namespace, folder: Path) -> Usage:
    playbook = f"{name}.yml"
    inventory = folder / "clusters.yml"
    inventory.write_text(json.dumps(hosts), encoding="utf-8")
    # An image that neither slot has.
    extra = {"canary_image_tag": f"2.0.{time.time_ns()}", "canary_wave": options.wave}
    command = ["ansible-playbook", str(ROOT / "playbooks" / playbook), "--forks", str(options.forks)]
    command += ["-i", str(ROOT / "inventories/lab"), "-i", str(inventory), "--limit", "fleet", "-e", json.dumps(extra)]
    usage = measured(command, ROOT, {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")})
    if usage.code != 0:
        log = ROOT / "tests/output/clusters.log"
        log.parent.mkdir(exist_ok=True)
        log.write_text(usage.output, encoding="utf-8")
        sys.exit(f"{playbook} ended with {usage.code}, its output is in {log}")
    return usage


# ---------------------------------------------------------------------------------------------------------------------
# Clusters


def _namespace(number: int) -> str:
    return f"fleet-{number:03}"


def _address(number: int) -> str:
    return f"127.0.1.{number + 1}"


def _inventory(hosts: int, uid: str, lab: Path, kubeconfig: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Group fleet below clusters: the lab's variables hold where a host has none of its own."""
    # Of each host, since files of group_vars would override an inventory's variables of a group.
    shared = {
        **VARIABLES,
        "lab_state_dir": str(lab.resolve().parent),
        # Its Prometheus has a port by this. With another lab's, a canary waits for evidence that never comes.
        "lab_port_offset": json.loads((lab.parent / "settings.json").read_text(encoding="utf-8"))["port_offset"],
        "service_mesh_cluster_uid": uid,
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    }
    found = {}
    for name in map(_namespace, range(hosts)):
        path = folder / f"{name}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(_kubeconfig(kubeconfig, len(found))), encoding="utf-8")
        own = {"service_mesh_kubeconfig": str(path), "canary_namespace": name, "validate_namespaces": [name]}
        found[name] = {**shared, **own}
    return {"clusters": {"children": {"fleet": {"hosts": found}}}}


def _kubeconfig(kubeconfig: dict[str, Any], number: int) -> dict[str, Any]:
    found = copy.deepcopy(kubeconfig)
    for entry in found["clusters"]:
        server = urlsplit(entry["cluster"]["server"])
        entry["cluster"]["server"] = f"https://{_address(number)}:{server.port}"
        entry["cluster"].setdefault("tls-server-name", server.hostname)
    return found


@contextmanager
def _namespaces(dynamic: DynamicClient, hosts: int) -> Iterator[None]:
    """The namespaces of all hosts, each with its service; gone again at the end."""
    try:
        for number in range(hosts):
            for obj in _application(_namespace(number)):
                resource = dynamic.resources.get(api_version=obj["apiVersion"], kind=obj["kind"])
                resource.server_side_apply(
                    body=obj, namespace=obj["metadata"].get("namespace"), field_manager="benchmarks"
                )
        apps = client.AppsV1Api(dynamic.client)
        _until(lambda: sum(_ready(apps)) == 2 * hosts, f"2 pods ready in each of {hosts} namespaces")
        yield
    finally:
        core = client.CoreV1Api(dynamic.client)
        selector = ",".join(f"{key}={value}" for key, value in OWNER.items())
        for item in core.list_namespace(label_selector=selector).items:
            core.delete_namespace(item.metadata.name)
        _until(lambda: not core.list_namespace(label_selector=selector).items, "the benchmark's namespaces are gone")


def _ready(apps: client.AppsV1Api) -> Iterator[int]:
    for item in apps.list_deployment_for_all_namespaces(label_selector=f"app={SERVICE}").items:
        yield item.status.ready_replicas or 0


def _until(condition: Any, what: str) -> None:
    deadline = time.monotonic() + 600
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"not within 10 minutes: {what}")
        time.sleep(1)


def _application(namespace: str) -> Iterator[dict[str, Any]]:
    """A service in two slots, as charts of applications have it."""
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": OWNER}}
    for version, name, replicas in (("v1", SERVICE, 2), ("v2", f"{SERVICE}-v2", 0)):
        labels = {"app": SERVICE, "version": version}
        container = {
            "name": SERVICE,
            "image": f"example.com/{SERVICE}:1.0.0",
            "ports": [{"name": "http", "containerPort": 8080}],
        }
        yield _object(
            "apps/v1",
            "Deployment",
            namespace,
            name,
            {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        )
    port = {"name": "http", "port": 8001, "targetPort": 8080}
    yield _object("v1", "Service", namespace, SERVICE, {"selector": {"app": SERVICE}, "ports": [port]})
    subsets = [{"name": version, "labels": {"version": version}} for version in ("v1", "v2")]
    yield _object(
        "networking.istio.io/v1", "DestinationRule", namespace, SERVICE, {"host": SERVICE, "subsets": subsets}
    )
    route = [
        {"destination": {"host": SERVICE, "subset": version, "port": {"number": 8001}}, "weight": weight}
        for version, weight in (("v1", 100), ("v2", 0))
    ]
    spec = {"hosts": [SERVICE], "http": [{"name": "primary", "route": route}]}
    yield _object("networking.istio.io/v1", "VirtualService", namespace, SERVICE, spec)


def _object(api_version: str, kind: str, namespace: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": {"app": SERVICE}}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}


# ---------------------------------------------------------------------------------------------------------------------
# Addresses


@contextmanager
def _relayed(kubeconfig: dict[str, Any], hosts: int) -> Iterator[None]:
    """The lab's API server at an address for each host."""
    server = urlsplit(kubeconfig["clusters"][0]["cluster"]["server"])
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        for number in range(hosts):
            listen = _listen(_address(number), server.port or 443, server.hostname or "127.0.0.1")
            asyncio.run_coroutine_threadsafe(listen, loop).result()
        yield
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


async def _listen(address: str, port: int, target: str) -> None:
    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(target, port)
        await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))

    await asyncio.start_server(relay, address, port)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with suppress(OSError):
        writer.close()


if __name__ == "__main__":
    main()
