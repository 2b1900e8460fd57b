# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Checks that users add: files of Python, and expressions in CEL."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.finding import LEVELS, Rule
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import NAMESPACE, Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import CHECKS, Check, Report

_CODE = re.compile(r"[A-Z][A-Z0-9_-]*")
_FIELDS = {"code", "kinds", "expression", "message", "level", "title", "why", "remedy", "docs", "field"}
_NEEDED = {"code", "kinds", "expression", "message"}


class CustomCheckError(MeshError):
    """An invalid custom check; the message names it and the way out."""


def python_checks(references: Sequence[str]) -> list[Check]:
    """Checks of the files: a path each, or ``namespace.collection.name`` for plugins/module_utils/<name>.py."""
    if not references:
        return []
    import importlib.util

    before = list(CHECKS)
    for reference in references:
        path = _file_of(reference)
        spec = importlib.util.spec_from_file_location(f"mesh_checks_{abs(hash(path))}", path)
        if spec is None or spec.loader is None:
            raise CustomCheckError(f"policy.python: '{reference}' is not a Python file.")
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            line = error.lineno if isinstance(error, SyntaxError) else _last_line(error, path)
            raise CustomCheckError(f"policy.python: {path}, line {line}: {type(error).__name__}: {error}") from error
    added = [check for check in CHECKS if check not in before]
    CHECKS[:] = before
    if not added:
        raise CustomCheckError(
            f"policy.python: {', '.join(references)} declares no check. Put @check on its functions."
        )
    return added


def _last_line(error: Exception, path: str) -> int:
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _file_of(reference: str) -> str:
    path = os.path.expanduser(reference)
    if os.path.isfile(path):
        return path
    parts = reference.split(".")
    if len(parts) == 3 and all(part.isidentifier() for part in parts):
        tail = os.path.join("ansible_collections", *parts[:2], "plugins", "module_utils", f"{parts[2]}.py")
        for root in _collection_roots():
            if os.path.isfile(os.path.join(root, tail)):
                return os.path.join(root, tail)
    raise CustomCheckError(
        f"policy.python: '{reference}' is neither a file nor in plugins/module_utils of an installed collection."
    )


def _collection_roots() -> list[str]:
    variable = os.environ.get("ANSIBLE_COLLECTIONS_PATH", "")
    configured = [os.path.expanduser(path) for path in variable.split(":") if path]
    return [*configured, os.path.expanduser("~/.ansible/collections"), "/usr/share/ansible/collections", *sys.path]


def cel_checks(entries: Sequence[Mapping[str, Any]]) -> list[Check]:
    """Each entry: an expression that must be true for every object of its kinds.

    ``object`` is the object, ``namespaceObject`` its Namespace if the input has it, else null, as in Kubernetes'
    ValidatingAdmissionPolicy. An expression that cannot be evaluated is a finding, too.
    """
    if not entries:
        return []
    try:
        # Here, because it loads libraries for command lines: a tenth of a second that no other run should wait for.
        import cel
    except ImportError:
        raise CustomCheckError(
            "policy.cel needs the Python package common-expression-language. Install it where the module runs."
        ) from None
    return [_cel_check(entry, cel.compile) for entry in entries]


def _cel_check(entry: Mapping[str, Any], compiled: Callable[[str], Any]) -> Check:
    code = str(entry.get("code", ""))
    wrong = sorted((set(entry) - _FIELDS) | (_NEEDED - set(entry)))
    if wrong:
        raise CustomCheckError(
            f"policy.cel: {code or entry}: {', '.join(wrong)} is missing or unknown. "
            f"An entry has {', '.join(sorted(_NEEDED))} and may have {', '.join(sorted(_FIELDS - _NEEDED))}."
        )
    if not _CODE.fullmatch(code):
        raise CustomCheckError(f"policy.cel: '{code}' is not a valid code. Use capitals and digits, as in SHOP001.")
    level = str(entry.get("level", "error"))
    if level not in LEVELS:
        raise CustomCheckError(f"policy.cel: {code}: level '{level}' is not one of {', '.join(LEVELS)}.")
    try:
        program = compiled(str(entry["expression"]))
    except ValueError as error:
        raise CustomCheckError(f"policy.cel: {code}: {' '.join(str(error).split())}") from None
    message = str(entry["message"])
    rule = Rule(
        name=f"cel_{code}",
        code=code,
        level=level,
        title=str(entry.get("title", message)),
        why=str(entry.get("why", "")),
        remedy=str(entry.get("remedy", "")),
        docs=str(entry.get("docs", "")),
    )
    kinds = {str(kind) for kind in entry["kinds"]}
    path = tuple(part for part in str(entry.get("field", "")).split(".") if part)

    def run(mesh: Mesh, report: Report) -> None:
        for resource in mesh.all():
            if resource.kind.kind not in kinds and str(resource.kind) not in kinds:
                continue
            if problem := _violation(program, resource, mesh):
                report(resource, path, message if problem == "false" else f"{message} ({problem})")

    return Check(rule, run, alone="namespaceObject" not in str(entry["expression"]))


def _violation(program: Any, resource: Resource, mesh: Mesh) -> str:
    """Empty if the expression is true, ``false`` if it is not, otherwise why it has no value."""
    namespace = mesh.find(NAMESPACE, "", resource.namespace)
    try:
        result = program.execute({"object": resource.obj, "namespaceObject": namespace.obj if namespace else None})
    except (KeyError, IndexError) as error:
        return f"the object has no {error}"
    except (RuntimeError, TypeError, ValueError) as error:
        return f"cannot be evaluated: {' '.join(str(error).split())[:200]}"
    if result is True:
        return ""
    return "false" if result is False else f"the expression is {result!r}, neither true nor false"
