"""A lab to run canaries on: calls of the module as processes that can be killed, and faults."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pexpect
import yaml
from kubernetes import client, config

from .canary_load import Load
from .canary_rate import carried_load
from .canary_records import Record, Share, sent_within, share
from .canary_sightings import NAMESPACE, VIRTUAL_SERVICES, Sighting, Sightings, sighted

ROOT = Path(__file__).resolve().parents[3]
HOST = "restaurant.corpv3.com"
ENVIRONMENT = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
# port_forward is for a lab whose application, gateways and istiod are containers of its real node.
ACCESS = os.environ.get("SERVICE_MESH_TEST_ACCESS", "pod_address")
PROXIES = {"type": "envoy", "proxy_access": ACCESS}
# Where a run has ended, and where traffic no longer depends on its steps.
FINAL = ("Succeeded", "Failed")
_MARK = "SERVICE_MESH_TEST_CALL"
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Call:
    """One ansible-playbook with all that it started."""

    def __init__(self, argv: list[str], output: Path, environment: Mapping[str, str]) -> None:
        self.output = output
        self._mark = uuid.uuid4().hex
        with output.open("wb") as file:
            self._process = subprocess.Popen(
                argv,
                cwd=ROOT,
                env={**os.environ, **environment, _MARK: self._mark},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def text(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")

    @property
    def tail(self) -> str:
        """For people: without what is packed for tests."""
        return re.sub(r"RESULT<[^>]*>", "RESULT", self.text)[-3000:]

    def wait(self) -> int:
        """The exit code."""
        return self._process.wait()

    def terminate(self) -> None:
        """As a scheduler does it: the run rolls back, and ansible-playbook does not wait for it."""
        self._process.terminate()

    def wait_for_all(self) -> None:
        """Also for what continues in the background."""
        self.wait()
        while self._alive():
            time.sleep(0.1)

    def kill(self) -> None:
        """All at once, without a chance to tidy up: Ansible's workers have sessions of their own."""
        while found := self._alive():
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.poll()

    def _alive(self) -> list[int]:
        mark = f"{_MARK}={self._mark}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                state = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
                if state != "Z" and mark in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
        return found

    @property
    def result(self) -> dict[str, Any]:
        """What the module returned, or its failure."""
        packed = re.findall(r"RESULT<([A-Za-z0-9+/=\s]+)>", self.text)
        assert packed, self.tail
        found: dict[str, Any] = json.loads(base64.b64decode("".join(packed[-1].split())))
        return found


