# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Console program mesh-validate: the arguments to the options of module mesh_validate, and its result for people."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import Any, TextIO

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import InputError, MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.files import named_file_errors
from ansible_collections.corpv3.service_mesh.plugins.module_utils._console.arguments import Asked, asked_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._console.text import statistics, text
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.configuration import configured, found_file
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.outcome import lacking_of, text_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.report.style import Style
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.request import (
    VALIDATE_OPTIONS,
    Answered,
    answered,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.validation import is_bad

CLEAN, FINDINGS, NOT_CHECKED = 0, 1, 2
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: one of CLEAN, FINDINGS and NOT_CHECKED. Prints to standard output and standard error."""
    try:
        return _checked(sys.argv[1:] if arguments is None else arguments)
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
def _checked(arguments: Sequence[str]) -> int:
    asked = asked_of(arguments)
    params = _options(asked)
    if asked.explain:
        from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.explain import explained

        sys.stdout.write(explained(asked.explain, params["policy"], Style(_is_coloured(sys.stdout))))
        return CLEAN
    done = answered(params, lambda: _cluster(asked), time.time())
    if asked.fix:
        done = _corrected(asked, params, done)
    if asked.write or not asked.fix:
        _print(asked, params, done)
    # With --level never, too: an exit code of 0 means that everything was checked.
    if lacking := lacking_of(done.unread, params):
        raise InputError(f"{lacking}.")
    return FINDINGS if is_bad(done.result.summary, params["fail_on"]) else CLEAN


def _corrected(asked: Asked, params: dict[str, Any], done: Answered) -> Answered:
    """Prints the corrections as a diff, or writes them: then what is left is returned."""
    # Here, since most runs only read.
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._console.fix import diff_of, fixed, write

    found = fixed(done, params["default_namespace"])
    sys.stderr.writelines(f"note: {note}\n" for note in found.notes)
    if asked.write:
        write(found.files)
        sys.stderr.write(f"{found.number} corrected: {', '.join(sorted(found.files)) or 'no file'}\n")
        return answered(params, lambda: _cluster(asked), time.time()) if found.files else done
    sys.stdout.writelines(diff_of(found.files))
    sys.stdout.flush()
    left = len(done.result.kept) - found.number
    advice = "; add --write to change the files" if found.files else ""
    sys.stderr.write(f"{found.number} can be corrected, {left} others cannot{advice}\n")
    return done


def _options(asked: Asked) -> dict[str, Any]:
    """Of the module: its defaults, below the configuration file's, below the arguments."""
    params = {name: option.get("default") for name, option in VALIDATE_OPTIONS.items()}
    path = "" if asked.no_config else asked.config or found_file(os.getcwd())
    if path:
        params = configured(params, VALIDATE_OPTIONS, path, may_run_code=bool(asked.config))
    return {**params, **asked.options}


def _cluster(asked: Asked) -> Any:
    try:
        from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.module import connect_alone
    except ImportError as error:
        raise InputError(
            f"--live needs Ansible, its collection kubernetes.core and the Python package kubernetes ({error}). "
            "Install the program with them: pip install 'corpv3-mesh-validate[live]'."
        ) from None
    return connect_alone(asked.cluster)


def _print(asked: Asked, params: dict[str, Any], done: Answered) -> None:
    result = done.result
    notes = [f"note: {note}\n" for note in result.notes]
    if asked.format == "text":
        style = Style(_is_coloured(sys.stdout))
        sys.stdout.write(text(result, style, params["content"]))
        if asked.statistics:
            sys.stdout.write(statistics(result, done.checks, style))
    else:
        sys.stdout.write(text_of(asked.format, params, result))
        if asked.statistics:
            sys.stderr.write(statistics(result, done.checks, Style(_is_coloured(sys.stderr))))
    sys.stdout.flush()
    # Standard output is data for the next program, or what counts for a reader.
    sys.stderr.writelines(notes)


def _is_coloured(stream: TextIO) -> bool:
    """https://no-color.org: set to anything. FORCE_COLOR is its opposite, for CI servers that show colours."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and os.environ.get("TERM") != "dumb")
