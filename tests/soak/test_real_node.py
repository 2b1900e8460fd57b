"""The lab's real node: pods as containers under a kubelet, and nothing left of them afterwards.

The lab is :func:`real_node.real_lab`; the last test ends it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from .real_node import IMAGE, Object, RealLab, needs_real_node, pod, real_lab, until

pytestmark = needs_real_node


@pytest.fixture(scope="module")
def lab() -> Iterator[RealLab]:
    yield from real_lab()


@pytest.fixture(scope="module")
def web(lab: RealLab) -> str:
    """A web server in a container: its page is its pod's name."""
    serve = "hostname > /tmp/index.html; echo serving; exec httpd -f -p 8080 -h /tmp"
    probe = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}
    limits = {"requests": {"memory": "16Mi", "cpu": "10m"}, "limits": {"memory": "32Mi", "cpu": "200m"}}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    lab.apply(pod("web", "sh", "-c", serve, readinessProbe=probe, resources=limits), service)
    lab.kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=240s")
    return "web"


def test_the_kubelet_runs_it_where_kwok_does_not(lab: RealLab, web: str) -> None:
    found = lab.get("pod", web)
    assert found["spec"]["nodeName"] == lab.node
    assert found["status"]["containerStatuses"][0]["containerID"].startswith("containerd://")
    node = lab.get("node", lab.node)
    assert node["status"]["nodeInfo"]["containerRuntimeVersion"].startswith("containerd://")
    assert "kwok.x-k8s.io/node" not in node["metadata"].get("annotations", {})


def test_exec_and_logs(lab: RealLab, web: str) -> None:
    assert lab.kubectl("exec", web, "--", "hostname").strip() == web
    assert lab.kubectl("exec", "-i", web, "--", "cat", input="through\n") == "through\n"
    assert lab.kubectl("logs", web) == "serving\n"


