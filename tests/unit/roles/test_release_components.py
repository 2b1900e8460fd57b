"""A mesh needs neither databases nor observability: role release then has nothing to install."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ..support.role_variables import ROLES, answers


def releases(file: str) -> str:
    """What the task of this file gives module helm_releases."""
    tasks: list[dict[str, Any]] = yaml.safe_load((ROLES / "release/tasks" / file).read_text(encoding="utf-8"))
    module = "corpv3.service_mesh.helm_releases"
    (expression,) = (task[module]["releases"] for task in tasks if module in task)
    return str(expression)


@pytest.mark.parametrize("file", ["charts.yml", "install.yml", "uninstall.yml"])
def test_no_component_is_an_empty_list_of_releases(file: str) -> None:
    given = {"release_components": [], "ansible_run_tags": ["all"], "ansible_skip_tags": []}
    assert answers([("release", given, releases(file))]) == [[]]
