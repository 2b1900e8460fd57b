# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What can be wrong with the connection to a cluster, and what to do about it, in words."""

from __future__ import annotations

import base64
import datetime
import importlib.metadata
import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.rights import Right, listed

_POD_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105  a path
_WHERE_CREDENTIALS_COME_FROM = (
    "Set kubeconfig (and context), or the K8S_AUTH_* environment variables. In AWX, attach a credential of type "
    "'OpenShift or Kubernetes API Bearer Token' to the job template."
)


class Given(NamedTuple):
    """The cluster that the user asked for: options of the module or their environment variables."""

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
    "No cluster is configured. This process runs inside a pod, so it would change the cluster in which Ansible itself "
    f"runs, as the pod's own service account. {_WHERE_CREDENTIALS_COME_FROM} If that is intended, set expected_uid "
    "to its uid."
)


def kubeconfig_problem(given: Given, environment: Mapping[str, str]) -> str:
    """What is wrong with the kubeconfig file, before the client library complains in its own words."""
    if given.host or isinstance(given.kubeconfig, dict):
        return ""
    named = str(given.kubeconfig or environment.get("KUBECONFIG") or "~/.kube/config")
    paths = [os.path.expanduser(path) for path in named.split(os.pathsep) if path]
    found = [path for path in paths if os.path.exists(path)]
    if not found:
        if not given.kubeconfig:
            return f"No cluster is configured, and {named} does not exist. {_WHERE_CREDENTIALS_COME_FROM}"
        return f"kubeconfig names {named}, which does not exist. {_WHERE_CREDENTIALS_COME_FROM}"
    contexts: list[str] = []
    for path in found:
        try:
            with open(path, encoding="utf-8") as file:
                content = yaml.load(file.read())
            contexts += [entry["name"] for entry in content.get("contexts") or ()]
        except OSError as error:
            return f"The kubeconfig {path} cannot be read: {error.strerror}. Check kubeconfig."
        except (yaml.YamlError, AttributeError, KeyError, TypeError, UnicodeDecodeError):
            return f"{path} is not a valid kubeconfig. Check kubeconfig."
    if given.context and given.context not in contexts:
        known = ", ".join(contexts) or "none"
        return f"The kubeconfig {named} has no context '{given.context}' (it has: {known}). Correct context."
    return ""


