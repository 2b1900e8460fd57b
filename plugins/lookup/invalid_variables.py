# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: invalid_variables
short_description: Variables whose value the roles of the play do not accept
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Ansible validates a role's arguments, too. Its message is followed by the role's whole argument spec, which for some
    roles is 400 lines. This lookup finds the same errors before, and in one sentence each.
  - Checks the host's variables that a role of the play has as an option, and the variables C(service_mesh_*) from which
    an option has its default.
options:
  _terms:
    description: None.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Refuse invalid variables
  corpv3.service_mesh.refuse:
    msg: "{{ problems }}"
  when: problems | length > 0
  vars:
    problems: "{{ lookup('corpv3.service_mesh.invalid_variables') }}"
"""

RETURN = r"""
_raw:
  description: A list with one sentence for each of them, with the variable and the remedy.
  type: list
  elements: list
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.lookup import LookupBase
from ansible.template import trust_as_template
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.values import problem

_ROLES = Path(__file__).resolve().parents[2] / "roles"
_COMMON = re.compile(r"\bservice_mesh_\w+")


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[list[str]]:
        self.set_options(var_options=variables, direct=kwargs)
        given = variables or {}
        found: dict[str, None] = {}
        for role in given.get("ansible_role_names") or ():
            found.update(dict.fromkeys(self._problems(str(role).rpartition(".")[2], given)))
        return [list(found)]

    def _problems(self, role: str, given: Mapping[str, Any]) -> Iterator[str]:
        specs, defaults = _ROLES / role / "meta/argument_specs.yml", _ROLES / role / "defaults/main.yml"
        if not specs.is_file():
            return
        options = yaml.load(specs.read_bytes())["argument_specs"]["main"]["options"]
        for name, text in yaml.load(defaults.read_bytes()).items():
            option = options[name]
            if option.get("type", "str") in ("str", "raw", "path") and "choices" not in option:
                continue
            # Where the role's defaults are loaded, they are among the host's variables.
            own = name in given and given[name] != text
            common = [variable for variable in _COMMON.findall(str(text)) if variable in given]
            if not own and not common:
                continue
            try:
                value = self._templar.template(given[name] if own else trust_as_template(str(text)))
            except AnsibleError:
                # What it needs is not known yet.
                continue
            errors = ArgumentSpecValidator({name: option}).validate({name: value}).error_messages
            if errors:
                yield problem(name if own else f"{common[0]} (for {name})", value, option, errors)
