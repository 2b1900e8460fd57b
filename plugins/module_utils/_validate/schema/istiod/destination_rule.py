# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""DestinationRule, as istiod's admission judges it. locality.py has the locality settings."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.common import (
    Faults,
    durations,
    export_to,
    labels,
    selector,
    some,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.locality import (
    locality_setting,
    zone_aware_setting,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.language import go, values

_CONFIG_MAP = "configmap://"
_LARGEST_TABLE = 5000011
_POLICIES = (
    *("outlierDetection", "connectionPool", "loadBalancer", "tls", "portLevelSettings", "tunnel", "proxyProtocol"),
    "retryBudget",
)
_VERIFIED = {
    "SIMPLE": ("caCertificates", "credentialName", "subjectAltNames"),
    "MUTUAL": ("caCertificates", "subjectAltNames"),
}
_PORT_POLICIES = ("outlierDetection", "connectionPool", "loadBalancer", "tls")


def destination_rule(resource: Resource, faults: Faults) -> None:
    spec = resource.spec
    faults.error(("spec", "host"), values.bad_wildcard_domain(spec.get("host") or ""))
    _policy(faults, ("spec", "trafficPolicy"), spec.get("trafficPolicy"), resource.namespace)
    names: set[str] = set()
    for index, subset in enumerate(some(spec.get("subsets"))):
        path = ("spec", "subsets", index)
        name = subset.get("name") or ""
        if name in names:
            faults.error((*path, "name"), f"the subset {name!r} is defined twice")
        names.add(name)
        if not values.is_label(name):
            faults.error((*path, "name"), f"{name!r} is not a valid subset name: use letters, digits and hyphens")
        labels(faults, (*path, "labels"), subset.get("labels"))
        _policy(faults, (*path, "trafficPolicy"), subset.get("trafficPolicy"), resource.namespace)
    export_to(faults, resource, selected=spec.get("workloadSelector") is not None)
    selector(faults, ("spec", "workloadSelector"), spec.get("workloadSelector"))


def _policy(faults: Faults, path: Path, policy: Object | None, namespace: str) -> None:
    if policy is None:
        return
    if all(policy.get(field) is None for field in _POLICIES):
        faults.error(path, "the policy is empty")
        return
    if policy.get("tunnel") is not None and policy.get("proxyProtocol") is not None:
        faults.error((*path, "proxyProtocol"), "a policy can have only one of tunnel and proxyProtocol")
        return
    _settings(faults, path, policy, namespace)
    for index, port in enumerate(some(policy.get("portLevelSettings"))):
        where = (*path, "portLevelSettings", index)
        if port.get("port") is None:
            faults.error((*where, "port"), "the settings name no port")
        if all(port.get(field) is None for field in _PORT_POLICIES):
            faults.error(where, "the policy of the port is empty")
        else:
            _settings(faults, where, port, namespace)
    if (tunnel := policy.get("tunnel")) is not None:
        _tunnel(faults, (*path, "tunnel"), tunnel)


def _settings(faults: Faults, path: Path, policy: Object, namespace: str) -> None:
    outlier = policy.get("outlierDetection")
    if outlier is not None:
        outlier_detection(faults, (*path, "outlierDetection"), outlier)
    if (pool := policy.get("connectionPool")) is not None:
        connection_pool(faults, (*path, "connectionPool"), pool)
    if (balancer := policy.get("loadBalancer")) is not None:
        _load_balancer(faults, (*path, "loadBalancer"), balancer, outlier is not None)
    if (tls := policy.get("tls")) is not None:
        client_tls(faults, (*path, "tls"), tls, namespace)


def _tunnel(faults: Faults, path: Path, tunnel: Object) -> None:
    if tunnel.get("protocol") and tunnel["protocol"] not in ("CONNECT", "POST"):
        faults.error((*path, "protocol"), f"{tunnel['protocol']!r} is neither CONNECT nor POST")
    host = tunnel.get("targetHost") or ""
    if not go.is_address(host):
        faults.error((*path, "targetHost"), values.bad_domain(host))
    faults.error((*path, "targetPort"), values.bad_port(tunnel.get("targetPort") or 0))


def outlier_detection(faults: Faults, path: Path, outlier: Object) -> None:
    durations(faults, path, outlier, "baseEjectionTime", "interval")
    if outlier.get("consecutiveErrors"):
        successor = "use consecutive5xxErrors or consecutiveGatewayErrors"
        faults.warning((*path, "consecutiveErrors"), f"consecutiveErrors is deprecated; {successor}")
    if outlier.get("consecutiveLocalOriginFailures") and not outlier.get("splitExternalLocalOriginErrors"):
        faults.error(
            (*path, "consecutiveLocalOriginFailures"),
            "consecutiveLocalOriginFailures needs splitExternalLocalOriginErrors: true",
        )
    for field in ("maxEjectionPercent", "minHealthPercent"):
        if not 0 <= (outlier.get(field) or 0) <= 100:
            faults.error((*path, field), f"{outlier[field]} is not a valid percentage")


def connection_pool(faults: Faults, path: Path, pool: Object) -> None:
    http, tcp = pool.get("http"), pool.get("tcp")
    if http is None and tcp is None:
        faults.error(path, "the connection pool is empty: set http or tcp")
    if http is not None:
        where = (*path, "http")
        _not_negative(
            *(faults, where, http),
            *("http1MaxPendingRequests", "http2MaxRequests", "maxRequestsPerConnection", "maxRetries"),
            "maxConcurrentStreams",
        )
        durations(faults, where, http, "idleTimeout")
        if http.get("h2UpgradePolicy") == "UPGRADE" and http.get("useClientProtocol"):
            faults.error(
                (*where, "useClientProtocol"), "useClientProtocol cannot be true with h2UpgradePolicy: UPGRADE"
            )
        if (alive := http.get("http2KeepAlive")) is not None:
            for field in ("interval", "timeout"):
                if not alive.get(field):
                    faults.error((*where, "http2KeepAlive", field), f"http2KeepAlive needs {field}")
            durations(faults, (*where, "http2KeepAlive"), alive, "interval", "timeout")
    if tcp is not None:
        where = (*path, "tcp")
        _not_negative(faults, where, tcp, "maxConnections")
        durations(faults, where, tcp, "connectTimeout", "maxConnectionDuration")
        # 0s turns it off.
        if (text := tcp.get("idleTimeout")) is not None:
            faults.error((*where, "idleTimeout"), values.bad_duration(text, zero=True))
        if (alive := tcp.get("tcpKeepalive")) is not None:
            durations(faults, (*where, "tcpKeepalive"), alive, "time", "interval")


def _not_negative(faults: Faults, path: Path, settings: Object, *fields: str) -> None:
    for field in fields:
        if (settings.get(field) or 0) < 0:
            faults.error((*path, field), f"{settings[field]} is less than 0")


def _load_balancer(faults: Faults, path: Path, balancer: Object, has_outlier: bool) -> None:
    if (consistent := balancer.get("consistentHash")) is not None:
        _consistent_hash(faults, (*path, "consistentHash"), consistent)
    locality, zone = balancer.get("localityLbSetting"), balancer.get("zoneAwareLbSetting")
    if locality is not None and zone is not None:
        message = "a load balancer can have only one of localityLbSetting and zoneAwareLbSetting"
        faults.error((*path, "zoneAwareLbSetting"), message)
    if locality is not None:
        locality_setting(faults, (*path, "localityLbSetting"), locality, has_outlier)
    if zone is not None:
        zone_aware_setting(faults, (*path, "zoneAwareLbSetting"), zone, has_outlier)
    if (warmup := balancer.get("warmup")) is not None:
        where = (*path, "warmup")
        durations(faults, where, warmup, "duration")
        if (warmup.get("minimumPercent") or 0) > 100:
            faults.error((*where, "minimumPercent"), f"{warmup['minimumPercent']} is more than 100 percent")
        if warmup.get("aggression") is not None and warmup["aggression"] <= 0:
            faults.error((*where, "aggression"), f"{warmup['aggression']} is not greater than 0")


def _consistent_hash(faults: Faults, path: Path, consistent: Object) -> None:
    if (cookie := consistent.get("httpCookie")) is not None:
        if not cookie.get("name"):
            faults.error((*path, "httpCookie", "name"), "the cookie has no name")
        if (ttl := cookie.get("ttl")) is not None and go.duration(ttl) is None:
            faults.error((*path, "httpCookie", "ttl"), f"{ttl!r} is not a valid duration (for example 5s or 100ms)")
        seen: set[str] = set()
        for index, attribute in enumerate(some(cookie.get("attributes"))):
            where = (*path, "httpCookie", "attributes", index, "name")
            name = attribute.get("name") or ""
            if not name:
                faults.error(where, "an attribute of the cookie has no name")
            elif name in seen:
                faults.error(where, f"the attribute {name!r} of the cookie is defined twice")
            seen.add(name)
    if consistent.get("minimumRingSize"):
        where = (*path, "minimumRingSize")
        faults.warning(where, "minimumRingSize is deprecated; use ringHash.minimumRingSize")
        for algorithm in ("ringHash", "maglev"):
            if consistent.get(algorithm) is not None:
                faults.error(where, f"a hash can have only one of minimumRingSize and {algorithm}")
    if (maglev := consistent.get("maglev")) is not None:
        size = maglev.get("tableSize") or 0
        if size >= _LARGEST_TABLE or not _is_prime(size):
            message = f"{size} is not a valid Maglev table size: it must be a prime number below {_LARGEST_TABLE}"
            faults.error((*path, "maglev", "tableSize"), message)


def _is_prime(number: int) -> bool:
    """As Envoy sees it, where 1 is a prime."""
    if number < 4:
        return number > 0
    return number % 2 == 1 and all(number % factor for factor in range(3, int(number**0.5) + 1, 2))


def client_tls(faults: Faults, path: Path, tls: Object, namespace: str) -> None:
    mode = tls.get("mode") or "DISABLE"
    credential = tls.get("credentialName") or ""
    if credential.startswith(_CONFIG_MAP):
        place, slash, name = credential.removeprefix(_CONFIG_MAP).partition("/")
        if not slash or not place or not name.partition("/")[0]:
            faults.error((*path, "credentialName"), f"{credential!r} is not of the form configmap://namespace/name")
        elif place != namespace:
            faults.error(
                (*path, "credentialName"), f"the ConfigMap must be in the namespace of the rule, {namespace!r}"
            )
    if tls.get("insecureSkipVerify"):
        for field in _VERIFIED.get(mode, ()):
            if tls.get(field):
                faults.error((*path, field), f"{field} has no effect with insecureSkipVerify: true")
    if mode in ("SIMPLE", "MUTUAL") and credential:
        for field in ("clientCertificate", "privateKey", "caCertificates", "caCrl"):
            if tls.get(field):
                faults.error((*path, field), f"{field} cannot be combined with credentialName")
    elif mode == "MUTUAL":
        for field in ("clientCertificate", "privateKey"):
            if not tls.get(field):
                faults.error((*path, field), f"mode MUTUAL needs {field}, or credentialName")
