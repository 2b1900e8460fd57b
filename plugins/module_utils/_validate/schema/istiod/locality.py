# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Load balancing by locality, as istiod's admission judges it."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.istiod.common import Faults, some

_TOPOLOGY = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone")


def locality_setting(faults: Faults, path: Path, setting: Object, has_outlier: bool) -> None:
    distribute = setting.get("distribute") or []
    failover = setting.get("failover") or []
    priority = setting.get("failoverPriority") or []
    if distribute and failover:
        faults.error((*path, "failover"), "a setting can have only one of distribute and failover")
        return
    for index, label in enumerate(priority) if failover else ():
        if label in _TOPOLOGY:
            faults.error(
                (*path, "failoverPriority", index), f"{label!r} cannot be in failoverPriority together with failover"
            )
            return
    for index, item in enumerate(distribute):
        where = (*path, "distribute", index, "to")
        shares: dict[str, int] = item.get("to") or {}
        for locality, weight in shares.items():
            if not 0 < weight <= 100:
                faults.error((*where, locality), f"{weight} is not a valid share (1 to 100)")
                return
        if sum(shares.values()) != 100:
            faults.error(where, f"the shares add up to {sum(shares.values())} instead of 100")
            return
        _localities(faults, [(locality, (*where, locality)) for locality in shares])
    froms = [(item.get("from") or "", (*path, "distribute", index, "from")) for index, item in enumerate(distribute)]
    _localities(faults, froms)
    _failover(faults, path, failover, priority, has_outlier)


def zone_aware_setting(faults: Faults, path: Path, setting: Object, has_outlier: bool) -> None:
    priority = setting.get("failoverPriority") or []
    for index, label in enumerate(priority):
        if label in _TOPOLOGY:
            faults.error((*path, "failoverPriority", index), f"{label!r}: regions and zones are handled automatically")
    _failover(faults, path, some(setting.get("failover")), priority, has_outlier)


def _failover(faults: Faults, path: Path, failover: list[Object], priority: list[str], has_outlier: bool) -> None:
    if (failover or priority) and not has_outlier:
        field = "failover" if failover else "failoverPriority"
        faults.warning((*path, field), "failover needs outlierDetection: otherwise no endpoint ever counts as failed")
    for index, item in enumerate(failover):
        where = (*path, "failover", index)
        before, after = item.get("from") or "", item.get("to") or ""
        if before == after:
            faults.error((*where, "to"), f"failover from {before!r} to the same region")
        for field, region in (("from", before), ("to", after)):
            if "/" in region or "*" in region:
                faults.error((*where, field), f"{region!r} is not a valid region: zones and * are not allowed here")


def _localities(faults: Faults, localities: list[tuple[str, Path]]) -> None:
    """region, region/zone or region/zone/subzone, with a ``*`` in the last part only; none within another one."""
    seen: dict[str, dict[str, set[str]]] = {}
    for locality, path in localities:
        parts = locality.split("/", 2)
        stars = locality.count("*")
        if stars > 1 or (stars and not locality.endswith("*")):
            faults.error(path, f"{locality!r}: one * is allowed, at the end")
            return
        if "" in parts:
            faults.error(path, f"{locality!r} has an empty part")
            return
        if not _add(seen, parts):
            faults.error(path, f"{locality!r} overlaps with an earlier one")
            return


def _add(seen: dict[str, dict[str, set[str]]], parts: list[str]) -> bool:
    region = parts[0]
    if "*" in seen or (len(parts) == 1 and region in seen):
        return False
    zones = seen.setdefault(region, {})
    if len(parts) == 1:
        zones["*"] = {"*"}
        return True
    zone = parts[1]
    if "*" in zones or (len(parts) == 2 and zone in zones):
        return False
    subzones = zones.setdefault(zone, set())
    if len(parts) == 2:
        subzones.add("*")
        return True
    if "*" in subzones or parts[2] in subzones:
        return False
    subzones.add(parts[2])
    return True
