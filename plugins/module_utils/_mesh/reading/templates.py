# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Texts that another program completes before they are YAML: templates and placeholders."""

from __future__ import annotations

import os
import re

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.parsed import Parsed
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.parsing import parse
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.text_files import text_of

_PLACEHOLDER = re.compile(r"\{\{.*?\}\}", re.DOTALL)
# ytt's: its templates are YAML, with the values in comments.
_YTT = re.compile(r"(?:^|\s)#@(?: |[a-z]+/)", re.MULTILINE)
# ${containers} in place of lines: envsubst's and Terraform's.
_PLACEHOLDER_LINE = re.compile(r"^\s*\$\{\w+\}\s*$", re.MULTILINE)
# Statements of FreeMarker, ERB and Jinja, and <LINES_TO_COME>, which a script fills in.
_STATEMENT = re.compile(r"^[ \t]*(?:</?#[a-z]|<%|\{%|<[A-Z][A-Z0-9]*_[A-Z0-9_]*>[ \t]*$)", re.MULTILINE)
# [PRODUCT_NAME]-adapter, which YAML takes for a list with something behind it.
_BRACKETS = re.compile(r":[ \t]+\[[A-Z][A-Z0-9]*_[A-Z0-9_]*\][^\s,#]", re.MULTILINE)
# {registry}/shop:1.0, which YAML takes for a mapping with something behind it.
_BRACES = re.compile(r"(?::|-)[ \t]+\{[A-Za-z][\w.-]*\}[^\s,#]")
# Words for sed.
_PERCENT = re.compile(r"(?:^|[\s:-])%[A-Z][A-Z0-9_]*%", re.MULTILINE)
# A script that writes manifests, up to the word that ends each of them.
_HERE_DOCUMENT = re.compile(r"^(?:\S.*<<-?[ \t]*[\"']?[A-Z]|(?:EOF|EOL|EOT|END)[ \t]*$)", re.MULTILINE)


def is_template(document: str, parsed: Parsed) -> bool:
    """Whether placeholders make the document invalid, or are its object's name. In other texts they may be meant."""
    if "#@" in document and _YTT.search(document):
        return True
    is_invalid = bool(parsed.problems) and any(problem.fault == "syntax" for problem in parsed.problems)
    if "${" in document and _PLACEHOLDER_LINE.search(document):
        return is_invalid
    if is_invalid and any(mark.search(document) for mark in (_PERCENT, _STATEMENT, _BRACKETS, _BRACES, _HERE_DOCUMENT)):
        return True
    if "{{" not in document or not _PLACEHOLDER.search(document):
        return False
    if is_invalid:
        return True
    metadata = parsed.value.get("metadata") if isinstance(parsed.value, dict) else None
    named = (metadata.get("name"), metadata.get("namespace")) if isinstance(metadata, dict) else ()
    return any("{{" in str(text) for text in named)


def marks_in(template: str) -> str:
    """What makes the text a template, for a message."""
    if _YTT.search(template):
        return "comments #@ of ytt"
    if "{{" in template:
        return "placeholders {{ }}"
    if found := _STATEMENT.search(template):
        return f"the statement {found[0].strip()}"
    if _HERE_DOCUMENT.search(template):
        return "commands of a script"
    if _BRACKETS.search(template):
        return "placeholders [ ]"
    if _BRACES.search(template):
        return "placeholders { }"
    return "placeholders ${ }" if "${" in template else "placeholders % %"


def marks_of_file(path: str) -> str:
    """The same for a file that must be YAML for helm or kustomize; empty if it is YAML already, or not there."""
    text = text_of(path)
    # Values may contain templates for the chart's own use.
    has_braces = "{{" in text and os.path.basename(path) != "values.yaml"
    return marks_in(text) if has_braces or is_template(text, parse(text)) else ""
