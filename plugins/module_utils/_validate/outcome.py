# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What module mesh_validate returns and writes about a validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.validation import (
    Validated,
    is_bad,
    rendered,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.version import VERSION

if TYPE_CHECKING:
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.live import Unread


def text_of(form: str, params: dict[str, Any], result: Validated) -> str:
    """The report in one of the FORMATS."""
    return rendered(form, result, fail_on=params["fail_on"], title=params["title"], version=VERSION)


def lacking_of(unread: list[Unread], params: dict[str, Any]) -> str:
    """What of the cluster was not read and may not stay unread, with the way out; empty if there is nothing."""
    if not unread:
        return ""
    # Here, because what reads a cluster takes longer to import than a file to validate.
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.live import incomplete

    return incomplete(unread, params["allow_unread"])


def outcome(params: dict[str, Any], result: Validated, unread: list[Unread]) -> dict[str, Any]:
    """The module's result except ``files``. ``unread``: everything that could not be read."""
    lines = text_of("table", params, result).splitlines()
    # With fail_on: never, only the notes mention it.
    lacking = "" if params["fail_on"] == "never" else lacking_of(unread, params)
    return {
        "changed": False,
        "findings": result.findings,
        "summary": result.summary,
        "table": lines,
        "undecided": result.undecided,
        "notes": result.notes,
        "msg": f"{lines[-1]}. {lacking}" if lacking else lines[-1],
        "passed": not lacking and not is_bad(result.summary, params["fail_on"]),
    }
