# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What module canary would refuse, in the words of role canary's variables."""

from __future__ import annotations

DOCUMENTATION = r"""
name: canary_problems
short_description: Name what module canary would refuse about a run, before anything is touched
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Checks the strategy, the steps, the times and the gates of a run by the rules of M(corpv3.service_mesh.canary), all
    at once, and names each option as the variable of role P(corpv3.service_mesh.canary#role) that sets it.
  - A gate may also have the types V(prompt) and V(awx), which the role turns into V(return).
options:
  _input:
    description:
      - Options of M(corpv3.service_mesh.canary), with numbers as numbers.
      - All of C(strategy), C(steps), C(match), C(session_affinity), C(mirror_percentage), C(min_ready), C(gates), and
        those that are times.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse steps that make no run
  ansible.builtin.fail:
    msg: "{{ problems | join('\n') }}"
  vars:
    problems: "{{ options_of_the_run | corpv3.service_mesh.canary_problems }}"
  when: problems | length > 0
"""

RETURN = r"""
_value:
  description: A sentence for each problem, with the variable, what is wrong and the way out.
  type: list
  elements: str
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def canary_problems(given: Any) -> list[str]:
    # All filters of a collection are loaded for any of them, and most plays have no canary.
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.plan import HOLD, URL
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.run_options import JUDGED, problems
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import plain

    if not isinstance(given, Mapping):
        raise AnsibleFilterError(f"canary_problems takes a dictionary of options, and {given!r} is not one.")
    if missing := [option for option in JUDGED if option not in given]:
        raise AnsibleFilterError(f"canary_problems needs all options that it judges. Missing: {', '.join(missing)}.")
    return [*problems(plain(given), True, "canary_", ("prompt", "awx", URL, HOLD))]


class FilterModule:
    """For Ansible."""

    def filters(self) -> dict[str, Callable[[Any], list[str]]]:
        return {"canary_problems": canary_problems}
