# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How pip's script mesh-validate starts. The collection's code is beside this file, under the name that it imports.

Not in site-packages itself: an Ansible in the same environment would find a collection there without roles and modules.
"""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "collections"))
    # One short run makes no garbage to speak of.
    gc.disable()
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._console.main import main as run

    code = run()
    sys.stdout.flush()
    sys.stderr.flush()
    # Taking a large mesh's objects apart one by one would take as long as some checks.
    os._exit(code)


if __name__ == "__main__":
    main()
