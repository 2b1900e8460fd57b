# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which versions of the application stay because a canary decided so."""

from __future__ import annotations

DOCUMENTATION = r"""
name: decided_versions
short_description: Name the versions that are in a cluster by a canary's decision
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - A canary puts an image in the place of the one that the inventory asks for, and role
    P(corpv3.service_mesh.restaurant_app#role) keeps it. This names each such version that gets traffic.
options:
  _input:
    description: The Deployments of the application, as M(corpv3.service_mesh.object_info) returns them.
    type: list
    elements: dict
    required: true
  virtual_services:
    description: Its VirtualServices, of which one has the name of the service.
    type: list
    elements: dict
    required: true
  without:
    description: Names of Deployments that are left out.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Say which versions stay
  ansible.builtin.debug:
    msg: "{{ deployments.resources | corpv3.service_mesh.decided_versions(routes.resources) }}"
"""

RETURN = r"""
_value:
  description: A sentence for each version.
  type: list
  elements: str
"""

from collections.abc import Callable, Collection
from typing import Any


def decided_versions(deployments: Any, virtual_services: Any, without: Collection[str] = ()) -> list[str]:
    # All filters of a collection are loaded for any of them.
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary import decided
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import plain

    return [*decided.decided_versions(plain(deployments), plain(virtual_services), without)]


class FilterModule:
    """For Ansible."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        return {"decided_versions": decided_versions}
