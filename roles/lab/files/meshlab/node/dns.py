"""The cluster's DNS on the real node: the objects that kubeadm would make, in their smallest form."""

from __future__ import annotations

from typing import Any

from .catalog import COREDNS_IMAGE
from .layout import TAINT, Node

Object = dict[str, Any]
NAME, NAMESPACE = "coredns", "kube-system"
RBAC = "rbac.authorization.k8s.io"
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
READS: list[Object] = [
    {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
]


def objects(node: Node) -> list[tuple[str, Object]]:
    """Each object with the path of its collection."""
    core = f"/api/v1/namespaces/{NAMESPACE}"
    rights = f"/apis/{RBAC}/v1"
    role = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": "system:coredns"}, "rules": READS}
    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "system:coredns"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "system:coredns"},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
    }
    return [
        (f"{core}/serviceaccounts", _named("ServiceAccount", "v1")),
        (f"{rights}/clusterroles", role),
        (f"{rights}/clusterrolebindings", binding),
        (f"{core}/configmaps", {**_named("ConfigMap", "v1"), "data": {"Corefile": COREFILE}}),
        (f"{core}/services", _service(node)),
        (f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments", _deployment()),
    ]


def _named(kind: str, version: str) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": NAME, "namespace": NAMESPACE}}


def _service(node: Node) -> Object:
    ports = [{"name": f"dns-{p.lower()}", "protocol": p, "port": 53, "targetPort": 5353} for p in ("UDP", "TCP")]
    service = _named("Service", "v1")
    service["metadata"]["name"] = "kube-dns"
    service["spec"] = {"clusterIP": node.dns_ip, "selector": {"k8s-app": "kube-dns"}, "ports": ports}
    return service


def _deployment() -> Object:
    container = {
        "name": NAME,
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
    pod = {
        "serviceAccountName": NAME,
        "priorityClassName": "system-cluster-critical",
        # Its own names come from the node: a resolver must not depend on itself.
        "dnsPolicy": "Default",
        "nodeSelector": {TAINT: "true"},
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": NAME}}],
    }
    labels = {"k8s-app": "kube-dns"}
    deployment = _named("Deployment", "apps/v1")
    deployment["spec"] = {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    return deployment
