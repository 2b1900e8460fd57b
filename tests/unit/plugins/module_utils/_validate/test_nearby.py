# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether files can be expected to contain a Service, by what else their folder names."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate import catalog, engine

from ....support import validate_harness as harness


def _service(name: str) -> str:
    spec = {"ports": [{"name": "http", "port": 80}]}
    return yaml.safe_dump(
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop"}, "spec": spec}
    )


def _routes(*names: str) -> str:
    routes = [{"route": [{"destination": {"host": name}}]} for name in names]
    return yaml.safe_dump(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": "edge", "namespace": "shop"},
            "spec": {"hosts": ["shop.example.com"], "http": routes},
        }
    )


def _outcome(*names: str, folder: str = "apps/") -> engine.Outcome:
    """Routes in the folder mesh, and Services cart, till and payments in a folder beside it, above it, or in it."""
    files = {name: f"{folder}{name}.yaml" for name in ("cart", "till", "payments")}
    found = [item for name, file in files.items() for item in harness.resources_of(_service(name), file)]
    return engine.run_checks(
        Mesh([*found, *harness.resources_of(_routes(*names), "mesh/a.yaml")]), catalog.all_checks()
    )


def _unknown(outcome: engine.Outcome) -> list[str]:
    return [finding.message.split("'")[1] for finding in outcome.findings if finding.rule.code == "IST0101"]


@pytest.mark.parametrize("names", [("cart", "search"), ("cart", "till", "cart", "search", "mail")])
def test_a_folder_that_finds_half_of_what_it_names_finds_all(names: tuple[str, ...]) -> None:
    assert _unknown(_outcome(*names)) == [name for name in names if name in ("search", "mail")]


@pytest.mark.parametrize("names", [("search",), ("cart", "search", "mail"), ("cart", "cart", "search", "mail")])
def test_a_folder_that_finds_fewer_names_services_of_other_repositories(names: tuple[str, ...]) -> None:
    outcome = _outcome(*names)
    assert _unknown(outcome) == []
    assert "the Services of namespace shop" in str(outcome.undecided)


def test_a_typo_is_reported_anyway() -> None:
    assert _unknown(_outcome("cart", "search", "mail", "paymetns")) == ["paymetns"]


def test_services_above_the_folder_are_not_all_if_it_names_more_that_are_missing() -> None:
    assert _unknown(_outcome("cart", "till", "search", "mail", "ledger", folder="")) == []
    assert _unknown(_outcome("search", "mail", "till", "ledger", "cart", "payments", folder="")) == [
        "search",
        "mail",
        "ledger",
    ]
    # Two are faults: an application above its routes may lack some.
    assert _unknown(_outcome("cart", "search", "mail", folder="")) == ["search", "mail"]


def test_a_folder_with_services_of_its_own_has_all() -> None:
    assert _unknown(_outcome("search", "mail", "ledger", folder="mesh/")) == ["search", "mail", "ledger"]
