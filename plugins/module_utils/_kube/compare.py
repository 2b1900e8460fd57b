# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Desired objects against live ones, by the API server's own dry run."""

from __future__ import annotations

import threading
from collections.abc import Container, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import Api, ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.fields import (
    IgnoreRule,
    contains,
    includes,
    merged,
    normalise,
    without_ignored,
    without_removed,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import (
    Identity,
    Object,
    Ref,
    abridged,
    helm_owner,
    masked,
    with_encoded_data,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.readiness import explanation, not_ready

_THREADS = 8


@dataclass(frozen=True)
class Change:
    """What is to happen, or has happened, to one object."""

    ref: Ref
    change: str
    before: Object | None = None
    after: Object | None = None
    # Why the API server does not take the object.
    refusal: str = ""
    # The release to which the live object belongs.
    owner: str = ""

    def report(self) -> dict[str, str]:
        ref = self.ref
        return {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name, "change": self.change}

    def diff(self) -> dict[str, str]:
        before, after = (masked(side) if side else None for side in (self.before, self.after))
        if not before or not after:
            # Where all is new or gone, only the gist of long schemas is of interest.
            before, after = before and abridged(before), after and abridged(after)
        return {
            "before_header": str(self.ref),
            "after_header": str(self.ref),
            "before": yaml.dump(before) if before else "",
            "after": yaml.dump(after) if after else "",
        }


class Comparison:
    """Compares objects with one cluster; collects warnings on the way."""

    def __init__(self, api: Api, manager: str, ignores: Iterable[IgnoreRule] = ()) -> None:
        self._api = api
        self._manager = manager
        self._ignores = tuple(ignores)
        self._warnings: dict[str, None] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(_THREADS)

    @property
    def warnings(self) -> list[str]:
        return list(self._warnings)

    def close(self) -> None:
        self._pool.shutdown()

    def changes(self, desired: Sequence[Object], previous: Mapping[Identity, Object]) -> list[Change]:
        """``previous``: the objects of the last time, for what they had and the desired ones lack."""
        return list(self._pool.map(lambda obj: self._change(obj, previous.get(Ref.of(obj).identity)), desired))

    def removals(self, refs: Iterable[Ref]) -> list[Change]:
        """Deletions, of those objects that are still there."""
        found = self._pool.map(lambda ref: (ref, self._api.get(ref)), refs)
        return [Change(ref, "deleted", before=normalise(live)) for ref, live in found if live]

    def _warn(self, text: str) -> None:
        with self._lock:
            self._warnings[text] = None

    def _change(self, obj: Object, previous: Object | None) -> Change:
        ref = Ref.of(obj)
        if self._api.resource(ref.api_version, ref.kind) is None:
            return Change(ref, "created", after=normalise(obj))
        live = self._api.get(ref)
        if live and previous and _nothing_to_do(normalise(live), normalise(previous), normalise(obj)):
            return Change(ref, "unchanged", normalise(live), normalise(live), owner=helm_owner(live))
        change = self._change_of(ref, obj, live, previous)
        return replace(change, owner=helm_owner(live)) if live else change

    def _change_of(self, ref: Ref, obj: Object, live: Object | None, previous: Object | None) -> Change:
        created = Change(ref, "created", after=normalise(obj))
        try:
            predicted = self._api.apply(obj, self._manager, dry_run=True)
        except ApiFailure as failure:
            refusal = str(failure) if failure.is_refusal else ""
            if live is None:
                return replace(created, refusal=refusal)
            if refusal:
                before = normalise(live)
                return Change(ref, "changed", before, merged(before, created.after), refusal)
            return self._change_by_fields(ref, obj, live, failure)
        if live is None:
            return created
        before, after = normalise(live), normalise(predicted)
        if previous is not None:
            after = without_removed(after, normalise(previous), normalise(obj))
        return self._judged(ref, before, after)

    def _change_by_fields(self, ref: Ref, obj: Object, live: Object, failure: ApiFailure) -> Change:
        """For when the API server can make no dry run: a webhook is down or knows no dry run."""
        if failure.status in (0, 401):
            raise failure
        if "duplicate entries" not in str(failure):
            self._warn(f"{ref}: no dry run ({failure}); its fields were compared one by one instead")
        before, wanted = normalise(live), normalise(obj)
        if contains(without_ignored(before, self._ignores), without_ignored(wanted, self._ignores)):
            return Change(ref, "unchanged", before, before)
        return Change(ref, "changed", before, merged(before, wanted))

    def _judged(self, ref: Ref, before: Object, after: Object) -> Change:
        ours, theirs = (without_ignored(side, self._ignores) for side in (after, before))
        return Change(ref, "unchanged" if ours == theirs else "changed", before, after)


def _nothing_to_do(live: Object, previous: Object, desired: Object) -> bool:
    """Spares the API server a dry run, which for one of Istio's definitions takes it a tenth of a second."""
    return includes(live, desired) and without_removed(live, previous, desired) == live


def defined_kinds(objects: Iterable[Object]) -> dict[tuple[str, str], bool]:
    """Group and kind of every definition among the objects, and whether it is namespaced."""
    return {
        (obj["spec"]["group"], obj["spec"]["names"]["kind"]): obj["spec"].get("scope") == "Namespaced"
        for obj in objects
        if obj.get("kind") == "CustomResourceDefinition"
    }


def placed(api: Api, objects: Iterable[Object], namespace: str, definitions: Iterable[Object]) -> list[Object]:
    """The objects as they will be kept: with a namespace where their kind wants one, and without one where not."""
    scopes = defined_kinds(definitions)
    result = []
    for obj in objects:
        ref = Ref.of(obj)
        served = api.resource(ref.api_version, ref.kind)
        namespaced = served.namespaced if served else scopes.get((ref.group, ref.kind), True)
        metadata = {key: value for key, value in obj["metadata"].items() if key != "namespace"}
        if namespaced:
            metadata["namespace"] = ref.namespace or namespace
        result.append(with_encoded_data({**obj, "metadata": metadata}))
    return result


def refusals(changes: Iterable[Change], redefined: Container[tuple[str, str]]) -> list[str]:
    """What the API server refuses; for kinds that are about to change this is unknown."""
    return [
        f"the API server does not take {change.ref}: {change.refusal}"
        for change in changes
        if change.refusal and (change.ref.group, change.ref.kind) not in redefined
    ]


def unready(api: Api, refs: Iterable[Ref]) -> list[str]:
    """The objects that are not ready, each with everything that may explain it."""
    events: dict[str, list[Object]] = {}
    lines = []
    for ref in refs:
        obj = api.get(ref)
        if obj and not not_ready(obj):
            continue
        if ref.namespace not in events:
            events[ref.namespace] = api.events(ref.namespace) if ref.namespace else []
        line = explanation(ref, obj, _pods(api, obj), events[ref.namespace])
        if line:
            lines.append(line)
    return lines


def _pods(api: Api, obj: Object | None) -> list[Object]:
    selector = ((obj or {}).get("spec") or {}).get("selector")
    labels = selector.get("matchLabels") if isinstance(selector, dict) else None
    if not obj or not labels:
        return []
    return api.list("v1", "Pod", Ref.of(obj).namespace, ",".join(f"{key}={value}" for key, value in labels.items()))
