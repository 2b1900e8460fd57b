"""What the node's own workloads have in common: all are in kube-system, each under a name and an account of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .layout import TAINT

Object = dict[str, Any]
NAMESPACE = "kube-system"
CORE = f"/api/v1/namespaces/{NAMESPACE}"
APPS = f"/apis/apps/v1/namespaces/{NAMESPACE}"
RBAC_GROUP = "rbac.authorization.k8s.io"
RBAC = f"/apis/{RBAC_GROUP}/v1"
# With the path of an object's collection, which is not always to be derived from its kind.
Placed = tuple[str, Object]


def named(kind: str, version: str, name: str) -> Object:
    """An object of kube-system without content."""
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}}


def rule(group: str, resources: Sequence[str], *verbs: str) -> Object:
    """One rule of a role."""
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}


def account(name: str, rules: Sequence[Object]) -> list[Placed]:
    """A service account that may do what ``rules`` say, in all namespaces."""
    role = {"apiVersion": f"{RBAC_GROUP}/v1", "kind": "ClusterRole", "metadata": {"name": f"system:{name}"}}
    binding = {
        "apiVersion": f"{RBAC_GROUP}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"system:{name}"},
        **bound("ClusterRole", f"system:{name}", name),
    }
    return [
        (f"{CORE}/serviceaccounts", named("ServiceAccount", "v1", name)),
        (f"{RBAC}/clusterroles", {**role, "rules": list(rules)}),
        (f"{RBAC}/clusterrolebindings", binding),
    ]


def bound(kind: str, role: str, name: str) -> Object:
    """Of a binding: the role, and the account that gets it."""
    return {
        "roleRef": {"apiGroup": RBAC_GROUP, "kind": kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}],
    }


def workload(kind: str, name: str, labels: Mapping[str, str], container: Object, **pod: Any) -> Placed:
    """A Deployment or a DaemonSet of one container on the real node. ``pod``: further fields of its pods."""
    spec = {
        "serviceAccountName": name,
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {TAINT: "true"},
        "tolerations": [{"operator": "Exists"}],
        "containers": [{"name": name, **container}],
        **pod,
    }
    found = named(kind, "apps/v1", name)
    found["spec"] = {
        "selector": {"matchLabels": dict(labels)},
        "template": {"metadata": {"labels": dict(labels)}, "spec": spec},
    }
    return f"{APPS}/{kind.lower()}s", found
