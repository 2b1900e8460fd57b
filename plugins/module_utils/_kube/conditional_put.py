# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Changing an object that others change as well: read, decide, write on condition that it is still as it was read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure, Writable
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Ref

ATTEMPTS = 20
CONFLICT = 409


class Conflict(ApiFailure):
    """Another writer was quicker at each attempt."""

    def __init__(self, ref: Ref, attempts: int) -> None:
        message = f"{ref} was changed by another writer at each of {attempts} attempts; nothing was written."
        super().__init__(CONFLICT, "Conflict", message)


@dataclass(frozen=True)
class Written:
    """What became of an object. ``before``: as it was read; empty where it was made.

    ``after``: as the API server has it now. Both are the same object where nothing needed a change.
    """

    before: Object
    after: Object
    attempts: int

    @property
    def changed(self) -> bool:
        return self.before != self.after


def conditional_put(
    cluster: Writable,
    ref: Ref,
    decide: Callable[[Object | None], Object],
    manager: str,
    refuse: Callable[[Object], None] | None = None,
    dry_run: bool = False,
    attempts: int = ATTEMPTS,
) -> Written:
    """Write what ``decide`` makes of the object; nothing where that is the same. After a conflict all is decided again.

    ``decide`` gets None where there is no object. ``refuse`` raises where the object must not be changed. It may take
    longer than reading and writing, so it is not asked again for a writer who only touched the metadata.
    ``manager``: the name of the field manager. Raises Conflict after the last attempt.
    """
    looked_at: Any = None
    for attempt in range(1, attempts + 1):
        before = cluster.get(ref)
        after = decide(before)
        if after == before:
            return Written(after, after, attempt)
        if refuse and before and before["spec"] != looked_at:
            refuse(before)
            looked_at = before["spec"]
        try:
            return Written(before or {}, put(cluster, ref, before, after, manager, dry_run), attempt)
        except ApiFailure as failure:
            if failure.status != CONFLICT:
                raise
    raise Conflict(ref, attempts)


def put(
    cluster: Writable, ref: Ref, before: Object | None, after: Object, manager: str, dry_run: bool = False
) -> Object:
    """One attempt. Raises ApiFailure 409 where the object is not ``before`` any more; None: where there is one."""
    query: list[tuple[str, Any]] = [("fieldManager", manager)]
    if dry_run:
        query.append(("dryRun", "All"))
    method, place = ("put", ref) if before else ("post", ref._replace(name=""))
    answer: Object = cluster.request(method, cluster.path(place), body=after, query=query)
    return answer
