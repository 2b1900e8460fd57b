# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What several kinds have in common: how a judge of a kind reports what it found, selectors, targets, exportTo, labels.

A judge may rely on the types of the schema: objects with other types are not judged, since istiod never sees them.
A field may still be null.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.explain import Fault
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.language import values

_TARGETS = {
    ("", "Service"),
    ("core", "Service"),
    ("networking.istio.io", "ServiceEntry"),
    ("gateway.networking.k8s.io", "Gateway"),
    ("gateway.networking.k8s.io", "GatewayClass"),
}


class Faults:
    """What a judge finds.

    ``root_namespace``: the mesh's, in which an object can apply to every namespace. istiod's admission ignores that.
    """

    __slots__ = ("found", "root_namespace")

    def __init__(self, root_namespace: str) -> None:
        self.found: list[Fault] = []
        self.root_namespace = root_namespace

    def error(self, path: Path, message: str, remedy: str = "") -> None:
        """istiod refuses the object. An empty message is ignored: values.py returns it for a valid value."""
        if message:
            self.found.append(Fault(path, message, remedy=remedy))

    def warning(self, path: Path, message: str) -> None:
        """istiod accepts it with a warning."""
        if message:
            self.found.append(Fault(path, message, warning=True))


Judge = Callable[[Resource, Faults], None]


def some(value: Any) -> Any:
    """The items of a list that may be missing."""
    return value or ()


def durations(faults: Faults, path: Path, value: Object, *names: str) -> None:
    for name in names:
        if text := value.get(name):
            faults.error((*path, name), values.bad_duration(text))


def labels(faults: Faults, path: Path, found: Mapping[str, str] | None) -> None:
    for key, value in (found or {}).items():
        faults.error((*path, key), values.bad_label_key(key) or values.bad_label_value(value))


def selector(faults: Faults, path: Path, value: Object | None, field: str = "matchLabels") -> None:
    """Of a policy (``matchLabels``) or of the older kinds (``labels``)."""
    if value is None:
        return
    found: Mapping[str, str] = value.get(field) or {}
    for key, text in found.items():
        if not key:
            faults.error((*path, field), "the selector has a label with an empty key")
        elif "*" in key or "*" in (text or ""):
            faults.error((*path, field, key), f"'{key}={text}' has a *, which selectors do not support")
    if not found:
        faults.warning(path, "the selector has no labels: it applies to every workload of the namespace")


def targets(faults: Faults, spec: Object, *, single: bool = True) -> None:
    """``targetRefs``, and ``targetRef``, its predecessor."""
    for index, target in enumerate(some(spec.get("targetRefs"))):
        _target(faults, ("spec", "targetRefs", index), target)
    if single and spec.get("targetRef") is not None:
        _target(faults, ("spec", "targetRef"), spec["targetRef"])


def _target(faults: Faults, path: Path, target: Object) -> None:
    if not target.get("name"):
        faults.error((*path, "name"), "the target has no name")
    if target.get("namespace"):
        faults.error((*path, "namespace"), "a target in another namespace is not supported: leave the namespace out")
    group, kind = target.get("group") or "", target.get("kind") or ""
    if (group, kind) not in _TARGETS:
        named = f"{kind}.{group}" if group else kind
        wanted = "Service, ServiceEntry.networking.istio.io, Gateway and GatewayClass.gateway.networking.k8s.io"
        faults.error((*path, "kind"), f"{named!r} is not a valid kind of target; valid are {wanted}")


def export_to(faults: Faults, resource: Resource, *, entry: bool = False, selected: bool = False) -> None:
    """entry: a ServiceEntry, which may be visible nowhere (~). selected: a DestinationRule for selected clients."""
    where = ("spec", "exportTo")
    written: list[str] = resource.spec.get("exportTo") or []
    namespaces: set[str] = set()
    for index, target in enumerate(written):
        namespace = resource.namespace if target == "." else target
        if namespace in namespaces:
            faults.error((*where, index), f"{target!r} is in exportTo twice")
        elif target == "~" and not entry:
            faults.error((*where, index), "'~' (no namespace) is allowed for a ServiceEntry only")
        elif target not in ("~", "*", ".") and not values.is_label(target):
            faults.error((*where, index), f"{target!r} is not a namespace, '.' or '*'")
        else:
            namespaces.add(namespace)
    if selected and namespaces and namespaces != {resource.namespace}:
        faults.error(
            where, "with a workloadSelector the rule applies to clients of its own namespace: only '.' is allowed here"
        )
    for alone, what in (("*", "every namespace"), ("~", "no namespace")):
        if alone in namespaces and len(written) > 1:
            faults.error(where, f"'{alone}' ({what}) cannot be combined with other namespaces")


def gateway_names(faults: Faults, path: Path, names: list[str] | None) -> None:
    for index, name in enumerate(names or ()):
        namespace, slash, own = name.partition("/")
        if not slash:
            faults.error((*path, index), values.bad_domain(name))
            # istiod does not check the rest.
            return
        for part, what in ((namespace, "namespace"), (own, "gateway")):
            if not values.is_label(part):
                faults.error((*path, index), f"{part!r} in {name!r} is not a valid {what} name")
