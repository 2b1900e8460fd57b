# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What can be wrong with the way to a cluster, and what to do about it, in words."""

from __future__ import annotations

import base64
import datetime
import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.corpv3.service_mesh.plugins.module_utils import _yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._rights import Right, listed

_POD_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105  a path
_WHERE_CREDENTIALS_COME_FROM = (
    "Set service_mesh_kubeconfig (and service_mesh_context), or the K8S_AUTH_* environment variables; "
    "in AWX, attach a credential of type 'OpenShift or Kubernetes API Bearer Token' to the job template."
)


class Given(NamedTuple):
    """Which cluster the user asked for: options of the module or their environment variables."""

    kubeconfig: Any
    context: str
    host: str

    @classmethod
    def of(cls, params: Mapping[str, Any], environment: Mapping[str, str]) -> Given:
        def find(name: str) -> Any:
            return params.get(name) or environment.get(f"K8S_AUTH_{name.upper()}") or ""

        return cls(find("kubeconfig"), find("context"), find("host"))

    def __bool__(self) -> bool:
        return any(self)


def falls_back_to_pod(given: Given, environment: Mapping[str, str], token_file: str = _POD_TOKEN) -> bool:
    """Inside a pod, a forgotten credential means the pod's own service account: AWX's own cluster."""
    return not given and bool(environment.get("KUBERNETES_SERVICE_HOST")) and os.path.exists(token_file)


NO_CREDENTIAL = (
    "No cluster is configured. This runs inside a pod, so it would change the cluster that Ansible itself runs in, "
    f"as the pod's own service account. {_WHERE_CREDENTIALS_COME_FROM} If that cluster is meant, "
    "set service_mesh_cluster_uid to its uid."
)


def kubeconfig_problem(given: Given, environment: Mapping[str, str]) -> str:
    """What is wrong with the kubeconfig file, before the client library says so in its own words."""
    if given.host or isinstance(given.kubeconfig, dict):
        return ""
    named = str(given.kubeconfig or environment.get("KUBECONFIG") or "~/.kube/config")
    paths = [os.path.expanduser(path) for path in named.split(os.pathsep) if path]
    found = [path for path in paths if os.path.exists(path)]
    if not found:
        if not given.kubeconfig:
            return f"No cluster is configured, and there is no {named} either. {_WHERE_CREDENTIALS_COME_FROM}"
        return f"service_mesh_kubeconfig names {named}, which does not exist. {_WHERE_CREDENTIALS_COME_FROM}"
    contexts: list[str] = []
    for path in found:
        try:
            with open(path, encoding="utf-8") as file:
                content = _yaml.load(file.read())
            contexts += [entry["name"] for entry in content.get("contexts") or ()]
        except OSError as error:
            return f"The kubeconfig {path} cannot be read: {error.strerror}. Check service_mesh_kubeconfig."
        except (_yaml.YamlError, AttributeError, KeyError, TypeError, UnicodeDecodeError):
            return f"{path} is not a kubeconfig. Check service_mesh_kubeconfig."
    if given.context and given.context not in contexts:
        known = ", ".join(contexts) or "none"
        return (
            f"The kubeconfig {named} has no context '{given.context}' (it has: {known}). Correct service_mesh_context."
        )
    return ""


