# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small mesh in memory, and what a report makes of it. The live tests have a real one."""

from __future__ import annotations

import base64
import copy
import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import (
    RouteNames,
    Slot,
    State,
    Step,
    dump,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase, annotation
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._report.collect import ReportRequest, collect

from ....support.cost_cluster import calculate, documents_cluster

HERE = Path(__file__).parent
from ....support import certificates

NOW = certificates.NOW

Object = dict[str, Any]


class Mesh:
    """An API server that holds objects. ``forbidden``: kinds that the account may not read."""

    server = "https://user:SECRET-in-url@api.example.com:6443"

    def __init__(self, objects: list[Object]) -> None:
        self.objects = objects
        self.forbidden: set[str] = set()
        self.sync: list[Object] = [
            {"proxy": "cart-0.shop", "proxy_type": "sidecar", "istio_version": "1.31.0"},
            {"proxy": "gateway-0.istio-system", "proxy_type": "router", "istio_version": "1.30.3"},
        ]

    def version(self) -> str:
        return "v1.36.3"

    def account(self) -> str:
        return "system:serviceaccount:ops:reader"

    def may(self, verb: str, group: str, resource: str, namespace: str = "", name: str = "") -> bool:
        return True

    def resource(self, api_version: str, kind: str) -> Resource | None:
        return Resource(kind.lower() + "s", True)

    def get(self, ref: Ref) -> Object | None:
        found = self.list(ref.api_version, ref.kind, ref.namespace)
        return next((item for item in found if item["metadata"]["name"] == ref.name), None)

    def list(
        self, api_version: str, kind: str, namespace: str = "", labels: str = "", fields: str = ""
    ) -> list[Object]:
        if kind in self.forbidden:
            raise ApiFailure(403, "Forbidden", f"may not list {kind}")
        return [
            copy.deepcopy(item)
            for item in self.objects
            if (item["apiVersion"], item["kind"]) == (api_version, kind)
            and namespace in ("", item["metadata"].get("namespace", ""))
            and _matches(item["metadata"].get("labels", {}), labels)
            and not (fields.startswith("type!=") and item.get("type") == fields.removeprefix("type!="))
        ]

    def get_through_pod(self, namespace: str, pod: str, port: int, path: str) -> bytes:
        return json.dumps(self.sync).encode()


def _matches(labels: Mapping[str, str], selector: str) -> bool:
    for part in filter(None, selector.split(",")):
        name, is_not, value = part.partition("!=")
        if is_not and labels.get(name) == value:
            return False
        name, equal, value = part.partition("=")
        if equal and not is_not and labels.get(name) != value:
            return False
    return True


def canary_state(**changes: Any) -> State:
    stable, canary = (
        Slot("v1", "cart", "shop.example.com/cart:1.0.0"),
        Slot("v2", "cart-v2", "shop.example.com/cart:1.1.0"),
    )
    steps = (Step(10, 30), Step(50, 30))
    begin = State(
        "r1",
        "cart",
        RouteNames("VirtualService", ("cart",)),
        Phase.INITIALIZED,
        stable,
        canary,
        steps,
        NOW - 100,
        NOW + 3500,
        2,
    )
    state = begin.moved(NOW - 99, "alice (process 7)", "cart 1.1.0", phase=Phase.PROGRESSING, step=0, weight=10)
    state = state.moved(
        NOW - 60, "alice (process 7)", "success rate 91.0 is below 99", phase=Phase.ROLLING_BACK, weight=0
    )
    return state.moved(NOW - 55, "alice (process 7)", "success rate 91.0 is below 99", phase=Phase.FAILED, **changes)


def helm_secret(name: str, revision: int, status: str) -> Object:
    release = {
        "name": name,
        "info": {"last_deployed": "2027-01-14T08:00:00.123456789Z"},
        "chart": {"metadata": {"name": name, "version": f"1.0.{revision}", "appVersion": "1.31.0"}},
        "config": {"password": "SECRET-in-values"},
        "manifest": "SECRET-in-manifest",
    }
    packed = base64.b64encode(gzip.compress(json.dumps(release).encode()))
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "helm.sh/release.v1",
        "metadata": {
            "name": f"sh.helm.release.v1.{name}.v{revision}",
            "namespace": "istio-system",
            "labels": {"owner": "helm", "name": name, "version": str(revision), "status": status},
        },
        "data": {"release": base64.b64encode(packed).decode()},
    }


@pytest.fixture
def mesh() -> Mesh:
    objects = list(yaml.safe_load_all((HERE / "shop.yaml").read_text()))
    virtual_service = next(item for item in objects if item["kind"] == "VirtualService")
    virtual_service["metadata"]["annotations"] = {annotation("cart"): dump(canary_state())}
    objects.append(
        certificates.secret(
            {"namespace": "istio-system", "name": "shop-tls", "hosts": ["shop.example.com"], "ends": 12}
        )
    )
    root = certificates.certificate_pem("mesh root", "mesh root", (), -10, 3000)
    key = certificates.key_pem("mesh root")
    authority = {"ca-cert.pem": root, "ca-key.pem": key, "password": b"SECRET-in-secret"}
    objects += [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "istio-ca-secret", "namespace": "istio-system"},
            "data": {name: base64.b64encode(value).decode() for name, value in authority.items()},
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "istio-ca-root-cert", "namespace": "istio-system"},
            "data": {"root-cert.pem": root.decode()},
        },
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "istio-sidecar-injector"},
            "webhooks": [
                {
                    "name": "namespace.sidecar-injector.istio.io",
                    "clientConfig": {"service": {"name": "istiod"}, "caBundle": base64.b64encode(root).decode()},
                }
            ],
        },
        helm_secret("istiod", 1, "superseded"),
        helm_secret("istiod", 2, "deployed"),
        helm_secret("istiod", 3, "failed"),
    ]
    return Mesh(objects)


def prometheus(path: str, parameters: Mapping[str, str]) -> tuple[int, bytes]:
    """Ten requests a second from web to cart, one in a hundred wrong; cart uses 85 % of its CPU."""
    query = parameters["query"]
    edge = {
        "reporter": "source",
        "source_workload_namespace": "shop",
        "source_workload": "web",
        "destination_service_namespace": "shop",
        "destination_service_name": "cart",
    }
    found: Sequence[tuple[Mapping[str, str], float]] = []
    if "histogram_quantile" in query:
        found = [({name: text for name, text in edge.items() if not name.startswith("source")}, 42.0)]
    elif "response_code" in query:
        found = [(edge, 0.1)]
    elif "istio_requests_total" in query:
        found = [(edge, 10.0)]
    elif "up{" in query:
        found = [({"namespace": "shop", "pod": "cart-0"}, 1.0)]
    elif "cpu" in query:
        found = [({"namespace": "shop", "pod": "cart-0"}, 0.85)]
    result = [{"metric": labels, "value": [NOW, str(value)]} for labels, value in found]
    return 200, json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()


@pytest.fixture
def wanted() -> dict[str, Any]:
    """Arguments of ReportRequest."""
    return {
        "title": "CHG-4711, after",
        "change": "cart 1.1.0",
        "now": NOW,
        "name": "staging",
        "environment": "staging",
        "fetch": prometheus,
        "cost": calculate(documents_cluster()),
    }


@pytest.fixture
def data(mesh: Mesh, wanted: dict[str, Any]) -> dict[str, Any]:
    return collect(mesh, ReportRequest(**wanted))  # type: ignore[arg-type]
