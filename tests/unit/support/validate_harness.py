# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cases of the checks: YAML in, findings out.

A file cases/<code>.yaml, or cases/<code>_<topic>.yaml where several checks share a code, is a list of cases:

- name: a single destination with a weight
  input: |
    <documents>
  settings: {root_namespace: istio-system, facts: {...}, listed: [Pod]}    # optional, fields of mesh.Settings
  finds:                                                     # what the file's code finds, in order; [] is a silent case
    - {kind: VirtualService, name: shop, line: 13, field: "spec.http[0].route[0].weight"}
  others: [IST0101]                                          # optional: other codes that the input fires, too
  secrets: [{namespace: shop, name: tls, hosts: [a.example.com]}]    # optional: see certificates.py

Keys of a finding that the case names are compared, others are not. Other codes than the file's and `others` must stay
silent, so that every case is also a test of every other check's false positives.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, Settings
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.parsing import parse_exactly
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Kind, Resource, Source
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate import catalog, engine
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.check import Check

from . import certificates

CASES = Path(__file__).parents[1] / "plugins/module_utils/_validate/cases"
# Each of pytest's workers reads hundreds of files before its first test.
FAST_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def resources_of(text: str, file: str = "input.yaml") -> list[Resource]:
    found = []
    line = 1
    for document in text.split("\n---\n"):
        value = parse_exactly(document).value
        if isinstance(value, dict):
            found.append(Resource(value, Source(file, line, document)))
        line += document.count("\n") + 2
    return found


def settings_of(values: dict[str, Any]) -> Settings:
    listed = frozenset(kind_named(name) for name in values.get("listed", ()))
    return Settings(**{**values, "listed": listed})


def kind_named(name: str) -> Kind:
    kind, _dot, group = name.partition(".")
    return Kind(group, kind)


def run(text: str, settings: Settings | None = None, checks: list[Check] | None = None) -> engine.Outcome:
    outcome = engine.run_checks(Mesh(resources_of(text), settings), catalog.all_checks() if checks is None else checks)
    assert outcome.broken == {}, outcome.broken
    return outcome


def load_cases() -> list[tuple[str, dict[str, Any]]]:
    """(code, case) of every file."""
    return [
        (path.stem.partition("_")[0], certificates.with_secrets(case))
        for path in sorted(CASES.glob("*.yaml"))
        for case in yaml.load(path.read_text(), FAST_LOADER)
    ]
