# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Helm's error about a chart's values, with the variables that set them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_ADVICE = re.compile(r"Use --debug flag.*")
_SPEAKER = re.compile(r"(?:Error: )?(?:values don't meet [^\n]*\n[^\n]*\n|execution error at \([^)]*\): )")
_PATH = re.compile(r"at '/([^']+)'")


def in_variables(message: str, variables: Sequence[Mapping[str, str]]) -> str:
    """The message with the variable in place of each value at the beginning of a line.

    ``variables`` are mappings with ``value`` and ``variable``, of which the first that fits counts. A variable that
    ends with an underscore is the beginning of several: postgresql.replicas is database_postgresql_replicas.
    """
    text = _SPEAKER.sub("", _ADVICE.sub("", message))
    text = _PATH.sub(lambda found: found[1].replace("/", "."), text)
    for entry in variables:
        value, variable = entry["value"], entry["variable"]
        dot = r"\.?" if variable.endswith("_") else ""
        text = re.sub(rf"(^|[-\n] ?){re.escape(value)}(?![a-zA-Z0-9_]){dot}", rf"\g<1>{variable}", text)
    return text.strip()
