# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Rules and matches of a VirtualService that no request reaches."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.judging import (
    routes_without_requests,
)


@check(
    code="IST0130",
    level="warning",
    title="A rule is never used",
    why="Rules are tried in order, and an earlier one takes every request that this one matches.",
    remedy="Move the rule before the one that takes its requests, or remove it.",
    alone=True,
)
def unreachable_rule(mesh: Mesh, report: Report) -> None:
    for resource, dead in routes_without_requests(mesh):
        if dead.is_rule:
            report(resource, dead.path, dead.message)


@check(
    code="IST0131",
    level="info",
    title="A match is never used",
    why="An earlier match takes every request that this one matches.",
    remedy="Put the narrower match first, or remove it.",
    alone=True,
)
def ineffective_match(mesh: Mesh, report: Report) -> None:
    for resource, dead in routes_without_requests(mesh):
        if not dead.is_rule:
            report(resource, dead.path, dead.message)
