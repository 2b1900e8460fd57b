# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one rule for images: what a container runtime could pull, with what distinguishes it from another one."""

from __future__ import annotations

DOCUMENTATION = r"""
name: image_reference
short_description: Whether a value is a reference to an image, with its tag or digest
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - A registry with its port where there is one, a path in lower case, and a tag, a digest, or both.
  - A URL is not a reference, and neither is an image without a tag, which would be V(latest).
options:
  _input:
    description: The value.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Check the image
  ansible.builtin.assert:
    that: image is corpv3.service_mesh.image_reference
    fail_msg: "image is '{{ image }}': write for example registry.example.com/shop/orders:2.0.0."
"""

RETURN = r"""
_value:
  description: Whether it is one.
  type: bool
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.images import is_image_reference


def image_reference(value: Any) -> bool:
    return isinstance(value, str) and is_image_reference(value)


class TestModule:
    """For Ansible."""

    def tests(self) -> dict[str, Callable[[Any], bool]]:
        return {"image_reference": image_reference}
