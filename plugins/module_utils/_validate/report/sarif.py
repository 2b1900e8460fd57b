# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""SARIF 2.1.0, for code scanning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.report.table import what
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.selection import fingerprint

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def sarif(findings: Sequence[Mapping[str, Any]], version: str) -> dict[str, Any]:
    codes = sorted({finding["code"] for finding in findings})
    first = {code: next(finding for finding in findings if finding["code"] == code) for code in codes}
    driver = {
        "name": "corpv3.service_mesh.mesh_validate",
        "semanticVersion": version,
        "informationUri": "https://github.com/corpv3/service_mesh",
        "rules": [_rule(code, first[code]) for code in codes],
    }
    results = [_result(finding, codes.index(finding["code"])) for finding in findings]
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }


def _rule(code: str, finding: Mapping[str, Any]) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "id": code,
        "shortDescription": {"text": finding["title"]},
        "fullDescription": {"text": finding["why"] or finding["title"]},
        "help": {"text": finding["remedy"] or finding["title"]},
        "defaultConfiguration": {"level": _LEVELS[finding["level"]]},
    }
    if finding["docs"]:
        rule["helpUri"] = finding["docs"]
    return rule


def _result(finding: Mapping[str, Any], rule: int) -> dict[str, Any]:
    return {
        "ruleId": finding["code"],
        "ruleIndex": rule,
        "level": _LEVELS[finding["level"]],
        "message": {"text": f"{what(finding)}: {finding['message']}"},
        "locations": [_location(finding)],
        "partialFingerprints": {"meshValidate/v1": fingerprint(finding)},
    }


def _location(finding: Mapping[str, Any]) -> dict[str, Any]:
    logical = {"fullyQualifiedName": f"{what(finding)} {finding['field']}".strip(), "kind": "object"}
    location: dict[str, Any] = {"logicalLocations": [logical]}
    if finding["file"]:
        # The output of helm or kustomize has its own lines: only the template is a file.
        file, _space, made = finding["file"].partition(" (")
        physical: dict[str, Any] = {"artifactLocation": {"uri": quote(file)}}
        if not made and finding["line"]:
            physical["region"] = {"startLine": finding["line"], "startColumn": max(finding["column"], 1)}
        location["physicalLocation"] = physical
    return location
