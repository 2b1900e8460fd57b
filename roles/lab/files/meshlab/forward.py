"""The lab's load balancer: loopback ports to the Ready pods of Services of type LoadBalancer.

It does what a cloud's controller does for the ingress gateway: watches the Service's endpoints, sends each new
connection to the next ready one, and writes the address into the Service's status.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import threading
import time
from typing import Any

from .agent.names import SERVICE_NAME, SERVICES, SLICES
from .api import MERGE_PATCH, Api, ApiError
from .components import LOOPBACK
from .settings import Settings

Object = dict[str, Any]
# The lab forwards one Service, the one that a cloud would give an address for the whole site.
GATEWAY = ("istio-system", "istio-ingressgateway")
SERVICE_PORTS = {80: "gateway", 443: "gateway_tls"}
CHUNK = 65536
# A dead endpoint is left soon; where all are slow, as on a busy machine, a client waits as it would without the lab.
CONNECT_SECONDS = (1, 10)


class Forwarder:
    """Loopback listeners in front of the ingress gateway."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._api = Api(settings)
        self._targets: dict[int, list[tuple[str, int]]] = {}
        self._turn = itertools.count()

    def run(self) -> None:
        """For ever."""
        # Without the pod network a pod's address is unused: the Service gets its own, requests get no answer.
        if self._settings.pod_network:
            threading.Thread(target=self._follow_endpoints, daemon=True).start()
        threading.Thread(target=self._follow_service, daemon=True).start()
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        for service_port, name in SERVICE_PORTS.items():
            await asyncio.start_server(
                functools.partial(self._connection, service_port),
                LOOPBACK,
                self._settings.port(name),
                backlog=512,
            )
        await asyncio.Event().wait()

    async def _connection(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = await self._connect(port)
        if upstream is None:
            writer.close()
            return
        up_reader, up_writer = upstream
        await asyncio.gather(pump(reader, up_writer), pump(up_reader, writer))

    async def _connect(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """A connection to the next ready endpoint; the one after it where that does not answer."""
        targets = self._targets.get(port, [])
        first = next(self._turn)
        for patience in CONNECT_SECONDS:
            for offset in range(len(targets)):
                host, target_port = targets[(first + offset) % len(targets)]
                with contextlib.suppress(OSError, asyncio.TimeoutError):
                    return await asyncio.wait_for(asyncio.open_connection(host, target_port), patience)
        return None

    def _follow_endpoints(self) -> None:
        namespace, service = GATEWAY
        slices: dict[str, Object] = {}
        prefix, __, kind = SLICES.rpartition("/")
        path = f"{prefix}/namespaces/{namespace}/{kind}?labelSelector={SERVICE_NAME}={service}"
        for event, item in self._api.watch(path):
            if event == "LIST":
                slices = {o["metadata"]["name"]: o for o in item.get("items", [])}
            elif event == "DELETED":
                slices.pop(item["metadata"]["name"], None)
            else:
                slices[item["metadata"]["name"]] = item
            self._targets = _targets(list(slices.values()))

    def _follow_service(self) -> None:
        """Give the Service its address, as a cloud's controller does."""
        namespace, name = GATEWAY
        prefix, __, kind = SERVICES.rpartition("/")
        path = f"{prefix}/namespaces/{namespace}/{kind}"
        wanted = [{"ip": LOOPBACK}]
        for event, item in self._api.watch(f"{path}?fieldSelector=metadata.name={name}"):
            for service in item.get("items", []) if event == "LIST" else [item]:
                ingress = service["status"].get("loadBalancer", {}).get("ingress", [])
                plain = [{"ip": entry.get("ip")} for entry in ingress]
                if event != "DELETED" and service["spec"]["type"] == "LoadBalancer" and plain != wanted:
                    with contextlib.suppress(ApiError):
                        body = {"status": {"loadBalancer": {"ingress": wanted}}}
                        self._api.request("PATCH", f"{path}/{name}/status", body, MERGE_PATCH)
                        time.sleep(0.2)


def _targets(slices: list[Object]) -> dict[int, list[tuple[str, int]]]:
    """Ready endpoints by service port, which the port's name selects."""
    by_name = {"http2": 80, "http": 80, "https": 443}
    found: dict[int, list[tuple[str, int]]] = {}
    for item in slices:
        for port in item.get("ports") or []:
            service_port = by_name.get(port.get("name", ""))
            for endpoint in (item.get("endpoints") or []) if service_port else []:
                if endpoint.get("conditions", {}).get("ready"):
                    found.setdefault(service_port or 0, []).append((endpoint["addresses"][0], port["port"]))
    return {port: sorted(targets) for port, targets in found.items()}


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy one direction until its end, then pass the end on."""
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.close()
