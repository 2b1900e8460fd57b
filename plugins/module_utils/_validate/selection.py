# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which findings count: suppressions, the baseline of known ones, levels by policy."""

from __future__ import annotations

import datetime
import fnmatch
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.finding import LEVELS, Finding
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.line_comments import LineComments

# istioctl's own, Kiali's own, and ours, which takes a reason: "MESH203: the CDN retries".
_ANNOTATIONS = (
    "galley.istio.io/analyze-suppress",
    "kiali.io/ignore-validations",
    "service-mesh.corpv3.com/suppress",
)


class SelectionError(MeshError):
    """An invalid option; the message shows how to write it."""


class Suppression(NamedTuple):
    """Known findings to leave out. ``resource`` is ``Kind namespace/name`` with ``*`` and ``?``, empty for all.

    until: the last day (YYYY-MM-DD) on which it applies, empty for no end.
    """

    code: str
    resource: str = ""
    reason: str = ""
    until: str = ""

    def matches(self, finding: Finding) -> bool:
        codes = (finding.rule.code, *finding.rule.aliases)
        if not any(fnmatch.fnmatchcase(code, self.code) for code in codes):
            return False
        return not self.resource or fnmatch.fnmatchcase(_described(finding.resource), self.resource)


def suppression_of(entry: Any) -> Suppression:
    """``IST0101``, ``IST0101=VirtualService shop/*``, or a dict of the fields."""
    if isinstance(entry, str):
        code, _equals, resource = entry.partition("=")
        entry = {"code": code.strip(), "resource": "" if resource.strip() == "*" else resource.strip()}
    known = {"code", "resource", "reason", "until"}
    if not isinstance(entry, dict) or not entry.get("code") or set(entry) - known:
        raise SelectionError(
            f"suppress: {entry!r} is not a valid suppression. Write CODE, 'CODE=Kind namespace/name', or a dict with "
            "code and optionally resource, reason and until."
        )
    suppression = Suppression(**{key: str(value) for key, value in entry.items() if value is not None})
    resource = suppression.resource
    if resource and ("/" not in resource and " " not in resource):
        raise SelectionError(
            f"suppress: '{resource}' is not a valid resource. Write 'Kind namespace/name'; * and ? are wildcards."
        )
    if suppression.until:
        try:
            datetime.date.fromisoformat(suppression.until)
        except ValueError:
            raise SelectionError(f"suppress: until '{suppression.until}' is not a date, as in 2027-01-31.") from None
    return suppression


def _described(resource: Resource) -> str:
    place = f"{resource.namespace}/{resource.name}" if resource.namespace else resource.name
    return f"{resource.kind.kind} {place}"


def annotated(finding: Finding) -> bool:
    """Whether the resource itself suppresses the finding."""
    return is_annotated(finding.resource, (finding.rule.code, *finding.rule.aliases))


def is_annotated(resource: Resource, codes: Sequence[str]) -> bool:
    """Whether the resource suppresses one of the codes."""
    for annotation in _ANNOTATIONS:
        text = resource.annotations.get(annotation)
        if text is None:
            continue
        if text == "" and annotation == "kiali.io/ignore-validations":
            return True
        for entry in str(text).split(","):
            pattern = entry.partition(":")[0].strip()
            if pattern and any(fnmatch.fnmatchcase(code, pattern) for code in codes):
                return True
    return False


def fingerprint(finding: Finding | Mapping[str, Any]) -> str:
    """Stays the same for the same fault as long as its object keeps its name: lines may move, files may be renamed."""
    # Here, since OpenSSL takes its time, and only baselines, SARIF and clusters need fingerprints.
    import hashlib

    data = finding.as_dict() if isinstance(finding, Finding) else finding
    named = [str(data.get(key, "")) for key in ("code", "kind", "namespace", "name", "field", "message")]
    if not data.get("name"):
        named.append(str(data.get("file", "")))
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()[:32]


def baseline_of(text: str) -> Counter[str]:
    """Fingerprints of the findings in a JSON report, each as often as it occurs."""
    try:
        data = json.loads(text)
        findings = data["findings"] if isinstance(data, dict) else data
        return Counter(fingerprint(item) for item in findings)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SelectionError(
            "baseline: the file is not a JSON report of mesh_validate. Create one with reports: {json: PATH}."
        ) from None


def read_baseline(path: str | None) -> Counter[str]:
    """The baseline of a file; empty if the file does not exist yet. Raises OSError if it cannot be read."""
    if not path or not os.path.exists(path):
        return Counter()
    with open(path, encoding="utf-8") as file:
        return baseline_of(file.read())


class Policy(NamedTuple):
    """levels: code (or pattern) to error, warning, info or off. enabled: checks that are off by default."""

    levels: Mapping[str, str]
    enabled: tuple[str, ...] = ()

    def level(self, code: str) -> str:
        """The level that the policy sets for a code, empty if none. The longest pattern wins."""
        matching = [pattern for pattern in self.levels if fnmatch.fnmatchcase(code, pattern)]
        return self.levels[max(matching, key=len)] if matching else ""


def policy_of(options: Mapping[str, Any]) -> Policy:
    levels = options.get("levels") or {}
    for code, level in levels.items():
        # Unquoted, YAML reads off as false.
        if str(level) not in (*LEVELS, "off", "False"):
            raise SelectionError(
                f"policy.levels: {code} is '{level}'. Use one of {', '.join(LEVELS)} and 'off' (in quotes)."
            )
    plain = {str(code): "off" if str(level) == "False" else str(level) for code, level in levels.items()}
    enabled = tuple(str(code) for code in options.get("enable") or ())
    return Policy(plain, enabled)


class Selection(NamedTuple):
    """kept: the findings that count. suppressed, known: how many do not, by suppression or baseline.

    unused: suppressions that match nothing any more, and expired ones.
    """

    kept: list[Finding]
    suppressed: int
    known: int
    unused: list[str]


def select(
    findings: Iterable[Finding],
    policy: Policy,
    suppressions: Sequence[Suppression],
    baseline: Mapping[str, int],
    today: datetime.date,
    comments: LineComments | None = None,
    is_whole: bool = True,
) -> Selection:
    """``is_whole``: everything was read. Otherwise a suppression may match what was not."""
    expired = [item for item in suppressions if item.until and datetime.date.fromisoformat(item.until) < today]
    valid = [item for item in suppressions if item not in expired]
    used: set[Suppression] = set()
    left = Counter(baseline)
    kept, suppressed, known = [], 0, 0
    for finding in findings:
        level = policy.level(finding.rule.code)
        matching = [item for item in valid if item.matches(finding)]
        used.update(matching)
        is_ignored = comments is not None and comments.ignore(finding)
        if level == "off" or matching or is_ignored or annotated(finding):
            suppressed += 1
            continue
        if left and left[mark := fingerprint(finding)] > 0:
            left[mark] -= 1
            known += 1
            continue
        kept.append(finding._replace(level=level) if level else finding)
    idle = [item for item in valid if item not in used] if is_whole else []
    unused = [f"{item.code} {item.resource}".strip() + " matches nothing" for item in idle]
    unused += [f"{item.code} {item.resource}".strip() + f" expired on {item.until}" for item in expired]
    return Selection(kept, suppressed, known, unused)
