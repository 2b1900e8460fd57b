"""Addresses for load balancers, as a cloud gives them. No process listens there; the gateway has the forwarder's."""

from __future__ import annotations

from typing import Any

from .api import MERGE_PATCH, Api, ApiError
from .settings import Settings

Object = dict[str, Any]
GATEWAY = {"istio": "ingressgateway"}


def needs_address(service: Object) -> bool:
    """Whether it waits for one that the forwarder does not give."""
    spec, status = service["spec"], service.get("status", {})
    waits = spec.get("type") == "LoadBalancer" and not status.get("loadBalancer", {}).get("ingress")
    return waits and (spec.get("selector") or {}).items() & GATEWAY.items() == set()


class AddressGiver:
    """Follows the cluster's Services."""

    def __init__(self, settings: Settings) -> None:
        self._api = Api(settings)

    def run(self) -> None:
        """For ever."""
        for event, item in self._api.watch("/api/v1/services"):
            for service in item.get("items", []) if event == "LIST" else [item]:
                if event != "DELETED" and needs_address(service):
                    self._give(service["metadata"])

    def _give(self, metadata: Object) -> None:
        path = f"/api/v1/namespaces/{metadata['namespace']}/services/{metadata['name']}/status"
        status = {"status": {"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}}}
        try:
            self._api.request("PATCH", path, status, MERGE_PATCH)
        except ApiError as error:
            if error.status != 404:
                raise
