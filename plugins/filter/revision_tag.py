# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The object that makes a tag of a revision of Istio."""

from __future__ import annotations

DOCUMENTATION = r"""
name: revision_tag
short_description: Make the object that gives a revision of Istio a tag
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Namespaces and pods name a tag in their label C(istio.io/rev), and the sidecar comes from the revision behind it.
    This is the webhook that C(istioctl tag set) would create.
  - The tag V(default) also serves those that name no revision but ask for injection.
options:
  _input:
    description: The tag.
    type: str
    required: true
  revision:
    description: The revision behind it. Empty for a control plane without a name.
    type: str
    required: true
  namespace:
    description: The namespace of its istiod.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Let namespaces with istio.io/rev=stable use revision 1-31
  corpv3.service_mesh.object_set:
    name: tags
    objects: ["{{ 'stable' | corpv3.service_mesh.revision_tag('1-31', 'istio-system') }}"]
"""

RETURN = r"""
_value:
  description: A MutatingWebhookConfiguration.
  type: dict
"""

from collections.abc import Callable
from typing import Any


def revision_tag(tag: Any, revision: Any, namespace: Any) -> dict[str, Any]:
    # All filters of a collection are loaded for any of them.
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio import revision_tag as tags

    return tags.revision_tag(str(tag), str(revision), str(namespace))


class FilterModule:
    """For Ansible."""

    def filters(self) -> dict[str, Callable[..., dict[str, Any]]]:
        return {"revision_tag": revision_tag}