def expiry_of_token(token: str) -> datetime.datetime | None:
    """When a token that is a JWT expires; its signature is not verified."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return datetime.datetime.fromtimestamp(float(claims["exp"]), datetime.UTC)
    except (IndexError, KeyError, ValueError, TypeError):
        return None


def expiry_of_certificate(path: str) -> datetime.datetime | None:
    """When a certificate in a PEM file expires; unknown without the cryptography library."""
    try:
        from cryptography import x509

        with open(path, "rb") as file:
            certificate = x509.load_pem_x509_certificate(file.read())
        return certificate.not_valid_after.replace(tzinfo=datetime.UTC)
    except (ImportError, OSError, ValueError):
        return None


def ends_early(token: str, deadline: float) -> str:
    """That a token expires before it is no longer needed, at ``deadline`` (Unix time); empty if it may not."""
    ends = expiry_of_token(token)
    if ends is None or ends.timestamp() >= deadline:
        return ""
    return (
        f"the token of the API server was passed as a fixed value and expires at {ends:%H:%M:%S} UTC, before the run's "
        "deadline. After that the run cannot be resumed with this token, and the next reconciliation rolls it back. A "
        "kubeconfig with a tokenFile or an exec plugin is read again when a token expires."
    )


def credential_problem(server: str, token: str, certificate: str, now: datetime.datetime) -> str:
    """Why the API server does not accept our credentials."""
    for what, ends in (("token", expiry_of_token(token)), ("client certificate", expiry_of_certificate(certificate))):
        if ends and ends < now:
            return (
                f"The {what} for {server} expired at {ends:%Y-%m-%d %H:%M} UTC. Get a new one, "
                "and renew the kubeconfig (or the AWX credential)."
            )
    if not token and not certificate:
        return f"{server} requires authentication, and no credentials are given. {_WHERE_CREDENTIALS_COME_FROM}"
    return (
        f"{server} does not accept the credentials: they expired, were revoked, or belong to another cluster. "
        "Renew the kubeconfig (or the AWX credential)."
    )


def connection_problem(failure: ApiFailure, server: str) -> str:
    """Why the first request to the API server failed."""
    text = str(failure)
    if failure.status == 403:
        return f"{server} accepts the account but does not let it read the version: {text}"
    if failure.status:
        return f"{server} is not a healthy Kubernetes API server. It answers {failure.status}: {text}"
    if failure.reason == "NoConfiguration":
        return f"No usable cluster configuration: {text}. {_WHERE_CREDENTIALS_COME_FROM}"
    if "CERTIFICATE_VERIFY_FAILED" in text or "certificate" in text.lower():
        return (
            f"The certificate of {server} is not trusted: {text}. Set its CA in the kubeconfig, or in "
            "K8S_AUTH_SSL_CA_CERT (the CA field of the AWX credential)."
        )
    return (
        f"{server} cannot be reached: {text}. Check that the cluster is up, that kubeconfig and context lead to it, "
        "and whether a VPN or a proxy (K8S_AUTH_PROXY) is in between."
    )


def _address(url: str) -> tuple[str, str, int, str]:
    parts = urlsplit(url if "://" in url else f"https://{url}")
    port = parts.port or (80 if parts.scheme == "http" else 443)
    return (parts.scheme, (parts.hostname or "").lower(), port, parts.path.rstrip("/"))


def identity_problem(server: str, uid: str, expected_server: str, expected_uid: str) -> str:
    """Whether this is the cluster that the inventory means."""
    where = "Check kubeconfig, context and K8S_AUTH_*"
    if not expected_uid and not expected_server:
        found = f"expected_uid: {uid}" if uid else f"expected_server: {server}"
        return (
            f"Neither expected_uid nor expected_server is set, and the credentials lead to {server}. "
            f"If that is the right one, set {found}"
        )
    if expected_uid and not uid:
        return (
            "The account may not read namespace kube-system, whose uid identifies the cluster. Allow it 'get' on that "
            "namespace, or set expected_server instead of expected_uid."
        )
    if expected_uid and uid != expected_uid:
        return (
            f"Wrong cluster: {server} has the uid {uid}, but expected_uid is {expected_uid}. {where}. "
            "If the cluster was recreated, correct expected_uid."
        )
    if expected_server and _address(server) != _address(expected_server):
        return (
            f"Wrong cluster: the credentials lead to {server}, but expected_server is {expected_server}. {where}. "
            "If the cluster has moved, correct expected_server."
        )
    return ""


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def version_problem(version: str, minimum: str) -> str:
    """Whether the cluster is too old; every version is accepted if ``minimum`` is empty."""
    if _number(version) >= _number(minimum):
        return ""
    return (
        f"The cluster runs Kubernetes {version}, and minimum_version is {minimum}. Upgrade the cluster. Or lower the "
        "minimum together with the release of Istio: each release has its own minimum."
    )


def access_problem(denied: Sequence[Right], account: str) -> str:
    """Each denied resource on its own line."""
    if not denied:
        return ""
    return (
        f"The account {account} lacks rights for this run. Bind a role to it that allows the following, "
        f"or use another account (kubeconfig):{listed(denied)}"
    )


def library_problem() -> str:
    """Versions of the client library that send no token at all (kubernetes-client/python #2582)."""
    try:
        version = importlib.metadata.version("kubernetes")
    except importlib.metadata.PackageNotFoundError:
        return ""
    if version not in ("36.0.0", "36.0.1"):
        return ""
    return (
        f"The Python library kubernetes {version} drops tokens, so every request is anonymous. Install another version."
    )
