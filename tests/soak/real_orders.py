"""An order at a lab's real node, and its trace in Jaeger."""

from __future__ import annotations

import json
import secrets
import urllib.request
from typing import Any

from .real_node import Object, RealLab

NAMESPACE = "istio-system"
# The lab's Jaeger does not know a setting of the separate parts, which the chart's newer one has.
ALL_IN_ONE: dict[str, Any] = {
    "jaeger_mode": "all-in-one",
    "jaeger_resources": {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
}
# The design document's order, from the gateway on: who calls whom.
CALLS = {
    ("istio-ingressgateway", "api-gateway"),
    ("api-gateway", "order-service"),
    ("order-service", "restaurant-service"),
    ("order-service", "menu-service"),
    ("order-service", "notification-service"),
}


def ask(lab: RealLab, service: str, path: str) -> Any:
    """JSON of a Service's API, through the API server; None while it does not answer."""
    answer = lab.kubectl("get", "--raw", f"/api/v1/namespaces/{NAMESPACE}/services/{service}/proxy{path}", check=False)
    try:
        return json.loads(answer)
    except ValueError:
        return None


def gateway(lab: RealLab, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """The answer to a request to the ingress gateway: status and body."""
    url = f"http://127.0.0.1:{8080 + lab.offset}{path}"
    request = urllib.request.Request(url, body, {"Host": "restaurant.corpv3.com", **headers})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        return int(answer.status), answer.read()


def order(lab: RealLab, trace: str) -> int:
    """The number of an order that is placed. The client decides that it is traced, and by which id."""
    status, body = gateway(lab, "/api/v1/orders", b"{}", traceparent=f"00-{trace}-{secrets.token_hex(8)}-01")
    assert status == 201, body
    return int(json.loads(body)["order_id"])


def trace_of(lab: RealLab, trace: str) -> Object:
    """The trace as Jaeger has it now, without spans where it has none."""
    answer = ask(lab, "jaeger-query:16686", f"/api/traces/{trace}")
    found: Object = answer["data"][0] if answer and answer.get("data") else {"spans": [], "processes": {}}
    return found


def calls(trace: Object) -> set[tuple[str, str]]:
    """Which service called which, by the spans' parents."""
    names = {name: process["serviceName"].partition(".")[0] for name, process in trace["processes"].items()}
    services = {span["spanID"]: names[span["processID"]] for span in trace["spans"]}
    pairs = {
        (services[parent["spanID"]], services[span["spanID"]])
        for span in trace["spans"]
        for parent in span["references"]
        if parent["spanID"] in services
    }
    return {(caller, called) for caller, called in pairs if caller != called}
