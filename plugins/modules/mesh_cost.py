#!/usr/bin/python
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_cost
short_description: Calculate what the mesh and its observability cost per month, and what could be saved
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Prices what the pods of the live cluster request, its volumes and its load balancers, by component.
  - Shows what the sidecars add, and what each of the design document's five optimizations would save.
  - With a Prometheus, compares what containers request with what they used, and proposes other requests. Without
    measurements, nothing is proposed.
  - Nothing is changed. Read access is enough.
extends_documentation_fragment:
  - corpv3.service_mesh._attributes
  - corpv3.service_mesh._attributes.info_module
  - corpv3.service_mesh._attributes.action_group
  - corpv3.service_mesh._prometheus
  - kubernetes.core.k8s_auth_options
options:
  price_file:
    description:
      - File of prices, in YAML or JSON, on the machine where the module runs. The collection's C(docs/cost.md) has
        its format.
      - Without it, the prices of the design document are used.
    type: path
  namespaces:
    description: Namespaces to include. Empty for all.
    type: list
    elements: str
    default: []
  istio_namespace:
    description: Namespace of istiod, which is also the mesh's root namespace.
    type: str
    default: istio-system
  observability_namespace:
    description:
      - Namespace of Prometheus, Grafana, Loki, Jaeger and Kiali. In other namespaces they count as others.
      - O(istio_namespace) by default.
    type: str
  window:
    description: Time over which the use of CPU and memory is measured, as a PromQL duration.
    type: str
    default: 7d
  resolution:
    description:
      - Time over which the use of CPU is averaged, as a PromQL duration. Shorter bursts do not count.
      - Must be at least two scrapes long.
    type: str
    default: 5m
  min_measured:
    description: Requests are proposed only if the use was measured for this long.
    type: str
    default: 1d
  margin:
    description: Added to the 95th percentile for proposals, in percent.
    type: float
    default: 15
  floor:
    description: The smallest request that is proposed.
    type: dict
    default: {}
    suboptions:
      cpu:
        description: As a Kubernetes quantity.
        type: str
        default: 10m
      memory:
        description: As a Kubernetes quantity.
        type: str
        default: 32Mi
  reports:
    description:
      - Files to write, by format. An existing one is replaced, in check mode too.
      - Either all of them are written or none.
    type: dict
    default: {}
    suboptions:
      json:
        description: RV(cost) as it is.
        type: path
      markdown:
        description: The same as RV(markdown).
        type: path
      table:
        description: The same as RV(table).
        type: path
  title:
    description: Title of the Markdown.
    type: str
    default: Cost of the mesh
notes:
  - Money is the requests' share of the nodes' price. A smaller request saves it only once a node can be removed.
"""

EXAMPLES = r"""
- name: Show what the mesh costs, at the design document's prices
  corpv3.service_mesh.mesh_cost:
  register: mesh

- name: Show it
  ansible.builtin.debug:
    msg: "{{ mesh.table }}"

- name: Propose requests by the use of the last month, at our own prices
  corpv3.service_mesh.mesh_cost:
    price_file: "{{ inventory_dir }}/prices.yml"
    prometheus:
      url: http://prometheus.example.com
    window: 30d
    reports:
      markdown: cost.md
"""

RETURN = r"""
cost:
  description: The bill. Money is per month, in RV(cost.currency); CPU is in cores, memory and storage are in bytes.
  returned: success
  type: dict
  contains:
    format: {description: Version of this format., type: int}
    currency: {description: As the price file has it., type: str, sample: USD}
    prices: {description: "The prices used, each with source and date.", type: dict}
    window: {description: Time over which the use is known; empty if it is not., type: str}
    components:
      description:
        - Each component, with its group (V(mesh), V(observability) or V(others)), pods, containers, requests (C(cpu),
          C(memory)), C(used) (the mean, of so many containers, or null), C(storage_by_class), C(load_balancers),
          C(cost), and the share of the nodes' price in percent.
        - Of others, a component is a namespace.
      type: list
      elements: dict
    totals: {description: "The same for each group, for C(added) (mesh and observability) and for C(all).", type: dict}
    nodes: {description: "Number, size, price and types of the nodes; null if they could not be read.", type: dict}
    sidecars: {description: "What sidecars request and use, and what the other containers request.", type: dict}
    volumes: {description: "Volumes, with class, size, cost and the pods that use them.", type: list, elements: dict}
    load_balancers: {description: Services that have a load balancer., type: list, elements: dict}
    optimizations:
      description: "The document's five, with what each saves (null if it is not known), how, and the trade-off."
      type: list
      elements: dict
    optimized: {description: What remains of C(added) after all five., type: float}
    right_sizing:
      description:
        - Each container of each workload, and the sidecars, with request, limit, P95, peak and proposal of C(cpu) and
          C(memory), how many seconds of how many pods were measured, what it saves, and C(risks).
        - "C(verdict) is V(lower), V(raise), V(fits), V(no data) or V(too little data)."
      type: list
      elements: dict
    right_sizing_saves: {description: What all proposals save together. Negative if they cost more., type: float}
    notes: {description: "What could not be read, and what that means.", type: list, elements: str}
