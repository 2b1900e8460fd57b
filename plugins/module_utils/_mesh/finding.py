# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a check reports."""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path, Resource

LEVELS = ("error", "warning", "info")


class Rule(NamedTuple):
    """What all findings of one check have in common.

    code: istioctl's (IST0101) where it has one, else Kiali's (KIA1107), else our own (MESH012).
    aliases: the other tool's code for the same fault.
    level: error, warning or info.
    title: the fault in a few words; why: what happens if it is not fixed; remedy: how to fix it.
    docs: where to read more.
    """

    name: str
    code: str
    level: str
    title: str
    why: str
    remedy: str
    aliases: tuple[str, ...] = ()
    docs: str = ""


class Finding(NamedTuple):
    """One fault, at one field of one resource."""

    rule: Rule
    resource: Resource
    path: Path
    message: str
    # Set if the check knows better than the rule.
    level: str = ""
    remedy: str = ""
    docs: str = ""
    # The correct name, if there is no doubt about it.
    meant: str = ""
    line: int = 0
    column: int = 0

    @property
    def severity(self) -> str:
        return self.level or self.rule.level

    @property
    def field(self) -> str:
        return written(self.path)

    def at(self, line: int, column: int) -> Finding:
        return self._replace(line=line, column=column)

    def as_dict(self) -> dict[str, Any]:
        """The form that users get: plain data, always with the same keys."""
        return {
            "code": self.rule.code,
            "aliases": list(self.rule.aliases),
            "level": self.severity,
            "kind": self.resource.kind.kind,
            "namespace": self.resource.namespace,
            "name": self.resource.name,
            "file": self.resource.source.file,
            "line": self.line,
            "column": self.column,
            "field": self.field,
            "title": self.rule.title,
            "message": self.message,
            "why": self.rule.why,
            "remedy": self.remedy or self.rule.remedy,
            "docs": self.docs or self.rule.docs,
        }


def written(path: Path) -> str:
    """``spec.http[0].route[1].weight``; a key with a dot is in brackets, as in ``metadata.labels["istio.io/rev"]``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif "." in step or "/" in step:
            text += f'["{step}"]'
        else:
            text += f".{step}" if text else step
    return text
