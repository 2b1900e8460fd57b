#!/usr/bin/python
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_smoke
short_description: Run a smoke test against the mesh
version_added: 0.1.0
description:
  - Sends requests through the ingress gateway. Checks that Prometheus has metrics, every pod of the application a
    sidecar, webhooks inject and refuse, proxies run istiod's last configuration, and pods refuse plaintext.
  - Changes nothing. Objects are created only in a dry run of the API server.
  - Refuses an account without the rights that the options need before it asks; docs/smoke-operator.yml grants them.
  - Repeats a check until the answer is right or O(timeout) has expired, since a rollout or a first scrape takes time.
author:
  - corpv3 platform team (@corpv3)
options:
  gateway_url:
    description:
      - URL of the ingress gateway, for example V(http://192.0.2.10).
      - Without it, the address of O(gateway_service)'s load balancer is used.
    type: str
    default: ""
  gateway_service:
    description: Service of the ingress gateway, in O(istio_namespace).
    type: str
    default: istio-ingressgateway
  verify_tls:
    description: Whether the gateway's certificate must be valid for the name in O(gateway_url).
    type: bool
    default: true
  http_host:
    description: Host header of the requests. (As in every module, O(host) is the API server's.)
    type: str
    default: ""
  requests:
    description: Requests through the gateway.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name in the table.
        type: str
        required: true
      path:
        description: Path of the request.
        type: str
        required: true
      status:
        description: Expected status.
        type: int
        default: 200
      headers:
        description: Response headers and the regular expression that each must match.
        type: dict
        default: {}
  prometheus_url:
    description: Base URL of Prometheus. If empty, its checks are skipped.
    type: str
    default: ""
  prometheus_query:
    description: Query that has a value above zero when metrics arrive.
    type: str
    default: sum(istio_requests_total)
  prometheus_rules:
    description: Whether Prometheus must have rules, all of which evaluate.
    type: bool
    default: false
  services:
    description: Services that must have the port, and a ready pod behind it.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the Service.
        type: str
        required: true
      namespace:
        description: Its namespace.
        type: str
        required: true
      port:
        description: Its port.
        type: int
        required: true
  app_namespace:
    description: Namespace of the application.
    type: str
    required: true
  mesh:
    description:
      - Whether the cluster has a mesh.
      - Without one, only the pods are checked, and the requests if O(gateway_url) is set.
    type: bool
    default: true
  webhooks:
    description:
      - Whether istiod's webhooks are asked to inject a pod and to refuse an invalid VirtualService, in a dry run.
      - RBAC does not distinguish a dry run, so the account needs C(create) on Pods and VirtualServices of
        O(app_namespace). Any account that may create pods can use every Secret and service account there.
    type: bool
    default: true
  strict_mtls:
    description: Whether the application's pods must refuse plaintext.
    type: bool
    default: true
  timeout:
    description: Seconds for which a wrong answer is asked for again.
    type: int
    default: 60
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - corpv3.service_mesh._attributes
  - corpv3.service_mesh._attributes.info_module
  - corpv3.service_mesh._attributes.action_group
  - corpv3.service_mesh._istiod
"""

EXAMPLES = r"""
- name: Run the smoke test
  corpv3.service_mesh.mesh_smoke:
    gateway_url: http://192.0.2.10
    http_host: restaurant.example.com
    app_namespace: restaurant-management
    requests:
      - name: orders
        path: /api/v1/orders
        headers:
          x-served-by: ^order-service/
  register: smoke
  failed_when: not smoke.passed
"""

RETURN = r"""
passed:
  description: Whether no check failed.
  returned: always
  type: bool
failed_checks:
  description: Names of the checks that failed.
  returned: always
  type: list
  elements: str
checks:
  description: One entry for each check, in their order.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the check.
      type: str
    state:
      description: V(ok), V(failed), or V(skipped) if it cannot be checked.
      type: str
    detail:
      description: The answer in words.
      type: str
trace_id:
  description: Trace of all requests through the gateway, which are traced regardless of the sampling rate.
  returned: always
  type: str
table:
  description: The same as lines of text.
  returned: always
  type: list
  elements: str
"""

import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.http import http_get
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod import (
    IstiodFailure,
    Way,
    connected_proxies,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod_options import ISTIOD_OPTIONS
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.module import create_module, run_module
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.pods import has_sidecar, is_ready, living
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.rights import problem
from ansible_collections.corpv3.service_mesh.plugins.module_utils._smoke import mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._smoke.questions import Result, ask_all, report

_REQUEST_TIMEOUT = 5
_PLAINTEXT_TIMEOUT = 2


class Smoke:
    """The checks, for one cluster."""

    def __init__(self, cluster: Cluster, params: dict[str, Any]) -> None:
        self.cluster = cluster
        self.params = params
        self.trace_id = secrets.token_hex(16)

    def questions(self) -> dict[str, Callable[[], Result]]:
        params = self.params
        questions: dict[str, Callable[[], Result]] = {"pods ready": self.pods_ready}
        if params["mesh"]:
            questions["sidecars"] = self.sidecars
            if params["webhooks"]:
                questions["webhook injects"] = self.webhook_injects
                questions["webhook refuses"] = self.webhook_refuses
            questions["proxies in sync"] = self.proxies_in_sync
        if params["mesh"] or params["gateway_url"]:
            for request in params["requests"]:
                questions[f"{request['name']} {request['path']}"] = partial(self.request, request)
        if params["mesh"] and params["strict_mtls"]:
            questions["plaintext refused"] = self.plaintext_refused
        if params["prometheus_url"]:
            questions["metrics arrive"] = self.metrics_arrive
        if params["prometheus_url"] and params["prometheus_rules"]:
            questions["rules evaluate"] = self.rules_evaluate
        for service in params["services"]:
            questions[f"service {service['name']}:{service['port']}"] = partial(self.service, service)
        return questions

    def pods_ready(self) -> Result:
        return mesh.pods_ready(self._pods())

    def sidecars(self) -> Result:
        return mesh.sidecars(self._pods())

    def webhook_injects(self) -> Result:
        pod = self._dry_run(
            f"/api/v1/namespaces/{self.params['app_namespace']}/pods", mesh.probe_pod(self.params["app_namespace"])
        )
        if has_sidecar(pod):
            return Result(True, "a new pod gets its sidecar")
        return Result(
            False, f"a new pod in {self.params['app_namespace']} gets no sidecar: see the namespace's labels and istiod"
        )

    def webhook_refuses(self) -> Result:
        bad = mesh.bad_virtual_service(self.params["app_namespace"])
        try:
            self._dry_run(f"/apis/{bad['apiVersion']}/namespaces/{self.params['app_namespace']}/virtualservices", bad)
        except ApiFailure as failure:
            if "admission webhook" in str(failure) and failure.status in (400, 422):
                return Result(True, "an invalid VirtualService is refused")
            raise
        return Result(False, "an invalid VirtualService is accepted: istiod's validation webhook is not active")

    def proxies_in_sync(self) -> Result:
        gateways = self.cluster.list("v1", "Pod", self.params["istio_namespace"], labels="istio")
        meshed = [pod for pod in self._pods() + living(gateways) if has_sidecar(pod)]
        known = connected_proxies(self.cluster, Way.of(self.params))
        return mesh.in_sync(known, meshed)

    def request(self, request: dict[str, Any]) -> Result:
        base = self._gateway_url()
        if not base:
            return Result(
                False,
                f"service {self.params['gateway_service']} in {self.params['istio_namespace']} has no load balancer "
                "address. Set gateway_url to the address of the gateway",
            )
        headers = {"Host": self.params["http_host"]} if self.params["http_host"] else {}
        # The trace's id, and the header that makes Envoy trace a request at any sampling rate. The sampled flag of a
        # client's traceparent has no effect.
        headers["x-client-trace-id"] = self.trace_id
        headers["traceparent"] = f"00-{self.trace_id}-{secrets.token_hex(8)}-01"
        answer = http_get(base + request["path"], headers, _REQUEST_TIMEOUT, self.params["verify_tls"])
        return mesh.page(answer, request["status"], request["headers"])

    def plaintext_refused(self) -> Result:
        for pod in self._pods():
            address = pod.get("status", {}).get("podIP")
            ports = [
                port
                for container in pod["spec"]["containers"]
                for port in container.get("ports") or ()
                if port.get("name") == "http"
            ]
            if address and ports and has_sidecar(pod) and is_ready(pod):
                return mesh.plaintext_refused(address, ports[0]["containerPort"], _PLAINTEXT_TIMEOUT)
        return Result(False, "no ready pod has a sidecar and a port named http")

    def metrics_arrive(self) -> Result:
        url = mesh.prometheus_query(self.params["prometheus_url"], self.params["prometheus_query"])
        return mesh.metrics(http_get(url, {}, _REQUEST_TIMEOUT))

    def rules_evaluate(self) -> Result:
        url = f"{self.params['prometheus_url'].rstrip('/')}/api/v1/rules"
        return mesh.rules(http_get(url, {}, _REQUEST_TIMEOUT))

    def service(self, wanted: dict[str, Any]) -> Result:
        namespace, name = wanted["namespace"], wanted["name"]
        live = self.cluster.get(Ref("v1", "Service", namespace, name))
        labels = f"kubernetes.io/service-name={name}"
        slices = self.cluster.list("discovery.k8s.io/v1", "EndpointSlice", namespace, labels=labels)
        return mesh.service(live, slices, wanted["port"])

    def _pods(self) -> list[Object]:
        return living(self.cluster.list("v1", "Pod", self.params["app_namespace"]))

    def _dry_run(self, path: str, obj: Object) -> Any:
        return self.cluster.request("post", path, body=obj, query=[("dryRun", "All")])

    def _gateway_url(self) -> str:
        if self.params["gateway_url"]:
            return str(self.params["gateway_url"]).rstrip("/")
        path = f"/api/v1/namespaces/{self.params['istio_namespace']}/services/{self.params['gateway_service']}"
        ingress = self.cluster.request("get", path).get("status", {}).get("loadBalancer", {}).get("ingress") or [{}]
        address = ingress[0].get("ip") or ingress[0].get("hostname")
        if not address:
            return ""
        return f"http://[{address}]" if ":" in address else f"http://{address}"


def argument_spec() -> dict[str, Any]:
    return {
        "gateway_url": {"type": "str", "default": ""},
        "gateway_service": {"type": "str", "default": "istio-ingressgateway"},
        "verify_tls": {"type": "bool", "default": True},
        "http_host": {"type": "str", "default": ""},
        "requests": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "name": {"type": "str", "required": True},
                "path": {"type": "str", "required": True},
                "status": {"type": "int", "default": 200},
                "headers": {"type": "dict", "default": {}},
            },
        },
        "prometheus_url": {"type": "str", "default": ""},
        "prometheus_query": {"type": "str", "default": "sum(istio_requests_total)"},
        "prometheus_rules": {"type": "bool", "default": False},
        "services": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "name": {"type": "str", "required": True},
                "namespace": {"type": "str", "required": True},
                "port": {"type": "int", "required": True},
            },
        },
        "app_namespace": {"type": "str", "required": True},
        **ISTIOD_OPTIONS,
        "mesh": {"type": "bool", "default": True},
        "webhooks": {"type": "bool", "default": True},
        "strict_mtls": {"type": "bool", "default": True},
        "timeout": {"type": "int", "default": 60},
    }


def run(module: Any) -> dict[str, Any]:
    params = module.params
    smoke = Smoke(Cluster(module), params)
    rights = mesh.rights(params) + (Way.of(params).rights if params["mesh"] else [])
    if lacking := problem(smoke.cluster, rights, "run this smoke test", "docs/smoke-operator.yml"):
        raise MeshError(lacking)
    return {"trace_id": smoke.trace_id, **report(ask_all(smoke.questions(), params["timeout"], IstiodFailure))}


def main() -> None:
    run_module(create_module(argument_spec()), run)


if __name__ == "__main__":
    main()
