# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The proxies' own counters, read at once: what a scrape would bring, without waiting for one."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_measure import SUBSET
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis_series import (
    Counts,
    Increase,
    Key,
    Labels,
    SourceFailure,
    Window,
    increase,
    key_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istiod import Cluster, port_forward_rights
from ansible_collections.corpv3.service_mesh.plugins.module_utils._objects import Object, Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._rights import Right
from ansible_collections.corpv3.service_mesh.plugins.module_utils._smoke import (
    has_sidecar,
    http_get,
    is_ready,
    living,
)

_PORT, _PATH = 15020, "/stats/prometheus"
_TIMEOUT = 5

# What a proxy calls a counter -> what Istio calls it.
_REQUESTS, _DURATIONS = "istio_requests_total", "istio_request_duration_milliseconds_bucket"
_PLAIN = {"envoy_cluster_upstream_rq": _REQUESTS, "envoy_cluster_upstream_rq_time_bucket": _DURATIONS}
_LINE = re.compile(r"(\w+)\{(.*)\} (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

# (Istio's name, whether it is Istio's own counter, labels) -> value.
Page = dict[tuple[str, bool, Key], float]
# Pod -> its page, None where the pod could not be read.
Pages = Mapping[str, Page | None]  # pylint: disable=unsupported-binary-operation


@dataclass(frozen=True)
class Clients:
    """Pods whose proxies send requests to the service."""

    namespace: str
    labels: str = ""


@dataclass(frozen=True)
class _Reading:
    at: float
    pages: Pages


class Proxies:
    """Counters of one service at all its clients, from reading to reading."""

    def __init__(self, read: Callable[[], Pages], keep: float, clock: Callable[[], float] = time.time) -> None:
        """``keep``: seconds of the longest window."""
        self._read, self._keep, self._clock = read, keep, clock
        self._readings: list[_Reading] = []

    def prime(self) -> bool:
        self.begin()
        return len(self._readings) < 2

    def begin(self) -> float:
        # Reading takes a moment; a request counted in it is of the window's end.
        pages = self._read()
        now = self._clock()
        self._readings.append(_Reading(now, pages))
        while len(self._readings) > 2 and self._readings[1].at <= now - self._keep:
            del self._readings[0]
        return now

    def local(self, moment: float) -> float:
        return moment

    def remote(self, moment: float) -> float:
        return moment

    def requests(self, window: Window, reporter: str) -> Counts:
        return self._counts(_REQUESTS, window, reporter)

    def durations(self, window: Window, reporter: str) -> Counts:
        return self._counts(_DURATIONS, window, reporter)

    def value(self, query: str) -> float | None:
        raise SourceFailure("proxies answer no queries: that needs the provider prometheus")

    def _counts(self, name: str, window: Window, reporter: str) -> Counts:
        if reporter != "source":
            raise SourceFailure("the proxies are read as clients: reporter destination needs the provider prometheus")
        readings = self._within(window)
        if len(readings) < 2:
            return Counts((), 0, name, "a second reading of the proxies is needed")
        # Istio's own proxies may count their clusters as well; nothing is to be counted twice.
        own = any(istio for page in readings[-1].pages.values() for __, istio, __key in page or ())
        counted = tuple(_increases(readings, name, own))
        seconds = readings[-1].at - readings[0].at
        title = name if own else next(plain for plain, called in _PLAIN.items() if called == name)
        note = "" if counted else "no client's proxy has a counter of it"
        return Counts(counted, seconds, f"{title} at {len(readings[-1].pages)} proxies", note)

    def _within(self, window: Window) -> list[_Reading]:
        readings = [reading for reading in self._readings if window.since is None or reading.at >= window.since]
        first = max((n for n, reading in enumerate(readings) if reading.at <= window.start), default=0)
        return readings[first:]


def _increases(readings: Sequence[_Reading], name: str, own: bool) -> list[Increase]:
    result = []
    for pod in {pod for reading in readings for pod in reading.pages}:
        # A pod that is new since the first reading began at 0.
        pages = [reading.pages.get(pod, {}) for reading in readings]
        seen = [page for page in pages if page is not None]
        for key in {key for page in seen for called, istio, key in page if called == name and istio == own}:
            # A counter that is away has been dropped with its cluster, and will begin at 0.
            values = [page.get((name, own, key), 0.0) for page in seen]
            result.append(Increase(dict(key), increase(values, None, False)))
    return result


def page_of(text: str, service: str, namespace: str) -> Page:
    """A proxy's counters of requests that it has sent to the service."""
    found: Page = {}
    for line in text.splitlines():
        if service not in line or line.startswith("#"):
            continue
        match = _LINE.match(line)
        if not match:
            continue
        name, value = match[1], match[3]
        given = dict(_LABEL.findall(match[2]))
        labels = given if name in (_REQUESTS, _DURATIONS) else _from_cluster(given) if name in _PLAIN else None
        if labels is None or labels.get("reporter") != "source":
            continue
        if (labels.get("destination_service_name"), labels.get("destination_service_namespace")) != (
            service,
            namespace,
        ):
            continue
        key = (_PLAIN.get(name, name), name not in _PLAIN, key_of(labels))
        try:
            found[key] = found.get(key, 0.0) + float(value)
        except ValueError as error:
            raise SourceFailure(f"a counter of a proxy cannot be read: {line[:200]}") from error
    return found


def _from_cluster(labels: Mapping[str, str]) -> Labels | None:
    """An outbound cluster in the words of Istio's metrics: outbound|8001|v2|order-service.shop.svc.cluster.local."""
    parts = labels.get("cluster_name", "").split("|")
    if len(parts) != 4 or parts[0] != "outbound" or parts[3].count(".") < 2:
        return None
    service, namespace, __ = parts[3].split(".", 2)
    kept = {name: labels[name] for name in ("response_code", "le") if name in labels}
    return {
        **kept,
        "reporter": "source",
        "destination_service_name": service,
        "destination_service_namespace": namespace,
        SUBSET: parts[2],
    }


def proxy_rights(clients: Sequence[Clients], access: str) -> list[Right]:
    """What an account needs to read the clients' proxies. ``access`` is one of _istiod.ACCESS."""
    rights = []
    for namespace in dict.fromkeys(group.namespace for group in clients):
        rights += [Right("list", "", "pods", namespace), Right("get", "", "pods", namespace)]
        if access == "port_forward":
            rights += port_forward_rights(namespace)
    return rights


def read_proxies(cluster: Cluster, clients: Sequence[Clients], access: str, service: str, namespace: str) -> Pages:
    """One reading of all clients. ``access`` is one of _istiod.ACCESS. Raises SourceFailure where one is missing."""
    try:
        listed = [
            pod for group in clients for pod in living(cluster.list("v1", "Pod", group.namespace, labels=group.labels))
        ]
    except ApiFailure as failure:
        raise SourceFailure(f"the clients' pods cannot be listed: {failure}") from failure
    pods = {_name(pod): pod for pod in listed if has_sidecar(pod) and pod["status"].get("phase") == "Running"}
    if not pods:
        where = ", ".join(f"{group.namespace} ({group.labels or 'any label'})" for group in clients)
        raise SourceFailure(f"no pod with a proxy runs in {where}: correct provider.clients")

    def page(pod: Object) -> Page | None:
        try:
            return page_of(_ask(cluster, pod, access), service, namespace)
        except (ApiFailure, OSError, http.client.HTTPException, KeyError) as error:
            if _still_ready(cluster, pod):
                raise SourceFailure(f"the proxy of pod {_name(pod)} cannot be read: {error}") from error
            return None

    # The client library's port-forward puts itself in place of all requests, so there is one at a time.
    with ThreadPoolExecutor(1 if access == "port_forward" else 8) as pool:
        pages = dict(zip(pods, pool.map(page, pods.values()), strict=True))
    if all(found is None for found in pages.values()):
        raise SourceFailure("no client's proxy can be read")
    return pages


def _ask(cluster: Cluster, pod: Object, access: str) -> str:
    if access == "port_forward":
        name = pod["metadata"]["name"]
        return cluster.get_through_pod(pod["metadata"]["namespace"], name, _PORT, _PATH).decode(errors="replace")
    address = pod["status"]["podIP"]
    host = f"[{address}]" if ":" in address else address
    answer = http_get(f"http://{host}:{_PORT}{_PATH}", {}, _TIMEOUT)
    if answer.status != 200:
        raise ApiFailure(answer.status, "", f"it answers {answer.status}")
    return answer.body.decode(errors="replace")


def _still_ready(cluster: Cluster, pod: Object) -> bool:
    """A pod that ends or is ill takes its counters with it; nobody can wait for them."""
    try:
        live = cluster.get(Ref("v1", "Pod", pod["metadata"]["namespace"], pod["metadata"]["name"]))
    except ApiFailure:
        return True
    return live is not None and bool(living([live])) and is_ready(live)


def _name(pod: Object) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
