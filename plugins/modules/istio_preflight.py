#!/usr/bin/python
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: istio_preflight
short_description: Check that Istio supports the cluster, and that nothing comes from its retired registries
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Fails where a release of Istio does not support a Kubernetes as old as the cluster's. Warns where the cluster is
    newer than what the release was tested with, and where the collection does not know the release.
  - Warns of settings, running pods, injectors and Helm releases that name the registries and the chart repository
    which Istio retires in December 2026, and says how to move them.
  - What the account may not read is told as a warning.
requirements:
  - kubernetes.core 6.2.0 or newer
  - kubernetes (Python library) 24.2.0 or newer, not 36.0.0 or 36.0.1
  - PyYAML
extends_documentation_fragment:
  - corpv3.service_mesh._attributes
  - corpv3.service_mesh._attributes.info_module
  - corpv3.service_mesh._attributes.action_group
  - kubernetes.core.k8s_auth_options
options:
  versions:
    description: The releases of Istio, by the name of the setting that gives each. Messages name it.
    type: dict
    default: {}
  allow_unsupported:
    description: Whether a cluster that is too old for a release is told as a warning, too.
    type: bool
    default: false
  sources:
    description: Addresses of charts and images, by the name of the setting that gives each. Messages name it.
    type: dict
    default: {}
  namespaces:
    description:
      - Where Istio's injectors and Helm releases are looked for.
      - Pods are looked for in all namespaces, and in these alone where the account may not list them in all.
    type: list
    elements: str
    default: [istio-system]
seealso:
  - module: corpv3.service_mesh.cluster_preflight
  - module: corpv3.service_mesh.mesh_report
"""

EXAMPLES = r"""
- name: Check the release, and where Istio comes from
  corpv3.service_mesh.istio_preflight:
    versions:
      my_istio_version: "{{ my_istio_version }}"
    sources:
      my_chart_repository: "{{ my_chart_repository }}"
    namespaces: [istio-system, istio-ingress]
"""

RETURN = r"""
kubernetes:
  description: Version of Kubernetes.
  returned: when the API server could be reached
  type: str
support:
  description: What was found of each of O(versions), by the same names.
  returned: when the API server could be reached
  type: dict
  sample:
    my_istio_version: {verdict: supported, text: ""}
retired:
  description: What comes from the registries that Istio retires.
  returned: success
  type: dict
  contains:
    workloads:
      description: Who has running pods with images from there.
      returned: always
      type: list
      elements: dict
      sample: [{namespace: shop, kind: Deployment, name: web, pods: 2, images: [example.com/proxyv2:1], injected: true}]
    injectors:
      description: ConfigMaps of injectors that give new pods images from there.
      returned: always
      type: list
      elements: dict
      sample: [{namespace: istio-system, name: istio-sidecar-injector, address: registry.example.com}]
    releases:
      description: Helm releases whose values or objects name such an address.
      returned: always
      type: list
      elements: dict
      sample: [{namespace: istio-system, name: istiod, address: registry.example.com}]
    notes:
      description: What could not be read.
      returned: always
      type: list
      elements: str
"""

from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm_storage import NEWEST_RELEASES, newest_releases
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio_support import support_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kubernetes import Cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._module import create_module, fail
from ansible_collections.corpv3.service_mesh.plugins.module_utils._objects import Objects, plain
from ansible_collections.corpv3.service_mesh.plugins.module_utils._retired_registries import (
    retired_injectors,
    retired_releases,
    retired_workloads,
    warnings_of,
)

_WAY_OUT = "To run it all the same, set allow_unsupported (istio_allow_unsupported_kubernetes). Nothing was changed."
_UNSEEN = ", so it is not known whether any there comes from the registries that Istio retires"
_UNFINISHED = "status.phase!=Succeeded,status.phase!=Failed"


def argument_spec() -> dict[str, Any]:
    return {
        "versions": {"type": "dict", "default": {}},
        "allow_unsupported": {"type": "bool", "default": False},
        "sources": {"type": "dict", "default": {}},
        "namespaces": {"type": "list", "elements": "str", "default": ["istio-system"]},
    }


class Look:
    """What the account may list, and notes on what it may not."""

    def __init__(self, cluster: Cluster, namespaces: list[str]) -> None:
        self._cluster = cluster
        self._namespaces = namespaces
        self.notes: list[str] = []

    def pods(self) -> Objects:
        """Of all namespaces where the account may list them, else of its own."""
        try:
            return self._cluster.list("v1", "Pod", fields=_UNFINISHED)
        except ApiFailure as failure:
            if failure.status != 403:
                raise
        self.notes.append(f"The account may not list Pod outside of {', '.join(self._namespaces)}{_UNSEEN}")
        return self.of_namespaces("Pod", fields=_UNFINISHED)

    def of_namespaces(self, kind: str, labels: str = "", fields: str = "") -> Objects:
        found: Objects = []
        for namespace in self._namespaces:
            try:
                found += self._cluster.list("v1", kind, namespace, labels, fields)
            except ApiFailure as failure:
                if failure.status != 403:
                    raise
                self.notes.append(f"The account may not list {kind} in {namespace}{_UNSEEN}")
        return found


def run(module: Any) -> None:
    params = plain(module.params)
    cluster = Cluster(module)
    kubernetes = cluster.version()
    support = {name: support_of(str(version), kubernetes) for name, version in params["versions"].items()}
    told = {
        name: f"{name} is {params['versions'][name]}: {found.text}." for name, found in support.items() if found.text
    }
    refused = [
        text for name, text in told.items() if support[name].verdict == "too_old" and not params["allow_unsupported"]
    ]
    result = {"kubernetes": kubernetes, "support": {name: found._asdict() for name, found in support.items()}}
    if refused:
        fail(module, "\n".join([*refused, _WAY_OUT]), **result)
    look = Look(cluster, list(dict.fromkeys(params["namespaces"])))
    retired: dict[str, Objects] = {
        "workloads": retired_workloads(look.pods()),
        "injectors": retired_injectors(look.of_namespaces("ConfigMap")),
        "releases": retired_releases(newest_releases(look.of_namespaces("Secret", labels=NEWEST_RELEASES))),
    }
    sources = {name: str(address) for name, address in params["sources"].items()}
    for warning in (*told.values(), *warnings_of(retired, sources), *look.notes):
        module.warn(warning)
    module.exit_json(changed=False, retired={**retired, "notes": look.notes}, **result)


def main() -> None:
    module = create_module(argument_spec())
    try:
        run(module)
    except ApiFailure as failure:
        fail(module, f"The API server does not answer as it should: {failure}")


if __name__ == "__main__":
    main()