@dataclass
class Lab:
    """The lab that a kubeconfig belongs to."""

    kubeconfig: Path
    folder: Path
    service: str = "order-service"
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.settings = json.loads((self.kubeconfig.parent / "settings.json").read_text(encoding="utf-8"))
        self.variables = {"lab_name": self.settings["name"], "lab_port_offset": self.settings["port_offset"]}
        self.gateway = f"http://127.0.0.1:{8080 + self.settings['port_offset']}"
        self.prometheus = f"http://127.0.0.1:{9090 + self.settings['port_offset']}"
        self.api = config.new_client_from_config(str(self.kubeconfig))
        self.objects, self.apps, self.core = (
            client.CustomObjectsApi(self.api),
            client.AppsV1Api(self.api),
            client.CoreV1Api(self.api),
        )

    def call(
        self, state: str = "progressed", kubeconfig: str = "", arguments: tuple[str, ...] = (), **options: Any
    ) -> Call:
        """The module as the only task of a play."""
        given = {**self.defaults, "state": state, **options}
        play = {
            "hosts": "clusters",
            "gather_facts": False,
            "vars": {"service_mesh_auth_environment": {"K8S_AUTH_KUBECONFIG": "{{ service_mesh_kubeconfig }}"}},
            "environment": "{{ service_mesh_auth_environment }}",
            "tasks": [
                {
                    "block": [{"corpv3.service_mesh.canary": given, "register": "result"}],
                    # The failure stays one, and the result is seen all the same.
                    "always": [{"ansible.builtin.debug": {"msg": "RESULT<{{ result | to_json | b64encode }}>"}}],
                }
            ],
        }
        path = self.folder / f"call-{len(self.calls)}.yml"
        path.write_text(yaml.safe_dump([play]), encoding="utf-8")
        return self.playbook(str(path), *arguments, kubeconfig=kubeconfig)

    def playbook(self, playbook: str, *arguments: str, kubeconfig: str = "", **variables: Any) -> Call:
        """A file of playbooks/ or a whole path."""
        extra = {**variables, **({"service_mesh_kubeconfig": kubeconfig} if kubeconfig else {})}
        output = self.folder / f"call-{len(self.calls)}.log"
        found = Call([*self.command(playbook, extra), *arguments], output, ENVIRONMENT)
        self.calls.append(found)
        return found

    def terminal(self, playbook: str, **variables: Any) -> pexpect.spawn[str]:
        """The same at a terminal of its own, for keys to be pressed there. Read what it writes, or it stops."""
        program, *arguments = self.command(playbook, variables)
        environment = {**os.environ, **ENVIRONMENT}
        return pexpect.spawn(program, arguments, 180, cwd=ROOT, env=environment, encoding="utf-8", dimensions=(50, 500))

    def command(self, playbook: str, variables: Mapping[str, Any]) -> list[str]:
        """A playbook's call on this lab."""
        path = playbook if "/" in playbook else str(ROOT / "playbooks" / playbook)
        extra = json.dumps({**self.variables, **variables})
        return ["ansible-playbook", path, "-i", str(ROOT / "inventories/lab"), "-e", extra]

    @property
    def defaults(self) -> dict[str, Any]:
        """Options of a run that decides in seconds, for one service behind the gateway."""
        return {
            "namespace": NAMESPACE,
            "service": self.service,
            "provider": PROXIES,
            "istiod_access": ACCESS,
            "steps": [10, 50],
            "step_duration": "2s",
            "interval": "500ms",
            "drain": "3s",
            "min_ready": 1,
            "metrics": [success(), slowness()],
        }

    def load(
        self, path: str = "/api/v1/orders", rate: float = 100, name: str = "load", headers: Sequence[str] = ()
    ) -> Load:
        """Requests through the gateway, as many as the machine carries while the stable side answers."""
        everything, output = [f"Host: {HOST}", "Accept: */*", *headers], self.folder / f"{name}.jsonl"
        return carried_load(lambda rate: Load(f"{self.gateway}{path}", everything, output, rate), rate)

    def sightings(self, name: str = "", route: str = "primary") -> Sightings:
        return Sightings(self.api, name or self.service, route)

    def now(self, name: str = "", route: str = "primary") -> Sighting:
        """The split and the state as they are."""
        return sighted(self.objects.get_namespaced_custom_object(*VIRTUAL_SERVICES, name or self.service), route)

    def until(self, what: str, condition: Any, seconds: float = 180) -> Any:
        """Wait for it; the failure names it."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, f"{what}: not within {seconds} s; {self.now()}"
            time.sleep(0.05)
        return found

    @property
    def stable(self) -> str:
        """The subset with all the weight."""
        return max(self.now().weights, key=lambda subset: self.now().weights[subset])

    @property
    def canary(self) -> str:
        return "v2" if self.stable == "v1" else "v1"

    def tag(self) -> str:
        """An image that neither slot has."""
        return f"2.0.{int(time.time())}"

    def fault(self, **fault: Any) -> float:
        """Set or clear one; returns when."""
        environment = {"PYTHONPATH": str(ROOT / "roles/lab/files"), "PYTHONDONTWRITEBYTECODE": "1"}
        argv = [sys.executable, "-m", "meshlab", "--settings", str(self.kubeconfig.parent / "settings.json"), "fault"]
        subprocess.run([*argv, json.dumps(fault)], env={**os.environ, **environment}, check=True, capture_output=True)
        return (self.kubeconfig.parent / "faults.json").stat().st_mtime

    def pods(self, version: str) -> list[Any]:
        found: list[Any] = self.core.list_namespaced_pod(
            NAMESPACE, label_selector=f"app={self.service},version={version}"
        ).items
        return found

    def workloads(self) -> dict[str, tuple[int, str]]:
        """Deployment -> replicas asked for, and image."""
        found = self.apps.list_namespaced_deployment(NAMESPACE, label_selector=f"app={self.service}").items
        return {d.metadata.name: (d.spec.replicas, d.spec.template.spec.containers[0].image) for d in found}

    def workload(self, subset: str) -> str:
        """The Deployment behind a subset."""
        found = self.apps.list_namespaced_deployment(NAMESPACE, label_selector=f"app={self.service}").items
        return next(d.metadata.name for d in found if d.spec.template.metadata.labels["version"] == subset)

    def scaler(self) -> dict[str, Any]:
        """The service's HorizontalPodAutoscaler."""
        found = client.AutoscalingV2Api(self.api).read_namespaced_horizontal_pod_autoscaler(self.service, NAMESPACE)
        plain: dict[str, Any] = self.api.sanitize_for_serialization(found)
        return plain

    def value(self, query: str) -> float:
        """Of Prometheus; 0 where there is none."""
        url = f"{self.prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        with _OPENER.open(url, timeout=10) as answer:
            found = json.load(answer)["data"]["result"]
        return float(found[0]["value"][1]) if found else 0.0

    def stable_errors(self, version: str) -> float:
        """Of all times: what callers' own proxies saw of a version, also where it has not answered."""
        return self.value(
            f'sum(istio_requests_total{{reporter="source",destination_service_name="{self.service}",'
            f'destination_canonical_revision="{version}",response_code=~"5..|0",response_flags!~".*DC.*"}})'
        )

    @contextlib.contextmanager
    def unhidden(self) -> Iterator[None]:
        """Without the gateway's retries, which would show the user one bad answer of a hundred."""
        before = self._edge_retries({"attempts": 0})
        time.sleep(1)
        try:
            yield
        finally:
            self._edge_retries(before)

    def _edge_retries(self, retries: Any) -> Any:
        live = self.objects.get_namespaced_custom_object(*VIRTUAL_SERVICES, "restaurant")
        route = next(entry for entry in live["spec"]["http"] if entry["name"] == "api")
        before, route["retries"] = route["retries"], retries
        self.objects.replace_namespaced_custom_object(*VIRTUAL_SERVICES, "restaurant", live)
        return before

    def settle(self) -> None:
        """No fault, no process, no run: what the next test starts from."""
        for call in self.calls:
            call.kill()
        self.fault(clear=True)
        if self.now().state.get("phase", "Succeeded") not in FINAL:
            self.call("aborted", reason="the test has ended").wait()
        assert self.now().state.get("phase", "Succeeded") in FINAL, self.now()


