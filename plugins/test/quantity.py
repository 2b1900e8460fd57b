# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one rule for sizes: those that Kubernetes takes."""

from __future__ import annotations

DOCUMENTATION = r"""
name: quantity
short_description: Whether a value is a quantity of Kubernetes
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Numbers, and text such as V(500m), V(1.5) or V(256Mi), without a sign.
  - The same rule by which the modules of this collection read quantities.
options:
  _input:
    description: The value, as a number or as text.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Check the size of a volume
  ansible.builtin.assert:
    that: volume_size is corpv3.service_mesh.quantity
    fail_msg: "volume_size is '{{ volume_size }}': write for example 20Gi."
"""

RETURN = r"""
_value:
  description: Whether Kubernetes would take it.
  type: bool
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube import quantities


def quantity(value: Any) -> bool:
    return quantities.quantity(value) is not None


class TestModule:
    """For Ansible."""

    def tests(self) -> dict[str, Callable[[Any], bool]]:
        return {"quantity": quantity}
