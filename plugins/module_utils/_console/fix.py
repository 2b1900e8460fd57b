# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""--fix: the files with the corrections that are beyond doubt, as a diff or written."""

from __future__ import annotations

import difflib
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.files import write_together
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.finding import Finding, written
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.loading import Loaded, load_bytes
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.yaml_edits import Edit, edited
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.fixes import edits_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.request import Answered

_BOM = "\ufeff"
# A document: its file, and the line on which it begins.
Document = tuple[str, int]
Correction = tuple[Finding, Edit]
Chosen = dict[Document, list[Correction]]


class Fixed(NamedTuple):
    """files: path -> content before and after. number: of findings that are corrected. notes: what was refused."""

    files: dict[str, tuple[str, str]]
    number: int
    notes: list[str]


def fixed(done: Answered, default_namespace: str) -> Fixed:
    """The corrections of what counts. One that another check would complain about is refused."""
    chosen: Chosen = {}
    for finding, edit in edits_of(done.result.kept, done.loaded.resources):
        source = finding.resource.source
        if os.path.isfile(source.file):
            chosen.setdefault((source.file, source.line), []).append((finding, edit))
    notes: list[str] = []
    before = Counter(_fingerprint(finding) for finding in done.result.kept)
    while True:
        files = _files(chosen, notes)
        if not files:
            return Fixed({}, 0, notes)
        again = done.again(_with(done.loaded, files, default_namespace))
        if not _refuse(chosen, again.kept, before, notes):
            return Fixed(files, sum(map(len, chosen.values())), notes)


def _files(chosen: Chosen, notes: list[str]) -> dict[str, tuple[str, str]]:
    """Path -> content before and after. Corrections that are not an edit of single tokens are left out."""
    before: dict[str, str] = {}
    lines: dict[str, list[str]] = {}
    for document in list(chosen):
        file, line = document
        if file not in before:
            with open(file, encoding="utf-8", newline="") as stream:
                before[file] = stream.read()
            # Columns count without a byte order mark.
            lines[file] = before[file].removeprefix(_BOM).split("\n")
        possible, after = _possible(lines[file], line - 1, chosen[document])
        for finding, _edit in chosen[document]:
            if not any(finding is other for other, _same in possible):
                notes.append(f"{file}:{finding.line}: {finding.rule.code} needs more than an edit of one word")
        lines[file] = after
        chosen[document] = possible
    after_all = {
        file: (_BOM if text.startswith(_BOM) else "") + "\n".join(lines[file]) for file, text in before.items()
    }
    return {file: (text, after_all[file]) for file, text in before.items() if after_all[file] != text}


def _possible(lines: list[str], first: int, corrections: list[Correction]) -> tuple[list[Correction], list[str]]:
    """The corrections of a document that can be made together, and the lines with them."""
    text = corrections[0][0].resource.source.text if corrections else ""
    possible: list[Correction] = []
    after = lines
    # All at once, since one by one costs a parse each.
    for attempt in (corrections, *([correction] for correction in corrections)):
        edits = list(dict.fromkeys(edit for _finding, edit in (*possible, *attempt)))
        changed = edited(lines, first, text, edits)
        if changed is not None:
            possible, after = [*possible, *attempt], changed
            if attempt is corrections:
                break
    return possible, after


def _with(loaded: Loaded, files: Mapping[str, tuple[str, str]], default_namespace: str) -> Loaded:
    """The input with the new content of the files, in the same order."""
    result = Loaded([], [finding for finding in loaded.findings if finding.resource.source.file not in files])
    result.omitted.update(loaded.omitted)
    read = set()
    for resource in loaded.resources:
        file = resource.source.file
        if file not in files:
            result.resources.append(resource)
        elif file not in read:
            read.add(file)
            load_bytes(files[file][1].encode(), file, default_namespace, result)
    return result


def _refuse(chosen: Chosen, again: Iterable[Finding], before: Counter[Any], notes: list[str]) -> bool:
    """Leaves out corrections that bring new findings: those at the same field, else below the same one, else all.

    False if there are none.
    """
    left = Counter(before)
    brought = []
    for finding in again:
        left[_fingerprint(finding)] -= 1
        if left[_fingerprint(finding)] < 0:
            brought.append(finding)
    for finding in brought:
        known = [(document, one) for document, corrections in chosen.items() for one in corrections]
        mine = [one for one in known if _object(one[1][0]) == _object(finding)]
        at = [one for one in mine if written(_after(one[1])) == finding.field]
        near = [one for one in mine if finding.field.startswith(written(_after(one[1])[:-1]))]
        for document, correction in at or near or mine or known:
            chosen[document].remove(correction)
            place = f"{document[0]}:{correction[0].line}: {correction[0].rule.code}"
            notes.append(f"{place} is not corrected, since {finding.rule.code} would follow: {finding.message}")
    return bool(brought)


def _after(correction: Correction) -> Path:
    """The field's path within its object after the correction."""
    finding, edit = correction
    return (*finding.path[:-1], edit.key or finding.path[-1])


def _object(finding: Finding) -> tuple[str, str, str]:
    resource = finding.resource
    return resource.kind.kind, resource.namespace, resource.name


def _fingerprint(finding: Finding) -> tuple[str, ...]:
    return (finding.rule.code, *_object(finding), finding.message)


def diff_of(files: Mapping[str, tuple[str, str]]) -> Iterable[str]:
    """A unified diff, as `patch -p1` and `git apply` read it."""
    for file, (before, after) in sorted(files.items()):
        name = os.path.relpath(file) if os.path.isabs(file) else os.path.normpath(file)
        old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
        for line in difflib.unified_diff(old, new, f"a/{name}", f"b/{name}"):
            yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def write(files: Mapping[str, tuple[str, str]]) -> None:
    """All of them or none. Raises WriteError."""
    write_together("--fix --write", {file: after for file, (_before, after) in files.items()})
