# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Objects that the files define more than once."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.mesh import Mesh


@check(
    code="MESH219",
    level="warning",
    title="Object defined twice",
    why="The one that is applied last wins, and the other is lost without a word. Only the first was looked at here.",
    remedy="Keep one of the two.",
)
def repeated_object(mesh: Mesh, report: Report) -> None:
    for earlier, later in mesh.duplicates:
        # The same text in two places does no harm.
        if earlier.obj == later.obj:
            continue
        fields = sorted(str(key) for key in {*earlier.obj, *later.obj} if earlier.obj.get(key) != later.obj.get(key))
        where = f"{earlier.source.file}:{earlier.source.line}" if earlier.source.file else "the cluster"
        message = f"{later!r} is defined in {where} already, with another {', '.join(fields)}"
        report(later, ("metadata", "name"), message)
