# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""The last line after a user has ended ansible-playbook: where the traffic is, and how to roll it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase


def last_word(result: Mapping[str, Any], service: str) -> str:
    """``result``: that of the module. ``service``: empty for a call without one."""
    phase, weights = result.get("phase") or "", result.get("weights") or {}
    text = result.get("msg") or result.get("reason") or ""
    if phase == Phase.FAILED:
        end = text or f"canary of {service}: rolled back"
        return f"{end}\nThe stable version has all traffic, and nothing is left to do."
    return f"canary of {service or 'all services'}: {phase}{': ' if phase and text else ''}{text}\n" + _where(
        phase, weights.get("canary"), f" -e canary_service={service}" if service else ""
    )


def _where(phase: str, share: int | None, service: str) -> str:
    same = "with the same -i"
    if phase == Phase.SUCCEEDED:
        return "The new version has all traffic, and nothing is left to do."
    if phase == Phase.FINALISING:
        return (
            "The new version has all traffic and keeps it. canary_reconcile.yml completes the rest, on its schedule or "
            f"now, {same}."
        )
    if phase == Phase.ROLLING_BACK and share == 0:
        return (
            "The stable version has all traffic. canary_reconcile.yml completes the rest, on its schedule. To complete "
            f"it now: canary_abort.yml{service}, {same}."
        )
    share_now = "its share" if share is None else f"its share of {share} %"
    return (
        f"The canary may keep {share_now} until canary_reconcile.yml rolls it back, on its schedule. To roll it back "
        f"now: canary_abort.yml{service}, {same}."
    )
