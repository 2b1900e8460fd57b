# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The protocol of a port, as Istio takes it from the port's name or appProtocol."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.nearest import Nearest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.resource import Object

PROTOCOLS = ("grpc", "grpc-web", "http", "http2", "http_proxy", "https", "mongo", "mysql", "redis", "tcp", "tls", "udp")
HTTP = {"grpc", "grpc-web", "http", "http2", "http_proxy"}
_APP_PROTOCOLS = {"kubernetes.io/h2c": "http2", "kubernetes.io/ws": "http", "kubernetes.io/wss": "https"}
# On these, servers speak first, and Istio does not look into the traffic: SMTP, DNS, MySQL, MongoDB.
_KNOWN_PORTS = {25, 53, 3306, 27017}
_KNOWN = set(PROTOCOLS)
_NEAREST = Nearest(PROTOCOLS)


def protocol_of(port: Object) -> str:
    """One of PROTOCOLS, or empty where the name says none and Istio finds out from the traffic."""
    if port.get("protocol") == "UDP":
        return "udp"
    said = port.get("appProtocol")
    name = str(said if said is not None else port.get("name") or "")
    if said is not None and name in _APP_PROTOCOLS:
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
    """A protocol that a port's name nearly begins with; empty where there is none."""
    return _NEAREST.find(name.lower().partition("-")[0])
