# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The terms of a run: the options by which it decides from start to end. They are part of its state.

How it reaches metrics and istiod (provider, istiod_access) is not part of the terms: another host may need other
options, and credentials do not belong in an annotation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError

# Options of module canary. Steps, strategy, match and cookie have fields of their own in the state.
TERMS = (
    "gates",
    "metrics",
    "whole_service_guard",
    "min_share",
    "rollback_error_rate",
    "promotion_error_rate",
    "burst",
    "no_data_timeout",
    "error_timeout",
    "on_no_data",
    "on_inconclusive",
    "on_drift",
    "on_pause",
    "on_stable_change",
    "deadline",
    "ready_timeout",
    "wait_timeout",
    "unproven_wait",
    "min_ready",
    "drain",
    "container",
)
# What identifies the requests of each side. The state has the subsets.
_SIDES, _KNOWN_BY = ("stable", "canary"), ("version", "workload")
_EMPTY: tuple[Any, ...] = (None, "", [], {})


class OtherTerms(MeshError):
    """The options of a call differ from the terms of the run in progress. ``differs`` of the result: which ones."""

    def __init__(self, run: str, changed: Mapping[str, str], resume: str) -> None:
        """``run``: its name and phase. ``resume``: what state=resumed does with it."""
        listed = "\n".join(f"{option}: {words}." for option, words in changed.items())
        super().__init__(
            f"{run} keeps the options that it began with, and this call has others.\n{listed}\n"
            f"Give the same options as the run, or {resume} with state=resumed, or end the run first with "
            "state=aborted. Nothing was changed.",
            differs=list(changed),
        )


def terms_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """The terms of a call's options, in the form in which the state stores them."""
    sides = {side: {key: params[side].get(key) or "" for key in _KNOWN_BY} for side in _SIDES}
    found: dict[str, Any] = json.loads(json.dumps({**{name: params[name] for name in TERMS}, **sides}))
    return found


def completed(terms: Mapping[str, Any], spec: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Terms with defaults for suboptions that are newer than the version that wrote them.

    ``spec``: the module's argument spec. Runs of the first versions have no terms.
    """
    return {name: _completed(value, spec.get(name, {}).get("options") or {}) for name, value in terms.items()}


def differences(of_run: Mapping[str, Any], of_call: Mapping[str, Any]) -> dict[str, str]:
    """Option -> the value of the run and that of the call, in words. Both arguments are completed terms."""
    return {
        name: _difference(of_run[name], of_call[name])
        for name in of_run
        if name in of_call and not _same(of_run[name], of_call[name])
    }


def _completed(value: Any, suboptions: Mapping[str, Mapping[str, Any]]) -> Any:
    if isinstance(value, list):
        return [_completed(entry, suboptions) for entry in value]
    if not isinstance(value, Mapping) or not suboptions:
        return value
    defaults = {name: option.get("default") for name, option in suboptions.items()}
    inner = {name: _completed(entry, suboptions.get(name, {}).get("options") or {}) for name, entry in value.items()}
    return {**defaults, **inner}


def _same(mine: Any, theirs: Any) -> bool:
    """The order of a list does not matter."""
    if isinstance(mine, list) and isinstance(theirs, list):
        return len(mine) == len(theirs) and all(entry in theirs for entry in mine)
    return bool(mine == theirs)


def _difference(of_run: Any, of_call: Any) -> str:
    """Of lists, only the entries that the other one lacks."""
    if isinstance(of_run, list) and isinstance(of_call, list):
        of_run, of_call = (
            [entry for entry in of_run if entry not in of_call],
            [entry for entry in of_call if entry not in of_run],
        )
    return f"the run has {_words(of_run)}, this call has {_words(of_call)}"


def _words(value: Any) -> str:
    """Without empty values."""
    found = _given(value)
    return json.dumps(found) if found not in _EMPTY else "none"


def _given(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: found for key, entry in value.items() if (found := _given(entry)) not in _EMPTY}
    return [_given(entry) for entry in value] if isinstance(value, list) else value
