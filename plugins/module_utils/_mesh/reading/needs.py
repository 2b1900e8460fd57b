# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a chart or a kustomization needs that its repository does not contain, by the words of the program that failed.

The words are those of helm 3 and 4 and of kustomize 4 and 5, also within kubectl. Of other words nothing is known, so
the input itself is at fault then.
"""

from __future__ import annotations

import re

_DEPENDENCIES = re.compile(r"missing in charts/ directory: (.+)")
_NO_HELM = "must specify --enable-helm"
_HELM_PULL = re.compile(r"unable to run: '\S*helm pull\b")
_BASE = re.compile(r"accumulating resources from '([^']*(?:://|\?ref=|\.git\b)[^']*)'")
_NETWORK = re.compile(
    r"failed to run '\S*git\b|no such host|dial tcp|could not resolve host|TLS handshake", re.IGNORECASE
)
_PLUGIN = re.compile(
    r"external plugins? disabled|unable to load external plugin|unable to find plugin|--enable-(?:exec|alpha)"
)
_VALUES = re.compile(
    "execution error at|nil pointer evaluating|wrong type for value|invalid value; expected"
    "|values don't meet the specifications"
)
_MISSING = re.compile(
    r"evalsymlink failure on '([^']+)' : lstat|\b(?:open|stat|lstat) (\S+): no such file or directory"
)
_RESTRICTED = re.compile(r"security; file '.*' is not in or below")


def need_of_kustomization(problem: str) -> str:
    """Empty if the kustomization itself is at fault."""
    if _NO_HELM in problem:
        return "it renders helmCharts, for which helm downloads charts: set kustomize_enable_helm to allow it"
    if _HELM_PULL.search(problem):
        return f"helm could not download a chart: {problem}"
    if _NETWORK.search(problem):
        base = _BASE.search(problem)
        return f"the remote base {base[1]} could not be fetched" if base else f"a remote base is needed: {problem}"
    return f"kustomize runs no plugins here: {problem}" if _PLUGIN.search(problem) else ""


def need_of_chart(problem: str, *, own_values: bool) -> str:
    """Empty if the chart itself is at fault. own_values: whether it was rendered with these alone."""
    if found := _DEPENDENCIES.search(problem):
        return f"charts/ lacks its dependencies ({found[1]}): run helm dependency build"
    return f"its own values do not suffice: {problem}" if own_values and _VALUES.search(problem) else ""


def lacks_dependencies(problem: str) -> bool:
    """Whether the chart's folder charts/ lacks some of its dependencies."""
    return bool(_DEPENDENCIES.search(problem))


def missing_file(problem: str) -> str:
    """The path of the file or folder that kustomize did not find; empty if that is not the problem."""
    found = _MISSING.search(problem)
    return (found[1] or found[2]) if found else ""


def is_restricted(problem: str) -> bool:
    """Whether the kustomization reads files outside of its folder, as Flux allows and kustomize does not by default."""
    return bool(_RESTRICTED.search(problem))
