#!/usr/bin/python
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_smoke
short_description: Ask the mesh the questions whose answers show that it serves
version_added: 0.1.0
description:
  - Sends requests through the ingress gateway, looks for metrics in Prometheus, for a sidecar in every pod of the
    application, for webhooks that inject and refuse, for proxies that run istiod's last configuration, and for pods
    that take no plaintext.
  - Changes nothing. What it creates, it creates in a dry run of the API server.
  - Refuses an account that lacks rights which the options need, before it asks; docs/smoke-operator.yml has them.
  - Asks again until the answer is right or O(timeout) is over, since a rollout or a first scrape takes its time.
author:
  - corpv3 platform team (@corpv3)
options:
  gateway_url:
    description:
      - URL at which the ingress gateway is reached, for example V(http://192.0.2.10).
      - Without it, the address of the load balancer of O(gateway_service) is used.
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
    description: Host header of the requests. (O(host) is the API server's, as in every module.)
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
    description: Base URL of Prometheus. Empty leaves the question out.
    type: str
    default: ""
  prometheus_query:
    description: Query which has a value above zero when metrics arrive.
    type: str
    default: sum(istio_requests_total)
  prometheus_rules:
    description: Whether Prometheus must have rules, all of which evaluate.
    type: bool
    default: false
  services:
    description: Services which must have the port, and a ready pod behind it.
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
      - Without one only the pods are looked at, and the requests where O(gateway_url) is given.
    type: bool
    default: true
  webhooks:
    description:
      - Whether istiod's webhooks are asked to inject a pod and to refuse a wrong VirtualService, by a dry run.
      - RBAC cannot tell a dry run, so the account needs C(create) on Pods and VirtualServices of O(app_namespace), and
        whoever may create pods may use every Secret and service account there.
    type: bool
    default: true
  strict_mtls:
    description: Whether the application's pods must refuse plaintext.
    type: bool
    default: true
  timeout:
    description: Seconds until a wrong answer counts.
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
- name: Does the mesh serve?
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
  description: One entry for each question, in the order in which they were asked.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: What was asked.
      type: str
    state:
      description: V(ok), V(failed), or V(skipped) where the question cannot be asked.
      type: str
    detail:
      description: The answer in words.
      type: str
table:
  description: The same as lines of text.
  returned: always
  type: list
  elements: str
"""

import http.client
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils import _smoke
from ansible_collections.corpv3.service_mesh.plugins.module_utils._api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istiod import (
    ISTIOD_OPTIONS,
    IstiodFailure,
    Way,
    connected_proxies,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kubernetes import Cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._module import create_module, fail
from ansible_collections.corpv3.service_mesh.plugins.module_utils._objects import Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._rights import problem
from ansible_collections.corpv3.service_mesh.plugins.module_utils._smoke import Result

_REQUEST_TIMEOUT = 5
_PLAINTEXT_TIMEOUT = 2
_PAUSE = 1


class Smoke:
    """The questions, asked of one cluster."""

    def __init__(self, cluster: Cluster, params: dict[str, Any]) -> None:
        self.cluster = cluster
        self.params = params

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
        return _smoke.pods_ready(self._pods())

    def sidecars(self) -> Result:
        return _smoke.sidecars(self._pods())

    def webhook_injects(self) -> Result:
        pod = self._dry_run(
            f"/api/v1/namespaces/{self.params['app_namespace']}/pods", _smoke.probe_pod(self.params["app_namespace"])
        )
        if _smoke.has_sidecar(pod):
            return Result(True, "a new pod gets its sidecar")
        return Result(
            False, f"a new pod in {self.params['app_namespace']} gets no sidecar: see the namespace's labels and istiod"
        )

    def webhook_refuses(self) -> Result:
        bad = _smoke.bad_virtual_service(self.params["app_namespace"])
        try:
            self._dry_run(f"/apis/{bad['apiVersion']}/namespaces/{self.params['app_namespace']}/virtualservices", bad)
        except ApiFailure as failure:
            if "admission webhook" in str(failure) and failure.status in (400, 422):
                return Result(True, "a wrong VirtualService is refused")
            raise
        return Result(False, "a wrong VirtualService is accepted: istiod's validation webhook is not in force")

    def proxies_in_sync(self) -> Result:
        gateways = self.cluster.list("v1", "Pod", self.params["istio_namespace"], labels="istio")
        meshed = [pod for pod in self._pods() + _smoke.living(gateways) if _smoke.has_sidecar(pod)]
        known = connected_proxies(self.cluster, Way.of(self.params))
        return _smoke.in_sync(known, meshed)

    def request(self, request: dict[str, Any]) -> Result:
        base = self._gateway_url()
        if not base:
            return Result(
                False,
                f"service {self.params['gateway_service']} in {self.params['istio_namespace']} has no load balancer "
                "address: set smoke_gateway_url to where the gateway is reached",
            )
        headers = {"Host": self.params["http_host"]} if self.params["http_host"] else {}
        answer = _smoke.http_get(base + request["path"], headers, _REQUEST_TIMEOUT, self.params["verify_tls"])
        return _smoke.page(answer, request["status"], request["headers"])

    def plaintext_refused(self) -> Result:
        for pod in self._pods():
            address = pod.get("status", {}).get("podIP")
            ports = [
                port
                for container in pod["spec"]["containers"]
                for port in container.get("ports") or ()
                if port.get("name") == "http"
            ]
            if address and ports and _smoke.has_sidecar(pod) and _smoke.is_ready(pod):
                return _smoke.plaintext_refused(address, ports[0]["containerPort"], _PLAINTEXT_TIMEOUT)
        return Result(False, "no ready pod has a sidecar and a port named http")

    def metrics_arrive(self) -> Result:
        url = _smoke.prometheus_query(self.params["prometheus_url"], self.params["prometheus_query"])
        return _smoke.metrics(_smoke.http_get(url, {}, _REQUEST_TIMEOUT))

    def rules_evaluate(self) -> Result:
        url = f"{self.params['prometheus_url'].rstrip('/')}/api/v1/rules"
        return _smoke.rules(_smoke.http_get(url, {}, _REQUEST_TIMEOUT))

    def service(self, wanted: dict[str, Any]) -> Result:
        namespace, name = wanted["namespace"], wanted["name"]
        live = self.cluster.get(Ref("v1", "Service", namespace, name))
        labels = f"kubernetes.io/service-name={name}"
        slices = self.cluster.list("discovery.k8s.io/v1", "EndpointSlice", namespace, labels=labels)
        return _smoke.service(live, slices, wanted["port"])

    def _pods(self) -> list[_smoke.Object]:
        return _smoke.living(self.cluster.list("v1", "Pod", self.params["app_namespace"]))

    def _dry_run(self, path: str, obj: _smoke.Object) -> Any:
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


def ask(question: Callable[[], Result]) -> Result:
    try:
        return question()
    except (ApiFailure, IstiodFailure, OSError, http.client.HTTPException) as error:
        return Result(False, str(error) or type(error).__name__)


def ask_all(questions: dict[str, Callable[[], Result]], timeout: float) -> dict[str, Result]:
    """Ask again what was answered wrongly, until the time is over."""
    deadline = time.monotonic() + timeout
    results = {name: ask(question) for name, question in questions.items()}
    while (wrong := [name for name, result in results.items() if result.ok is False]) and time.monotonic() < deadline:
        time.sleep(_PAUSE)
        for name in wrong:
            results[name] = ask(questions[name])
    return results


def main() -> None:
    module = create_module(
        {
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
    )
    params = module.params
    try:
        smoke = Smoke(Cluster(module), params)
        rights = _smoke.rights(params) + (Way.of(params).rights if params["mesh"] else [])
        lacking = problem(smoke.cluster, rights, "ask the mesh all of this", "docs/smoke-operator.yml")
    except ApiFailure as failure:
        fail(module, str(failure))
    if lacking:
        fail(module, lacking)
    results = ask_all(smoke.questions(), module.params["timeout"])
    states = {True: "ok", False: "failed", None: "skipped"}
    failed = [name for name, result in results.items() if result.ok is False]
    width = max(len(name) for name in results)
    module.exit_json(
        changed=False,
        passed=not failed,
        failed_checks=failed,
        checks=[
            {"name": name, "state": states[result.ok], "detail": result.detail} for name, result in results.items()
        ],
        table=[f"{name:<{width}}  {states[result.ok].upper():<7}  {result.detail}" for name, result in results.items()],
    )


if __name__ == "__main__":
    main()