def test_port_forward(lab: RealLab, web: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    kubectl = json.loads((lab.folder / "tools.json").read_text())["kubectl"]
    argv = [kubectl, f"--kubeconfig={lab.folder / 'kubeconfig'}", "port-forward", web, f"{port}:8080"]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as forward:
        try:
            page = until(lambda: fetch(f"http://127.0.0.1:{port}/"), "port-forward answers")
        finally:
            forward.terminate()
    assert page.strip() == web


def fetch(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def test_a_service_by_its_name_through_kube_proxy(lab: RealLab, web: str) -> None:
    lab.apply(pod("client", "sleep", "3600"))
    lab.kubectl("wait", "--for=condition=Ready", "pod/client", "--timeout=240s")
    lab.kubectl("-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=240s")
    cluster_ip = lab.get("service", web)["spec"]["clusterIP"]
    for address in (cluster_ip, f"{web}.default.svc.cluster.local"):
        call = ("exec", "client", "--", "wget", "-q", "-O", "-", f"http://{address}/")
        assert until(lambda call=call: lab.kubectl(*call, check=False).strip() == web, f"{address} answers")
    # A pod that calls its own Service comes back to itself.
    assert lab.kubectl("exec", web, "--", "wget", "-q", "-O", "-", f"http://{cluster_ip}/").strip() == web


def test_the_api_server_from_a_pod(lab: RealLab, web: str) -> None:
    token = "/var/run/secrets/kubernetes.io/serviceaccount"
    assert set(lab.kubectl("exec", web, "--", "ls", token).split()) == {"ca.crt", "namespace", "token"}
    ip = lab.get("service", "kubernetes")["spec"]["clusterIP"]
    # It answers plain HTTP on its TLS port with an error: the answer is what matters.
    call = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 5 {ip} 443"
    assert lab.kubectl("exec", web, "--", "sh", "-c", call).startswith("HTTP/1.0 400")


def test_limits_are_the_kernels(lab: RealLab, web: str) -> None:
    group = lab.get("pod", web)["metadata"]["uid"]
    found = [
        path
        for path in Path(f"/sys/fs/cgroup/memory/meshlab-{lab.name}").rglob("memory.limit_in_bytes")
        if group in str(path)
    ]
    assert str(32 * 2**20) in {path.read_text().strip() for path in found}
    until(lambda: working_set(lab, web) > 0, "the kubelet reports the pod's memory")


def working_set(lab: RealLab, name: str) -> int:
    """Bytes, by the kubelet; 0 before it has measured."""
    summary = json.loads(lab.kubectl("get", "--raw", f"/api/v1/nodes/{lab.node}/proxy/stats/summary"))
    pods = {each["podRef"]["name"]: each for each in summary["pods"]}
    return int(pods.get(name, {}).get("memory", {}).get("workingSetBytes", 0))


def test_a_pod_over_its_memory_limit_is_killed_and_restarted(lab: RealLab) -> None:
    eat = "[ -e /state/once ] && exec sleep 3600; touch /state/once; exec dd if=/dev/zero of=/dev/null bs=256M count=1"
    hungry = pod("hungry", "sh", "-c", eat, resources={"limits": {"memory": "32Mi"}})
    hungry["spec"]["volumes"] = [{"name": "state", "emptyDir": {}}]
    hungry["spec"]["containers"][0]["volumeMounts"] = [{"name": "state", "mountPath": "/state"}]
    lab.apply(hungry)
    state = until(
        lambda: next(
            (s for s in lab.get("pod", "hungry")["status"].get("containerStatuses", []) if s["restartCount"]), None
        ),
        "hungry restarts",
    )
    assert state["lastState"]["terminated"]["reason"] == "OOMKilled"
    until(lambda: lab.get("pod", "hungry")["status"]["containerStatuses"][0]["ready"], "hungry runs again")


def test_a_sidecar_starts_before_and_ends_after_its_application(lab: RealLab) -> None:
    job = pod("job", "sh", "-c", "cat /state/log; echo application >> /state/log")
    spec = job["spec"]
    mounts = [{"name": "state", "mountPath": "/state"}]
    spec["containers"][0]["volumeMounts"] = mounts
    spec["volumes"] = [{"name": "state", "emptyDir": {}}]
    spec["restartPolicy"] = "Never"
    side = (
        "echo sidecar > /state/log; trap 'cat /state/log; exit 0' TERM; touch /state/up; while true; do sleep 1; done"
    )
    started = {"exec": {"command": ["ls", "/state/up"]}, "periodSeconds": 1}
    sidecar = {"name": "side", "image": IMAGE, "command": ["sh", "-c", side], "restartPolicy": "Always"}
    spec["initContainers"] = [{**sidecar, "startupProbe": started, "volumeMounts": mounts}]
    spec["terminationGracePeriodSeconds"] = 10
    lab.apply(job)
    until(lambda: lab.get("pod", "job")["status"]["phase"] == "Succeeded", "the job's pod completes")
    assert lab.kubectl("logs", "job", "-c", "main") == "sidecar\n"
    assert lab.kubectl("logs", "job", "-c", "side") == "sidecar\napplication\n"


@pytest.mark.parametrize("program", ["kubelet", "containerd", "kube-proxy", "node-api", "node"])
def test_up_repairs_a_killed_program(lab: RealLab, web: str, program: str) -> None:
    os.kill(lab.pid(program), signal.SIGKILL)
    lab.meshlab("up")
    until(lambda: lab.kubectl("exec", web, "--", "hostname", check=False).strip() == web, "the pod runs")


@pytest.mark.parametrize("killed", ["nothing", "containerd", "node", "everything"])
def test_down_leaves_nothing(lab: RealLab, killed: str) -> None:
    """The machine is as before, whatever died first."""
    lab.meshlab("down")
    before = traces(lab)
    assert lab.name not in json.dumps(before)
    lab.meshlab("up")
    lab.apply(pod("web", "sleep", "3600"))
    lab.kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=240s")
    assert traces(lab) != before
    programs = {"nothing": [], "everything": [path.stem for path in (lab.folder / "run").glob("*.json")]}
    for program in programs.get(killed, [killed]):
        os.kill(lab.pid(program), signal.SIGKILL)
    lab.meshlab("down")
    assert traces(lab) == before


def traces(lab: RealLab) -> Object:
    """What a node could leave on the machine, without what other labs have."""
    number = lab.offset // 100
    run = subprocess.run(
        ["sh", "-c", "ip -o link; ip netns; ip route; iptables-save"], capture_output=True, text=True, check=True
    )
    ours = (lab.name, f"meshlab{number}", f"ml{number}-", f"10.{100 + number}.", f"10.{150 + number}.", "KUBE-", "CNI-")
    paths = [
        Path("/var/lib/kubelet"),
        Path("/var/lib/containerd"),
        Path("/etc/cni"),
        Path("/opt/cni"),
        Path("/var/log/pods"),
    ]
    sysctls = (
        "vm/overcommit_memory",
        "kernel/panic",
        "kernel/panic_on_oops",
        "net/ipv4/ip_forward",
        "net/netfilter/nf_conntrack_max",
    )
    return {
        "network": sorted(line for line in run.stdout.splitlines() if any(each in line for each in ours)),
        "processes": sorted(command for command in commands() if str(lab.folder) in command),
        "mounts": [
            line for line in Path("/proc/mounts").read_text().splitlines() if lab.name in line or "cni-" in line
        ],
        "cgroups": [str(path) for path in Path("/sys/fs/cgroup").glob(f"*/meshlab-{lab.name}")],
        "folders": [str(path) for path in paths if path.exists()],
        "sysctls": {name: Path("/proc/sys", name).read_text() for name in sysctls if Path("/proc/sys", name).exists()},
    }


def commands() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
