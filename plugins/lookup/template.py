# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: template
short_description: What ansible.builtin.template gives, without a copy of every variable
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - P(ansible.builtin.template#lookup) copies all variables of the host with all that they hold, for each template. In a
    play of many roles that takes longer than the template itself. This one runs it without that copy, so a template
    must not change what a variable holds.
options:
  _terms:
    description: The templates, and all that P(ansible.builtin.template#lookup) takes besides.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show what a role's template makes
  ansible.builtin.debug:
    msg: "{{ lookup('corpv3.service_mesh.template', 'values.yml.j2') | from_yaml }}"
"""

RETURN = r"""
_raw:
  description: What each template makes.
  type: list
  elements: raw
"""

from typing import Any

from ansible.plugins.loader import lookup_loader
from ansible.plugins.lookup import LookupBase


class _Variables(dict[str, Any]):
    """Are copied as they are, not with what they hold."""

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return dict(self)


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        template = lookup_loader.get("ansible.builtin.template", loader=self._loader, templar=self._templar)
        made: list[Any] = template.run(terms, variables=_Variables(variables or {}), **kwargs)
        return made
