# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The message names the role's variable, not the chart's value."""

from __future__ import annotations

import pytest
from ansible_collections.corpv3.service_mesh.plugins.filter.chart_message import FilterModule

chart_message = FilterModule().filters()["chart_message"]

VARIABLES = [
    {"value": "image.tag", "variable": "shop_image_tag"},
    {"value": "services", "variable": "shop_services"},
    {"value": "postgresql.storage", "variable": "shop_postgresql_volume_size"},
    {"value": "postgresql", "variable": "shop_postgresql_"},
]
HEAD = "Error: values don't meet the specifications of the schema(s) in the following chart(s):\nshop:\n"
TAIL = "\n\nUse --debug flag to render out invalid YAML\n"


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("- at '/image/tag': got number, want string", "- shop_image_tag: got number, want string"),
        ("- at '/services/menu/port': got string", "- shop_services.menu.port: got string"),
        ("- at '/postgresql/storage': got number", "- shop_postgresql_volume_size: got number"),
        ("- at '/postgresql/replicas': got string", "- shop_postgresql_replicas: got string"),
        ("- at '/servicesOfOthers/a': got string", "- servicesOfOthers.a: got string"),
        (
            "- at '/image': validation failed\n  - at '/image/tag': got number, want string",
            "- image: validation failed\n  - shop_image_tag: got number, want string",
        ),
    ],
)
def test_a_value_is_called_by_its_variable(said: str, wanted: str) -> None:
    assert chart_message(f"{HEAD}{said}{TAIL}", VARIABLES) == wanted
    # As the modules report it.
    assert chart_message(f"{HEAD}{said}".removeprefix("Error: "), VARIABLES) == wanted


def test_a_templates_refusal_is_reported_without_its_place() -> None:
    said = "Error: execution error at (shop/templates/deployment.yaml:4:12): services.a.weights must sum to 100"
    assert chart_message(f"{said}{TAIL}", VARIABLES) == "shop_services.a.weights must sum to 100"


def test_of_other_messages_nothing_is_lost() -> None:
    said = "Error: INSTALLATION FAILED: services of the chart"
    assert chart_message(said, VARIABLES) == said
