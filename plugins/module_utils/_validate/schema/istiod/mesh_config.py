# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""MeshConfig and MeshNetworks, as istiod judges them when it reads its ConfigMap.

The cluster has no schema for them, so any field may have any type: unreadable fields are skipped. istiod fills in its
defaults first; here only what is written is judged.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.common import Faults
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.locality import (
    locality_setting,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.language import go, values

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


def mesh_config(config: Object, faults: Faults) -> None:
    _port(faults, ("proxyListenPort",), config)
    _duration(faults, ("connectTimeout",), config, longest=go.HOUR)
    _duration(faults, ("protocolDetectionTimeout",), config, zero=True)
    _proxy(faults, part(config, "defaultConfig"))
    setting = part(config, "localityLbSetting")
    if setting and _is_readable(setting):
        locality_setting(faults, ("localityLbSetting",), setting, True)
    for index, settings in items(config, "serviceSettings"):
        for place, host in texts(settings, "hosts"):
            faults.error(("serviceSettings", index, "hosts", place), values.bad_wildcard_domain(host))
    if isinstance(domain := config.get("trustDomain"), str):
        faults.error(("trustDomain",), _bad_trust_domain(domain))
    for index, domain in texts(config, "trustDomainAliases"):
        faults.error(("trustDomainAliases", index), _bad_trust_domain(domain))
    if part(config, "meshMTLS").get("ecdhCurves"):
        faults.error(
            ("meshMTLS", "ecdhCurves"), "the curves of the mesh's own TLS cannot be set; use tlsDefaults for other TLS"
        )
    seen: set[str] = set()
    for index, curve in texts(config, "tlsDefaults", "ecdhCurves"):
        path = ("tlsDefaults", "ecdhCurves", index)
        if curve and curve not in _CURVES:
            faults.warning(path, f"Envoy does not support the curve {curve!r}")
        elif curve in seen:
            faults.warning(path, f"{curve!r} is in the list twice")
        seen.add(curve)
    _providers(faults, config)


def _bad_trust_domain(text: str) -> str:
    if not text:
        return "the trust domain is empty"
    parts = text.split(".")
    good = all(values.is_label(label) for label in (parts[:-1] if parts[-1] == "" else parts))
    return "" if good else f"{text!r} is not a valid trust domain"


def _proxy(faults: Faults, proxy: Object) -> None:
    path = ("defaultConfig",)
    for field in ("configPath", "binaryPath", "serviceCluster"):
        if proxy.get(field) == "":
            faults.error((*path, field), f"{field} is empty")
    _duration(faults, (*path, "drainDuration"), proxy)
    drain = proxy.get("drainDuration")
    if isinstance(drain, str) and (go.duration(drain) or 0) % go.SECOND and not values.bad_duration(drain):
        faults.error((*path, "drainDuration"), f"{drain!r} is not a whole number of seconds")
    _address(faults, (*path, "discoveryAddress"), proxy)
    for field in ("statsdUdpAddress", "envoyMetricsServiceAddress"):
        if proxy.get(field):
            _address(faults, (*path, field), proxy)
    for field in ("envoyMetricsService", "envoyAccessLogService"):
        if part(proxy, field).get("address"):
            _address(faults, (*path, field, "address"), part(proxy, field))
    for tracer in ("zipkin", "datadog", "lightstep"):
        if isinstance(part(proxy, "tracing").get(tracer), dict):
            where = (*path, "tracing", tracer)
            _address(faults, (*where, "address"), part(proxy, "tracing", tracer), needed=True)
            if tracer == "lightstep" and not part(proxy, "tracing", tracer).get("accessToken"):
                faults.error((*where, "accessToken"), "Lightstep needs an access token")
    _port(faults, (*path, "proxyAdminPort"), proxy)
    _port(faults, (*path, "statusPort"), proxy)
    if _DNS_ALLOCATE in part(proxy, "proxyMetadata"):
        where = (*path, "proxyMetadata", _DNS_ALLOCATE)
        faults.warning(where, f"{_DNS_ALLOCATE} is deprecated: istiod now allocates addresses itself")
    _private_keys(faults, (*path, "privateKeyProvider"), proxy)
    _connections(faults, (*path, "connectionSettings"), part(proxy, "connectionSettings"))


def _private_keys(faults: Faults, path: Path, proxy: Object) -> None:
    if not isinstance(proxy.get("privateKeyProvider"), dict):
        return
    provider: Object = proxy["privateKeyProvider"]
    name = next((name for name in ("cryptomb", "qat") if isinstance(provider.get(name), dict)), "")
    if not name:
        faults.error(path, "the provider is neither cryptomb nor qat")
    elif not go.duration(str(provider[name].get("pollDelay") or "0s")):
        faults.error((*path, name, "pollDelay"), f"{name} needs a pollDelay other than 0s")


def _connections(faults: Faults, path: Path, settings: Object) -> None:
    for field in ("listenerPerConnectionBufferLimitBytes", "clusterPerConnectionBufferLimitBytes"):
        if _number(settings.get(field), 0) < 0:
            faults.error((*path, field), f"{settings[field]} is less than 0")
    for field in _NOT_NEGATIVE:
        if isinstance(text := settings.get(field), str) and (go.duration(text) or 0) < 0:
            faults.error((*path, field), f"{text!r} is less than 0")
    for field in ("httpMaxConcurrentStreams", "listenerConnectionLimit", "globalDownstreamConnectionLimit"):
        if _number(settings.get(field), 1) <= 0:
            faults.error((*path, field), f"{settings[field]} is not greater than 0")
    for field in ("http2InitialStreamWindowSize", "http2InitialConnectionWindowSize"):
        if _number(settings.get(field), 65535) < 65535:
            faults.error((*path, field), f"{settings[field]} is less than the smallest window, 65535")


def _number(value: Any, otherwise: int) -> float:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else otherwise


def _port(faults: Faults, path: Path, owner: Object) -> None:
    number = owner.get(str(path[-1]))
    if isinstance(number, int) and not isinstance(number, bool):
        faults.error(path, values.bad_port(number))


def _duration(faults: Faults, path: Path, owner: Object, longest: int = 0, zero: bool = False) -> None:
    text = owner.get(str(path[-1]))
    if not isinstance(text, str) or (zero and go.duration(text) == 0):
        return
    faults.error(path, values.bad_duration(text, zero))
    if longest and (go.duration(text) or 0) > longest:
        faults.error(path, f"{text!r} is longer than an hour")


def _address(faults: Faults, path: Path, owner: Object, needed: bool = False) -> None:
    text = owner.get(str(path[-1]))
    if text is None and not needed:
        return
    found = go.split_host_port(str(text or "").replace(_HOST_IP, "127.0.0.1", 1))
    if found is None or not found[1].isdecimal() or values.bad_port(int(found[1])):
        faults.error(path, f"{text!r} is not of the form host:port")
    elif values.bad_domain(found[0]) and not go.is_address(found[0]):
        faults.error(path, f"{found[0]!r} is neither a host nor an IP address")


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


def _providers(faults: Faults, config: Object) -> None:
    """istiod only logs it, so an unused provider does no harm."""
    names: set[str] = set()
    for index, provider in items(config, "extensionProviders"):
        path = ("extensionProviders", index)
        name = provider.get("name")
        if not name:
            faults.warning((*path, "name"), "the provider has no name")
        elif str(name) in names:
            faults.warning((*path, "name"), f"the provider {name!r} is defined twice")
        names.add(str(name))
        for kind in _SERVED:
            if isinstance(found := provider.get(kind), dict):
                _service(faults, (*path, kind), found)


def _service(faults: Faults, path: Path, provider: Object) -> None:
    service = provider.get("service")
    if not isinstance(service, str) or not service:
        faults.warning((*path, "service"), "the provider has no service")
    elif "/" in service:
        faults.warning((*path, "service"), values.bad_namespaced_host(service, False))
    elif not go.is_address(service):
        faults.warning((*path, "service"), values.bad_domain(service))
    port = provider.get("port")
    faults.warning((*path, "port"), values.bad_port(port if isinstance(port, int) else 0))
    prefix = provider.get("pathPrefix")
    if isinstance(prefix, str) and prefix and not prefix.startswith("/"):
        faults.warning((*path, "pathPrefix"), f"{prefix!r} does not begin with /")


def mesh_networks(config: Object, faults: Faults) -> None:
    for name, network in part(config, "networks").items():
        path = ("networks", str(name))
        for index, endpoint in items(network, "endpoints"):
            where = (*path, "endpoints", index)
            if isinstance(cidr := endpoint.get("fromCidr"), str):
                faults.error((*where, "fromCidr"), values.bad_subnet(cidr))
            elif isinstance(registry := endpoint.get("fromRegistry"), str) and not values.is_label(registry):
                faults.error((*where, "fromRegistry"), f"{registry!r} is not a valid registry name")
        for index, gateway in items(network, "gateways"):
            where = (*path, "gateways", index)
            if isinstance(service := gateway.get("registryServiceName"), str):
                faults.error((*where, "registryServiceName"), values.bad_domain(service))
            elif isinstance(address := gateway.get("address"), str) and not go.is_address(address):
                faults.error((*where, "address"), values.bad_domain(address))
            port = gateway.get("port")
            faults.error((*where, "port"), values.bad_port(port if isinstance(port, int) else 0))
