"""What becomes of a release, whatever its jobs do: each way through the workflows, by AWX's rules."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ...integration.support.awx_job import objects

FLOWS = {
    flow["name"].removeprefix("service mesh staging "): {
        node["identifier"]: node for node in flow["simplified_workflow_nodes"]
    }
    for flow in objects()["controller_workflows"]
    if " staging " in flow["name"]
}
Nodes = Mapping[str, Mapping[str, Any]]


def always_fails(node: Mapping[str, Any]) -> bool:
    return bool(node.get("unified_job_template", "").endswith("not released"))


def run(nodes: Nodes, fails: frozenset[str]) -> tuple[dict[str, bool], bool]:
    """(node that ran -> whether it succeeded, whether the workflow did), if the named ones fail.

    AWX runs what follows by success, failure or always. The workflow fails where a failed node has nothing that follows
    upon its failure.
    """
    targets = {
        name for node in nodes.values() for kind in ("success", "failure", "always") for name in node[f"{kind}_nodes"]
    }
    ran: dict[str, bool] = {}
    handled = True
    waiting = [name for name in nodes if name not in targets]
    while waiting:
        name = waiting.pop()
        node = nodes[name]
        ran[name] = good = name not in fails and not always_fails(node)
        after_failure = [*node["failure_nodes"], *node["always_nodes"]]
        waiting += [*node["success_nodes"], *node["always_nodes"]] if good else after_failure
        handled = handled and (good or bool(after_failure))
    return ran, handled


def every_way(nodes: Nodes) -> Iterator[tuple[frozenset[str], dict[str, bool], bool]]:
    for number in range(len(nodes) + 1):
        for fails in map(frozenset, itertools.combinations(nodes, number)):
            yield (fails, *run(nodes, fails))


def test_a_good_release() -> None:
    ran, succeeded = run(FLOWS["release"], frozenset())
    assert list(ran) == ["deploy", "validate", "approve_canary", "canary", "approve_promotion", "promote", "smoke"]
    assert succeeded


def test_a_good_deployment() -> None:
    ran, succeeded = run(FLOWS["deploy"], frozenset())
    assert list(ran) == ["plan", "approve_deploy", "deploy", "validate", "smoke"]
    assert succeeded


@pytest.mark.parametrize("name", FLOWS)
def test_a_workflow_succeeds_only_if_all_of_it_did(name: str) -> None:
    for fails, ran, succeeded in every_way(FLOWS[name]):
        assert succeeded == all(ran.values()), (sorted(fails), ran)


def test_a_canary_that_is_not_promoted_is_rolled_back() -> None:
    for fails, ran, __ in every_way(FLOWS["release"]):
        if "canary" in ran and not ran.get("promote"):
            assert "abort" in ran, (sorted(fails), ran)
        assert not ("abort" in ran and ran.get("promote")), (sorted(fails), ran)


def test_nothing_moves_without_a_yes() -> None:
    for fails, ran, __ in every_way(FLOWS["release"]):
        assert ran.get("approve_canary") or "canary" not in ran, sorted(fails)
        assert ran.get("approve_promotion") or "promote" not in ran, sorted(fails)
    for fails, ran, __ in every_way(FLOWS["deploy"]):
        assert ran.get("approve_deploy") or "deploy" not in ran, sorted(fails)
