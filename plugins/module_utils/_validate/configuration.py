# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The file mesh-validate.yml: what a repository states once for the module, the role and the console program."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.nearest import is_slip
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.parsing import parse

FILE = "mesh-validate.yml"
# The options that it may set, by their names. None of them names a program to run.
OPTIONS = (
    "suppress",
    "policy",
    "meshes",
    "baseline",
    "fail_on",
    "certificate_days",
    "istio_version",
    "target_version",
    "gateway_api_version",
    "gateway_api_channel",
    "default_namespace",
    "cluster_domain",
    "trust_domain",
    "mesh_config",
    "allow_empty",
    "allow_unread",
    "kustomize_enable_helm",
)
_TYPES: dict[str, tuple[type, str]] = {
    "bool": (bool, "true or false"),
    "dict": (dict, "an object"),
    "int": (int, "a number"),
    "list": (list, "a list"),
    "path": (str, "a path"),
    "str": (str, "a text (numbers in quotes)"),
}


class ConfigurationError(MeshError):
    """An invalid configuration file; the message names the file, the option and the way out."""


def found_file(start: str) -> str:
    """The path of the file in the folder, or in the root of the repository that it is in; empty if there is none."""
    folder = os.path.abspath(start)
    candidates = [folder]
    while not os.path.exists(os.path.join(folder, ".git")):
        above = os.path.dirname(folder)
        if above == folder:
            break
        folder = above
    else:
        candidates.append(folder)
    return next((path for path in (os.path.join(one, FILE) for one in candidates) if os.path.isfile(path)), "")


def configured(
    params: Mapping[str, Any], spec: Mapping[str, Any], path: str, *, may_run_code: bool = False
) -> dict[str, Any]:
    """The options with those of the file: lists and levels are added, others apply where the option has its default.

    may_run_code: whether the user named the file. One that is merely there could be a stranger's, and its own checks
    in Python would run. Raises ConfigurationError, and OSError if the file cannot be read.
    """
    merged = dict(params)
    for name, value in read_configuration(path, spec).items():
        if name == "suppress":
            merged[name] = [*value, *params[name]]
        elif name == "policy":
            if value.get("python") and not may_run_code:
                raise ConfigurationError(
                    f"{path}: policy.python would run code of a file that was only found. Name the file with option "
                    "config, or --config on the command line."
                )
            merged[name] = _with_policy(params[name] or {}, value)
        elif params[name] in (None, "", spec[name].get("default")):
            merged[name] = value
    return merged


def _with_policy(given: Mapping[str, Any], of_file: Mapping[str, Any]) -> dict[str, Any]:
    levels = {**(of_file.get("levels") or {}), **(given.get("levels") or {})}
    lists = {name: [*(of_file.get(name) or []), *(given.get(name) or [])] for name in ("enable", "python", "cel")}
    return {"levels": levels, **lists}


def read_configuration(path: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Option -> value. Paths in it start at the file's folder. Raises ConfigurationError and OSError."""
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        parsed = parse(file.read())
    for problem in parsed.problems:
        raise ConfigurationError(f"{path}:{problem.line}:{problem.column}: {problem.message}. Fix the file.")
    options = parsed.value if parsed.value is not None else {}
    _require(path, {name: spec[name] for name in OPTIONS}, options)
    folder = os.path.dirname(os.path.abspath(path))
    if options.get("baseline"):
        options["baseline"] = os.path.join(folder, os.path.expanduser(options["baseline"]))
    if options.get("meshes"):
        options["meshes"] = _meshes_at(options["meshes"], folder)
    policy = options.get("policy") or {}
    if policy.get("python"):
        policy["python"] = [_own_check(folder, reference) for reference in policy["python"]]
    return {name: value for name, value in options.items() if value is not None}


def _own_check(folder: str, reference: str) -> str:
    path = os.path.join(folder, os.path.expanduser(reference))
    return path if os.path.exists(path) else reference


def _meshes_at(entries: Iterable[Any], folder: str) -> list[Any]:
    """The entries with paths that start at the folder."""

    def at(path: Any) -> Any:
        return os.path.join(folder, os.path.expanduser(path)) if isinstance(path, str) else path

    def all_at(paths: Any) -> Any:
        return [at(path) for path in paths] if isinstance(paths, list) else paths

    found: list[Any] = []
    for entry in entries:
        if isinstance(entry, dict):
            entry = {key: all_at(value) if key == "paths" else value for key, value in entry.items()}
            if isinstance(entry.get("clusters"), dict):
                entry["clusters"] = {name: all_at(paths) for name, paths in entry["clusters"].items()}
            found.append(entry)
        else:
            found.append(at(entry))
    return found


def _require(path: str, spec: Mapping[str, Any], options: Any, inside: str = "") -> None:
    """Raises ConfigurationError for an option that does not exist, or has a value of another type."""
    if not isinstance(options, dict):
        raise ConfigurationError(f"{path}: {inside or 'the file'} is not an object. Write lines of 'option: value'.")
    for name, value in options.items():
        shown = f"{inside}.{name}" if inside else name
        if name not in spec:
            meant = next((known for known in spec if is_slip(str(name), known)), "")
            hint = f"Did you mean {meant}?" if meant else f"The options are {', '.join(spec)}."
            raise ConfigurationError(f"{path}: {shown} is not a valid option. {hint}")
        if value is None:
            continue
        if problem := _problem(spec[name], value):
            raise ConfigurationError(f"{path}: {shown}{problem}")
        if spec[name].get("options"):
            _require(path, spec[name]["options"], value, shown)


def _problem(known: Mapping[str, Any], value: Any) -> str:
    """What is wrong with the value of an option, as the rest of a sentence; empty if nothing is."""
    kind: Any
    kind, words = _TYPES[known["type"]]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        return f" is {value!r}. Write {words}."
    if known.get("elements") in ("str", "dict"):
        element, words = _TYPES[known["elements"]]
        wrong = [item for item in value if not isinstance(item, element)]
        if wrong:
            return f" contains {wrong[0]!r}. Each item must be {words}."
    if known.get("choices") and value not in known["choices"]:
        return f" is {value!r}. Use one of {', '.join(known['choices'])}."
    return ""
