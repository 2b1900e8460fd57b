# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""DestinationRule, as istiod's admission judges it. Locality settings lie in locality.py."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.resource import Object, Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema import go, values
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.common import (
    Say,
    durations,
    export_to,
    labels,
    selector,
    some,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.locality import (
    locality_setting,
    zone_aware_setting,
)

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


def destination_rule(resource: Resource, say: Say) -> None:
    spec = resource.spec
    say.refused(("spec", "host"), values.bad_wildcard_domain(spec.get("host") or ""))
    _policy(say, ("spec", "trafficPolicy"), spec.get("trafficPolicy"), resource.namespace)
    names: set[str] = set()
    for index, subset in enumerate(some(spec.get("subsets"))):
        path = ("spec", "subsets", index)
        name = subset.get("name") or ""
        if name in names:
            say.refused((*path, "name"), f"the subset {name!r} is there twice")
        names.add(name)
        if not values.is_label(name):
            say.refused((*path, "name"), f"{name!r} is no name of a subset: letters, digits and hyphens are")
        labels(say, (*path, "labels"), subset.get("labels"))
        _policy(say, (*path, "trafficPolicy"), subset.get("trafficPolicy"), resource.namespace)
    export_to(say, resource, selected=spec.get("workloadSelector") is not None)
    selector(say, ("spec", "workloadSelector"), spec.get("workloadSelector"))


def _policy(say: Say, path: Path, policy: Object | None, namespace: str) -> None:
    if policy is None:
        return
    if all(policy.get(field) is None for field in _POLICIES):
        say.refused(path, "the policy says nothing")
        return
    if policy.get("tunnel") is not None and policy.get("proxyProtocol") is not None:
        say.refused((*path, "proxyProtocol"), "a policy has one of tunnel and proxyProtocol")
        return
    _settings(say, path, policy, namespace)
    for index, port in enumerate(some(policy.get("portLevelSettings"))):
        where = (*path, "portLevelSettings", index)
        if port.get("port") is None:
            say.refused((*where, "port"), "the settings are for no port")
        if all(port.get(field) is None for field in _PORT_POLICIES):
            say.refused(where, "the policy of the port says nothing")
        else:
            _settings(say, where, port, namespace)
    if (tunnel := policy.get("tunnel")) is not None:
        _tunnel(say, (*path, "tunnel"), tunnel)


def _settings(say: Say, path: Path, policy: Object, namespace: str) -> None:
    outlier = policy.get("outlierDetection")
    if outlier is not None:
        outlier_detection(say, (*path, "outlierDetection"), outlier)
    if (pool := policy.get("connectionPool")) is not None:
        connection_pool(say, (*path, "connectionPool"), pool)
    if (balancer := policy.get("loadBalancer")) is not None:
        _load_balancer(say, (*path, "loadBalancer"), balancer, outlier is not None)
    if (tls := policy.get("tls")) is not None:
        client_tls(say, (*path, "tls"), tls, namespace)


def _tunnel(say: Say, path: Path, tunnel: Object) -> None:
    if tunnel.get("protocol") and tunnel["protocol"] not in ("CONNECT", "POST"):
        say.refused((*path, "protocol"), f"{tunnel['protocol']!r} is neither CONNECT nor POST")
    host = tunnel.get("targetHost") or ""
    if not go.is_address(host):
        say.refused((*path, "targetHost"), values.bad_domain(host))
    say.refused((*path, "targetPort"), values.bad_port(tunnel.get("targetPort") or 0))


def outlier_detection(say: Say, path: Path, outlier: Object) -> None:
    durations(say, path, outlier, "baseEjectionTime", "interval")
    if outlier.get("consecutiveErrors"):
        successor = "consecutive5xxErrors, or consecutiveGatewayErrors, is its successor"
        say.doubted((*path, "consecutiveErrors"), f"consecutiveErrors is deprecated, {successor}")
    if outlier.get("consecutiveLocalOriginFailures") and not outlier.get("splitExternalLocalOriginErrors"):
        say.refused(
            (*path, "consecutiveLocalOriginFailures"),
            "consecutiveLocalOriginFailures needs splitExternalLocalOriginErrors: true",
        )
    for field in ("maxEjectionPercent", "minHealthPercent"):
        if not 0 <= (outlier.get(field) or 0) <= 100:
            say.refused((*path, field), f"{outlier[field]} is no percentage")


def connection_pool(say: Say, path: Path, pool: Object) -> None:
    http, tcp = pool.get("http"), pool.get("tcp")
    if http is None and tcp is None:
        say.refused(path, "the connection pool says nothing: it needs http or tcp")
    if http is not None:
        where = (*path, "http")
        _not_negative(
            *(say, where, http),
            *("http1MaxPendingRequests", "http2MaxRequests", "maxRequestsPerConnection", "maxRetries"),
            "maxConcurrentStreams",
        )
        durations(say, where, http, "idleTimeout")
        if http.get("h2UpgradePolicy") == "UPGRADE" and http.get("useClientProtocol"):
            say.refused((*where, "useClientProtocol"), "useClientProtocol cannot be true with h2UpgradePolicy: UPGRADE")
        if (alive := http.get("http2KeepAlive")) is not None:
            for field in ("interval", "timeout"):
                if not alive.get(field):
                    say.refused((*where, "http2KeepAlive", field), f"http2KeepAlive needs {field}")
            durations(say, (*where, "http2KeepAlive"), alive, "interval", "timeout")
    if tcp is not None:
        where = (*path, "tcp")
        _not_negative(say, where, tcp, "maxConnections")
        durations(say, where, tcp, "connectTimeout", "maxConnectionDuration")
        # 0s switches it off.
        if (text := tcp.get("idleTimeout")) is not None:
            say.refused((*where, "idleTimeout"), values.bad_duration(text, zero=True))
        if (alive := tcp.get("tcpKeepalive")) is not None:
            durations(say, (*where, "tcpKeepalive"), alive, "time", "interval")


def _not_negative(say: Say, path: Path, settings: Object, *fields: str) -> None:
    for field in fields:
        if (settings.get(field) or 0) < 0:
            say.refused((*path, field), f"{settings[field]} is less than 0")


def _load_balancer(say: Say, path: Path, balancer: Object, has_outlier: bool) -> None:
    if (consistent := balancer.get("consistentHash")) is not None:
        _consistent_hash(say, (*path, "consistentHash"), consistent)
    locality, zone = balancer.get("localityLbSetting"), balancer.get("zoneAwareLbSetting")
    if locality is not None and zone is not None:
        message = "a load balancer has one of localityLbSetting and zoneAwareLbSetting"
        say.refused((*path, "zoneAwareLbSetting"), message)
    if locality is not None:
        locality_setting(say, (*path, "localityLbSetting"), locality, has_outlier)
    if zone is not None:
        zone_aware_setting(say, (*path, "zoneAwareLbSetting"), zone, has_outlier)
    if (warmup := balancer.get("warmup")) is not None:
        where = (*path, "warmup")
        durations(say, where, warmup, "duration")
        if (warmup.get("minimumPercent") or 0) > 100:
            say.refused((*where, "minimumPercent"), f"{warmup['minimumPercent']} is more than 100 percent")
        if warmup.get("aggression") is not None and warmup["aggression"] <= 0:
            say.refused((*where, "aggression"), f"{warmup['aggression']} is not greater than 0")


def _consistent_hash(say: Say, path: Path, consistent: Object) -> None:
    if (cookie := consistent.get("httpCookie")) is not None:
        if not cookie.get("name"):
            say.refused((*path, "httpCookie", "name"), "the cookie has no name")
        if (ttl := cookie.get("ttl")) is not None and go.duration(ttl) is None:
            say.refused((*path, "httpCookie", "ttl"), f"{ttl!r} is no duration; 5s and 100ms are")
        seen: set[str] = set()
        for index, attribute in enumerate(some(cookie.get("attributes"))):
            where = (*path, "httpCookie", "attributes", index, "name")
            name = attribute.get("name") or ""
            if not name:
                say.refused(where, "an attribute of the cookie has no name")
            elif name in seen:
                say.refused(where, f"the attribute {name!r} of the cookie is there twice")
            seen.add(name)
    if consistent.get("minimumRingSize"):
        where = (*path, "minimumRingSize")
        say.doubted(where, "minimumRingSize is deprecated, ringHash.minimumRingSize is its successor")
        for algorithm in ("ringHash", "maglev"):
            if consistent.get(algorithm) is not None:
                say.refused(where, f"a hash has one of minimumRingSize and {algorithm}")
    if (maglev := consistent.get("maglev")) is not None:
        size = maglev.get("tableSize") or 0
        if size >= _LARGEST_TABLE or not _is_prime(size):
            message = f"{size} is no size of a table of Maglev: a prime number below {_LARGEST_TABLE} is"
            say.refused((*path, "maglev", "tableSize"), message)


def _is_prime(number: int) -> bool:
    """As Envoy sees it, for which 1 is one."""
    if number < 4:
        return number > 0
    return number % 2 == 1 and all(number % factor for factor in range(3, int(number**0.5) + 1, 2))


def client_tls(say: Say, path: Path, tls: Object, namespace: str) -> None:
    mode = tls.get("mode") or "DISABLE"
    credential = tls.get("credentialName") or ""
    if credential.startswith(_CONFIG_MAP):
        place, slash, name = credential.removeprefix(_CONFIG_MAP).partition("/")
        if not slash or not place or not name.partition("/")[0]:
            say.refused((*path, "credentialName"), f"{credential!r} is not of the form configmap://namespace/name")
        elif place != namespace:
            say.refused(
                (*path, "credentialName"), f"the ConfigMap has to be of the namespace of the rule, {namespace!r}"
            )
    if tls.get("insecureSkipVerify"):
        for field in _VERIFIED.get(mode, ()):
            if tls.get(field):
                say.refused((*path, field), f"{field} is of no use with insecureSkipVerify: true")
    if mode in ("SIMPLE", "MUTUAL") and credential:
        for field in ("clientCertificate", "privateKey", "caCertificates", "caCrl"):
            if tls.get(field):
                say.refused((*path, field), f"{field} cannot stand beside credentialName")
    elif mode == "MUTUAL":
        for field in ("clientCertificate", "privateKey"):
            if not tls.get(field):
                say.refused((*path, field), f"mode MUTUAL needs {field}, or credentialName")
