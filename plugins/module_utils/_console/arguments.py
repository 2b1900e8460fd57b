# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The command line of mesh-validate."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import InputError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.version import VERSION

FORMATS = ("text", "json", "sarif", "junit", "github", "html")
_WIDTH = 100
_LEVELS = ("error", "warning", "info", "never")
_DESCRIPTION = "Find faults in the configuration of a mesh: files, charts, kustomizations, or a cluster."
_EPILOG = """\
Exit code: 0 no finding at or above the level, 1 findings, 2 not everything could be checked.
A comment beside a line suppresses its findings: # mesh-validate: ignore MESH203: the reason
"""


class Asked(NamedTuple):
    """options: of module mesh_validate, only those that the arguments state. cluster: kubeconfig and context."""

    options: dict[str, Any]
    cluster: dict[str, Any]
    config: str = ""
    no_config: bool = False
    format: str = "text"
    explain: str = ""
    statistics: bool = False
    fix: bool = False
    write: bool = False
    no_cache: bool = False


def asked_of(arguments: Sequence[str]) -> Asked:
    """Reads standard input for the path ``-``. Exits with 2 for invalid arguments, with 0 for --help and --version."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.no_config and given.config:
        parser.error("--config and --no-config exclude one another")
    if given.write and not given.fix:
        parser.error("--write needs --fix")
    if given.fix and (given.format != "text" or given.statistics or "-" in given.paths):
        parser.error("--fix edits files and prints a diff. It excludes --format, --statistics and the path -")
    if not given.live and (given.kubeconfig or given.context):
        parser.error("--kubeconfig and --context need --live")
    paths = given.paths or ([] if given.live else ["."])
    options: dict[str, Any] = {"paths": [path for path in paths if path != "-"], "live": given.live}
    if "-" in paths:
        options["content"] = _standard_input()
    stated = {
        "fail_on": given.level,
        "namespaces": given.namespaces,
        "istio_version": given.istio_version,
        "target_version": given.target_version,
        "gateway_api_version": given.gateway_api_version,
        "baseline": given.baseline,
    }
    options |= {name: value for name, value in stated.items() if value}
    cluster = {"kubeconfig": given.kubeconfig, "context": given.context}
    return Asked(
        options,
        cluster,
        given.config,
        given.no_config,
        given.format,
        given.explain.upper(),
        given.statistics,
        given.fix,
        given.write,
        given.no_cache,
    )


def _standard_input() -> str:
    if sys.stdin is None or sys.stdin.isatty():
        raise InputError("- reads the configuration from a pipe. Connect one: helm template shop | mesh-validate -")
    return sys.stdin.buffer.read().decode("utf-8", "surrogateescape")


def _parser() -> argparse.ArgumentParser:
    # argparse measures the terminal while it is set up, by a module that loads three compressions.
    formatter = partial(argparse.RawDescriptionHelpFormatter, width=_WIDTH)
    parser = argparse.ArgumentParser(
        "mesh-validate", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=formatter
    )
    add = parser.add_argument
    add("paths", nargs="*", metavar="PATH", help="file, folder or pattern; - for standard input; else this folder")
    add("--live", action="store_true", help="read the cluster; PATHs are laid over its objects")
    add("--kubeconfig", default="", metavar="FILE", help="of the cluster; else that of kubectl")
    add("--context", default="", metavar="NAME", help="of the kubeconfig; else its current one")
    add(
        "--namespace",
        action="append",
        dest="namespaces",
        default=[],
        metavar="NAME",
        help="report findings in this namespace only; may be repeated",
    )
    add(
        "--config",
        default="",
        metavar="FILE",
        help="else mesh-validate.yml of this folder or of its repository's root",
    )
    add("--no-config", action="store_true", help="read no mesh-validate.yml")
    add("--no-cache", action="store_true", help="neither show nor keep the output of an earlier run on the same input")
    add("--baseline", default="", metavar="FILE", help="report only what this earlier JSON report does not have")
    add("--format", choices=FORMATS, default="text", help="text is for people (default)")
    add("--level", choices=_LEVELS, default="", help="exit with 1 for a finding of this level or worse (error)")
    add("--istio-version", default="", metavar="X", help="judge by the schemas of this version, as in 1.31")
    add(
        "--target-version", default="", metavar="X", help="also report what an upgrade of Istio to X breaks, as in 1.32"
    )
    add("--gateway-api-version", default="", metavar="X", help="the same for the Gateway API, as in 1.5")
    add("--fix", action="store_true", help="print a diff of the corrections that are beyond doubt; change nothing")
    add("--write", action="store_true", help="with --fix: write them to the files, then report what is left")
    add("--statistics", action="store_true", help="count findings by code, and list what undecided checks lack")
    add("--explain", default="", metavar="CODE", help="print what a code means and how to fix it")
    add("--version", action="version", version=f"%(prog)s {VERSION}")
    return parser
