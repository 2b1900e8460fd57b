"""What a Pod object reports about its life."""

from __future__ import annotations

from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.pods import living


def pod(name: str, phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **metadata}, "status": {"phase": phase}}


def test_pods_that_end_are_ignored() -> None:
    leaving, done = pod("leaving", deletionTimestamp="now"), pod("done", "Succeeded")
    assert living([leaving, done, pod("stays")]) == [pod("stays")]
