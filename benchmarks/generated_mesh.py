# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Meshes of any size with faults planted in them, for benchmarks and for tests of scale.

Of every hundred services ten have one fault each; the rest is flawless. ``planted`` says what must be found where.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

NAMESPACES = 50
REPLICAS = 2


class Fault(NamedTuple):
    """codes: any of them names the fault. kind, namespace, name: the object at which it must be named."""

    what: str
    codes: tuple[str, ...]
    kind: str
    namespace: str
    name: str


# Last two digits of a service's number: its fault, the faulty object, the codes that report it.
_FAULTS: dict[int, tuple[str, str, tuple[str, ...]]] = {
    3: ("route to an unknown host", "VirtualService", ("IST0101",)),
    13: ("route to an unknown subset", "VirtualService", ("IST0101",)),
    23: ("DestinationRule for an unknown host", "DestinationRule", ("IST0174", "KIA0202")),
    33: ("subset that no pod has", "DestinationRule", ("IST0173", "KIA0203")),
    43: ("policy that selects nothing", "AuthorizationPolicy", ("IST0127", "KIA0004")),
    53: ("caller from an unknown namespace", "AuthorizationPolicy", ("IST0101", "KIA0101")),
    63: ("port without a protocol in its name", "Service", ("IST0118", "KIA0601")),
    73: ("a field that does not exist", "VirtualService", ("MESH101",)),
    83: ("a timeout shorter than one try", "VirtualService", ("MESH202", "MESH203", "MESH204", "MESH205", "MESH206")),
    93: ("unreachable rule", "VirtualService", ("IST0130", "IST0131")),
}


def planted(services: int) -> list[Fault]:
    faults = []
    for number in range(services):
        if number % 100 in _FAULTS:
            what, kind, codes = _FAULTS[number % 100]
            faults.append(Fault(what, codes, kind, f"ns-{number % NAMESPACES}", f"svc-{number}"))
    return faults


def mesh(services: int) -> Iterator[str]:
    """The documents of the mesh, as YAML."""
    for number in range(min(NAMESPACES, services)):
        yield _NAMESPACE.format(number=number)
    for number in range(services):
        yield from _service(number)


def running(services: int) -> Iterator[dict[str, Any]]:
    """What controllers, scheduler and kubelets would make of the mesh: ready pods with sidecars, and endpoints."""
    for number in range(services):
        pods = [_pod(number, place) for place in range(REPLICAS)]
        yield from pods
        yield _endpoints(number, pods)


def _pod(number: int, place: int) -> dict[str, Any]:
    name = f"svc-{number}"
    labels = {"app": name, "version": "v1", "pod-template-hash": "5d8f"}
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"{name}-5d8f", "uid": name, "controller": True}
    address = f"10.{64 + place}.{number // 250}.{number % 250 + 1}"
    ready = {"type": "Ready", "status": "True"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{name}-5d8f-{place}",
            "namespace": f"ns-{number % NAMESPACES}",
            "labels": labels,
            "ownerReferences": [owner],
        },
        "spec": {
            "containers": [
                {"name": "app", "image": f"example.com/{name}:1.0.0", "ports": [{"containerPort": 8080}]},
                {"name": "istio-proxy", "image": "example.com/proxyv2:1.31.0"},
            ],
            "nodeName": "node-1",
        },
        "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": [ready]},
    }


def _endpoints(number: int, pods: list[dict[str, Any]]) -> dict[str, Any]:
    name, namespace = f"svc-{number}", f"ns-{number % NAMESPACES}"
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-1",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": [pod["status"]["podIP"]],
                "conditions": {"ready": True},
                "targetRef": {"kind": "Pod", "namespace": namespace, "name": pod["metadata"]["name"]},
            }
            for pod in pods
        ],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }


def _service(number: int) -> Iterator[str]:
    fault = number % 100
    name, namespace = f"svc-{number}", f"ns-{number % NAMESPACES}"
    fields = {
        "name": name,
        "namespace": namespace,
        "replicas": str(REPLICAS),
        "port_name": "web" if fault == 63 else "http",
        "rule_host": "nowhere" if fault == 23 else name,
        "version": "v9" if fault == 33 else "v1",
        "host": "nowhere.example.com" if fault == 3 else name,
        "subset": "v2" if fault == 13 else "v1",
        "typo": "      timeoutt: 3s\n" if fault == 73 else "",
        "timeout": "1s" if fault == 83 else "20s",
        "selected": "no-pod" if fault == 43 else name,
        "caller": "lost" if fault == 53 else namespace,
    }
    # An unknown host is reported by the host alone where no subset is named with it.
    fields["subset_line"] = "" if fault == 3 else f"            subset: {fields['subset']}\n"
    fields["first_match"] = "      match:\n        - uri:\n            prefix: /\n" if fault == 93 else ""
    fields["unreachable"] = _UNREACHABLE.format(name=name) if fault == 93 else ""
    for template in (_DEPLOYMENT, _SERVICE, _DESTINATION_RULE, _VIRTUAL_SERVICE, _AUTHORIZATION_POLICY):
        yield template.format(**fields)


_NAMESPACE = """apiVersion: v1
kind: Namespace
metadata:
  name: ns-{number}
  labels:
    istio-injection: enabled
"""

_DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: {namespace}
  labels:
    app: {name}
spec:
  replicas: {replicas}
  selector:
    matchLabels:
      app: {name}
  template:
    metadata:
      labels:
        app: {name}
        version: v1
    spec:
      containers:
        - name: app
          image: example.com/{name}:1.0.0
          ports:
            - name: http
              containerPort: 8080
"""

_SERVICE = """apiVersion: v1
kind: Service
metadata:
  name: {name}
  namespace: {namespace}
  labels:
    app: {name}
spec:
  selector:
    app: {name}
  ports:
    - name: {port_name}
      port: 80
      targetPort: 8080
"""

_DESTINATION_RULE = """apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: {name}
  namespace: {namespace}
spec:
  host: {rule_host}
  trafficPolicy:
    loadBalancer:
      simple: LEAST_REQUEST
    connectionPool:
      tcp:
        maxConnections: 100
      http:
        http1MaxPendingRequests: 50
        http2MaxRequests: 100
  subsets:
    - name: v1
      labels:
        version: {version}
"""

_VIRTUAL_SERVICE = """apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: {name}
  namespace: {namespace}
spec:
  hosts:
    - {name}
  http:
    - name: first
{first_match}      route:
        - destination:
            host: {host}
{subset_line}            port:
              number: 80
          weight: 100
      timeout: {timeout}
{typo}      retries:
        attempts: 2
        perTryTimeout: 5s
{unreachable}"""

_UNREACHABLE = """    - name: second
      match:
        - uri:
            prefix: /
      route:
        - destination:
            host: {name}
            subset: v1
"""

_AUTHORIZATION_POLICY = """apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: {name}
  namespace: {namespace}
spec:
  selector:
    matchLabels:
      app: {selected}
  action: ALLOW
  rules:
    - from:
        - source:
            namespaces:
              - {caller}
      to:
        - operation:
            methods:
              - GET
              - POST
            ports:
              - "8080"
"""
