# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Console program mesh-validate. Of an unchanged input, it shows what the earlier run did."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TextIO

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.files import named_file_errors
from ansible_collections.corpv3.service_mesh.plugins.module_utils._console import run_cache
from ansible_collections.corpv3.service_mesh.plugins.module_utils._console.arguments import Asked, asked_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._console.run_key import key_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.configuration import found_file

NOT_CHECKED = 2
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: one of CLEAN, FINDINGS and NOT_CHECKED. Prints to standard output and standard error."""
    try:
        return _checked(asked_of(sys.argv[1:] if arguments is None else arguments))
    except MeshError as error:
        sys.stderr.write(f"mesh-validate: {error}\n")
        return NOT_CHECKED
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader, such as `head`, has enough. Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_CHECKED


@named_file_errors()
def _checked(asked: Asked) -> int:
    config = "" if asked.no_config else asked.config or found_file(os.getcwd())
    colours = (_is_coloured(sys.stdout), _is_coloured(sys.stderr))
    key = "" if asked.no_cache else key_of(asked, config, colours)
    shown = run_cache.load(key) if key else None
    if shown is None:
        # Here, because the checks take longer to import than an earlier run's output to read.
        from ansible_collections.corpv3.service_mesh.plugins.module_utils._console.run import run

        done = run(asked, config, colours)
        shown = done.shown
        # A file that changed in the meantime would be kept under the key of what it was.
        if key and done.is_lasting and key_of(asked, config, colours) == key:
            run_cache.store(key, shown)
    sys.stdout.write(shown.out)
    sys.stdout.flush()
    sys.stderr.write(shown.err)
    return shown.code


def _is_coloured(stream: TextIO) -> bool:
    """https://no-color.org: set to anything. FORCE_COLOR is its opposite, for CI servers that show colours."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and os.environ.get("TERM") != "dumb")
