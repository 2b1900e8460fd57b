# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Weights of routes."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Report, check
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.resource import VIRTUAL_SERVICE, items


@check(
    code="KIA1104",
    level="warning",
    title="Weight of a single destination",
    why="A single destination gets all requests, whatever its weight says.",
    remedy="Leave the weight out, or name the destination that is to get the rest.",
)
def single_weight(mesh: Mesh, report: Report) -> None:
    for service in mesh.of(VIRTUAL_SERVICE):
        for protocol in ("http", "tcp", "tls"):
            for index, route in items(service.spec, protocol):
                destinations = items(route, "route")
                if len(destinations) == 1 and (weight := destinations[0][1].get("weight")) not in (None, 0, 100):
                    path = ("spec", protocol, index, "route", 0, "weight")
                    report(service, path, f"the weight {weight} of the only destination counts as 100")
