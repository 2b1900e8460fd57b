# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What can be corrected without a doubt: findings as edits of their files.

Only changes that cannot mean anything else: a typo in the name of a field if one known name is near, a deprecated field
with an exact successor, a typo in a port's protocol, a duration whose unit Istio does not know in this form.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.lenient import items
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.finding import Finding
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.nearest import is_slip
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.protocols import PROTOCOLS
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.yaml_edits import Edit
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.language import go

# Deprecated field -> its successor, and the field of the successor that has the value.
_SUCCESSORS = {
    "minimumRingSize": ("ringHash", "minimumRingSize"),
    "mirrorPercent": ("mirrorPercentage", "value"),
    "mirror_percent": ("mirrorPercentage", "value"),
    "percent": ("percentage", "value"),
    "warmupDurationSecs": ("warmup", "duration"),
}
_UNITS = {
    "ms": ("ms", "msec", "msecs", "millisecond", "milliseconds"),
    "s": ("s", "sec", "secs", "second", "seconds"),
    "m": ("m", "min", "mins", "minute", "minutes"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "d": ("d", "day", "days"),
}
_UNIT_OF = {form: unit for unit, forms in _UNITS.items() for form in forms}
_AMOUNT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]+)\s*")
_HOURS_OF_A_DAY = 24
# In messages about the form of a duration: istiod's, and the Gateway API's pattern.
_OF_DURATIONS = ("duration", "(h|m|s|ms)")


def edits_of(findings: Iterable[Finding], resources: Iterable[Resource]) -> list[tuple[Finding, Edit]]:
    """Findings with the edit that corrects them, those without one left out. ``resources``: the whole input."""
    found = [(finding, edit) for finding in findings if (edit := _edit_of(finding))]
    names = {_value(finding) for finding, _edit in found if _is_name_of_port(finding)}
    if not names:
        return found
    # A port's name may be used elsewhere: by an Ingress, a ServiceMonitor, as the targetPort.
    used = _uses(resources, names)
    ports = [(finding, edit) for finding, edit in found if _is_name_of_port(finding)]
    return [
        (finding, edit)
        for finding, edit in found
        if not _is_name_of_port(finding) or (used[_value(finding)] == 1 and _are_unique(finding, edit, ports))
    ]


def _edit_of(finding: Finding) -> Edit | None:
    code = finding.rule.code
    path = finding.resource.source.prefix + finding.path
    if not finding.resource.source.text or not finding.path or not isinstance(finding.path[-1], str):
        return None
    if code == "MESH101":
        return Edit(path, key=finding.meant) if finding.meant else None
    if code == "IST0118":
        return _port(finding, path)
    if code in ("IST0002", "IST0133") and "is deprecated; use" in finding.message:
        successor = _SUCCESSORS.get(finding.path[-1])
        return Edit(path, key=successor[0], below=successor[1]) if successor else None
    if code == "IST0106" and any(form in finding.message for form in _OF_DURATIONS):
        form = duration(_value(finding))
        return Edit(path, value=form) if form else None
    return None


def _port(finding: Finding, path: Path) -> Edit | None:
    value = _value(finding)
    if not finding.meant or not isinstance(value, str):
        return None
    protocol, dash, rest = value.partition("-")
    # In tcp1 and tcp2, the number is not a typo.
    if _digits(protocol) != _digits(finding.meant):
        return None
    if [known for known in PROTOCOLS if is_slip(protocol, known)] != [finding.meant]:
        return None
    return Edit(path, value=f"{finding.meant}{dash}{rest}")


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdigit())


def _are_unique(finding: Finding, edit: Edit, others: Iterable[tuple[Finding, Edit]]) -> bool:
    """Whether the Service has no other port with the new name, and gets none."""
    names = [port.get("name") for _index, port in items(finding.resource.spec, "ports")]
    names += [one.value for other, one in others if other.resource is finding.resource and one is not edit]
    return edit.value not in names


def _is_name_of_port(finding: Finding) -> bool:
    return finding.rule.code == "IST0118" and finding.path[-1] == "name"


def duration(text: Any) -> str:
    """A duration as Istio reads it, from one with blanks, capitals or a word; empty if there is nothing to correct.

    A number without a unit could mean seconds or milliseconds.
    """
    if not isinstance(text, str) or not text.strip() or go.duration(text) is not None:
        return ""
    parts: list[str] = []
    at = 0
    while at < len(text):
        amount = _AMOUNT.match(text, at)
        if amount is None or not (amount[2].islower() or amount[2].isupper()):
            return ""
        unit = _UNIT_OF.get(amount[2].lower())
        if unit is None:
            return ""
        if unit == "d":
            if "." in amount[1]:
                return ""
            parts.append(f"{int(amount[1]) * _HOURS_OF_A_DAY}h")
        else:
            parts.append(f"{amount[1]}{unit}")
        at = amount.end()
    form = "".join(parts)
    return form if go.duration(form) is not None else ""


def _value(finding: Finding) -> Any:
    """The field's value, None if there is none."""
    value: Any = finding.resource.obj
    for step in finding.path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _uses(resources: Iterable[Resource], names: set[Any]) -> Counter[Any]:
    found: Counter[Any] = Counter()
    left: list[Any] = [resource.obj for resource in resources]
    while left:
        value = left.pop()
        if isinstance(value, str):
            if value in names:
                found[value] += 1
        elif isinstance(value, Mapping):
            left += value.values()
        elif isinstance(value, list):
            left += value
    return found
