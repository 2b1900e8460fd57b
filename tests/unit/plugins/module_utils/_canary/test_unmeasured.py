"""A plan for a gRPC service warns if its metrics do not count gRPC errors."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.unmeasured import unmeasured
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.gateway_route import GRPCRoute, HTTPRoute
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import Route
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.virtual_service import VirtualService

SUCCESS = {"name": "request-success-rate", "error_codes": ""}
OF_CODES = {"name": "request-success-rate", "error_codes": "5..|429"}
DURATION = {"name": "request-duration"}
OF_GRPC = {"name": "grpc-success-rate"}
OWN = {"name": "answers", "query": "vector(1)"}


def service(**port: Any) -> dict[str, Any]:
    return {"spec": {"ports": [{"port": 8000, **port}]}}


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (VirtualService, service(name="grpc")),
        (VirtualService, service(name="grpc-orders")),
        (HTTPRoute, service(name="api", appProtocol="grpc")),
        (GRPCRoute, service(name="api")),
        (GRPCRoute, None),
    ],
)
@pytest.mark.parametrize("metrics", [[OF_CODES], [DURATION], [OF_CODES, DURATION]])
def test_metrics_of_http_alone(kind: type[Route], found: dict[str, Any] | None, metrics: list[dict[str, Any]]) -> None:
    (line,) = unmeasured(kind, found, metrics)
    assert "add grpc-success-rate to metrics" in line


@pytest.mark.parametrize("metrics", [[SUCCESS], [OF_GRPC], [OF_CODES, OF_GRPC], [OF_CODES, OWN], []])
def test_metrics_that_count_them_or_may(metrics: list[dict[str, Any]]) -> None:
    assert unmeasured(GRPCRoute, None, metrics) == []


@pytest.mark.parametrize("found", [service(name="http"), service(name="grpc-web"), {"spec": {}}, None])
def test_services_of_other_protocols(found: dict[str, Any] | None) -> None:
    assert unmeasured(VirtualService, found, [OF_CODES]) == []
