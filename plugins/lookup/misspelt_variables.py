# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: misspelt_variables
short_description: Variables of this collection that are set, but that nothing reads
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Ansible accepts a variable of any name, so C(istio_gateway_replica_min) in the place of
    C(istio_gateway_replicas_min) has no effect and no message.
  - Finds the host's variables that begin like a role's or like C(service_mesh_), that no file of this collection
    reads, and whose name is like one that it reads. A name that another variable's value contains is not reported.
options:
  _terms:
    description: None.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Refuse misspelt variables
  ansible.builtin.assert:
    that: lookup('corpv3.service_mesh.misspelt_variables') == ''
"""

RETURN = r"""
_raw:
  description: One sentence that names each with the name that was probably meant, or an empty string.
  type: list
  elements: str
"""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.variables import (
    described,
    misspelt,
    names_in,
)

_COLLECTION = Path(__file__).resolve().parents[2]
# Of a role: what reads variables. Its argument specs describe them, with examples.
_FOLDERS = ("defaults", "vars", "tasks", "handlers", "templates")
_SUFFIXES = (".yml", ".j2", ".txt")
# These repeat all others, or are those of other hosts.
_ANSIBLES = frozenset({"vars", "hostvars", "groups"})


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        self.set_options(var_options=variables, direct=kwargs)
        given = {name: value for name, value in (variables or {}).items() if name not in _ANSIBLES}
        found = misspelt(given, _read(), _prefixes())
        return [described(found) if found else ""]


@functools.cache
def _prefixes() -> tuple[str, ...]:
    return ("service_mesh_", *(f"{path.name}_" for path in (_COLLECTION / "roles").iterdir() if path.is_dir()))


@functools.cache
def _read() -> frozenset[str]:
    return names_in(path.read_text(encoding="utf-8") for path in _sources())


def _sources() -> Iterator[Path]:
    folders = [_COLLECTION / "playbooks"]
    folders += [role / folder for role in (_COLLECTION / "roles").iterdir() for folder in _FOLDERS]
    for folder in folders:
        yield from (path for path in folder.rglob("*") if path.suffix in _SUFFIXES)
