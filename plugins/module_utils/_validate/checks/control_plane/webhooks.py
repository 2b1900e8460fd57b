# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Webhooks of istiod: two that inject one pod, one whose istiod is missing, URLs of an external control plane."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items, part, texts
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.label_selectors import selector_matches
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import (
    INJECT,
    INJECTION,
    REVISION,
    Mesh,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.per_mesh import knows_in
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    MUTATING_WEBHOOK,
    SERVICE,
    VALIDATING_WEBHOOK,
    Path,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check

_INJECTOR = "istio-sidecar-injector"
_VALIDATOR = "istio-validator"
_DEFAULT_VALIDATOR = "istiod-default-validator"


class _Webhook(NamedTuple):
    owner: Resource
    place: int
    obj: Object

    @property
    def name(self) -> str:
        return f"{self.owner.name}/{self.obj.get('name')}"


def _revisions(owner: Resource) -> set[str]:
    """Revisions that the configuration or one of its selectors names."""
    found = {owner.labels[REVISION]} if isinstance(owner.labels.get(REVISION), str) else set()
    for _index, webhook in items(owner.obj, "webhooks"):
        for selector in (part(webhook, "namespaceSelector"), part(webhook, "objectSelector")):
            if isinstance(value := part(selector, "matchLabels").get(REVISION), str):
                found.add(value)
            for _place, expression in items(selector, "matchExpressions"):
                if expression.get("key") == REVISION:
                    found |= {value for _at, value in texts(expression, "values")}
    return found


def _injectors(mesh: Mesh) -> tuple[list[_Webhook], list[str]]:
    """Istio's injecting webhooks, and all revisions that they know."""
    webhooks: list[_Webhook] = []
    revisions: set[str] = set()
    for owner in mesh.of(MUTATING_WEBHOOK):
        mine = [_Webhook(owner, index, webhook) for index, webhook in items(owner.obj, "webhooks")]
        named = _revisions(owner)
        if named or any(str(webhook.obj.get("name")).endswith("istio.io") for webhook in mine):
            webhooks += mine
            revisions |= named
    return webhooks, sorted(revisions)


def _labels(switch: str, values: tuple[str, ...], revisions: list[str]) -> list[dict[str, str]]:
    """Every combination of labels that decides on injection."""
    bases: list[dict[str, str]] = [{}, *({switch: value} for value in values)]
    return [*bases, *({**base, REVISION: revision} for revision in revisions for base in bases)]


def _taken(label_sets: list[dict[str, str]], selector: Any) -> set[int]:
    return {place for place, labels in enumerate(label_sets) if selector_matches(selector, labels)}


@check(
    code="IST0139",
    level="error",
    title="Two webhooks inject the same pods",
    why="A pod is injected twice, whatever revisions the webhooks belong to, and starts with a broken proxy.",
    remedy="Remove the webhook of the older revision, or the tag beside it.",
)
def overlapping_webhooks(mesh: Mesh, report: Report) -> None:
    webhooks, revisions = _injectors(mesh)
    if len(webhooks) < 2:
        return
    spaces = _labels(INJECTION, ("enabled", "disabled"), revisions)
    pods = _labels(INJECT, ("true", "false"), revisions)
    # Which label sets each selector matches, computed once and not for each pair.
    takes = [
        (
            {
                place
                for place, labels in enumerate(spaces)
                if selector_matches(item.obj.get("namespaceSelector"), labels)
            },
            {place for place, labels in enumerate(pods) if selector_matches(item.obj.get("objectSelector"), labels)},
        )
        for item in webhooks
    ]
    reported: set[str] = set()
    for (one, mine), (other, theirs) in itertools.combinations(zip(webhooks, takes, strict=True), 2):
        if other.owner.name in reported or not (mine[0] & theirs[0] and mine[1] & theirs[1]):
            continue
        reported.add(other.owner.name)
        example = {**spaces[min(mine[0] & theirs[0])], **pods[min(mine[1] & theirs[1])]}
        labels = ", ".join(f"{key}={value}" for key, value in example.items()) or "no label"
        path: Path = ("webhooks", other.place, "name")
        report(other.owner, path, f"webhook '{other.name}' and '{one.name}' both inject pods with {labels}")


@check(
    code="IST0139",
    level="error",
    title="Webhook without its istiod",
    why="No pod that the webhook selects can start, or it starts without a proxy.",
    remedy="Remove what is left of the old control plane, or correct the name of the Service.",
    needs=[SERVICE],
)
def webhook_without_service(mesh: Mesh, report: Report) -> None:
    for webhook in _injectors(mesh)[0]:
        service = part(webhook.obj, "clientConfig", "service")
        namespace, name = str(service.get("namespace") or ""), str(service.get("name") or "")
        if name and knows_in(mesh, SERVICE, namespace) and not mesh.find(SERVICE, namespace, name):
            path = ("webhooks", webhook.place, "clientConfig", "service", "name")
            report(webhook.owner, path, f"Service '{namespace}/{name}' does not exist")


def _client_configs(mesh: Mesh) -> Iterator[tuple[Resource, Path, Object]]:
    for owner in mesh.of(VALIDATING_WEBHOOK, MUTATING_WEBHOOK):
        validator = owner.name == _DEFAULT_VALIDATOR or owner.name.startswith(_VALIDATOR)
        if validator if owner.kind == VALIDATING_WEBHOOK else owner.name.startswith(_INJECTOR):
            for index, webhook in items(owner.obj, "webhooks"):
                yield owner, ("webhooks", index, "clientConfig"), part(webhook, "clientConfig")


def _host(url: str) -> str | None:
    """None if the URL cannot be used."""
    try:
        parts = urlsplit(url)
        return parts.hostname if parts.scheme == "https" else None
    except ValueError:
        return None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@check(
    code="IST0163",
    level="warning",
    title="Webhook without the control plane's address",
    why="The API server cannot call istiod: pods start without a proxy, or do not start.",
    remedy="Set the https URL of the external control plane's gateway, or the Service of istiod.",
    alone=True,
)
def webhook_url(mesh: Mesh, report: Report) -> None:
    for owner, path, client in _client_configs(mesh):
        url = client.get("url")
        if url is None and not isinstance(client.get("service"), dict):
            report(owner, path, "neither url nor service is set, so istiod's address is missing")
        elif url is not None and not (isinstance(url, str) and _host(url)):
            report(owner, (*path, "url"), f"'{url}' is not an https URL with a host")


@check(
    code="IST0164",
    level="info",
    title="Control plane addressed by IP",
    why="The webhook fails as soon as the gateway of the external control plane gets another address.",
    remedy="Use a host name that follows the gateway.",
    alone=True,
)
def webhook_address(mesh: Mesh, report: Report) -> None:
    for owner, path, client in _client_configs(mesh):
        url = client.get("url")
        if isinstance(url, str) and (host := _host(url)) and _is_address(host):
            report(owner, (*path, "url"), f"'{host}' is an IP address, not a name")
