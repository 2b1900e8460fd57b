"""istiod away, hanging, one of two hanging, and a client's proxy that refuses its routes, on the lab."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from kubernetes import client

from ..integration.support.canary_gone import created
from ..integration.support.canary_lab import NAMESPACE, Lab

SYSTEM, ISTIOD = "istio-system", "istiod"
# The proxies that send the requests of the tests' path to order-service.
CLIENT = "api-gateway"
_FILTERS = ("networking.istio.io", "v1alpha3", NAMESPACE, "envoyfilters")
# A second virtual host for every domain: istiod sends it, Envoy takes no routes that have two.
_REFUSED: dict[str, Any] = {
    "apiVersion": "networking.istio.io/v1alpha3",
    "kind": "EnvoyFilter",
    "metadata": {"name": "test-refused-routes"},
    "spec": {
        "workloadSelector": {"labels": {"app": CLIENT}},
        "configPatches": [
            {
                "applyTo": "VIRTUAL_HOST",
                "match": {"context": "SIDECAR_OUTBOUND"},
                "patch": {
                    "operation": "ADD",
                    "value": {
                        "name": "refused",
                        "domains": ["*"],
                        "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 500}}],
                    },
                },
            }
        ],
    },
}


def istiods(lab: Lab) -> list[str]:
    """Pods that are not on their way out."""
    found = lab.core.list_namespaced_pod(SYSTEM, label_selector="app=istiod").items
    return sorted(pod.metadata.name for pod in found if not pod.metadata.deletion_timestamp)


@contextlib.contextmanager
def scaled(lab: Lab, replicas: int) -> Iterator[None]:
    before = lab.apps.read_namespaced_deployment_scale(ISTIOD, SYSTEM).spec.replicas

    def scale(wanted: int) -> None:
        lab.apps.patch_namespaced_deployment_scale(ISTIOD, SYSTEM, {"spec": {"replicas": wanted}})
        lab.until(f"{wanted} pods of istiod", lambda: len(istiods(lab)) == wanted == _ready(lab))

    scale(replicas)
    try:
        yield
    finally:
        scale(before)


def _ready(lab: Lab) -> int:
    return lab.apps.read_namespaced_deployment(ISTIOD, SYSTEM).status.ready_replicas or 0


@contextlib.contextmanager
def without_validation(lab: Lab) -> Iterator[None]:
    """While istiod's webhook is registered and nothing answers for it, no client can write a route."""
    hooks = client.AdmissionregistrationV1Api(lab.api)
    kept = [hook for hook in hooks.list_validating_webhook_configuration().items if "istio" in hook.metadata.name]
    for hook in kept:
        hooks.delete_validating_webhook_configuration(hook.metadata.name)
    try:
        yield
    finally:
        for hook in kept:
            created(hooks.create_validating_webhook_configuration, hook)


@contextlib.contextmanager
def stopped(lab: Lab, pods: Sequence[str]) -> Iterator[None]:
    """Their processes keep their connections and answer nothing."""
    folder = lab.kubeconfig.parent / "run/pods"
    pids = [json.loads((folder / f"{SYSTEM}_{pod}_discovery.json").read_text(encoding="utf-8"))["pid"] for pod in pods]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        lab.until("istiod answers", lambda: _ready(lab) == len(istiods(lab)))


@contextlib.contextmanager
def away(lab: Lab) -> Iterator[None]:
    """One after the other: an istiod that shuts down sends empty endpoints to a proxy that connects to it just then.

    That is Istio's own: its log has "EDS: PUSH ... empty:78" after "Kubernetes registry ... has been deleted". With no
    other istiod left, requests then fail with 503 UH until one is back, with or without a canary.
    """
    proxies = lab.value("sum(pilot_xds)")
    with without_validation(lab), scaled(lab, 1):
        lab.until("one istiod has every proxy", lambda: lab.value("max(pilot_xds)") >= proxies)
        with scaled(lab, 0):
            yield


@contextlib.contextmanager
def hanging(lab: Lab) -> Iterator[None]:
    with without_validation(lab), stopped(lab, istiods(lab)):
        yield


@contextlib.contextmanager
def one_of_two_hanging(lab: Lab) -> Iterator[None]:
    found = istiods(lab)
    assert len(found) == 2
    with without_validation(lab), stopped(lab, found[:1]):
        yield


@contextlib.contextmanager
def refusing_proxies(lab: Lab) -> Iterator[None]:
    lab.objects.create_namespaced_custom_object(*_FILTERS, _REFUSED)
    try:
        yield
    finally:
        lab.objects.delete_namespaced_custom_object(*_FILTERS, _REFUSED["metadata"]["name"])


# What is done, and how the one that is waited for is named.
FAULTS: dict[Callable[[Lab], AbstractContextManager[None]], str] = {
    away: r"there is no pod of istiod",
    hanging: r"istiod pod istiod-\S+ does not say which proxies it serves|istiod does not answer",
    one_of_two_hanging: r"istiod pod istiod-\S+ does not say which proxies it serves|istiod does not answer",
    refusing_proxies: r"api-gateway-\S+ (has not accepted|still has)",
}
