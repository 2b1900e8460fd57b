"""What a cluster owes its workloads, on the lab's real node: figures, scaling, policies, volumes, budgets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from .real_node import IMAGE, Object, RealLab, needs_real_node, pod, real_lab, until

pytestmark = needs_real_node
NAMESPACE = "default"
# Burns a CPU while /tmp/hot exists.
BURN = (
    "while true; do if [ -e /tmp/hot ]; then i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; else sleep 1; fi; done"
)


@pytest.fixture(scope="module")
def lab() -> Iterator[RealLab]:
    yield from real_lab()


def named(kind: str, version: str, name: str, spec: Object) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}


def deployment(name: str, replicas: int, *command: str, **fields: Object) -> Object:
    template = pod(name, *command, **fields)
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": template["metadata"]["labels"]},
        "template": {"metadata": {"labels": template["metadata"]["labels"]}, "spec": template["spec"]},
    }
    return named("Deployment", "apps/v1", name, spec)


def serve(name: str) -> Object:
    probe = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}
    page = "hostname > /tmp/index.html; exec httpd -f -p 8080 -h /tmp"
    return pod(name, "sh", "-c", page, readinessProbe=probe)


def wait_ready(lab: RealLab, *names: str) -> None:
    lab.kubectl("wait", "--for=condition=Ready", *(f"pod/{name}" for name in names), "--timeout=240s")


def test_top_shows_nodes_and_pods(lab: RealLab) -> None:
    lab.apply(serve("top"))
    wait_ready(lab, "top")
    line = until(lambda: lab.kubectl("top", "pod", "top", "--no-headers", check=False), "figures of the pod")
    until(lambda: "Mi" in lab.kubectl("top", "pod", "top", "--no-headers", check=False), f"figures of the pod: {line}")
    lines = [text for text in lab.kubectl("top", "node", "--no-headers").splitlines() if lab.node in text]
    assert len(lines) == 1
    assert "Mi" in lines[0]


def test_an_hpa_goes_up_under_load_and_down_again(lab: RealLab) -> None:
    resources = {"requests": {"cpu": "50m"}, "limits": {"cpu": "100m"}}
    lab.apply(deployment("busy", 1, "sh", "-c", BURN, resources=resources))
    lab.kubectl("rollout", "status", "deployment/busy", "--timeout=240s")
    usage = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
    }
    hpa = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "busy"},
        "minReplicas": 1,
        "maxReplicas": 2,
        "metrics": [usage],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
    }
    lab.apply(named("HorizontalPodAutoscaler", "autoscaling/v2", "busy", hpa))

    def replicas() -> int:
        return int(lab.get("deployment", "busy")["status"].get("readyReplicas", 0))

    (first,) = lab.get("pods", "-l", "app=busy")["items"]
    lab.kubectl("exec", first["metadata"]["name"], "--", "touch", "/tmp/hot")
    until(lambda: replicas() == 2, "a second pod under load")
    lab.kubectl("exec", first["metadata"]["name"], "--", "rm", "/tmp/hot")
    until(lambda: replicas() == 1, "one pod without load")
    lab.kubectl("delete", "hpa/busy", "deployment/busy", "--wait=false")


def answers(lab: RealLab, client: str, address: str) -> bool:
    """By nc: busybox's wget with a time limit ends with a segmentation fault."""
    call = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 3 {address} 8080"
    return lab.kubectl("exec", client, "--", "sh", "-c", call, check=False).rstrip().endswith("guarded")


