#!/usr/bin/python
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_report
short_description: Document the state of a mesh, as a page for a change record
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - Covers the cluster, the versions of all parts, what comes from registries that Istio retires, the topology with its
    traffic, each service's golden signals, validation findings, the canaries' newest runs, when certificates expire,
    and the cost.
  - Writes one self-contained HTML page without scripts, and the same as Markdown and as JSON.
  - Reads the cluster and changes nothing in it. Each section notes what the account may not read or what is not known;
    the report is written all the same.
  - No form of the report contains values of Secrets, private keys or Helm's values.
extends_documentation_fragment:
  - corpv3.service_mesh._attributes
  - corpv3.service_mesh._attributes.action_group
  - corpv3.service_mesh._istiod
  - corpv3.service_mesh._prometheus
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    support: full
    details: Nothing is written, and RV(files) says what would be.
  diff_mode:
    support: full
    details: The difference is that of the Markdown form, if it is written.
  idempotent:
    support: none
    details: A report contains the time when it was made and the traffic at that time.
options:
  path:
    description:
      - Where the report is written, without an extension. The forms get V(.html), V(.md) and V(.json).
      - The folder must exist. Existing files are replaced atomically; either all of them are, or none.
    type: path
    required: true
  formats:
    description: The forms that are written.
    type: list
    elements: str
    choices: [html, markdown, json]
    default: [html, markdown, json]
  title:
    description: Title of the report.
    type: str
    default: Service mesh report
  change:
    description: The reason for the report, such as the change's number and purpose.
    type: str
    default: ""
  name:
    description: Name of the cluster.
    type: str
    default: ""
  environment:
    description: Name of the environment.
    type: str
    default: ""
  namespaces:
    description:
      - Namespaces of the report. Empty for all namespaces.
      - The others are still read, if the account may, since a route of one namespace may point to another.
    type: list
    elements: str
    default: []
  suppress:
    description: Intended findings, in the form of O(corpv3.service_mesh.mesh_validate#module:suppress).
    type: list
    elements: raw
    default: []
  levels:
    description: Code, or pattern of codes, to V(error), V(warning), V(info) or V("off").
    type: dict
    default: {}
  certificate_days:
    description: Mark certificates expiring within this many days.
    type: int
    default: 30
  cost:
    description: What M(corpv3.service_mesh.mesh_cost) returned as C(cost). Without it, the report has no cost.
    type: dict
    default: {}
seealso:
  - module: corpv3.service_mesh.mesh_info
  - module: corpv3.service_mesh.mesh_validate
  - module: corpv3.service_mesh.mesh_cost
  - module: corpv3.service_mesh.canary_info
"""

EXAMPLES = r"""
- name: Write the report of a change
  corpv3.service_mesh.mesh_report:
    path: /var/records/CHG-4711
    title: CHG-4711, after
    change: order-service 1.1.0
    namespaces: [restaurant-management, istio-system]
    prometheus:
      url: http://prometheus.example.com

- name: Write the page only
  corpv3.service_mesh.mesh_report:
    path: /tmp/mesh
    formats: [html]
"""

RETURN = r"""
files:
  description: The files of the report.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: Where it is.
      type: str
      sample: /var/records/CHG-4711.html
    format:
      description: Its form.
      type: str
      sample: html
    state:
      description: V(created), V(replaced) or V(unchanged); in check mode, what it would be.
      type: str
overview:
  description: One line for each section that can be good or bad.
  returned: success
  type: list
  elements: str
  sample: ["Services: 7 healthy", "Certificates: first expires in 364 days; CA expires in 3640 days"]
report:
  description: The content of the JSON form, without the picture.
  returned: success
  type: dict
notes:
  description: What could not be read, and other notes, each with its section.
  returned: success
  type: list
  elements: str
"""

import os
import time
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import InputError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.files import (
    content_of,
    folder_problem,
    named_file_errors,
    write_together,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod_options import ISTIOD_OPTIONS
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.module import create_module, run_module
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import plain
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.options import (
    PROMETHEUS_OPTIONS,
    prometheus_of,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._report.collect import ReportRequest, collect
from ansible_collections.corpv3.service_mesh.plugins.module_utils._report.report import ENDINGS, overview, rendered
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.selection import policy_of, suppression_of


def argument_spec() -> dict[str, Any]:
    return {
        **ISTIOD_OPTIONS,
        **PROMETHEUS_OPTIONS,
        "path": {"type": "path", "required": True},
        "formats": {"type": "list", "elements": "str", "choices": list(ENDINGS), "default": list(ENDINGS)},
        "title": {"type": "str", "default": "Service mesh report"},
        "change": {"type": "str", "default": ""},
        "name": {"type": "str", "default": ""},
        "environment": {"type": "str", "default": ""},
        "namespaces": {"type": "list", "elements": "str", "default": []},
        "suppress": {"type": "list", "elements": "raw", "default": []},
        "levels": {"type": "dict", "default": {}},
        "certificate_days": {"type": "int", "default": 30},
        "cost": {"type": "dict", "default": {}},
    }


def wanted_of(params: dict[str, Any]) -> ReportRequest:
    server = prometheus_of(params)
    taken = ("title", "change", "name", "environment", "namespaces", "certificate_days", "cost", "window")
    return ReportRequest(
        now=time.time(),
        istio_namespace=params["istio_namespace"],
        istiod_access=params["istiod_access"],
        istiod_account=params["istiod_account"],
        fetch=server.fetch if server else None,
        policy=policy_of({"levels": params["levels"]}),
        suppressions=[suppression_of(entry) for entry in params["suppress"]],
        **{name: params[name] for name in taken},
    )


@named_file_errors()
def run(module: Any) -> dict[str, Any]:
    params = plain(module.params)
    paths = {form: params["path"] + ENDINGS[form] for form in ENDINGS if form in params["formats"]}
    for path in paths.values():
        if problem := folder_problem(path):
            raise InputError(f"path: {problem}")
    wanted = wanted_of(params)
    data = collect(Cluster(module), wanted)
    files, diff, changed = [], [], {}
    for form, path in paths.items():
        text, before = rendered(form, data), content_of(path)
        state = "created" if before is None else "unchanged" if before == text else "replaced"
        files.append({"path": os.path.abspath(path), "format": form, "state": state})
        if form == "markdown":
            diff.append({"before_header": path, "after_header": path, "before": before or "", "after": text})
        if state != "unchanged":
            changed[path] = text
    if not module.check_mode:
        write_together("path", changed)
    return {
        "changed": bool(changed),
        "files": files,
        **({"diff": diff} if module._diff else {}),
        "overview": [f"{name}: {cell.text}" for _key, name, cell in overview(data)],
        "notes": [f"{key}: {note}" for key, part in data.items() if isinstance(part, dict) for note in part["notes"]],
        "report": {**data, "traffic": {**data["traffic"], "topology_svg": ""}},
    }


def main() -> None:
    run_module(create_module(argument_spec()), run, "prometheus")


if __name__ == "__main__":
    main()