table:
  description: The bill as human-readable lines.
  returned: success
  type: list
  elements: str
markdown:
  description: The bill as Markdown.
  returned: success
  type: str
files:
  description: The reports that were written.
  returned: success
  type: list
  elements: dict
  contains:
    path: {description: Where it is., type: str, sample: /srv/shop/cost.md}
    format: {description: Its format., type: str, sample: markdown}
notes:
  description: RV(cost.notes), what could not be read or is unusual.
  returned: success
  type: list
  elements: str
"""

import datetime
import json
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import InputError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.files import (
    named_file_errors,
    requested,
    write_reports,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.bill import BillRequest, bill
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.cluster_objects import read_inventory
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.prices import (
    DOCUMENT,
    Prices,
    old_prices,
    prices_of,
    read_prices,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.right_size import Rules
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.tables import lines, markdown
from ansible_collections.corpv3.service_mesh.plugins.module_utils._cost.usage import (
    Usage,
    Window,
    missing,
    read_usage,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.module import create_module, run_module
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import plain
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.options import (
    PROMETHEUS_OPTIONS,
    prometheus_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.query import SourceFailure

FORMATS = ("json", "markdown", "table")


def argument_spec() -> dict[str, Any]:
    floor = {"cpu": {"type": "str", "default": "10m"}, "memory": {"type": "str", "default": "32Mi"}}
    return {
        **PROMETHEUS_OPTIONS,
        "price_file": {"type": "path"},
        "namespaces": {"type": "list", "elements": "str", "default": []},
        "istio_namespace": {"type": "str", "default": "istio-system"},
        "observability_namespace": {"type": "str"},
        "window": {"type": "str", "default": "7d"},
        "resolution": {"type": "str", "default": "5m"},
        "min_measured": {"type": "str", "default": "1d"},
        "margin": {"type": "float", "default": 15},
        "floor": {"type": "dict", "default": {}, "options": floor},
        "reports": {"type": "dict", "default": {}, "options": {form: {"type": "path"} for form in FORMATS}},
        "title": {"type": "str", "default": "Cost of the mesh"},
    }


def prices(path: str | None) -> Prices:
    if not path:
        return prices_of(DOCUMENT, "the document's prices")
    try:
        with open(path, encoding="utf-8") as file:
            return read_prices(file.read(), path)
    except UnicodeDecodeError as error:
        raise InputError(f"price_file: {path} is not UTF-8 text. Save it as UTF-8.") from error
    except OSError as error:
        raise InputError(f"price_file: {path}: {error.strerror}. Name an existing file.") from error


def usage_of(params: dict[str, Any], window: Window, notes: list[str]) -> Usage:
    """The bill is useful without it; ``notes`` give the reason."""
    server = prometheus_of(params)
    if server is None:
        notes.append("prometheus is not set, so it is not known what is used")
        return {}
    try:
        usage = read_usage(server.fetch, window, params["namespaces"])
    except SourceFailure as failure:
        notes.append(f"what is used could not be read: {failure}")
        return {}
    notes += missing(usage, window)
    return usage


@named_file_errors()
def run(module: Any) -> dict[str, Any]:
    params = plain(module.params)
    window = Window(params["window"], params["resolution"])
    rules = Rules.of(params["margin"], params["floor"] or {}, params["min_measured"], window)
    wanted = BillRequest(
        prices(params["price_file"]),
        params["istio_namespace"],
        params["observability_namespace"] or params["istio_namespace"],
        rules,
        params["window"],
    )
    # Before the first request.
    reports = requested(params["reports"])
    age = old_prices(wanted.prices, datetime.datetime.now(tz=datetime.UTC).date())
    notes = [age] if age else []
    inventory = read_inventory(Cluster(module), params["namespaces"])
    found = bill(inventory, usage_of(params, window, notes), wanted, notes)
    forms = {
        "json": json.dumps(found, indent=2, ensure_ascii=False) + "\n",
        "markdown": markdown(found, params["title"]),
        "table": "\n".join(lines(found)) + "\n",
    }
    return {
        "cost": found,
        "table": forms["table"].splitlines(),
        "markdown": forms["markdown"],
        "files": write_reports(reports, forms),
        "notes": found["notes"],
    }


def main() -> None:
    run_module(create_module(argument_spec()), run, "prometheus")


if __name__ == "__main__":
    main()
