"""The cluster's DNS on the real node: the objects that kubeadm would make, in their smallest form."""

from __future__ import annotations

from .catalog import COREDNS_IMAGE
from .layout import Node
from .manifests import CORE, Object, Placed, account, named, rule, workload

NAME = "coredns"
COREFILE = """.:5353 {
    errors
    health :8080
    ready :8181
    kubernetes cluster.local in-addr.arpa {
        pods insecure
        ttl 5
    }
    cache 5
}
"""
READS = (
    rule("", ("services", "pods", "namespaces"), "list", "watch"),
    rule("discovery.k8s.io", ("endpointslices",), "list", "watch"),
)
LABELS = {"k8s-app": "kube-dns"}


def objects(node: Node) -> list[Placed]:
    """Each object with the path of its collection."""
    corefile = {**named("ConfigMap", "v1", NAME), "data": {"Corefile": COREFILE}}
    return [
        *account(NAME, READS),
        (f"{CORE}/configmaps", corefile),
        (f"{CORE}/services", _service(node)),
        _deployment(),
    ]


def _service(node: Node) -> Object:
    ports = [{"name": f"dns-{p.lower()}", "protocol": p, "port": 53, "targetPort": 5353} for p in ("UDP", "TCP")]
    service = named("Service", "v1", "kube-dns")
    service["spec"] = {"clusterIP": node.dns_ip, "selector": LABELS, "ports": ports}
    return service


def _deployment() -> Placed:
    container = {
        "image": COREDNS_IMAGE,
        "args": ["-conf", "/etc/coredns/Corefile"],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 2},
        "livenessProbe": {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 10, "timeoutSeconds": 5},
        "resources": {"requests": {"cpu": "50m", "memory": "40Mi"}, "limits": {"memory": "170Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsUser": 65534,
        },
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
    }
    volumes = [{"name": "config", "configMap": {"name": NAME}}]
    # Its own names come from the node: a resolver must not depend on itself.
    return workload("Deployment", NAME, LABELS, container, dnsPolicy="Default", volumes=volumes)
