# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What module mesh_validate returns and writes of a validation."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._files import write_together
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.live import Unread, incomplete
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.validation import (
    Validated,
    is_bad,
    rendered,
)

VERSION = "0.1.0"


def write_reports(params: dict[str, Any], result: Validated) -> list[dict[str, str]]:
    """All reports of option ``reports`` or none; raises WriteError. Returns their absolute paths and formats."""
    wanted = {form: path for form, path in params["reports"].items() if path}
    texts = {
        path: rendered(form, result, fail_on=params["fail_on"], title=params["title"], version=VERSION)
        for form, path in wanted.items()
    }
    write_together("reports (validate_reports)", texts)
    return [{"path": os.path.abspath(path), "format": form} for form, path in wanted.items()]


def outcome(params: dict[str, Any], result: Validated, unread: list[Unread]) -> dict[str, Any]:
    """The module's result but for ``files``. ``unread``: what could not be read and allow_unread does not allow."""
    lines = rendered("table", result, fail_on="never", title="", version=VERSION).splitlines()
    # With fail_on: never, the notes say what was not read.
    lacking = incomplete(unread) if unread and params["fail_on"] != "never" else ""
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
