# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What several kinds have in common: how a judge of a kind says what it found, selectors, targets, exportTo, labels.

A judge may rely on the types of the schema: objects that do not have them are not judged, as istiod does not see them.
A field may still be null.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.resource import Object, Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema import values
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.explain import Fault

_TARGETS = {
    ("", "Service"),
    ("core", "Service"),
    ("networking.istio.io", "ServiceEntry"),
    ("gateway.networking.k8s.io", "Gateway"),
    ("gateway.networking.k8s.io", "GatewayClass"),
}


class Say:
    """Where a judge leaves its findings."""

    __slots__ = ("faults",)

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def refused(self, path: Path, message: str) -> None:
        """istiod refuses the object. An empty message is none: what a function of values.py gives for a good value."""
        if message:
            self.faults.append(Fault(path, message))

    def doubted(self, path: Path, message: str) -> None:
        """istiod accepts it with a warning."""
        if message:
            self.faults.append(Fault(path, message, warning=True))


Judge = Callable[[Resource, Say], None]


def some(value: Any) -> Any:
    """The items of a list that may be missing."""
    return value or ()


def durations(say: Say, path: Path, value: Object, *names: str) -> None:
    for name in names:
        if text := value.get(name):
            say.refused((*path, name), values.bad_duration(text))


def labels(say: Say, path: Path, found: Mapping[str, str] | None) -> None:
    for key, value in (found or {}).items():
        say.refused((*path, key), values.bad_label_key(key) or values.bad_label_value(value))


def selector(say: Say, path: Path, value: Object | None, field: str = "matchLabels") -> None:
    """Of a policy (``matchLabels``) or of the older kinds (``labels``)."""
    if value is None:
        return
    found: Mapping[str, str] = value.get(field) or {}
    for key, text in found.items():
        if not key:
            say.refused((*path, field), "a label of the selector has no key")
        elif "*" in key or "*" in (text or ""):
            say.refused((*path, field, key), f"'{key}={text}' has a *, which selectors do not know")
    if not found:
        say.doubted(path, "the selector has no labels: it applies to every workload of the namespace")


def targets(say: Say, spec: Object, *, single: bool = True) -> None:
    """``targetRefs``, and ``targetRef``, which came before it."""
    for index, target in enumerate(some(spec.get("targetRefs"))):
        _target(say, ("spec", "targetRefs", index), target)
    if single and spec.get("targetRef") is not None:
        _target(say, ("spec", "targetRef"), spec["targetRef"])


def _target(say: Say, path: Path, target: Object) -> None:
    if not target.get("name"):
        say.refused((*path, "name"), "the target has no name")
    if target.get("namespace"):
        say.refused((*path, "namespace"), "a target in another namespace is not supported: leave the namespace out")
    group, kind = target.get("group") or "", target.get("kind") or ""
    if (group, kind) not in _TARGETS:
        named = f"{kind}.{group}" if group else kind
        wanted = "Service, ServiceEntry.networking.istio.io, Gateway and GatewayClass.gateway.networking.k8s.io"
        say.refused((*path, "kind"), f"{named!r} is no kind of target: {wanted} are")


def export_to(say: Say, resource: Resource, *, entry: bool = False, selected: bool = False) -> None:
    """entry: a ServiceEntry, which may be shown to nobody (~). selected: a DestinationRule of certain clients."""
    where = ("spec", "exportTo")
    written: list[str] = resource.spec.get("exportTo") or []
    namespaces: set[str] = set()
    for index, target in enumerate(written):
        namespace = resource.namespace if target == "." else target
        if namespace in namespaces:
            say.refused((*where, index), f"{target!r} is in exportTo twice")
        elif target == "~" and not entry:
            say.refused((*where, index), "'~', nobody, is for a ServiceEntry only")
        elif target not in ("~", "*", ".") and not values.is_label(target):
            say.refused((*where, index), f"{target!r} is neither a namespace nor '.' nor '*'")
        else:
            namespaces.add(namespace)
    if selected and namespaces and namespaces != {resource.namespace}:
        say.refused(
            where, "with a workloadSelector the rule applies to clients of its own namespace: only '.' can be here"
        )
    for alone, what in (("*", "every namespace"), ("~", "nobody")):
        if alone in namespaces and len(written) > 1:
            say.refused(where, f"'{alone}', {what}, cannot stand beside other namespaces")


def gateway_names(say: Say, path: Path, names: list[str] | None) -> None:
    for index, name in enumerate(names or ()):
        namespace, slash, own = name.partition("/")
        if not slash:
            say.refused((*path, index), values.bad_domain(name))
            # istiod does not look at the rest.
            return
        for part, what in ((namespace, "namespace"), (own, "gateway")):
            if not values.is_label(part):
                say.refused((*path, index), f"{part!r} in {name!r} is no name of a {what}")
