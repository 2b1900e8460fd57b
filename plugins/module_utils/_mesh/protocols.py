# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The protocol of a port, which Istio takes from the port's name or appProtocol."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.nearest import Nearest

PROTOCOLS = ("grpc", "grpc-web", "http", "http2", "http_proxy", "https", "mongo", "mysql", "redis", "tcp", "tls", "udp")
HTTP = {"grpc", "grpc-web", "http", "http2", "http_proxy"}
_APP_PROTOCOLS = {"kubernetes.io/h2c": "http2", "kubernetes.io/ws": "http", "kubernetes.io/wss": "https"}
# On these ports servers speak first, and Istio does not inspect the traffic: SMTP, DNS, MySQL, MongoDB.
_KNOWN_PORTS = {25, 53, 3306, 27017}
_KNOWN = set(PROTOCOLS)
_NEAREST = Nearest(PROTOCOLS)


def protocol_of(port: Object) -> str:
    """One of PROTOCOLS, or empty if the name has none and Istio detects it from the traffic."""
    if port.get("protocol") == "UDP":
        return "udp"
    explicit = port.get("appProtocol")
    name = str(explicit if explicit is not None else port.get("name") or "")
    if explicit is not None and name in _APP_PROTOCOLS:
        return _APP_PROTOCOLS[name]
    name = name.lower()
    if name.startswith("grpc-web"):
        return "grpc-web"
    found = name.partition("-")[0]
    if found in _KNOWN:
        return found
    number = port.get("port")
    return "tcp" if isinstance(number, int) and number in _KNOWN_PORTS else ""


def nearest_protocol(name: str) -> str:
    """The protocol that a port's name almost begins with; empty if there is none."""
    return _NEAREST.find(name.lower().partition("-")[0])
