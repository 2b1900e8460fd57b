# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The whole report: the sections, and a summary line for each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._document.document import (
    ERROR,
    GOOD,
    INFO,
    WARNING,
    Cell,
    Document,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._document.html import html
from ansible_collections.corpv3.service_mesh.plugins.module_utils._document.markdown import markdown
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import FINAL
from ansible_collections.corpv3.service_mesh.plugins.module_utils._report import cost, registries, sections
from ansible_collections.corpv3.service_mesh.plugins.module_utils._report.certificates import GATEWAY
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.services import NOT_MEASURED

Data = Mapping[str, Any]
ENDINGS = {"html": ".html", "markdown": ".md", "json": ".json"}
_NO_SIDECAR = "without a sidecar"
# In reading order. Long and rarely needed sections come last.
_SECTIONS = (
    ("cluster", sections.cluster),
    ("versions", sections.versions),
    ("registries", registries.section),
    ("traffic", sections.traffic),
    ("validation", sections.validation),
    ("canaries", sections.canaries),
    ("certificates", sections.certificates),
    ("cost", cost.section),
    ("versions", sections.images),
)


def rendered(form: str, data: Data) -> str:
    """The report in one of ENDINGS' forms."""
    if form == "json":
        return json.dumps(data, indent=2) + "\n"
    write = html if form == "html" else markdown
    return write(document_of(data))


def document_of(data: Data) -> Document:
    found = data["cluster"]
    parts = [f"{sections.moment(data['created'])} UTC"]
    parts += [
        f"{name} {found[key]}" for name, key in (("cluster", "name"), ("environment", "environment")) if found[key]
    ]
    parts.append(f"namespaces {', '.join(data['namespaces'])}" if data["namespaces"] else "all namespaces")
    subtitle = "; ".join(parts)
    return Document(
        data["title"],
        subtitle,
        data["change"],
        [*overview(data)],
        [section(data[key]) for key, section in _SECTIONS],
    )


def overview(data: Data) -> Iterator[tuple[str, str, Cell]]:
    yield ("traffic", "Services", _services(data["traffic"]))
    yield ("versions", "Proxies", _proxies(data["versions"]["proxies"]))
    yield ("registries", "Istio's registries", registries.overview(data["registries"]))
    yield ("validation", "Validation", _findings(data["validation"]["summary"]))
    yield ("canaries", "Canaries", _canaries(data["canaries"]))
    yield ("certificates", "Certificates", _certificates(data["certificates"]))
    yield ("cost", "Cost", cost.overview(data["cost"]))


def _services(data: Data) -> Cell:
    states = Counter(_state(item) for item in data["services"] if item["workloads"])
    if not states:
        return Cell("none seen", WARNING)
    counts = ", ".join(f"{states[state]} {state}" for state in (*sections.HEALTH, _NO_SIDECAR) if states[state])
    is_measured = states["healthy"] or states["idle"]
    tone = ERROR if states["failed"] else WARNING if states["degraded"] or not is_measured else GOOD
    return Cell(counts, tone)


def _state(service: Data) -> str:
    """Its health. That nothing counts the requests is normal for a service without a sidecar."""
    return _NO_SIDECAR if service["health"] == NOT_MEASURED and service["mtls"] == "none" else str(service["health"])


def _proxies(data: Data) -> Cell:
    if not data["total"]:
        return Cell("none seen", WARNING)
    return Cell(f"{data['in_sync']} of {data['total']} in sync", GOOD if data["in_sync"] == data["total"] else ERROR)


def _findings(summary: Data) -> Cell:
    counts = [f"{summary[level]} {level}{'' if summary[level] == 1 else 's'}" for level in ("error", "warning")]
    tone = ERROR if summary["error"] else WARNING if summary["warning"] else GOOD
    return Cell(", ".join(counts), tone)


def _canaries(data: Data) -> Cell:
    active = [item for item in data["runs"] if item["phase"] not in FINAL]
    if drifted := sum(bool(item["drift"]) for item in data["runs"]):
        return Cell(f"{len(active)} in progress, {drifted} with drift", WARNING)
    if active:
        return Cell(f"{len(active)} in progress", INFO)
    return Cell("none in progress", WARNING if data["notes"] else GOOD)


def _certificates(data: Data) -> Cell:
    found = data["certificates"]
    known = [item for item in found if item["days_left"] is not None]
    if len(known) < len(found):
        return Cell(f"{len(found) - len(known)} unreadable or missing", ERROR)
    if not known:
        return Cell("none seen", WARNING)
    # Webhooks are trusted by a CA: what expires soon, and is renewed by hand, are the gateways' own.
    served = [item["days_left"] for item in known if item["use"] == GATEWAY]
    trusted = [item["days_left"] for item in known if item["use"] != GATEWAY]
    texts = [f"{name} {_expiry(min(days))}" for name, days in (("first", served), ("CA", trusted)) if days]
    tone = sections.expiry_tone(min([*served, *trusted]), data["warn_days"])
    return Cell("; ".join(texts), WARNING if data["notes"] and tone == GOOD else tone)


def _expiry(days: int) -> str:
    return f"expires in {days} day{'' if days == 1 else 's'}" if days >= 0 else "has expired"
