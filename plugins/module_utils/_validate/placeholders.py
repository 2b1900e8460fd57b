# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Values that another program fills in later, such as envsubst, sed or Flux: what is wrong with them is not known."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.finding import Finding
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import BUILT, RENDERED

# ${DOMAIN}, ${DOMAIN:=example.com}, $(NAMESPACE), $DOMAIN, {{ domain }}, <DOMAIN>, <<DOMAIN>>, <path:secret#key>,
# %DOMAIN%, @DOMAIN@
_MARKED = re.compile(
    r"\$\{[^}\s]+\}|\$\([A-Za-z_]\w*\)|\$[A-Z_]{2,}\b|\{\{.+?\}\}"
    r"|<<?[A-Za-z][\w .:/#-]*>>?|%[A-Z_]{2,}%|@[A-Z_]{2,}@|__[A-Z_]+__"
)
_QUOTED = re.compile(r"'([^']*)'")
# In messages, also without quotes.
_VARIABLE = re.compile(r"\$\{[^}\s]+\}")
# No label has braces.
_BRACES = re.compile(r"\{\.?[A-Za-z][\w.-]*\}")
_LABELS = frozenset({"labels", "matchLabels", "selector"})
# -network, staging-: one of the values that a name is made of is empty.
_DANGLING = re.compile(r"^[-.]|[-.]$")
# What charts have in place of a value that their users must set.
_TO_SET = re.compile(
    r"no[-_]default(?:[-_]value)?|(?:change|replace|fill)[-_]?(?:me|this|it)|to[-_]be[-_](?:changed|defined|filled|replaced|set)"
    r"|place-?holder|tbd|todo",
    re.IGNORECASE,
)
_MISSING = object()
# DOMAIN, {domain}, {.domain}, your_domain, x.x.x.x: they stand for a value only where none of Istio's own constants can
# be.
_IN_A_NAME = re.compile(
    r"(?<![A-Za-z])(?:[A-Z][A-Z0-9]*_[A-Z0-9_]+|[A-Z]{4,})(?![a-z])"
    r"|\{\.?[A-Za-z][\w.-]*\}|\byour_\w+|(?<![\w.])([a-z]{1,3})(?:\.\1){3}(?![\w.])"
)
# service_name. In any other file than a template, this is a real mistake in a name or a host.
_WORDS = re.compile(r"[a-z]+(?:_[a-z]+)+")
_WITHOUT_CONSTANTS = frozenset(
    {
        "address",
        "addresses",
        "host",
        "hosts",
        "hostnames",
        "ipBlocks",
        "issuer",
        "jwksUri",
        "name",
        "namespace",
        "namespaces",
        "notIpBlocks",
        "notRemoteIpBlocks",
        "principals",
        "remoteIpBlocks",
        "serviceAccounts",
        "url",
    }
)


def placeholder_of(finding: Finding, with_own_values: Collection[str] = ()) -> str:
    """The placeholder that the finding is about; empty if there is none.

    ``with_own_values``: files of charts in which an empty value is one, which a user's values will replace.
    """
    resource = finding.resource
    if found := _VARIABLE.search(finding.message):
        return found[0]
    for text in (resource.name, resource.namespace, *_QUOTED.findall(finding.message)):
        if found := _MARKED.search(text):
            return found[0]
    value = _value_at(resource.obj, finding.path)
    if resource.source.file in with_own_values and _is_unset(value, finding.path):
        return finding.field
    if not isinstance(value, str):
        return ""
    found = _MARKED.search(value) or (_BRACES.search(value) if _LABELS.intersection(finding.path) else None)
    if not found and _has_no_constants(finding.path):
        found = _IN_A_NAME.search(value) or (_WORDS.fullmatch(value) if _is_template(resource.source.file) else None)
    return found[0] if found else ""


def _is_unset(value: Any, path: tuple[str | int, ...]) -> bool:
    if isinstance(value, str) and value:
        if _TO_SET.fullmatch(value):
            return True
        return bool(_LABELS.intersection(path) or _has_no_constants(path)) and bool(_DANGLING.search(value))
    return value in (None, "")


def _is_template(file: str) -> bool:
    """By its name. What helm and kustomize make of one is not a template any more."""
    return "template" in os.path.basename(file) and not file.endswith((BUILT, RENDERED))


def _has_no_constants(path: tuple[str | int, ...]) -> bool:
    keys = [step for step in path if isinstance(step, str)]
    # The names of environment variables are in capitals.
    return bool(keys) and keys[-1] in _WITHOUT_CONSTANTS and "env" not in keys


def _value_at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return _MISSING
    return value
