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
  - Fails if a release of Istio does not support a Kubernetes as old as the cluster's. Warns if the cluster is newer
    than the release was tested with, and if the collection does not know the release.
  - Warns about settings, running pods, injectors and Helm releases that name the registries and the chart repository
    that Istio retires in December 2026, and how to move them.
  - Warns about what the account may not read.
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
    description: The releases of Istio, by the name of the setting for each. Messages use the name.
    type: dict
    default: {}
  allow_unsupported:
    description: Whether a cluster that is too old for a release is only a warning.
    type: bool
    default: false
  sources:
    description: Addresses of charts and images, by the name of the setting for each. Messages use the name.
    type: dict
    default: {}
  namespaces:
    description:
      - Where to listing for Istio's injectors and Helm releases.
      - Pods are searched in all namespaces, or in these alone if the account may not list them in all.
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
  description: The result for each of O(versions), by the same names.
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
      description: Owners of running pods with images from there.
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

from collections.abc import Callable
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.storage import NEWEST_RELEASES, newest_releases
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.module import create_module, run_module
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Objects, plain
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.istio_support import support_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.retired_registries import (
    retired_injectors,
    retired_releases,
    retired_workloads,
    warnings_of,
)

_WAY_OUT = "To run it anyway, set allow_unsupported: true. Nothing was changed."
_UNSEEN = ", so it is not known whether any object there comes from the registries that Istio retires"
_UNFINISHED = "status.phase!=Succeeded,status.phase!=Failed"


def argument_spec() -> dict[str, Any]:
    return {
        "versions": {"type": "dict", "default": {}},
        "allow_unsupported": {"type": "bool", "default": False},
        "sources": {"type": "dict", "default": {}},
        "namespaces": {"type": "list", "elements": "str", "default": ["istio-system"]},
    }


class Listing:
    """What the account may list, and notes on what it may not."""

    def __init__(self, cluster: Cluster, namespaces: list[str]) -> None:
        self._cluster = cluster
        self._namespaces = namespaces
        self.notes: list[str] = []

    def pods(self) -> Objects:
        """Of all namespaces if the account may list them, else of the given ones."""
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


def preflight(cluster: Cluster, params: dict[str, Any], warn: Callable[[str], None]) -> dict[str, Any]:
    kubernetes = cluster.version()
    support = {name: support_of(str(version), kubernetes) for name, version in params["versions"].items()}
    messages = {
        name: f"{name} is {params['versions'][name]}: {found.text}." for name, found in support.items() if found.text
    }
    refused = [
        text
        for name, text in messages.items()
        if support[name].verdict == "too_old" and not params["allow_unsupported"]
    ]
    result = {"kubernetes": kubernetes, "support": {name: found._asdict() for name, found in support.items()}}
    if refused:
        raise MeshError("\n".join([*refused, _WAY_OUT]), **result)
    listing = Listing(cluster, list(dict.fromkeys(params["namespaces"])))
    retired: dict[str, Objects] = {
        "workloads": retired_workloads(listing.pods()),
        "injectors": retired_injectors(listing.of_namespaces("ConfigMap")),
        "releases": retired_releases(newest_releases(listing.of_namespaces("Secret", labels=NEWEST_RELEASES))),
    }
    sources = {name: str(address) for name, address in params["sources"].items()}
    for warning in (*messages.values(), *warnings_of(retired, sources), *listing.notes):
        warn(warning)
    return {"retired": {**retired, "notes": listing.notes}, **result}


def run(module: Any) -> dict[str, Any]:
    try:
        return preflight(Cluster(module), plain(module.params), module.warn)
    except ApiFailure as failure:
        raise MeshError(f"The API server does not answer as expected: {failure}") from failure


def main() -> None:
    run_module(create_module(argument_spec()), run)


if __name__ == "__main__":
    main()
