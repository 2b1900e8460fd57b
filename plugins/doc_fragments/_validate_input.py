# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This doc fragment is PRIVATE to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  paths:
    description:
      - Files, folders and glob patterns. In folders, files that end in C(.yaml), C(.yml) and C(.json), recursively.
      - A folder with a C(Chart.yaml) is rendered with the chart's own values; with a C(kustomization.yaml), built.
    type: list
    elements: str
    default: []
  content:
    description: Configuration as text, for example from a pipe or another task.
    type: str
  chart:
    description: A Helm chart to render and check.
    type: dict
    suboptions:
      path:
        description: Path of the chart's folder or archive.
        type: str
        required: true
      name:
        description: Name of the release.
        type: str
        default: release
      namespace:
        description: Namespace of the release.
        type: str
        default: default
      values:
        description: Values for the chart.
        type: dict
        default: {}
      values_files:
        description: Files of values; O(chart.values) overrides them.
        type: list
        elements: str
        default: []
  base:
    description:
      - Folder from which the relative paths of all options start, and to which file names in findings are relative.
      - The working directory if not set. On a local connection Ansible runs modules in the playbook's folder. Filter
        P(corpv3.service_mesh.user_path#filter) returns the folder where C(ansible-playbook) was called.
    type: path
  allow_empty:
    description:
      - Whether O(paths), O(content) and O(chart) may be without any object that a check knows. Otherwise that is a
        failure.
    type: bool
    default: false
  live:
    description:
      - Whether to read the cluster. O(paths), O(content) and O(chart) are laid over the cluster's objects.
      - The account needs C(list) on these kinds, and nothing else. RV(notes) names what it may not read. Checks that
        need it are undecided.
    type: bool
    default: false
  namespaces:
    description:
      - Report findings in these namespaces only. Empty for all.
      - The others are still read, if the account may, since a route of one namespace may point to another.
    type: list
    elements: str
    default: []
  default_namespace:
    description: Namespace of objects in files without one.
    type: str
    default: default
  mesh_config:
    description: Istio's MeshConfig, if the input has no ConfigMap C(istio) with it.
    type: dict
  cluster_domain:
    description: Domain of the cluster's names.
    type: str
    default: cluster.local
  trust_domain:
    description: Trust domain of the mesh.
    type: str
    default: cluster.local
  helm_binary:
    description: The helm program.
    type: str
    default: helm
  kustomize_binary:
    description: The kustomize program, or kubectl.
    type: str
    default: kustomize
  kustomize_enable_helm:
    description:
      - Let kustomize render C(helmCharts).
      - helm then downloads charts that the kustomization's folder C(charts) does not have, and writes them there.
    type: bool
    default: false
"""
