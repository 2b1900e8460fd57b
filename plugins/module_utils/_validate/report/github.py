# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""GitHub's workflow commands: annotations beside the lines of a pull request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.report.table import what

_COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}


def github(findings: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line each, to be printed as is."""
    return [_command(finding) for finding in findings]


def _command(finding: Mapping[str, Any]) -> str:
    properties = {"title": f"{finding['code']} {what(finding)}"}
    if finding["file"]:
        properties |= {"file": finding["file"].partition(" (")[0]}
        if " (" not in finding["file"]:
            properties |= {"line": str(finding["line"]), "col": str(finding["column"])}
    written = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    text = finding["message"] + (f"\n{finding['remedy']}" if finding["remedy"] else "")
    return f"::{_COMMANDS[finding['level']]} {written}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
