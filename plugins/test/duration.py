# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one rule for durations: those that Prometheus takes."""

from __future__ import annotations

DOCUMENTATION = r"""
name: duration
short_description: Whether a value is a duration of Prometheus
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Whole numbers with their units, from the largest unit to the smallest, such as V(15d), V(1h30m) or V(500ms).
  - The same rule by which the modules of this collection read durations of Prometheus.
options:
  _input:
    description: The value.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Check for how long metrics are kept
  ansible.builtin.assert:
    that: retention is corpv3.service_mesh.duration
    fail_msg: "retention is '{{ retention }}': write for example 15d."
"""

RETURN = r"""
_value:
  description: Whether Prometheus would take it.
  type: bool
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.durations import duration_of


def duration(value: Any) -> bool:
    return duration_of(str(value)) is not None


class TestModule:
    """For Ansible."""

    def tests(self) -> dict[str, Callable[[Any], bool]]:
        return {"duration": duration}
