# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What module mesh_validate does with ``paths: [FILE]``, without Ansible in front; prints the findings as JSON."""

from __future__ import annotations

import json
import os
import sys


def entry(file: str) -> None:
    """What the module does with paths: [file]; the findings as JSON."""
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../.ansible/collections"))
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Settings
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.inputs import Reader
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.catalog import all_checks
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.selection import Policy
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.validation import (
        Request,
        collector_paused,
        validate,
    )

    with collector_paused():
        reader = Reader()
        reader.read([file])
        result = validate(reader.loaded, Settings(), all_checks(), Request(Policy({})), reader.files)
    json.dump(result.findings, sys.stdout)
    sys.stdout.flush()
    # Taking the objects apart one by one is of no use any more.
    os._exit(0)


if __name__ == "__main__":
    entry(sys.argv[1])
