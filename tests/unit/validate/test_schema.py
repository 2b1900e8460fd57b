# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Schemas and istiod's admission, without either."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate import catalog, engine
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.resource import Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema import store

_spec = importlib.util.spec_from_file_location("schema_cases", Path(__file__).parent / "schema_cases.py")
assert _spec and _spec.loader
schema_cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(schema_cases)

CHECKS = [check for check in catalog.all_checks() if ".schema_" in check.function.__module__]
CASES = list(schema_cases.cases())
VALID = schema_cases.valid_objects()


def findings(obj: dict[str, Any]) -> list[dict[str, Any]]:
    outcome = engine.run_checks(Mesh([Resource(obj)]), CHECKS)
    assert outcome.broken == {}
    return [finding.as_dict() for finding in outcome.findings if finding.rule.code != "IST0002"]


@pytest.mark.parametrize("obj", VALID, ids=[f"{obj['kind']} {obj['metadata']['name']}" for obj in VALID])
def test_nothing_is_said_of_a_valid_object(obj: dict[str, Any]) -> None:
    assert findings(obj) == []


@pytest.mark.parametrize(("name", "case", "obj"), CASES, ids=[name for name, _case, _obj in CASES])
def test_the_fields_that_are_refused_or_doubted(name: str, case: dict[str, Any], obj: dict[str, Any]) -> None:
    found = findings(obj)
    refused = {finding["field"] for finding in found if finding["level"] == "error"}
    doubted = {finding["field"] for finding in found if finding["level"] != "error"}
    if case.get("either"):
        assert bool(refused) == bool(case.get("refused")), found
    else:
        assert refused == schema_cases.fields(case.get("refused", [])), found
        assert doubted == schema_cases.fields(case.get("doubted", [])), found


@pytest.mark.parametrize("family", ["istio", "gateway"])
def test_the_data_is_what_the_script_would_write(family: str) -> None:
    written = store.modules(family, store.expanded(family))
    folder = Path(store.__file__).parent
    assert {name: (folder / name).read_text() for name in written} == written


def test_the_supported_releases_are_known() -> None:
    assert store.table("istio").releases == ["1.30", "1.31"]
