"""Faults that the stand-ins show while they run, kept in one file that all of them read."""

from __future__ import annotations

import json
from typing import Any

from .settings import Settings


def apply(settings: Settings, fault: dict[str, Any]) -> dict[str, Any]:
    """Set the fault of a service and version ({"clear": true} takes away those that it names, all if it names none)."""
    current: list[dict[str, Any]] = []
    if settings.faults.exists():
        current = json.loads(settings.faults.read_text(encoding="utf-8"))
    kept = [entry for entry in current if not _covers(fault, entry)]
    if not fault.get("clear"):
        kept.append({key: value for key, value in fault.items() if value not in (None, "", False, 0)})
    copy = [settings.shared / settings.faults.name] if settings.shared.exists() else []
    for path in (settings.faults, *copy):
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(kept, indent=1), encoding="utf-8")
        temporary.replace(path)
    return {"changed": kept != current, "faults": kept}


def _covers(fault: dict[str, Any], entry: dict[str, Any]) -> bool:
    """Whether a new fault replaces (or a clearing one removes) an entry."""
    if fault.get("clear") and not fault.get("service"):
        return True
    same_version = not fault.get("version") or fault["version"] == entry.get("version")
    return bool(fault.get("service") == entry["service"] and same_version)
