# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a split between a Deployment and its copy needs beside the two: subsets, or a Service for each.

Each object that is made or changed has a note of that, by which it is removed or restored.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.adopted import dump
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import adoption
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import NETWORKING, full_host
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Objects, Ref

STABLE, CANARY = "stable", "canary"
# What the API server fills into a Service, apart from its ports.
_PORT_FIELDS = ("name", "port", "protocol", "targetPort", "appProtocol")


class AdoptionFailure(MeshError):
    """The application has objects with which a copy cannot get a share of the requests. The message names a fix."""


@dataclass(frozen=True)
class Change:
    """An object that adoption makes (``before`` None) or changes, or that detaching removes (``after`` None)."""

    ref: Ref
    before: Object | None  # pylint: disable=unsupported-binary-operation
    after: Object | None  # pylint: disable=unsupported-binary-operation


def rule_change(
    rules: Iterable[Object], namespace: str, service: str, subsets: Mapping[str, Mapping[str, str]]
) -> Change | None:
    """The DestinationRule of the namespace for the service, with these subsets. None if it has them.

    ``rules``: of all namespaces.
    """
    host = full_host(service, namespace)
    every = [*rules]
    own = [rule for rule in every if _host(rule) == host and rule["metadata"].get("namespace") == namespace]
    if not own:
        _refuse_shadowed(every, host)
        made = {
            "apiVersion": NETWORKING,
            "kind": "DestinationRule",
            "metadata": _metadata(f"{service}{_SUFFIX}", namespace, service, {"made": True}),
            "spec": {"host": service, "subsets": _entries(subsets)},
        }
        return Change(Ref.of(made), None, made)
    rule = next((each for each in own if adoption(service) in _annotations(each)), own[0])
    known = {entry["name"] for each in own for entry in each["spec"].get("subsets") or []}
    lacking = {name: labels for name, labels in subsets.items() if name not in known}
    if not lacking:
        return None
    note = json.loads(_annotations(rule).get(adoption(service), '{"added": []}'))
    if "added" in note:
        note["added"] = [*note["added"], *lacking]
    spec = {**rule["spec"], "subsets": [*(rule["spec"].get("subsets") or []), *_entries(lacking)]}
    annotations = {**_annotations(rule), adoption(service): dump(note)}
    after = {**rule, "metadata": {**rule["metadata"], "annotations": annotations}, "spec": spec}
    return Change(_rule_ref(namespace, rule["metadata"]["name"]), rule, after)


def rule_without(rule: Object, service: str) -> Change | None:
    """The rule as it was before. None if it was not adopted."""
    note = json.loads(_annotations(rule).get(adoption(service), "{}"))
    ref = _rule_ref(rule["metadata"]["namespace"], rule["metadata"]["name"])
    if note.get("made"):
        return Change(ref, rule, None)
    if "added" not in note:
        return None
    subsets = [entry for entry in rule["spec"]["subsets"] if entry["name"] not in note["added"]]
    spec = {key: value for key, value in rule["spec"].items() if key != "subsets"}
    after = without(rule, [adoption(service)])
    return Change(ref, rule, {**after, "spec": {**spec, **({"subsets": subsets} if subsets else {})}})


def without(obj: Object, names: Sequence[str]) -> Object:
    """The object without these annotations."""
    left = {key: value for key, value in _annotations(obj).items() if key not in names}
    metadata = {key: value for key, value in obj["metadata"].items() if key != "annotations"}
    return {**obj, "metadata": {**metadata, **({"annotations": left} if left else {})}}


def service_change(whole: Object, existing: Object | None, service: str, name: str, own: Mapping[str, str]) -> Change:
    """A Service for one side. ``whole``: that of both sides. ``own``: the label of the side's pods."""
    namespace = whole["metadata"]["namespace"]
    ports = [{key: port[key] for key in _PORT_FIELDS if key in port} for port in whole["spec"]["ports"]]
    selector = {**whole["spec"]["selector"], **own}
    made = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(name, namespace, service, {"made": True}),
        "spec": {"selector": selector, "ports": ports},
    }
    if existing and existing["spec"].get("selector") != selector:
        raise AdoptionFailure(
            f"Service {namespace}/{name} exists and selects other pods ({existing['spec'].get('selector') or {}}) than "
            f"this canary needs ({selector}). Rename it, or name the sides by stable.subset and "
            "canary.subset."
        )
    return Change(Ref("v1", "Service", namespace, name), existing, existing or made)


def side_of(subsets: Mapping[str, Mapping[str, str]], pod: Mapping[str, str], used: Sequence[str]) -> str:
    """The subset that selects these pods, preferably one that the route uses. Empty if none does."""
    fitting = [name for name, labels in subsets.items() if labels and labels.items() <= pod.items()]
    return next((name for name in (*used, *sorted(fitting)) if name in fitting), "")


def free_name(wanted: str, labels: Mapping[str, str], subsets: Mapping[str, Mapping[str, str]]) -> str:
    """The subset's name, or the next one that is not another version's."""
    if subsets.get(wanted, labels) == labels:
        return wanted
    return next(name for number in range(2, 99) if subsets.get(name := f"{wanted}-{number}", labels) == labels)


def strangers(pods: Objects, sides: Sequence[Mapping[str, str]]) -> list[str]:
    """The pods that belong to neither side."""
    labels = ((pod["metadata"]["name"], pod["metadata"].get("labels") or {}) for pod in pods)
    return sorted(name for name, own in labels if not any(side.items() <= own.items() for side in sides))


def _refuse_shadowed(rules: Iterable[Object], host: str) -> None:
    """A rule for the host alone replaces the policies of one for a pattern of hosts. Istio does not merge the two."""
    for rule in rules:
        pattern = str(rule["spec"].get("host", ""))
        fits = pattern.startswith("*") and host.endswith(pattern[1:])
        elsewhere = _host(rule) == host
        if rule["spec"].get("trafficPolicy") and (fits or elsewhere):
            name = f"{rule['metadata'].get('namespace', '')}/{rule['metadata']['name']}"
            raise AdoptionFailure(
                f"DestinationRule {name} for {pattern} sets the traffic policy of {host}. A rule with subsets for the "
                "service would replace it. Deploy a DestinationRule for the service with that policy first; the "
                "subsets are then added to it."
            )


_SUFFIX = "-canary"


def _metadata(name: str, namespace: str, service: str, note: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "namespace": namespace, "annotations": {adoption(service): dump(note)}}


def _entries(subsets: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    return [{"name": name, "labels": dict(labels)} for name, labels in subsets.items()]


def _host(rule: Object) -> str:
    return full_host(str(rule["spec"].get("host", "")), str(rule["metadata"].get("namespace", "")))


def _annotations(obj: Object) -> Mapping[str, str]:
    found: Mapping[str, str] = obj["metadata"].get("annotations") or {}
    return found


def _rule_ref(namespace: str, name: str) -> Ref:
    return Ref(NETWORKING, "DestinationRule", namespace, name)
