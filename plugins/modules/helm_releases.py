#!/usr/bin/python
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: helm_releases
short_description: Bring a list of Helm releases to their desired state
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Installs, upgrades and uninstalls the releases of a whole layer in one task.
  - The objects that a chart renders are compared with the cluster one by one, by the API server's own dry run.
    A release is changed only if it is missing, if it is not deployed, if the version of its chart differs,
    if an object differs, or if an object is no longer rendered.
  - What is installed is read from the Secrets in which Helm stores its releases. C(HELM_DRIVER) must not name another
    storage.
  - No helm plugin is needed. Check mode and diff mode also work on an empty cluster, where neither the namespaces
    nor the kinds of the objects exist yet.
  - Drift of custom resources is corrected, and definitions in a chart's C(crds) folder are updated as well. Helm itself
    does neither.
  - If a release does not become ready, the module reports which objects are not ready and why. Then it rolls the
    release back, or uninstalls it if it was new.
  - A release that an interrupted helm has left locked is repaired, with a warning.
requirements:
  - helm 3.18 or newer, or helm 4
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
    details: Provided that the charts render the same output twice.
options:
  releases:
    description:
      - The releases, in the order in which they are installed or uninstalled.
    type: list
    elements: dict
    required: true
    version_added: 0.1.0
    suboptions:
      name:
        description: Name of the release.
        type: str
        required: true
      namespace:
        description: Namespace of the release. It must exist before the release is installed.
        type: str
        required: true
      chart:
        description:
          - Name of the chart in O(releases[].repository), an C(oci://) reference, or the path of a chart.
          - Needed unless O(releases[].state=absent).
        type: str
      repository:
        description: URL of the chart repository, by C(https://) or C(oci://).
        type: str
      version:
        description: Version of the chart. Needed unless O(releases[].chart) is a path.
        type: str
      values:
        description: Values for the chart.
        type: dict
        default: {}
      state:
        description: Whether the release should exist.
        type: str
        choices: [present, absent]
        default: present
      wait:
        description: Whether to wait until the objects of the release are ready, or gone.
        type: bool
        default: true
      timeout:
        description: Maximum wait, in seconds.
        type: int
        default: 300
      rollback:
        description:
          - Whether a failed upgrade is rolled back.
          - Helm then overwrites what others have set since, for example the weights of a canary, with what it stored.
            Without it a failed upgrade is left as it is, and the next run continues from there.
        type: bool
        default: true
      ignore_differences:
        description:
          - Fields that another owner sets, such as a controller. Their differences are ignored.
          - Fields that are known to belong to controllers are always ignored, for example the C(caBundle) of webhooks.
        type: list
        elements: dict
        default: []
        suboptions:
          kind:
            description: Kind of the objects.
            type: str
            required: true
          name:
            description: Name of the objects, where V(*) and V(?) match anything. If not set, all objects of the kind.
            type: str
          fields:
            description:
              - Paths of fields, such as V(spec.replicas) or V(webhooks[].clientConfig.caBundle).
              - V([]) stands for every item of a list. A dot within a key is written V(\\.).
            type: list
            elements: str
            required: true
  side_by_side:
    description:
      - Whether the releases are installed in parallel, four at a time, instead of in their order.
      - For releases that do not depend on each other, neither for installation nor for readiness.
      - A release that fails does not prevent the others from being installed.
    type: bool
    default: false
    version_added: 0.1.0
  charts_only:
    description:
      - Whether to check only that each chart accepts its values and renders for this cluster.
      - For preflights, so that all problems of all charts are known before anything is changed.
    type: bool
    default: false
    version_added: 0.1.0
  unknown_values:
    description:
      - What a value is that its chart does not read, and whose name is like one that it reads, such as C(replicaCuont).
        Few charts have a schema that would refuse it, and helm accepts it.
      - V(warn) and V(fail) name the key that was probably meant. With V(fail), nothing is changed.
    type: str
    choices: [warn, fail, ignore]
    default: warn
    version_added: 0.1.0
  helm_binary:
    description: The helm program.
    type: str
    default: helm
    version_added: 0.1.0
seealso:
  - module: kubernetes.core.helm
    description: Manages one release, and compares the given values instead of the objects.
"""

EXAMPLES = r"""
- name: Install Istio
  corpv3.service_mesh.helm_releases:
    releases:
      - name: istio-base
        namespace: istio-system
        repository: https://blob.istio.io/istio-release/charts
        chart: base
        version: 1.31.1
      - name: istiod
        namespace: istio-system
        repository: https://blob.istio.io/istio-release/charts
        chart: istiod
        version: 1.31.1
        values:
          pilot:
            autoscaleMin: 2

- name: Install a chart on disk, and leave the number of replicas to its autoscaler
  corpv3.service_mesh.helm_releases:
    releases:
      - name: shop
        namespace: shop
        chart: "{{ role_path }}/files/chart"
        ignore_differences:
          - kind: Deployment
            fields:
              - spec.replicas

- name: Uninstall Istio
  corpv3.service_mesh.helm_releases:
    releases:
      - name: istiod
        namespace: istio-system
        state: absent
      - name: istio-base
        namespace: istio-system
        state: absent
"""

RETURN = r"""
releases:
  description: What happened, or would happen in check mode, to each release of O(releases), in the same order.
  returned: success, unless O(charts_only=true)
  type: list
  elements: dict
  contains:
    name:
      description: Name of the release.
      type: str
      returned: always
    namespace:
      description: Namespace of the release.
      type: str
      returned: always
    action:
      description: One of V(installed), V(upgraded), V(unchanged), V(uninstalled) and V(absent) (it did not exist).
      type: str
      returned: always
    objects:
      description: The objects of the release.
      type: list
      elements: dict
      returned: always
      contains:
        kind:
          description: Kind of the object.
          type: str
          returned: always
        namespace:
          description: Namespace of the object, empty if its kind has none.
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

from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.program import Helm
from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.release import release_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.releases import Releases
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.module import (
    create_module,
    run_module,
    working_directory,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import plain


def argument_spec() -> dict[str, Any]:
    ignore_differences = {
        "kind": {"type": "str", "required": True},
        "name": {"type": "str"},
        "fields": {"type": "list", "elements": "str", "required": True},
    }
    release = {
        "name": {"type": "str", "required": True},
        "namespace": {"type": "str", "required": True},
        "chart": {"type": "str"},
        "repository": {"type": "str"},
        "version": {"type": "str"},
        "values": {"type": "dict", "default": {}},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "wait": {"type": "bool", "default": True},
        "timeout": {"type": "int", "default": 300},
        "rollback": {"type": "bool", "default": True},
        "ignore_differences": {"type": "list", "elements": "dict", "default": [], "options": ignore_differences},
    }
    return {
        "releases": {"type": "list", "elements": "dict", "required": True, "options": release},
        "side_by_side": {"type": "bool", "default": False},
        "charts_only": {"type": "bool", "default": False},
        "unknown_values": {"type": "str", "choices": ["warn", "fail", "ignore"], "default": "warn"},
        "helm_binary": {"type": "str", "default": "helm"},
    }


def run(module: Any) -> dict[str, Any]:
    releases = [release_of(entry) for entry in plain(module.params["releases"])]
    cluster = Cluster(module)
    with working_directory(module) as directory, cluster.kubeconfig(directory) as kubeconfig:
        helm = Helm(module.params["helm_binary"], kubeconfig)
        helm.require_version()
        helm.require_secrets()
        work = Releases(
            cluster,
            helm,
            directory,
            module.warn,
            module.check_mode,
            module.params["side_by_side"],
            module.params["unknown_values"],
        )
        if module.params["charts_only"]:
            work.check_charts(releases)
            return {"changed": False}
        plans = work.ensure(releases)
    changes = [change for plan in plans for change in plan.changes if change.change != "unchanged"]
    return {
        "changed": any(plan.changed for plan in plans),
        "releases": [plan.report() for plan in plans],
        "diff": [change.diff() for change in changes] if module._diff else [],
    }


def main() -> None:
    run_module(create_module(argument_spec()), run, "releases")


if __name__ == "__main__":
    main()