def success(**options: Any) -> dict[str, Any]:
    """At least 95 % without an error, which a second or two of the lab's traffic can show."""
    return {"name": "request-success-rate", "threshold_range": {"min": 95}, **options}


def slowness(milliseconds: int = 5000) -> dict[str, Any]:
    """90 % of the answers within so long: by default, longer than a healthy side takes on a machine that is starved."""
    return {"name": "request-duration", "threshold_range": {"max": milliseconds}, "percentile": 90}


# A canary that decides in seconds, for canary.yml.
QUICK: dict[str, Any] = {
    "canary_provider": PROXIES,
    "canary_metrics": [success(), slowness()],
    "canary_whole_service_guard": {},
    "canary_steps": [50],
    "canary_step_duration": "1s",
    "canary_interval": "500ms",
    "canary_drain": "1s",
}


def shares(
    seen: Sequence[Sighting], records: Sequence[Record], version: str, confidence: float = 0.999, settling: float = 1.0
) -> list[Share]:
    """The version's share at each weight it had, from a second after the write until the next one."""
    changes = [seen[0], *(later for earlier, later in itertools.pairwise(seen) if later.weights != earlier.weights)]
    ends = [sighting.at for sighting in changes[1:]] + [records[-1].answered]
    return [
        share(within, version, sighting.weights.get(version, 0), confidence)
        for sighting, end in zip(changes, ends, strict=True)
        if (within := sent_within(records, sighting.at + settling, end))
    ]
