"""What the cluster must have for a real node: rights, the API server's endpoint, and which pods come to the node."""

from __future__ import annotations

import json
from typing import Any

from . import dns, metrics, policies
from .layout import TAINT, Node

Object = dict[str, Any]
RBAC = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
POLICIES = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies"
POLICY_BINDINGS = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings"
PLACEMENT = "meshlab-real-node"
APP_LABELS = ["app", "app.kubernetes.io/name"]


def objects(node: Node) -> list[tuple[str, Object]]:
    """Each object with the path of its collection."""
    found = [(RBAC, _kubelet_api()), (SLICES, _api_server(node)), *dns.objects(node)]
    found += [*metrics.objects(), *policies.objects(node)]
    if node.settings.real_node_namespaces or node.settings.real_node_apps:
        found += [(POLICIES, _placement(node)), (POLICY_BINDINGS, _placement_binding())]
    return found


def _kubelet_api() -> Object:
    """The API server's own client certificate may use the kubelet: exec, logs, port-forward."""
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "meshlab-kubelet-api"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "system:kubelet-api-admin"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": "kube-apiserver"}],
    }


def _api_server(node: Node) -> Object:
    """The API server advertises no address (it listens on loopback); pods of the node reach it at the forwarder's."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kubernetes",
            "labels": {"kubernetes.io/service-name": "kubernetes", "endpointslice.kubernetes.io/managed-by": "meshlab"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [node.settings.bridge_ip], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": node.settings.port("api"), "protocol": "TCP"}],
    }


def _placement(node: Node) -> Object:
    """New pods of the chosen namespaces, or with a chosen label, go to the real node; no chart changes.

    Those of a DaemonSet already name their node.
    """
    namespaces, apps = (
        json.dumps(chosen) for chosen in (node.settings.real_node_namespaces, node.settings.real_node_apps)
    )
    labels = "object.metadata.labels"
    app = f"has({labels}) && {json.dumps(APP_LABELS)}.exists(l, l in {labels} && {labels}[l] in {apps})"
    pointer = TAINT.replace("/", "~1")
    # Both are atomic to server-side apply, so a patch of the merging kind is refused.
    selector = f"""has(object.spec.nodeSelector)
      ? [JSONPatch{{op: "add", path: "/spec/nodeSelector/{pointer}", value: "true"}}]
      : [JSONPatch{{op: "add", path: "/spec/nodeSelector", value: {{"{TAINT}": "true"}}}}]"""
    toleration = f'Object.spec.tolerations{{key: "{TAINT}", operator: "Exists"}}'
    tolerations = f"""has(object.spec.tolerations)
      ? [JSONPatch{{op: "add", path: "/spec/tolerations/-", value: {toleration}}}]
      : [JSONPatch{{op: "add", path: "/spec/tolerations", value: [{toleration}]}}]"""
    of_daemon_set = (
        'has(object.metadata.ownerReferences) && object.metadata.ownerReferences.exists(o, o.kind == "DaemonSet")'
    )
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": PLACEMENT},
        "spec": {
            "failurePolicy": "Fail",
            "reinvocationPolicy": "Never",
            "matchConstraints": {
                "resourceRules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
                ]
            },
            "matchConditions": [
                {"name": "chosen", "expression": f"request.namespace in {namespaces} || ({app})"},
                {"name": "not-of-a-daemon-set", "expression": f"!({of_daemon_set})"},
            ],
            "mutations": [
                {"patchType": "JSONPatch", "jsonPatch": {"expression": patch}} for patch in (selector, tolerations)
            ],
        },
    }


def _placement_binding() -> Object:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": PLACEMENT},
        "spec": {"policyName": PLACEMENT},
    }
