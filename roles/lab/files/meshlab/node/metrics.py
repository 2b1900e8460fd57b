"""metrics-server: what ``kubectl top`` and HPAs read, of the real node's pods. The objects of its release, smaller."""

from __future__ import annotations

from .catalog import METRICS_SERVER_IMAGE
from .layout import TAINT
from .manifests import CORE, NAMESPACE, RBAC, RBAC_GROUP, Object, Placed, account, bound, named, rule, workload

NAME = "metrics-server"
PORT = 10250
CERTIFICATES = "/certificates"
LABELS = {"k8s-app": NAME}
API_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
READS = (
    rule("", ("nodes/metrics",), "get"),
    rule("", ("pods", "nodes"), "get", "list", "watch"),
    # As every server of an aggregated API, it has the API server judge its callers.
    rule("authentication.k8s.io", ("tokenreviews",), "create"),
    rule("authorization.k8s.io", ("subjectaccessreviews",), "create"),
)
ROLES_READER = {
    "apiVersion": f"{RBAC_GROUP}/v1",
    "kind": "ClusterRole",
    "metadata": {
        "name": "system:aggregated-metrics-reader",
        "labels": {f"{RBAC_GROUP}/aggregate-to-{role}": "true" for role in ("view", "edit", "admin")},
    },
    "rules": [rule("metrics.k8s.io", ("pods", "nodes"), "get", "list", "watch")],
}


def objects() -> list[Placed]:
    """Each object with the path of its collection."""
    return [
        *account(NAME, READS),
        (f"{RBAC}/clusterroles", ROLES_READER),
        (f"{RBAC}/namespaces/{NAMESPACE}/rolebindings", _callers()),
        (f"{CORE}/services", _service()),
        _deployment(),
        (API_SERVICES, _api_service()),
    ]


def _callers() -> Object:
    """It may read by which certificate the API server calls it."""
    binding = named("RoleBinding", f"{RBAC_GROUP}/v1", "metrics-server-auth-reader")
    return {**binding, **bound("Role", "extension-apiserver-authentication-reader", NAME)}


def _service() -> Object:
    service = named("Service", "v1", NAME)
    service["spec"] = {"selector": LABELS, "ports": [{"name": "https", "port": 443, "targetPort": PORT}]}
    return service


def _api_service() -> Object:
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1beta1.metrics.k8s.io"},
        "spec": {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            # As in its release: its certificate is its own.
            "insecureSkipTLSVerify": True,
            "service": {"name": NAME, "namespace": NAMESPACE},
        },
    }


def _deployment() -> Placed:
    container = {
        "image": METRICS_SERVER_IMAGE,
        "args": [
            f"--secure-port={PORT}",
            f"--cert-dir={CERTIFICATES}",
            "--kubelet-preferred-address-types=InternalIP",
            "--kubelet-certificate-authority=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
            "--metric-resolution=15s",
            # Simulated nodes have no figures.
            f"--node-selector={TAINT}=true",
        ],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": PORT, "scheme": "HTTPS"}, "periodSeconds": 2},
        "livenessProbe": {
            "httpGet": {"path": "/livez", "port": PORT, "scheme": "HTTPS"},
            "periodSeconds": 10,
            "timeoutSeconds": 5,
        },
        "resources": {"requests": {"cpu": "20m", "memory": "40Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": 1000,
        },
        "volumeMounts": [{"name": "certificates", "mountPath": CERTIFICATES}],
    }
    return workload("Deployment", NAME, LABELS, container, volumes=[{"name": "certificates", "emptyDir": {}}])