def test_network_policies_hold_both_ways(lab: RealLab) -> None:
    lab.apply(serve("guarded"), pod("friend", "sleep", "3600"), pod("stranger", "sleep", "3600"))
    wait_ready(lab, "guarded", "friend", "stranger")
    address = lab.get("pod", "guarded")["status"]["podIP"]
    assert answers(lab, "friend", address)
    assert answers(lab, "stranger", address), "without a policy, everything passes"
    selected, friends = {"matchLabels": {"app": "guarded"}}, {"matchLabels": {"app": "friend"}}
    ingress = {"podSelector": selected, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": friends}]}]}
    lab.apply(named("NetworkPolicy", "networking.k8s.io/v1", "guarded", ingress))
    until(lambda: not answers(lab, "stranger", address), "the stranger is refused")
    assert answers(lab, "friend", address)
    assert lab.get("pod", "guarded")["status"]["containerStatuses"][0]["ready"], "the kubelet's probes pass"
    egress = {"podSelector": friends, "policyTypes": ["Egress"]}
    lab.apply(named("NetworkPolicy", "networking.k8s.io/v1", "friend", egress))
    until(lambda: not answers(lab, "friend", address), "a pod without a way out")
    lab.kubectl("delete", "networkpolicy/guarded", "networkpolicy/friend")
    until(lambda: answers(lab, "stranger", address) and answers(lab, "friend", address), "without policies again")


def test_a_claim_waits_for_its_pod_and_keeps_what_it_wrote(lab: RealLab) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    lab.apply(named("PersistentVolumeClaim", "v1", "kept", claim))
    assert until(lambda: lab.get("events", "--field-selector=reason=WaitForFirstConsumer")["items"], "it waits")
    assert lab.get("pvc", "kept")["status"]["phase"] == "Pending"

    def user(name: str, *command: str) -> Object:
        found = pod(name, *command, volumeMounts=[{"name": "data", "mountPath": "/data"}])
        found["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "kept"}}]
        found["spec"]["securityContext"] = {"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 2000}
        return found

    lab.apply(user("writer", "sh", "-c", "echo written > /data/file; exec sleep 3600"))
    wait_ready(lab, "writer")
    group = lab.kubectl("exec", "writer", "--", "ls", "-n", "/data/file").split()[3]
    assert group == "2000", "the kubelet gives the volume to the pod's group"
    lab.kubectl("delete", "pod/writer")
    lab.apply(user("reader", "sh", "-c", "cat /data/file; exec sleep 3600"))
    wait_ready(lab, "reader")
    assert lab.kubectl("logs", "reader") == "written\n"
    (volume,) = [item for item in lab.get("pv")["items"] if item["spec"].get("claimRef", {}).get("name") == "kept"]
    folder = Path(volume["spec"]["local"]["path"])
    assert folder.is_dir()
    lab.kubectl("delete", "pod/reader", "pvc/kept")
    until(lambda: not folder.exists(), "the data goes with the claim")


def test_a_drain_respects_the_disruption_budget(lab: RealLab) -> None:
    lab.apply(deployment("budgeted", 2, "sleep", "3600"))
    lab.kubectl("rollout", "status", "deployment/budgeted", "--timeout=240s")
    budget = {"selector": {"matchLabels": {"app": "budgeted"}}, "minAvailable": 1}
    lab.apply(named("PodDisruptionBudget", "policy/v1", "budgeted", budget))
    until(lambda: lab.get("pdb", "budgeted")["status"].get("disruptionsAllowed") == 1, "one may go")
    try:
        # Its replacement has no node to go to, so the second one must stay.
        drain = ("drain", lab.node, "--pod-selector=app=budgeted", "--timeout=20s", "--disable-eviction=false")
        said = lab.kubectl(*drain, check=False)
        ready = [
            item["metadata"]["name"]
            for item in lab.get("pods", "-l", "app=budgeted")["items"]
            if any(each["type"] == "Ready" and each["status"] == "True" for each in item["status"]["conditions"])
        ]
    finally:
        lab.kubectl("uncordon", lab.node)
    assert "violate the pod's disruption budget" in said
    assert len(ready) == 1
    lab.kubectl("rollout", "status", "deployment/budgeted", "--timeout=240s")
    lab.kubectl("delete", "deployment/budgeted", "pdb/budgeted", "--wait=false")


def test_what_runs_for_real_is_listed(lab: RealLab) -> None:
    """The node's own workloads, by image."""
    images = {
        container["image"]
        for item in lab.get("pods", "-A", f"--field-selector=spec.nodeName={lab.node}")["items"]
        for container in item["spec"]["containers"]
        if item["metadata"]["namespace"] == "kube-system"
    }
    assert {image.rsplit("/", 1)[-1].partition(":")[0] for image in images} == {
        "coredns",
        "metrics-server",
        "kube-network-policies",
    }
    assert IMAGE not in images
    assert json.dumps(sorted(images)).count("registry.k8s.io") == 3
