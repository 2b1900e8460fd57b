"""What the shops on the lab that are not the restaurant share: their services, and how they are installed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import pytest
import yaml
from kubernetes import client

# The stand-in's services, by their ports: the first calls the second.
EDGE, BEHIND = "api-gateway", "menu-service"
PORTS = {EDGE: 8000, BEHIND: 8003}
# For tests of both: the first one's route is at a Gateway, the second one's at its Service.
AT = pytest.mark.parametrize("app", [pytest.param(EDGE, id="at a Gateway"), pytest.param(BEHIND, id="at a Service")])
Object = dict[str, Any]


def plain_object(api_version: str, kind: str, name: str, spec: Object, namespace: str = "") -> Object:
    """``namespace``: if it is another one than the shop's."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}


def service(name: str, app: str, protocol: str = "http", **labels: str) -> Object:
    ports = [{"name": protocol, "port": PORTS[app], "targetPort": PORTS[app]}]
    return plain_object("v1", "Service", name, {"selector": {"app": app, **labels}, "ports": ports})


def image(app: str, tag: str = "1") -> str:
    """A name that the lab's real node has, too."""
    return f"corpv3/{app}:{tag}"


def deployment(
    app: str,
    version: str,
    replicas: int,
    env: Sequence[Object] = (),
    selected: Mapping[str, str] = MappingProxyType({}),
) -> Object:
    """``selected``: labels that its selector has in addition to the app's."""
    # A machine of two cores on which pods start answers no probe within the default of a second.
    probe = {"httpGet": {"path": "/health", "port": PORTS[app]}, "periodSeconds": 1, "timeoutSeconds": 5}
    container: Object = {
        "name": app,
        "image": image(app),
        "ports": [{"containerPort": PORTS[app]}],
        "readinessProbe": probe,
    }
    template = {
        "metadata": {"labels": {"app": app, "version": version}},
        "spec": {"containers": [{**container, **({"env": [*env]} if env else {})}]},
    }
    selector = {"matchLabels": {"app": app, **selected}}
    spec = {"replicas": replicas, "selector": selector, "template": template}
    return plain_object("apps/v1", "Deployment", f"{app}-{version}", spec)


@contextmanager
def installed(
    kubectl: list[str],
    namespace: str,
    objects: Sequence[Object],
    rolled_out: Sequence[str],
    known: Sequence[Object] = (),
) -> Iterator[None]:
    """``kubectl``: the command, with its kubeconfig. ``rolled_out``: Deployments. ``known``: definitions of kinds.

    Removes all of it at the end.
    """
    names = [f"crd/{obj['metadata']['name']}" for obj in known]
    if known:
        apply(kubectl, known)
        subprocess.run([*kubectl, "wait", "--for=condition=Established", "--timeout=60s", *names], check=True)
    labels = {"istio-injection": "enabled"}
    apply(kubectl, [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}])
    try:
        apply(kubectl, [_placed(obj, namespace) for obj in objects])
        for name in rolled_out:
            wait = ["rollout", "status", f"deployment/{name}", "--timeout=180s"]
            subprocess.run([*kubectl, "-n", namespace, *wait], check=True)
        yield
    finally:
        subprocess.run([*kubectl, "delete", "namespace", namespace, "--timeout=180s"], check=True)
        if known:
            subprocess.run([*kubectl, "delete", *names], check=True)


def apply(kubectl: list[str], objects: Sequence[Object]) -> None:
    text = yaml.safe_dump_all(objects)
    subprocess.run([*kubectl, "apply", "--server-side", "-f", "-"], input=text, text=True, check=True)


def snapshot(api: client.ApiClient, namespace: str, custom: dict[str, Sequence[str]]) -> dict[str, Any]:
    """What the owner of the namespace has: without status, and what the API server and controllers keep.

    ``custom``: group/version -> plurals.
    """
    objects = client.CustomObjectsApi(api)
    found = [
        *client.AppsV1Api(api).list_namespaced_deployment(namespace).items,
        *client.CoreV1Api(api).list_namespaced_service(namespace).items,
    ]
    plain = [client.ApiClient().sanitize_for_serialization(each) for each in found]
    for api_version, plurals in custom.items():
        for plural in plurals:
            listed = objects.list_namespaced_custom_object(*api_version.split("/"), namespace, plural)
            plain += listed["items"]
    leases = client.CoordinationV1Api(api).list_namespaced_lease(namespace).items
    own = {
        f"{each.get('kind', '')} {each['metadata']['name']} {sorted(each['spec'])}": {
            "labels": each["metadata"].get("labels"),
            "annotations": {
                key: value
                for key, value in (each["metadata"].get("annotations") or {}).items()
                if key != "deployment.kubernetes.io/revision"
            },
            "spec": each["spec"],
        }
        for each in plain
    }
    return {**own, "leases": [each.metadata.name for each in leases]}


def deployments(api: client.ApiClient, namespace: str) -> dict[str, tuple[int, str, str]]:
    """Name -> replicas, image, LOG_LEVEL."""
    found = {}
    for each in client.AppsV1Api(api).list_namespaced_deployment(namespace).items:
        (container,) = each.spec.template.spec.containers
        found[each.metadata.name] = (each.spec.replicas, container.image, container.env[0].value)
    return found


def _placed(obj: Object, namespace: str) -> Object:
    return {**obj, "metadata": {"namespace": namespace, **obj["metadata"]}}