def expiry_of_token(token: str) -> datetime.datetime | None:
    """When a token that is a JWT ends; its signature is not looked at."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return datetime.datetime.fromtimestamp(float(claims["exp"]), datetime.UTC)
    except (IndexError, KeyError, ValueError, TypeError):
        return None


def expiry_of_certificate(path: str) -> datetime.datetime | None:
    """When a certificate in a PEM file ends; unknown without the cryptography library."""
    try:
        from cryptography import x509

        with open(path, "rb") as file:
            certificate = x509.load_pem_x509_certificate(file.read())
        return certificate.not_valid_after.replace(tzinfo=datetime.UTC)
    except (ImportError, OSError, ValueError):
        return None


def credential_problem(server: str, token: str, certificate: str, now: datetime.datetime) -> str:
    """Why the API server does not know who we are."""
    for what, ends in (("token", expiry_of_token(token)), ("client certificate", expiry_of_certificate(certificate))):
        if ends and ends < now:
            return (
                f"The {what} for {server} expired at {ends:%Y-%m-%d %H:%M} UTC. Get a new one, "
                "and renew the kubeconfig that service_mesh_kubeconfig names (or the AWX credential)."
            )
    if not token and not certificate:
        return f"{server} wants to know who asks, and no credentials are given. {_WHERE_CREDENTIALS_COME_FROM}"
    return (
        f"{server} does not accept the credentials: they expired, were revoked, or are another cluster's. "
        "Renew the kubeconfig that service_mesh_kubeconfig names (or the AWX credential)."
    )


def connection_problem(failure: ApiFailure, server: str) -> str:
    """Why the first question to the API server got no proper answer."""
    text = str(failure)
    if failure.status == 403:
        return f"{server} knows the account but forbids it to ask for its version: {text}"
    if failure.status:
        return f"{server} is not a healthy Kubernetes API server; it answers {failure.status}: {text}"
    if failure.reason == "NoConfiguration":
        return f"No usable cluster configuration: {text}. {_WHERE_CREDENTIALS_COME_FROM}"
    if "CERTIFICATE_VERIFY_FAILED" in text or "certificate" in text.lower():
        return (
            f"The certificate of {server} is not trusted: {text}. Give its CA in the kubeconfig that "
            "service_mesh_kubeconfig names, or in K8S_AUTH_SSL_CA_CERT (the CA field of the AWX credential)."
        )
    return (
        f"{server} cannot be reached: {text}. Is the cluster up, is the address in the kubeconfig right "
        "(service_mesh_kubeconfig, service_mesh_context), is there a VPN or a proxy on the way (K8S_AUTH_PROXY)?"
    )


def _address(url: str) -> tuple[str, str, int, str]:
    parts = urlsplit(url if "://" in url else f"https://{url}")
    port = parts.port or (80 if parts.scheme == "http" else 443)
    return (parts.scheme, (parts.hostname or "").lower(), port, parts.path.rstrip("/"))


def identity_problem(server: str, uid: str, expected_server: str, expected_uid: str) -> str:
    """Whether this is the cluster that the inventory means."""
    where = "Check service_mesh_kubeconfig, service_mesh_context and K8S_AUTH_*"
    if not expected_uid and not expected_server:
        found = f"    service_mesh_cluster_uid: {uid}" if uid else f"    service_mesh_cluster_server: {server}"
        return (
            f"Nothing in the inventory says which cluster this host is, and the credentials lead to {server}. "
            "If that is the right one, put this line into the host's host_vars or its environment's "
            f"group_vars/clusters/main.yml:\n{found}"
        )
    if expected_uid and not uid:
        return (
            "The account may not read namespace kube-system, whose uid tells one cluster from another. Allow it "
            "'get' on that namespace, or set service_mesh_cluster_server instead of service_mesh_cluster_uid."
        )
    if expected_uid and uid != expected_uid:
        return (
            f"Wrong cluster: {server} has the uid {uid}, the inventory wants {expected_uid}. {where}; "
            "if the cluster was made anew, correct service_mesh_cluster_uid."
        )
    if expected_server and _address(server) != _address(expected_server):
        return (
            f"Wrong cluster: the credentials lead to {server}, the inventory wants {expected_server}. {where}; "
            "if the cluster has moved, correct service_mesh_cluster_server."
        )
    return ""


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def version_problem(version: str, minimum: str) -> str:
    """Whether the cluster is too old; any will do where ``minimum`` is empty."""
    if _number(version) >= _number(minimum):
        return ""
    return (
        f"The cluster runs Kubernetes {version}; minimum_version (preflight_minimum_version) is {minimum}. Upgrade the "
        "cluster. Or lower the minimum, together with istio_version: each release of Istio has a minimum of its own."
    )


def access_problem(denied: Sequence[Right], account: str) -> str:
    """Each resource of which something is denied, in a line of its own."""
    if not denied:
        return ""
    return (
        f"The account {account} may not do what the run needs. Have a role bound to it that allows the following, "
        f"or use another account (service_mesh_kubeconfig):{listed(denied)}"
    )
