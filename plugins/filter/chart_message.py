# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Helm's message about a chart's values in the words of a role's variables."""

from __future__ import annotations

DOCUMENTATION = r"""
name: chart_message
short_description: Put what helm says of a chart's values into the words of variables
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - A chart speaks of its values, and the user of a role has given variables. C(at '/image/tag') becomes
    C(restaurant_app_image_tag).
options:
  _input:
    description: What helm wrote to its standard error.
    type: str
    required: true
  variables:
    description:
      - Dictionaries of C(value), as V(image.tag), and C(variable), which takes its place. The first that fits counts.
      - A variable that ends with an underscore is the beginning of several. With V(database_redis_) for V(redis), the
        value C(redis.maxmemory) is C(database_redis_maxmemory).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Say what is wrong with the chart's values
  ansible.builtin.fail:
    msg: "{{ helm.stderr | corpv3.service_mesh.chart_message([{'value': 'image.tag', 'variable': 'shop_image_tag'}]) }}"
"""

RETURN = r"""
_value:
  description: The message, without helm's introduction and advice.
  type: str
"""

from collections.abc import Callable, Mapping, Sequence

from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.messages import in_variables


def chart_message(message: str, variables: Sequence[Mapping[str, str]]) -> str:
    return in_variables(message, variables)


class FilterModule:
    """For Ansible."""

    def filters(self) -> dict[str, Callable[..., str]]:
        return {"chart_message": chart_message}
