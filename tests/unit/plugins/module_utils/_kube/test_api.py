"""The parts of a cluster that the pure core sees, and the real one, which mypy does not check."""

from __future__ import annotations

import inspect

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import AnyCluster
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.cluster import Cluster

PARTS = [part for part in AnyCluster.__mro__ if part.__module__.startswith("ansible_collections.")]
MEMBERS = sorted({name for part in PARTS for name in vars(part) if not name.startswith("_")})


def test_the_parts_are_found() -> None:
    assert {"get", "list", "path", "request", "apply", "get_through_pod", "may", "server"} <= set(MEMBERS)


@pytest.mark.parametrize("name", MEMBERS)
def test_the_real_cluster_is_what_the_parts_describe(name: str) -> None:
    wanted, real = getattr(AnyCluster, name), getattr(Cluster, name)
    assert isinstance(real, property) == isinstance(wanted, property)
    if not isinstance(wanted, property):
        asked = inspect.signature(wanted).parameters.values()
        offered = list(inspect.signature(real).parameters.values())[: len(asked)]
        assert [(each.name, each.default) for each in offered] == [(each.name, each.default) for each in asked]
