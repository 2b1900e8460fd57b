# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The console program mesh-validate of this checkout, with the arguments given, as pip's script starts it."""

from __future__ import annotations

import gc
import os
import sys


def entry() -> None:
    """As console/launch.py, which has the collection beside it only where it was installed."""
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../.ansible/collections"))
    gc.disable()
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._console.main import main

    code = main()
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    entry()
