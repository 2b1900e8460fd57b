# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which definitions of the Gateway API a cluster gets: never older ones, and never those of another channel.

A release is one manifest for each channel. Its definitions are annotated with the release and the channel. From 1.5 on,
it also has the ValidatingAdmissionPolicy ``safe-upgrades.gateway.networking.k8s.io``, by which the API server refuses
the experimental channel in place of the standard one, and releases before 1.5 (config/crd/standard of the API's
repository, v1.6.0). What is refused here would be refused by it, or would drop fields and kinds that are in use.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object

_DEFINITION = "CustomResourceDefinition"
_GROUPS = ("gateway.networking.k8s.io", "gateway.networking.x-k8s.io")
_KINDS = (_DEFINITION, "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
# Annotations of a definition.
BUNDLE = "gateway.networking.k8s.io/bundle-version"
CHANNEL = "gateway.networking.k8s.io/channel"
# Labels of programs that apply definitions again, which would revert a change.
_OWNERS = ("app.kubernetes.io/managed-by", "addonmanager.kubernetes.io/mode")


class Decision(NamedTuple):
    """``objects``: to apply. ``problems``: why none of them may be. ``notes``: what the user should know."""

    objects: Sequence[Object] = ()
    problems: Sequence[str] = ()
    notes: Sequence[str] = ()


def decide(release: Sequence[Object], live: Sequence[Object], version: str, channel: str) -> Decision:
    """What to apply of a release.

    ``release``: the objects of its manifest. ``live``: the cluster's CustomResourceDefinitions, of any group.
    ``version`` and ``channel``: what the user asked for, such as 1.6.0 and standard.
    """
    problems = _manifest_problems(release, version, channel)
    if problems:
        return Decision(problems=problems)
    definitions = [obj for obj in release if obj["kind"] == _DEFINITION]
    existing = [obj for obj in live if obj["spec"]["group"] in _GROUPS]
    newer = sorted({_annotation(obj, BUNDLE) for obj in existing if _number(obj) > _number_of(version)})
    if newer:
        return Decision(
            notes=[f"The Gateway API's definitions stay at {', '.join(newer)}, which is newer than {version}."]
        )
    problems = [
        *(problem for obj in existing if (problem := _owner_problem(obj))),
        *_channel_problem(existing, channel),
        *_stored_problems(definitions, existing),
    ]
    return Decision(problems=problems) if problems else Decision(objects=release)


def _manifest_problems(release: Sequence[Object], version: str, channel: str) -> list[str]:
    """Whether it is what the user asked for."""
    foreign = [f"{obj.get('kind')} {obj.get('metadata', {}).get('name')}" for obj in release if not _belongs(obj)]
    if foreign:
        return [
            f"The manifest has objects that do not belong to a release of the Gateway API: {', '.join(foreign[:3])}."
        ]
    definitions = [obj for obj in release if obj["kind"] == _DEFINITION]
    if not definitions:
        return ["The manifest has no definitions of the Gateway API."]
    for key, wanted in ((BUNDLE, f"v{version}"), (CHANNEL, channel)):
        others = sorted({_annotation(obj, key) or "(none)" for obj in definitions} - {wanted})
        if others:
            return [f"The manifest has definitions with {key} {', '.join(others)}, not {wanted}."]
    return []


def _belongs(obj: Object) -> bool:
    """Whether a release of the API has such objects."""
    name = str(obj.get("metadata", {}).get("name", ""))
    return obj.get("kind") in _KINDS and name.endswith(_GROUPS)


def _owner_problem(obj: Object) -> str:
    """Why another program would revert a change of the definition. Empty if none would."""
    labels = obj["metadata"].get("labels") or {}
    name = obj["metadata"]["name"]
    for key in _OWNERS:
        if key in labels:
            return f"{name} has the label {key}={labels[key]}: its owner would revert a change."
    if not _annotation(obj, BUNDLE):
        return f"{name} has no annotation {BUNDLE}, so its release is unknown."
    return ""


def _channel_problem(existing: Sequence[Object], channel: str) -> list[str]:
    others = {_annotation(obj, CHANNEL) for obj in existing if obj["spec"]["group"] == _GROUPS[0]} - {channel, ""}
    return [
        f"The cluster has the {other} channel. Another channel would drop kinds or fields that are in use."
        for other in others
    ]


def _stored_problems(definitions: Sequence[Object], existing: Sequence[Object]) -> list[str]:
    """The API server refuses a definition without a version in which objects are stored."""
    found = []
    served = {obj["metadata"]["name"]: {each["name"] for each in obj["spec"]["versions"]} for obj in definitions}
    for obj in existing:
        name = obj["metadata"]["name"]
        lost = set((obj.get("status") or {}).get("storedVersions") or ()) - served.get(name, set())
        if name in served and lost:
            found.append(
                f"{name} has objects stored as {', '.join(sorted(lost))}, which the release no longer has. "
                "Store them in a newer version first."
            )
    return found


def _annotation(obj: Object, key: str) -> str:
    return str((obj["metadata"].get("annotations") or {}).get(key, ""))


def _number(obj: Object) -> tuple[int, ...]:
    return _number_of(_annotation(obj, BUNDLE))


def _number_of(version: str) -> tuple[int, ...]:
    """For a comparison. A release candidate counts as its release."""
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("-")[0]))
