"""Which variables are taken for typos, and which are not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.variables import (
    described,
    misspelt,
    names_in,
)

READ = names_in(
    [
        "istio_gateway_replicas_min: 2\nistio_gateway_replicas_max: 5",
        "{{ service_mesh_environment }} {{ grafana_hosts | default([]) }}",
        "{{ database_password }}",
    ]
)
PREFIXES = ("istio_", "service_mesh_", "grafana_", "database_")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("istio_gateway_replica_min", "istio_gateway_replicas_min"),
        ("service_mesh_enviroment", "service_mesh_environment"),
        ("grafana_host", "grafana_hosts"),
    ],
)
def test_a_typo_is_found_with_the_name_that_was_meant(name: str, meant: str) -> None:
    assert misspelt({name: 1}, READ, PREFIXES) == {name: meant}


@pytest.mark.parametrize(
    "given",
    [
        {"istio_gateway_replicas_min": 3},
        # Like none of ours.
        {"database_team": "payments"},
        # Not one of our prefixes.
        {"gateway_replicas_mim": 3},
        # The inventory's own.
        {"database_passwort": "x", "database_password": "{{ database_passwort }}"},
        {"grafana_host": "x", "grafana_hosts": [{"name": "{{ grafana_host }}"}]},
    ],
)
def test_what_is_read_or_belongs_to_others_is_not(given: dict[str, Any]) -> None:
    assert misspelt(given, READ, PREFIXES) == {}


def test_a_name_within_a_longer_one_is_not_read() -> None:
    given = {"grafana_host": "x", "grafana_hosts": "{{ my_grafana_host_name }}"}
    assert misspelt(given, READ, PREFIXES) == {"grafana_host": "grafana_hosts"}


def test_the_sentence() -> None:
    assert described({"a_b": "a_bc"}) == "a_b (did you mean a_bc?) is set, but nothing reads it."
    assert (
        described({"a": "b", "c": "d"}) == "a (did you mean b?), c (did you mean d?) are set, but nothing reads them."
    )
