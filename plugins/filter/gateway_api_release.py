# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cluster gets of a release of the Gateway API."""

from __future__ import annotations

DOCUMENTATION = r"""
name: gateway_api_release
short_description: Decide which definitions of the Gateway API a cluster gets
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Compares the manifest of a release with the definitions in a cluster. Newer definitions stay as they are.
  - Definitions of another channel, of an unknown release or of another owner are problems, and so are objects that are
    stored in a version that the release does not have.
options:
  _input:
    description: The objects of the manifest, as C(standard-install.yaml) of the API's releases has them.
    type: list
    elements: dict
    required: true
  live:
    description: The CustomResourceDefinitions of the cluster, as M(corpv3.service_mesh.object_info) returns them.
    type: list
    elements: dict
    required: true
  version:
    description: The release, without the leading v.
    type: str
    required: true
  channel:
    description: The channel.
    type: str
    choices: [standard, experimental]
    required: true
"""

EXAMPLES = r"""
- name: Compare the release with the cluster
  ansible.builtin.set_fact:
    compared: >-
      {{ lookup('ansible.builtin.file', 'standard-install.yaml') | from_yaml_all
         | corpv3.service_mesh.gateway_api_release(definitions.resources, '1.6.0', 'standard') }}
"""

RETURN = r"""
_value:
  description: C(objects) to apply, C(problems) that forbid it, and C(notes) for the user. Texts are sentences.
  type: dict
"""

from collections.abc import Callable
from typing import Any


def gateway_api_release(release: Any, live: Any, version: str, channel: str) -> dict[str, list[Any]]:
    # All filters of a collection are loaded for any of them.
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.gateway_api_release import decide
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import plain

    found = decide([obj for obj in plain(list(release)) if obj], plain(live), version, channel)
    return {"objects": [*found.objects], "problems": [*found.problems], "notes": [*found.notes]}


class FilterModule:
    """For Ansible."""

    def filters(self) -> dict[str, Callable[..., dict[str, list[Any]]]]:
        return {"gateway_api_release": gateway_api_release}
