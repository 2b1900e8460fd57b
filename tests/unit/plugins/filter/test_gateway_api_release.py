# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A manifest as from_yaml_all reads it: one object for each document, and None for an empty one."""

from __future__ import annotations

import yaml
from ansible_collections.corpv3.service_mesh.plugins.filter.gateway_api_release import FilterModule

gateway_api_release = FilterModule().filters()["gateway_api_release"]
MANIFEST = """
# Comments only.
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: httproutes.gateway.networking.k8s.io
  annotations:
    gateway.networking.k8s.io/bundle-version: v1.6.0
    gateway.networking.k8s.io/channel: standard
spec: {group: gateway.networking.k8s.io, versions: [{name: v1}]}
---
"""


def test_a_manifest_with_empty_documents() -> None:
    found = gateway_api_release(yaml.safe_load_all(MANIFEST), [], "1.6.0", "standard")
    assert [obj["metadata"]["name"] for obj in found["objects"]] == ["httproutes.gateway.networking.k8s.io"]
    assert (found["problems"], found["notes"]) == ([], [])


def test_another_version_is_a_problem() -> None:
    found = gateway_api_release(yaml.safe_load_all(MANIFEST), [], "1.5.0", "standard")
    assert found["objects"] == [] and "not v1.5.0" in found["problems"][0]
