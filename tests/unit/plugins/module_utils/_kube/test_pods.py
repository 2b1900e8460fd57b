"""What a Pod object reports about its life."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.pods import (
    has_ended,
    has_proxy,
    has_sidecar,
    is_living,
    is_ready,
    living,
)


def pod(name: str, phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **metadata}, "status": {"phase": phase}}


def test_pods_that_end_are_ignored() -> None:
    leaving, done = pod("leaving", deletionTimestamp="now"), pod("done", "Succeeded")
    assert living([leaving, done, pod("stays")]) == [pod("stays")]


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"metadata": None, "spec": [], "status": "Succeeded"},
        {"spec": {"containers": {"name": "istio-proxy"}}, "status": {"phase": [], "conditions": {"type": "Ready"}}},
        {"spec": {"initContainers": ["istio-proxy"]}, "status": {"conditions": ["Ready", {"type": "Ready"}]}},
    ],
)
def test_a_pod_of_any_shape_has_an_answer(shape: dict[str, Any]) -> None:
    """A linter reads what has not passed an API server."""
    assert (has_ended(shape), is_living(shape), has_sidecar(shape), is_ready(shape)) == (False, True, False, False)


def test_a_native_sidecar_is_an_init_container() -> None:
    assert has_proxy({"initContainers": [{"name": "istio-init"}, {"name": "istio-proxy"}]})
    assert not has_proxy({"initContainers": [{"name": "istio-init"}], "containers": [{"name": "app"}]})


def test_a_pod_is_ready_by_its_condition() -> None:
    assert is_ready({"status": {"conditions": [{"type": "Initialized"}, {"type": "Ready", "status": "True"}]}})
    assert not is_ready({"status": {"conditions": [{"type": "Ready", "status": "False"}]}})
