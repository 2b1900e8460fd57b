# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A kubeconfig for other programs, from the Kubernetes client's configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any


def kubeconfig_of(configuration: Any, headers: Mapping[str, str], token: str) -> dict[str, Any]:
    """The content of the file: the same cluster, as the same user.

    ``configuration``: the client's. ``headers``: its default headers, which may impersonate.
    """
    cluster: dict[str, Any] = {"server": configuration.host}
    if not configuration.verify_ssl:
        cluster["insecure-skip-tls-verify"] = True
    elif configuration.ssl_ca_cert:
        cluster["certificate-authority"] = os.path.abspath(configuration.ssl_ca_cert)
    if getattr(configuration, "tls_server_name", None):
        cluster["tls-server-name"] = configuration.tls_server_name
    if configuration.proxy:
        cluster["proxy-url"] = configuration.proxy
    user: dict[str, Any] = {}
    if configuration.cert_file and configuration.key_file:
        user["client-certificate"] = os.path.abspath(configuration.cert_file)
        user["client-key"] = os.path.abspath(configuration.key_file)
    if token:
        user["token"] = token
    elif configuration.username:
        user["username"], user["password"] = configuration.username, configuration.password
    groups = []
    for key, value in headers.items():
        if key == "Impersonate-User":
            user["as"] = value
        elif str.__str__(key) == "Impersonate-Group":
            groups.append(value)
    if groups:
        user["as-groups"] = groups
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": cluster}],
        "users": [{"name": "user", "user": user}],
        "contexts": [{"name": "context", "context": {"cluster": "cluster", "user": "user"}}],
        "current-context": "context",
    }
