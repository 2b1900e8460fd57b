"""The application's namespace: which injector its sidecars come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

TEMPLATE = Path(__file__).parents[2] / "roles/restaurant_app/templates/namespace.yml.j2"


@pytest.mark.parametrize(
    ("enabled", "revision", "injector"),
    [(True, "", {"istio-injection": "enabled"}), (True, "stable", {"istio.io/rev": "stable"}), (False, "stable", {})],
)
def test_the_namespace_names_one_injector(enabled: bool, revision: str, injector: dict[str, Any]) -> None:
    # As Ansible renders it.
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined)  # noqa: S701
    environment.filters |= {"to_json": json.dumps, "bool": bool}
    text = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        restaurant_app_namespace="restaurant-management",
        restaurant_app_istio_enabled=enabled,
        restaurant_app_istio_revision=revision,
        restaurant_app_pod_security_level="restricted",
    )
    labels = yaml.safe_load(text)["metadata"]["labels"]
    modes = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
    assert labels == {**injector, **modes}
