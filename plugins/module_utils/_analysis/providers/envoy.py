# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The proxies' own counters, read directly instead of waiting for a scrape."""

from __future__ import annotations

import http.client
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import quote

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.ledger import Ledger, instance_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.provider import Batch, Increase
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.sides import is_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.http import http_get
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod import port_forward_rights
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure, MeshCluster, Readable
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.pods import (
    has_sidecar,
    is_living,
    is_ready,
    living,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.rights import Right
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.query import (
    Key,
    Labels,
    Sample,
    SourceFailure,
    key_of,
)

# Envoy's own page, which it can filter. Istio's agent merges its page with the application's.
_PORT, _PATH = 15090, "/stats/prometheus?usedonly&filter="
# In seconds and bytes, of each proxy.
_TIMEOUT, _LIMIT = 5, 16 << 20
_AT_ONCE = 16
# One in so many clients may be unreachable. Its requests count when it is reachable again.
_SPARED = 10

# Labels that only the ledger uses: the name of the counter, and the counter that every proxy has.
_NAME, _SCRAPE = "counter", "scrape"

_REQUESTS, _DURATIONS = "istio_requests_total", "istio_request_duration_milliseconds_bucket"
_LINE = re.compile(r"(\w+)\{(.*)\} (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

# (name, labels) -> value.
Page = dict[tuple[str, Key], float]
# Pod -> its page, None if the pod is unreadable.
Pages = Mapping[str, Page | None]  # pylint: disable=unsupported-binary-operation


@dataclass(frozen=True)
class Clients:
    """Pods whose proxies send requests to the service."""

    namespace: str
    labels: str = ""


class Proxies:
    """Counters of one service on all clients' proxies. Each reading is a scrape of all of them."""

    def __init__(self, read: Callable[[], Pages], clock: Callable[[], float] = time.time) -> None:
        self._read, self._clock = read, clock
        self._ledger: Ledger | None = None
        self._readings, self._proxies = 0, "0"
        # The increases since the previous reading.
        self._new: list[Increase] = []

    def prime(self) -> bool:
        self.begin()
        return self._readings < 2

    def begin(self) -> float:
        # Reading takes a moment. A request counted meanwhile belongs to the end of the window.
        pages = self._read()
        now = self._clock()
        self._readings += 1
        self._proxies = f"{sum(page is not None for page in pages.values())} of {len(pages)}"
        self._new = self._entered(pages, now)
        return now

    def local(self, moment: float) -> float:
        return moment

    def remote(self, moment: float) -> float:
        return moment

    def requests(self, start: float, reporter: str) -> Batch:
        return self._batch(_REQUESTS, reporter)

    def durations(self, start: float, reporter: str, limit: float) -> Batch:
        return self._batch(_DURATIONS, reporter)

    def history(self, begin: float, end: float, reporter: str) -> Batch:
        raise SourceFailure("proxies have no history before the run: use provider prometheus")

    def value(self, query: str) -> float | None:
        raise SourceFailure("proxies do not answer queries: use provider prometheus")

    def _batch(self, name: str, reporter: str) -> Batch:
        if self._ledger is None:
            raise SourceFailure("the proxies have not been read yet")

        def wanted(labels: Labels) -> bool:
            return labels[_NAME] == name and labels.get("reporter") == reporter

        kept = [labels for labels in map(dict, self._ledger.last) if wanted(labels)]
        bounds = {float(labels["le"]) for labels in kept if "le" in labels}
        return Batch(
            tuple(entry for entry in self._new if wanted(entry.labels)),
            f"{name} at {self._proxies} proxies",
            "" if kept else self._why_nothing(reporter),
            self._ledger.interval,
            frozenset(bound for bound in bounds if math.isfinite(bound)),
            self._ledger.newest,
        )

    def _entered(self, pages: Pages, now: float) -> list[Increase]:
        self._ledger = ledger = self._ledger or Ledger(now)
        samples: dict[Key, list[Sample]] = {}
        for pod, page in pages.items():
            if page is None:
                continue
            # A counter for the proxy itself, so that a reading without any other counter is known too.
            present = {_key(pod, name, key): [(now, value)] for (name, key), value in page.items()}
            present[_key(pod, _SCRAPE, ())] = [(now, float(self._readings))]
            ledger.forget((("proxy", pod),), present)
            samples |= present
        self._note_new(ledger, samples, now)
        return ledger.add(samples)

    def _note_new(self, ledger: Ledger, samples: Mapping[Key, object], now: float) -> None:
        """A pod that is new since the previous reading began at 0, as if it had been read then."""
        if self._readings < 2:
            return
        before = max((moments[-1] for moments in ledger.scrapes.values()), default=None)
        for key in samples:
            if before is not None and before < now:
                ledger.scrapes.setdefault(instance_of(key), [before])

    def _why_nothing(self, reporter: str) -> str:
        return (
            f"no client's proxy has a counter of it with reporter {reporter}"
            if self._readings > 1
            else "a second reading of the proxies is needed"
        )


def _key(pod: str, name: str, labels: Key) -> Key:
    return tuple(sorted((*labels, ("proxy", pod), (_NAME, name))))


def page_of(text: str, hosts: Sequence[str]) -> Page:
    """A proxy's counters of requests for the hosts, sent or received. ``hosts``: see is_of."""
    found: Page = {}
    for line in text.splitlines():
        if line.startswith("#") or not any(host in line for host in hosts):
            continue
        match = _LINE.match(line)
        if not match or match[1] not in (_REQUESTS, _DURATIONS):
            continue
        labels: Labels = dict(_LABEL.findall(match[2]))
        if not is_of(labels, hosts):
            continue
        try:
            found[(match[1], key_of(labels))] = float(match[3])
        except ValueError as error:
            raise SourceFailure(f"a counter of a proxy is unreadable: {line[:200]}") from error
    return found


def proxy_rights(clients: Sequence[Clients], access: str) -> list[Right]:
    """The rights to read the clients' proxies. ``access``: one of _istio.istiod.ACCESS."""
    rights = []
    for namespace in dict.fromkeys(group.namespace for group in clients):
        rights += [Right("list", "", "pods", namespace), Right("get", "", "pods", namespace)]
        if access == "port_forward":
            rights += port_forward_rights(namespace)
    return rights


def read_proxies(cluster: MeshCluster, clients: Sequence[Clients], access: str, hosts: Sequence[str]) -> Pages:
    """One reading of all clients. ``access``: one of _istio.istiod.ACCESS. Raises SourceFailure if too many fail."""
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

    def page(pod: Object) -> Page | str | None:
        """The page of a pod. None if the pod is terminating, and the reason if it should be readable."""
        try:
            return page_of(_ask(cluster, pod, access, hosts), hosts)
        except (ApiFailure, OSError, http.client.HTTPException, KeyError) as error:
            return f"the proxy of pod {_name(pod)} is unreadable: {error}" if _still_ready(cluster, pod) else None

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = dict(zip(pods, pool.map(page, pods.values()), strict=True))
    failures = [why for why in found.values() if isinstance(why, str)]
    if len(failures) > len(pods) // _SPARED:
        more = f" (and {len(failures) - 1} more of {len(pods)})" if len(failures) > 1 else ""
        raise SourceFailure(failures[0] + more)
    pages = {name: None if isinstance(answer, str) else answer for name, answer in found.items()}
    if all(answer is None for answer in pages.values()):
        raise SourceFailure("no client's proxy is readable")
    return pages


def _ask(cluster: MeshCluster, pod: Object, access: str, hosts: Sequence[str]) -> str:
    wanted = "|".join(map(re.escape, hosts))
    path = _PATH + quote(f"istio_request(s_total|_duration_milliseconds).*({wanted})")
    if access == "port_forward":
        name = pod["metadata"]["name"]
        return cluster.get_through_pod(pod["metadata"]["namespace"], name, _PORT, path).decode(errors="replace")
    address = pod["status"]["podIP"]
    host = f"[{address}]" if ":" in address else address
    answer = http_get(f"http://{host}:{_PORT}{path}", {}, _TIMEOUT, limit=_LIMIT)
    if answer.status != 200:
        raise ApiFailure(answer.status, "", f"it answers {answer.status}")
    return answer.body.decode(errors="replace")


def _still_ready(cluster: Readable, pod: Object) -> bool:
    """The counters of a pod that terminates or is unhealthy are lost, so no round waits for them."""
    try:
        live = cluster.get(Ref("v1", "Pod", pod["metadata"]["namespace"], pod["metadata"]["name"]))
    except ApiFailure:
        return True
    return live is not None and is_living(live) and is_ready(live)


def _name(pod: Object) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
