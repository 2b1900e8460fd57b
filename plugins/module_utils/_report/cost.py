from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.tables import blocks
from ansible_collections.corpv3.service_mesh.plugins.module_utils._document.document import Cell, Section


def section(data: Mapping[str, Any]) -> Section:
    return Section("cost", "Cost", blocks(data) if _is_known(data) else [], notes=data["notes"])


def overview(data: Mapping[str, Any]) -> Cell:
    if not _is_known(data):
        return Cell("not requested")
    total = data["totals"]["added"]["cost"]["total"]
    return Cell(f"{total:,.2f} {data['currency']} a month for mesh and observability")


def _is_known(data: Mapping[str, Any]) -> bool:
    return "components" in data
