# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Comments beside a line that suppress its findings.

``# mesh-validate: ignore MESH203, IST0118: the vendor retries``
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.finding import Finding
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Resource

_MARK = "mesh-validate:"
_COMMENT = re.compile(r"(?:^|\s)#\s*mesh-validate:\s*ignore\b([^:\n]*)")


class _Comment:
    def __init__(self, place: str, codes: list[str]) -> None:
        self.place = place
        self.codes = codes
        self.is_used = False


class LineComments:
    """by_line: the text of a document, by its id, and a line of the file -> the comment there."""

    def __init__(self) -> None:
        self.by_line: dict[tuple[int, int], _Comment] = {}

    def ignore(self, finding: Finding) -> bool:
        """Whether a comment beside the finding's line names its code or one of its aliases."""
        if not self.by_line:
            return False
        comment = self.by_line.get((id(finding.resource.source.text), finding.line))
        names = (finding.rule.code, *finding.rule.aliases)
        if comment is None or not any(fnmatch.fnmatchcase(name, code) for name in names for code in comment.codes):
            return False
        comment.is_used = True
        return True

    def unused(self) -> list[str]:
        """Notes about comments that suppress nothing, or name no code."""
        return [
            f"{comment.place}: the comment mesh-validate: ignore "
            + (f"{', '.join(comment.codes)} matches nothing" if comment.codes else "names no code, and has no effect")
            for comment in self.by_line.values()
            if not comment.is_used
        ]


def comments_of(resources: Iterable[Resource]) -> LineComments:
    found = LineComments()
    seen: set[int] = set()
    for resource in resources:
        source = resource.source
        if id(source.text) in seen or _MARK not in source.text:
            continue
        seen.add(id(source.text))
        for number, line in enumerate(source.text.split("\n"), source.line):
            if comment := _COMMENT.search(line):
                codes = [code for code in re.split(r"[\s,]+", comment[1]) if code]
                found.by_line[id(source.text), number] = _Comment(f"{source.file}:{number}", codes)
    return found
