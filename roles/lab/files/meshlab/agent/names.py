"""Names in the pod network: the /etc/hosts of each pod, from the cluster's Services and EndpointSlices."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ..api import Api

Object = dict[str, Any]
SERVICES = "/api/v1/services"
SLICES = "/apis/discovery.k8s.io/v1/endpointslices"
SERVICE_NAME = "kubernetes.io/service-name"


class Names:
    """A live view of Services and their ready endpoints; ``changed`` is called after each change."""

    def __init__(self, api: Api, changed: Callable[[], None]) -> None:
        self._api = api
        self._changed = changed
        self._lock = threading.Lock()
        self._objects: dict[str, dict[tuple[str, str], Object]] = {SERVICES: {}, SLICES: {}}

    def start(self) -> None:
        """Follow both kinds."""
        for path in (SERVICES, SLICES):
            threading.Thread(target=self._follow, args=(path,), daemon=True).start()

    def _follow(self, path: str) -> None:
        for event, item in self._api.watch(path):
            with self._lock:
                if event == "LIST":
                    self._objects[path] = {_key(o): o for o in item.get("items", [])}
                elif event == "DELETED":
                    self._objects[path].pop(_key(item), None)
                else:
                    self._objects[path][_key(item)] = item
            self._changed()

    def ready_addresses(self, namespace: str, service: str) -> list[str]:
        """Addresses of the service's ready endpoints."""
        with self._lock:
            slices = list(self._objects[SLICES].values())
        found = []
        for item in slices:
            metadata = item["metadata"]
            if (metadata["namespace"], metadata.get("labels", {}).get(SERVICE_NAME)) == (namespace, service):
                for endpoint in item.get("endpoints") or []:
                    if endpoint.get("conditions", {}).get("ready", True):
                        found.extend(endpoint["addresses"])
        return sorted(found)

    def hosts(self, namespace: str, in_mesh: bool) -> str:
        """The hosts file of a pod in ``namespace``.

        A pod of the mesh sees cluster IPs, which its sidecar takes over. One without a sidecar sees the endpoints
        themselves, since the lab has no kube-proxy; so do all pods for istiod, which proxies call past the capture.
        """
        with self._lock:
            services = sorted(self._objects[SERVICES].items())
        lines = ["127.0.0.1 localhost"]
        for (of_namespace, name), service in services:
            cluster_ip = service["spec"].get("clusterIP", "None")
            direct = not in_mesh or cluster_ip in ("", "None") or is_istiod(service)
            addresses = self.ready_addresses(of_namespace, name) if direct else [cluster_ip]
            names = [f"{name}.{of_namespace}{suffix}" for suffix in (".svc.cluster.local", ".svc", "")]
            if of_namespace == namespace:
                names.append(name)
            lines.extend(f"{address} {' '.join(names)}" for address in addresses)
        return "\n".join(lines) + "\n"


def is_istiod(service: Object) -> bool:
    """Whether a Service leads to istiod."""
    return (service["spec"].get("selector") or {}).get("app") == "istiod"


def _key(item: Object) -> tuple[str, str]:
    return item["metadata"]["namespace"], item["metadata"]["name"]
