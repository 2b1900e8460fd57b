#!/usr/bin/python
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: object_info
short_description: Read objects of one kind
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Reads one object, or all of a kind in a namespace or in the whole cluster. Changes nothing.
  - What M(kubernetes.core.k8s_info) does, for those who run many such tasks. On a local connection it runs inside
    Ansible's own process and takes a fifth of the time.
extends_documentation_fragment:
  - corpv3.service_mesh._attributes
  - corpv3.service_mesh._attributes.info_module
  - corpv3.service_mesh._attributes.action_group
  - kubernetes.core.k8s_auth_options
options:
  api_version:
    description: API version of the objects.
    type: str
    default: v1
  kind:
    description: Kind of the objects.
    type: str
    required: true
  name:
    description: Name of the one object that is meant.
    type: str
    default: ""
  namespace:
    description: Namespace of the objects. Empty for all namespaces, and for kinds that have none.
    type: str
    default: ""
  label_selectors:
    description: Conditions on the objects' labels, as C(kubectl get --selector) has them. All of them must hold.
    type: list
    elements: str
    default: []
  field_selectors:
    description: Conditions on the objects' fields, as C(kubectl get --field-selector) has them. All of them must hold.
    type: list
    elements: str
    default: []
requirements:
  - kubernetes.core 6.2.0 or newer
  - kubernetes (Python library) 24.2.0 or newer, not 36.0.0 or 36.0.1
  - PyYAML
seealso:
  - module: kubernetes.core.k8s_info
  - module: corpv3.service_mesh.object_set
"""

EXAMPLES = r"""
- name: Look for the shop's Deployments
  corpv3.service_mesh.object_info:
    api_version: apps/v1
    kind: Deployment
    namespace: shop
    label_selectors: [app.kubernetes.io/part-of=shop]
  register: found

- name: Look for a Secret
  corpv3.service_mesh.object_info:
    kind: Secret
    namespace: shop
    name: database
  register: secret
  # The answer has its data.
  no_log: true
"""

RETURN = r"""
resources:
  description:
    - The objects as the API server has them. Empty where there are none, and where the cluster does not know the
      namespace or the kind.
  returned: success
  type: list
  elements: dict
"""

from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import Api
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.module import create_module, run_module
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Objects, Ref


def argument_spec() -> dict[str, Any]:
    return {
        "api_version": {"type": "str", "default": "v1"},
        "kind": {"type": "str", "required": True},
        "name": {"type": "str", "default": ""},
        "namespace": {"type": "str", "default": ""},
        "label_selectors": {"type": "list", "elements": "str", "default": []},
        "field_selectors": {"type": "list", "elements": "str", "default": []},
    }


def find(cluster: Api, params: dict[str, Any]) -> Objects:
    if params["name"]:
        found = cluster.get(Ref(params["api_version"], params["kind"], params["namespace"], params["name"]))
        return [found] if found else []
    return cluster.list(
        params["api_version"],
        params["kind"],
        params["namespace"],
        labels=",".join(params["label_selectors"]),
        fields=",".join(params["field_selectors"]),
    )


def run(module: Any) -> dict[str, Any]:
    return {"resources": find(Cluster(module), module.params)}


def main() -> None:
    run_module(
        create_module(argument_spec(), mutually_exclusive=[("name", "label_selectors"), ("name", "field_selectors")]),
        run,
    )


if __name__ == "__main__":
    main()
