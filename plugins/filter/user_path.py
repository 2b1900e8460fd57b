# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one rule for relative paths: they start where the user stands."""

from __future__ import annotations

DOCUMENTATION = r"""
name: user_path
short_description: Make a path absolute from where ansible-playbook was called
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - A relative path starts in the working directory of the C(ansible-playbook) process, as the user of any other command
    expects.
  - A module on a local connection runs in the playbook's folder instead, which is an installed collection's for
    C(ansible-playbook corpv3.service_mesh.validate). The environment variable E(PWD) does not help, because pre-commit
    and other programs that change the directory leave the old one in it.
  - C(~) and environment variables are expanded. An absolute path, such as V(/dev/stdout), stays as it is.
options:
  _input:
    description: A path, a list of paths, or a dictionary whose values are paths. What is empty stays empty.
    type: raw
    required: true
  keys:
    description: Which values of a dictionary are paths. If not set, all of them are. The others do not change.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Validate the files of the repository from which the playbook is called
  corpv3.service_mesh.mesh_validate:
    base: "{{ '.' | corpv3.service_mesh.user_path }}"
    paths: [deploy/]

- name: Write a report beside them
  corpv3.service_mesh.mesh_report:
    path: "{{ 'mesh' | corpv3.service_mesh.user_path }}"
    prometheus: "{{ prometheus | corpv3.service_mesh.user_path(keys=['ca_cert']) }}"
"""

RETURN = r"""
_value:
  description: The same with absolute paths.
  type: raw
"""

import os
from collections.abc import Callable, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError


def user_path(value: Any, keys: Sequence[str] | None = None) -> Any:
    if isinstance(value, dict):
        return {key: user_path(path) if keys is None or key in keys else path for key, path in value.items()}
    if keys is not None:
        # The option that takes the dictionary reports a value of another type in its own words.
        return value
    if isinstance(value, list):
        return [user_path(path) for path in value]
    if not value:
        return value
    if not isinstance(value, str):
        raise AnsibleFilterError(f"user_path takes paths as text, and {value!r} is not text.")
    # As an option of type path does, so that it makes no difference who expands them.
    path = os.path.expanduser(os.path.expandvars(value))
    try:
        return os.path.abspath(path)
    except FileNotFoundError:
        raise AnsibleFilterError(
            f"'{value}' is relative, and the directory in which ansible-playbook was called no longer exists. "
            "Change to another directory, or give an absolute path."
        ) from None


class FilterModule:
    """For Ansible."""

    def filters(self) -> dict[str, Callable[[Any], Any]]:
        return {"user_path": user_path}
