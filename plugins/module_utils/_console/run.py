# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A run that is not in the cache: the arguments to the options of module mesh_validate, and its result for people."""

from __future__ import annotations

import sys
import time
from typing import Any, NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import InputError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._console.arguments import Asked
from ansible_collections.corpv3.service_mesh.plugins.module_utils._console.run_cache import CLEAN, FINDINGS, Shown
from ansible_collections.corpv3.service_mesh.plugins.module_utils._console.text import statistics, text
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import PREFIX
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.loading import (
    RENDERING,
    UNREADABLE,
    UNSUPPLIED,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.configuration import configured
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.outcome import lacking_of, text_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.report.style import Style
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.request import (
    VALIDATE_OPTIONS,
    Answered,
    answered,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.validation import is_bad

# Certificates, as text and as the base64 of a Secret, expire by the second; runs of a canary have a deadline.
_OF_TODAY = ("BEGIN CERTIFICATE", "LS0tLS1CRUdJTi", PREFIX)


class Ran(NamedTuple):
    """shown: the output. is_lasting: whether it is the same as long as nothing that its key contains changes."""

    shown: Shown
    is_lasting: bool


def run(asked: Asked, config: str, colours: tuple[bool, bool]) -> Ran:
    """``config``: path of the configuration file, empty for none. colours: of standard output and standard error.

    Raises MeshError and OSError if not everything could be checked.
    """
    params = _options(asked, config)
    if asked.explain:
        from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.explain import explained

        return Ran(Shown(explained(asked.explain, params["policy"], Style(colours[0])), "", CLEAN), is_lasting=False)
    done = answered(params, lambda: _cluster(asked), time.time())
    if asked.fix:
        done = _corrected(asked, params, done)
    out, err = _texts(asked, params, done, colours) if asked.write or not asked.fix else ("", "")
    # With --level never, too: an exit code of 0 means that everything was checked.
    if lacking := lacking_of(done.unread, params):
        sys.stdout.write(out)
        sys.stdout.flush()
        sys.stderr.write(err)
        raise InputError(f"{lacking}.")
    code = FINDINGS if is_bad(done.result.summary, params["fail_on"]) else CLEAN
    return Ran(Shown(out, err, code), _is_lasting(done))


def _is_lasting(done: Answered) -> bool:
    """Not with what changes by itself: programs that failed, unreadable files, certificates, runs with a deadline."""
    if any(finding.rule in (RENDERING, UNREADABLE, UNSUPPLIED) for finding in done.loaded.findings):
        return False
    return not any(mark in resource.source.text for resource in done.loaded.resources for mark in _OF_TODAY)


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


def _options(asked: Asked, config: str) -> dict[str, Any]:
    """Of the module: its defaults, below the configuration file's, below the arguments."""
    params = {name: option.get("default") for name, option in VALIDATE_OPTIONS.items()}
    if config:
        params = configured(params, VALIDATE_OPTIONS, config, may_run_code=bool(asked.config))
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


def _texts(asked: Asked, params: dict[str, Any], done: Answered, colours: tuple[bool, bool]) -> tuple[str, str]:
    """Standard output is data for the next program, or what counts for a reader; notes are for standard error."""
    result = done.result
    notes = "".join(f"note: {note}\n" for note in result.notes)
    if asked.format == "text":
        style = Style(colours[0])
        counted = statistics(result, done.checks, style) if asked.statistics else ""
        return text(result, style, params["content"]) + counted, notes
    counted = statistics(result, done.checks, Style(colours[1])) if asked.statistics else ""
    return text_of(asked.format, params, result), counted + notes
