# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""MeshConfig and MeshNetworks, as istiod judges them when it reads its ConfigMap.

There is no schema of them in the cluster, so any field may be of any type: what cannot be read is passed by. istiod
fills in its defaults first; here only what is written is judged.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.resource import (
    Object,
    Path,
    items,
    part,
    texts,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema import go, values
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.common import Say
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.locality import locality_setting

_CURVES = frozenset({"P-224", "P-256", "P-384", "P-521", "X25519", "X25519Kyber768Draft00", "X25519MLKEM768"})
_DNS_ALLOCATE = "ISTIO_META_DNS_AUTO_ALLOCATE"
_HOST_IP = "$(HOST_IP)"
_NOT_NEGATIVE = (
    *("httpIdleTimeout", "httpMaxConnectionDuration", "httpDrainTimeout", "httpRequestTimeout"),
    *("httpRequestHeadersTimeout", "httpStreamIdleTimeout", "httpMaxStreamDuration"),
)
_SERVED = (
    *("envoyExtAuthzHttp", "envoyExtAuthzGrpc", "zipkin", "lightstep", "datadog", "opencensus", "skywalking"),
    *("envoyOtelAls", "opentelemetry", "envoyHttpAls", "envoyTcpAls"),
)


def mesh_config(config: Object, say: Say) -> None:
    _port(say, ("proxyListenPort",), config)
    _duration(say, ("connectTimeout",), config, longest=go.HOUR)
    _duration(say, ("protocolDetectionTimeout",), config, zero=True)
    _proxy(say, part(config, "defaultConfig"))
    setting = part(config, "localityLbSetting")
    if setting and _is_readable(setting):
        locality_setting(say, ("localityLbSetting",), setting, True)
    for index, settings in items(config, "serviceSettings"):
        for place, host in texts(settings, "hosts"):
            say.refused(("serviceSettings", index, "hosts", place), values.bad_wildcard_domain(host))
    if isinstance(domain := config.get("trustDomain"), str):
        say.refused(("trustDomain",), _bad_trust_domain(domain))
    for index, domain in texts(config, "trustDomainAliases"):
        say.refused(("trustDomainAliases", index), _bad_trust_domain(domain))
    if part(config, "meshMTLS").get("ecdhCurves"):
        say.refused(
            ("meshMTLS", "ecdhCurves"), "the curves of the mesh's own TLS cannot be chosen; tlsDefaults is for the rest"
        )
    seen: set[str] = set()
    for index, curve in texts(config, "tlsDefaults", "ecdhCurves"):
        path = ("tlsDefaults", "ecdhCurves", index)
        if curve and curve not in _CURVES:
            say.doubted(path, f"{curve!r} is no curve of Envoy")
        elif curve in seen:
            say.doubted(path, f"{curve!r} is in the list twice")
        seen.add(curve)
    _providers(say, config)


def _bad_trust_domain(text: str) -> str:
    if not text:
        return "the trust domain is empty"
    parts = text.split(".")
    good = all(values.is_label(label) for label in (parts[:-1] if parts[-1] == "" else parts))
    return "" if good else f"{text!r} is no trust domain"


def _proxy(say: Say, proxy: Object) -> None:
    path = ("defaultConfig",)
    for field in ("configPath", "binaryPath", "serviceCluster"):
        if proxy.get(field) == "":
            say.refused((*path, field), f"{field} is empty")
    _duration(say, (*path, "drainDuration"), proxy)
    drain = proxy.get("drainDuration")
    if isinstance(drain, str) and (go.duration(drain) or 0) % go.SECOND and not values.bad_duration(drain):
        say.refused((*path, "drainDuration"), f"{drain!r} is no whole number of seconds")
    _address(say, (*path, "discoveryAddress"), proxy)
    for field in ("statsdUdpAddress", "envoyMetricsServiceAddress"):
        if proxy.get(field):
            _address(say, (*path, field), proxy)
    for field in ("envoyMetricsService", "envoyAccessLogService"):
        if part(proxy, field).get("address"):
            _address(say, (*path, field, "address"), part(proxy, field))
    for tracer in ("zipkin", "datadog", "lightstep"):
        if isinstance(part(proxy, "tracing").get(tracer), dict):
            where = (*path, "tracing", tracer)
            _address(say, (*where, "address"), part(proxy, "tracing", tracer), needed=True)
            if tracer == "lightstep" and not part(proxy, "tracing", tracer).get("accessToken"):
                say.refused((*where, "accessToken"), "Lightstep needs an access token")
    _port(say, (*path, "proxyAdminPort"), proxy)
    _port(say, (*path, "statusPort"), proxy)
    if _DNS_ALLOCATE in part(proxy, "proxyMetadata"):
        where = (*path, "proxyMetadata", _DNS_ALLOCATE)
        say.doubted(where, f"{_DNS_ALLOCATE} is deprecated: istiod itself allocates addresses by now")
    _private_keys(say, (*path, "privateKeyProvider"), proxy)
    _connections(say, (*path, "connectionSettings"), part(proxy, "connectionSettings"))


def _private_keys(say: Say, path: Path, proxy: Object) -> None:
    if not isinstance(proxy.get("privateKeyProvider"), dict):
        return
    provider: Object = proxy["privateKeyProvider"]
    name = next((name for name in ("cryptomb", "qat") if isinstance(provider.get(name), dict)), "")
    if not name:
        say.refused(path, "the provider is neither cryptomb nor qat")
    elif not go.duration(str(provider[name].get("pollDelay") or "0s")):
        say.refused((*path, name, "pollDelay"), f"{name} needs a pollDelay other than 0s")


def _connections(say: Say, path: Path, settings: Object) -> None:
    for field in ("listenerPerConnectionBufferLimitBytes", "clusterPerConnectionBufferLimitBytes"):
        if _number(settings.get(field), 0) < 0:
            say.refused((*path, field), f"{settings[field]} is less than 0")
    for field in _NOT_NEGATIVE:
        if isinstance(text := settings.get(field), str) and (go.duration(text) or 0) < 0:
            say.refused((*path, field), f"{text!r} is less than 0")
    for field in ("httpMaxConcurrentStreams", "listenerConnectionLimit", "globalDownstreamConnectionLimit"):
        if _number(settings.get(field), 1) <= 0:
            say.refused((*path, field), f"{settings[field]} is not greater than 0")
    for field in ("http2InitialStreamWindowSize", "http2InitialConnectionWindowSize"):
        if _number(settings.get(field), 65535) < 65535:
            say.refused((*path, field), f"{settings[field]} is less than the smallest window, 65535")


def _number(value: Any, otherwise: int) -> float:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else otherwise


def _port(say: Say, path: Path, owner: Object) -> None:
    number = owner.get(str(path[-1]))
    if isinstance(number, int) and not isinstance(number, bool):
        say.refused(path, values.bad_port(number))


def _duration(say: Say, path: Path, owner: Object, longest: int = 0, zero: bool = False) -> None:
    text = owner.get(str(path[-1]))
    if not isinstance(text, str) or (zero and go.duration(text) == 0):
        return
    say.refused(path, values.bad_duration(text, zero))
    if longest and (go.duration(text) or 0) > longest:
        say.refused(path, f"{text!r} is longer than an hour")


def _address(say: Say, path: Path, owner: Object, needed: bool = False) -> None:
    text = owner.get(str(path[-1]))
    if text is None and not needed:
        return
    found = go.split_host_port(str(text or "").replace(_HOST_IP, "127.0.0.1", 1))
    if found is None or not found[1].isdecimal() or values.bad_port(int(found[1])):
        say.refused(path, f"{text!r} is not of the form host:port")
    elif values.bad_domain(found[0]) and not go.is_address(found[0]):
        say.refused(path, f"{found[0]!r} is neither a host nor an IP address")


def _is_readable(setting: Object) -> bool:
    shares = [share for _index, item in items(setting, "distribute") for share in part(item, "to").values()]
    lists = [setting.get(field) or [] for field in ("distribute", "failover", "failoverPriority")]
    return (
        all(isinstance(value, list) for value in lists)
        and all(isinstance(item, dict) for value in lists[:2] for item in value)
        and all(isinstance(value, str) for item in lists[0] + lists[1] for key, value in item.items() if key != "to")
        and all(isinstance(item.get("to") or {}, dict) for item in lists[0])
        and all(isinstance(share, int) for share in shares)
    )


def _providers(say: Say, config: Object) -> None:
    """istiod only logs it, so that a provider which nobody uses does no harm."""
    names: set[str] = set()
    for index, provider in items(config, "extensionProviders"):
        path = ("extensionProviders", index)
        name = provider.get("name")
        if not name:
            say.doubted((*path, "name"), "the provider has no name")
        elif str(name) in names:
            say.doubted((*path, "name"), f"the provider {name!r} is there twice")
        names.add(str(name))
        for kind in _SERVED:
            if isinstance(found := provider.get(kind), dict):
                _service(say, (*path, kind), found)


def _service(say: Say, path: Path, provider: Object) -> None:
    service = provider.get("service")
    if not isinstance(service, str) or not service:
        say.doubted((*path, "service"), "the provider names no service")
    elif "/" in service:
        say.doubted((*path, "service"), values.bad_namespaced_host(service, False))
    elif not go.is_address(service):
        say.doubted((*path, "service"), values.bad_domain(service))
    port = provider.get("port")
    say.doubted((*path, "port"), values.bad_port(port if isinstance(port, int) else 0))
    prefix = provider.get("pathPrefix")
    if isinstance(prefix, str) and prefix and not prefix.startswith("/"):
        say.doubted((*path, "pathPrefix"), f"{prefix!r} does not begin with /")


def mesh_networks(config: Object, say: Say) -> None:
    for name, network in part(config, "networks").items():
        path = ("networks", str(name))
        for index, endpoint in items(network, "endpoints"):
            where = (*path, "endpoints", index)
            if isinstance(cidr := endpoint.get("fromCidr"), str):
                say.refused((*where, "fromCidr"), values.bad_subnet(cidr))
            elif isinstance(registry := endpoint.get("fromRegistry"), str) and not values.is_label(registry):
                say.refused((*where, "fromRegistry"), f"{registry!r} is no name of a registry")
        for index, gateway in items(network, "gateways"):
            where = (*path, "gateways", index)
            if isinstance(service := gateway.get("registryServiceName"), str):
                say.refused((*where, "registryServiceName"), values.bad_domain(service))
            elif isinstance(address := gateway.get("address"), str) and not go.is_address(address):
                say.refused((*where, "address"), values.bad_domain(address))
            port = gateway.get("port")
            say.refused((*where, "port"), values.bad_port(port if isinstance(port, int) else 0))
