#!/usr/bin/python
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_info
short_description: Show what runs in a mesh, how it is connected, and how it performs
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Services with their workloads, versions, sidecars, the effective mutual TLS mode, routes and weights; gateways and
    their hosts.
  - With a Prometheus, each service's golden signals, who calls whom, and the topology as a picture.
  - Nothing is changed. Read access is enough.
extends_documentation_fragment:
  - corpv3.service_mesh._attributes
  - corpv3.service_mesh._attributes.info_module
  - corpv3.service_mesh._attributes.action_group
  - corpv3.service_mesh._istiod
  - corpv3.service_mesh._prometheus
  - corpv3.service_mesh._validate_input
  - kubernetes.core.k8s_auth_options
options:
  svg:
    description: File to write the topology to, as a picture.
    type: path
  dot:
    description: File to write the topology to, as text for Graphviz.
    type: path
"""

EXAMPLES = r"""
- name: Show who calls whom
  corpv3.service_mesh.mesh_info:
    live: true
    namespaces: [restaurant-management]
    prometheus:
      url: http://prometheus.example.com
    svg: topology.svg
  register: mesh

- name: Show the table
  ansible.builtin.debug:
    msg: "{{ mesh.table }}"
"""

RETURN = r"""
services:
  description:
    - The services, each with workloads, subsets, routes, mtls, traffic and health.
    - RV(services.health) is V(healthy), V(degraded), V(failed), V(idle) or V(not measured). A service is idle if
      Prometheus scrapes its proxies and knows of no request. If it does not scrape them, without a sidecar or without a
      Prometheus, the service is not measured.
  returned: success
  type: list
  elements: dict
  sample:
    - namespace: shop
      name: cart
      ports: [{name: http, port: 80}]
      mtls: STRICT
      health: healthy
      workloads:
        - kind: Deployment
          name: cart
          version: v1
          images: {app: "example.com/cart:1.0.0"}
          replicas: 2
          ready: 2
          sidecar: true
          service_account: cart
      subsets: [{name: v1, labels: {version: v1}, destination_rule: cart}]
      routes:
        - virtual_service: shop/cart
          route: primary
          gateways: [mesh]
          destinations: [{host: cart.shop.svc.cluster.local, subset: v1, weight: 100}]
      traffic: {requests_per_second: 12.5, error_percent: 0.1, p50: 4.0, p95: 20.0, p99: 45.0}
gateways:
  description: The servers of Istio's Gateways, with their hosts and the VirtualServices that are bound to them.
  returned: success
  type: list
  elements: dict
calls:
  description: Who calls whom, how often, with how many errors, and whether by mutual TLS.
  returned: success
  type: list
  elements: dict
  sample:
    - client: {namespace: shop, workload: web}
      service: {namespace: shop, name: cart}
      security: mutual_tls
      requests_per_second: 12.5
      error_percent: 0.1
table:
  description: The services that have pods, as human-readable lines.
  returned: success
  type: list
  elements: str
topology_svg:
  description: The topology as SVG.
  returned: success
  type: str
notes:
  description: What could not be read.
  returned: success
  type: list
  elements: str
"""

import time
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import InputError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.files import (
    folder_problem,
    named_file_errors,
    write_together,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod_options import ISTIOD_OPTIONS
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.module import connect, create_module, run_module
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import plain
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.options import (
    INPUT_OPTIONS,
    read_input,
    start_at,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.options import (
    PROMETHEUS_OPTIONS,
    prometheus_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.graph import dot, graph_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.info import info_of, table
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.picture import svg
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.traffic import Traffic, read_traffic


def argument_spec() -> dict[str, Any]:
    return {
        **ISTIOD_OPTIONS,
        **INPUT_OPTIONS,
        **PROMETHEUS_OPTIONS,
        "svg": {"type": "path"},
        "dot": {"type": "path"},
    }


@named_file_errors()
def run(module: Any) -> dict[str, Any]:
    params = plain(module.params)
    start_at(params["base"])
    for option in ("svg", "dot"):
        if params[option] and (problem := folder_problem(params[option])):
            raise InputError(f"{option}: {problem}")
    server = prometheus_of(params)
    found = read_input(params, lambda: connect(module), time.time())
    traffic = read_traffic(server.fetch, params["window"]) if server else Traffic()
    mesh = Mesh([*found.live, *found.files.resources], found.settings)
    info = info_of(mesh, traffic, params["namespaces"])
    nodes, edges = graph_of(info)
    picture = svg(nodes, edges)
    pictures = {params["svg"]: picture, params["dot"]: dot(nodes, edges)}
    write_together("svg, dot", {path: text for path, text in pictures.items() if path})
    notes = [*found.notes, *(f"{item.resource.source.file}: {item.message}" for item in found.files.findings)]
    return {**info, "table": table(info), "topology_svg": picture, "notes": notes}


def main() -> None:
    run_module(create_module(argument_spec()), run, "content", "chart", "prometheus")


if __name__ == "__main__":
    main()
