"""What cannot be run here, against the schema that its project publishes. Needs no lab.

SERVICE_MESH_TEST_KIALI_CRD names crd-docs/crd/kiali.io_kialis.yaml of kiali/kiali-operator. The fields of its `spec`
are those of Kiali's configuration and of its chart's values.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from ..integration.observability.test_rendered_configuration import releases

# As docs/observability.md has it; no inventory sets it.
LINKED = ("-e", "kiali_grafana_url=https://grafana.example.com", "-e", "kiali_grafana_token_secret=kiali-grafana")


@pytest.fixture
def schema() -> dict[str, Any]:
    named = os.environ.get("SERVICE_MESH_TEST_KIALI_CRD", "")
    if not named:
        pytest.skip("SERVICE_MESH_TEST_KIALI_CRD names no definition")
    (version,) = yaml.safe_load(Path(named).read_text())["spec"]["versions"]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return found


def unknown(value: Any, schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Fields that the schema does not have: Kiali ignores them in silence."""
    if isinstance(value, list):
        for item in value:
            yield from unknown(item, schema.get("items", {}), f"{path}[]")
    if isinstance(value, dict) and "properties" in schema:
        for name, inner in value.items():
            if name in schema["properties"]:
                yield from unknown(inner, schema["properties"][name], f"{path}.{name}")
            else:
                yield f"{path}.{name}"


@pytest.mark.parametrize("arguments", [(), LINKED], ids=["as it is", "linked with Grafana"])
@pytest.mark.parametrize("environment", ["production", "staging"])
def test_kiali_knows_each_field(schema: dict[str, Any], environment: str, arguments: tuple[str, ...]) -> None:
    values = releases(environment, *arguments)["kiali"]
    assert values["external_services"]["grafana"]["enabled"] == bool(arguments)
    assert [*unknown(values, schema)] == []
    jsonschema.Draft202012Validator(schema).validate(values)
