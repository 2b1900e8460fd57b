#!/usr/bin/python
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: object_set
short_description: Apply a named set of objects, and prune what left it
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Applies a list of objects by server-side apply, and deletes the objects which were once in the set and
    are not any more.
  - Every object of the set gets the label C(service-mesh.corpv3.com/part-of) with the name of the set.
  - The API server's own dry run decides whether an object differs, so a second run changes nothing.
  - In check mode, kinds and namespaces that do not exist yet are fine. With O(state=absent) unknown kinds are, too.
  - All objects are checked before the first one is touched.
requirements:
  - kubernetes.core 6.2.0 or newer, below 7
  - kubernetes (Python library) 24.2.0 or newer, not 36.0.0 or 36.0.1
  - PyYAML
extends_documentation_fragment:
  - corpv3.service_mesh._attributes
  - corpv3.service_mesh._attributes.action_group
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Values of Secrets are hidden; a marker shows whether they differ.
  idempotent:
    support: full
options:
  name:
    description: Name of the set. It must be a valid value for a label.
    type: str
    required: true
    version_added: 0.1.0
  objects:
    description:
      - The objects. With O(state=absent), they may be reduced to what identifies them.
      - They are applied in this order, except that namespaces, definitions of kinds and the like come first
        and webhooks last.
    type: list
    elements: dict
    default: []
    version_added: 0.1.0
  namespaces:
    description:
      - Namespaces to make first where they are missing.
      - They are not part of the set. They get no label, and are neither changed nor removed.
    type: list
    elements: str
    default: []
    version_added: 0.1.0
  state:
    description: Whether the objects should exist.
    type: str
    choices: [present, absent]
    default: present
    version_added: 0.1.0
  prune:
    description: Whether to delete objects that carry the label of the set and are not in O(objects).
    type: bool
    default: true
    version_added: 0.1.0
  prune_kinds:
    description:
      - Kinds to look for objects to prune in, besides those in O(objects), such as V(v1/ConfigMap) or
        V(networking.istio.io/v1/VirtualService).
      - Name every kind here that the set can have, else the last object of a kind is never pruned.
    type: list
    elements: str
    default: []
    version_added: 0.1.0
  field_manager:
    description: Name under which the API server keeps account of the fields.
    type: str
    default: corpv3-service-mesh
    version_added: 0.1.0
  wait:
    description: Whether to wait until the objects are ready, or gone.
    type: bool
    default: true
    version_added: 0.1.0
  wait_timeout:
    description: How many seconds to wait at most.
    type: int
    default: 120
    version_added: 0.1.0
seealso:
  - module: kubernetes.core.k8s
    description: Manages objects one by one, does not prune, and does not know kinds before they are defined.
"""

EXAMPLES = r"""
- name: Route traffic of the shop
  corpv3.service_mesh.object_set:
    name: shop-routing
    objects: "{{ shop_virtual_services + shop_destination_rules }}"
    prune_kinds:
      - networking.istio.io/v1/VirtualService
      - networking.istio.io/v1/DestinationRule

- name: Take it away again
  corpv3.service_mesh.object_set:
    name: shop-routing
    state: absent
    prune_kinds:
      - networking.istio.io/v1/VirtualService
      - networking.istio.io/v1/DestinationRule
"""

RETURN = r"""
objects:
  description: What happened, or would happen in check mode, to each object.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the object.
      type: str
      returned: always
    namespace:
      description: Namespace of the object, empty if its kind knows none.
      type: str
      returned: always
    name:
      description: Name of the object.
      type: str
      returned: always
    change:
      description: One of V(created), V(changed), V(deleted) and V(unchanged).
      type: str
      returned: always
"""

import re
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.module import create_module, run_module
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.object_set import (
    ObjectSet,
    SetFailure,
    Settings,
    checked,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import plain

_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


def argument_spec() -> dict[str, Any]:
    return {
        "name": {"type": "str", "required": True},
        "objects": {"type": "list", "elements": "dict", "default": []},
        "namespaces": {"type": "list", "elements": "str", "default": []},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "prune": {"type": "bool", "default": True},
        "prune_kinds": {"type": "list", "elements": "str", "default": []},
        "field_manager": {"type": "str", "default": "corpv3-service-mesh"},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": 120},
    }


def settings(params: dict[str, Any]) -> Settings:
    if not _LABEL_VALUE.fullmatch(params["name"]):
        raise SetFailure(f"name '{params['name']}' is not a valid value for a label: letters, digits, '-', '_' and '.'")
    kinds = []
    for entry in params["prune_kinds"]:
        api_version, _slash, kind = entry.rpartition("/")
        if not api_version or not kind:
            raise SetFailure(f"prune_kinds: '{entry}' is not written like v1/ConfigMap or apps/v1/Deployment")
        kinds.append((api_version, kind))
    return Settings(
        name=params["name"],
        field_manager=params["field_manager"],
        prune=params["prune"],
        prune_kinds=tuple(kinds),
        wait=params["wait"],
        wait_timeout=params["wait_timeout"],
        namespaces=tuple(params["namespaces"]),
    )


def run(module: Any) -> dict[str, Any]:
    params = plain({key: module.params[key] for key in argument_spec()})
    how = settings(params)
    objects = checked(params["objects"], how.name)
    object_set = ObjectSet(Cluster(module), how)
    if params["state"] == "present":
        changes = object_set.present(objects, module.check_mode)
    else:
        changes = object_set.absent(objects, module.check_mode)
    for warning in object_set.warnings:
        module.warn(warning)
    due = [change for change in changes if change.change != "unchanged"]
    return {
        "changed": bool(due),
        "objects": [change.report() for change in changes],
        "diff": [change.diff() for change in due] if module._diff else [],
    }


def main() -> None:
    run_module(create_module(argument_spec()), run, "objects")


if __name__ == "__main__":
    main()
