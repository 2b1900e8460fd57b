"""Canaries of a Deployment by copy: adopted, promoted, rolled back, undone and detached."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary import backends, lease, reconcile
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.plan import PlanFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.detach import Detachable
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.failures import CanaryFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.options import refuse_problems
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.result import planned
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.service import CanaryService
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase

from ....support.canary_calls import NothingYet, Running, until
from ....support.canary_cluster import SERVICE, deployment, params
from ....support.copy_cluster import COPY, RUN, TARGET, CopyCluster
from .core.test_terms import Good

PATCH = {"spec": {"containers": [{"name": SERVICE, "env": [{"name": "LEVEL", "value": "debug"}]}]}}
KEPT = {**RUN, "target": {**TARGET, "keep": "canary"}}


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> CopyCluster:
    monkeypatch.setattr(CanaryService, "_watch", lambda *__: Good())
    monkeypatch.setattr(backends, "_SECONDS", 0.1)
    monkeypatch.setattr(lease, "_CHECK_SECONDS", 0.1)
    monkeypatch.setattr(reconcile, "_ANSWER_SECONDS", 0.5)
    return CopyCluster()


@pytest.fixture
def held(shop: CopyCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[CopyCluster]:
    """A run at its step of 25 %."""
    monkeypatch.setattr(CanaryService, "_watch", lambda *__: NothingYet())
    running = Running(shop, **RUN)
    until(lambda: shop.shares() == {"stable": 75, "canary": 25})
    yield shop
    running.cancelled = "the test has ended"


def detach(shop: CopyCluster) -> bool:
    canary = Detachable(shop, params(**{**RUN, "state": "detached"}), lambda __: None, lambda: "")
    return canary.detach().changed


def test_a_promotion_ends_in_the_original_and_the_copy_is_idle(shop: CopyCluster) -> None:
    end = Running(shop, **RUN, step_duration="0s").wait(20)
    assert end.state and end.state.phase == Phase.SUCCEEDED, end
    assert shop.image(SERVICE) == "order-service:2"
    assert shop.replicas(SERVICE) == 2
    assert shop.shares() == {"stable": 100}
    assert shop.idle()
    assert shop.template()["metadata"]["labels"] == {"app": SERVICE, "version": "v1"}


def test_requests_never_go_where_no_pod_is(shop: CopyCluster) -> None:
    """In the order of the writes: a subset is there before the route names it, and pods before they get requests."""
    running = Running(shop, **RUN, step_duration="0s")
    while running._thread.is_alive():
        with shop.lock:
            shares = {subset: weight for subset, weight in shop.shares().items() if subset}
            rule = shop.objects.get(("DestinationRule", COPY))
            known = {entry["name"]: entry["labels"] for entry in rule["spec"]["subsets"]} if rule else {}
            for subset in shares:
                pods = [pod for pod in shop._pods() if known[subset].items() <= pod["metadata"]["labels"].items()]
                assert pods, (shares, known)
    running.wait()


def test_no_subset_is_ever_without_a_workload(shop: CopyCluster) -> None:
    """Validators report that as an error, and canary.yml validates before it starts."""
    Running(shop, **RUN, step_duration="0s").wait(20)
    assert shop.has("Deployment", COPY) and shop.has("DestinationRule", COPY)
    kinds = [kind for verb, kind, __ in shop.writes if verb == "post" and kind in ("Deployment", "DestinationRule")]
    assert kinds == ["Deployment", "DestinationRule"]


def test_any_part_of_the_pod_template_is_a_change(shop: CopyCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CanaryService, "_watch", lambda *__: NothingYet())
    running = Running(shop, **RUN, image="", patch=PATCH)
    until(lambda: shop.shares() == {"stable": 75, "canary": 25})
    assert (shop.env(), shop.env(COPY)) == ({"LEVEL": "info"}, {"LEVEL": "debug"})
    assert "the change: spec.containers[order-service].env[LEVEL].value" in running.lines
    Running(shop, "promote", **RUN, state="promoted").wait(20)
    running.wait()
    assert shop.env() == {"LEVEL": "debug"}
    assert shop.idle()
    again = Running(shop, **RUN, image="", patch=PATCH).wait()
    assert not again.changed, "it has the change already"


def test_a_rollback_leaves_the_original_as_it_was(held: CopyCluster) -> None:
    before = held.template()
    Running(held, "abort", **RUN, state="aborted").wait()
    assert held.shares() == {"stable": 100}
    assert (held.template(), held.idle()) == (before, True)


def test_the_copy_is_no_other_programs(shop: CopyCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels and annotations by which Argo CD, Flux and helm know their objects stay with the original."""
    metadata = shop.edit("Deployment", SERVICE)["metadata"]
    metadata["labels"] = {"app.kubernetes.io/instance": "shop", "app.kubernetes.io/managed-by": "Helm"}
    monkeypatch.setattr(CanaryService, "_watch", lambda *__: NothingYet())
    running = Running(shop, **RUN)
    until(lambda: shop.has("Deployment", COPY))
    made = shop.edit("Deployment", COPY)
    assert made["metadata"]["labels"] == {"app": SERVICE, "version": "v1-canary"}
    assert made["spec"]["selector"] == {"matchLabels": {"app": SERVICE, "version": "v1-canary"}}
    assert made["spec"]["minReadySeconds"] == 1
    running.cancelled = "enough"
    running.wait()


def test_what_was_adopted_is_detached(shop: CopyCluster) -> None:
    before = shop.snapshot()
    Running(shop, **RUN, step_duration="0s").wait(20)
    assert detach(shop)
    before["Deployment", SERVICE]["spec"]["template"]["spec"]["containers"][0]["image"] = "order-service:2"
    assert shop.snapshot() == before
    assert not shop.has("Lease", f"canary-{SERVICE}")
    assert not detach(shop)


def test_after_a_rollback_nothing_is_left_at_all(held: CopyCluster) -> None:
    before = CopyCluster().snapshot()
    Running(held, "abort", **RUN, state="aborted").wait()
    until(lambda: not held.edit("Lease", f"canary-{SERVICE}")["spec"]["holderIdentity"])
    assert detach(held)
    assert held.snapshot() == before


def test_a_rule_that_was_there_keeps_what_it_had(shop: CopyCluster) -> None:
    policy = {"host": SERVICE, "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}}
    shop.put("DestinationRule", {"metadata": {"name": "orders", "annotations": {"team": "a"}}, "spec": policy})
    before = shop.snapshot()
    Running(shop, **RUN, step_duration="0s").wait(20)
    with shop.lock:
        assert shop.objects["DestinationRule", "orders"]["spec"]["trafficPolicy"] == policy["trafficPolicy"]
    assert detach(shop)
    assert shop.snapshot()["DestinationRule", "orders"] == before["DestinationRule", "orders"]


def test_a_run_in_progress_is_not_detached(held: CopyCluster) -> None:
    with pytest.raises(MeshError, match="runs a canary of this service"):
        detach(held)
    assert held.has("Deployment", COPY)


def test_with_keep_canary_the_copy_stays_and_the_sides_take_turns(shop: CopyCluster) -> None:
    Running(shop, **KEPT, step_duration="0s").wait(20)
    assert shop.shares() == {"canary": 100}
    assert (shop.replicas(SERVICE), shop.replicas(COPY)) == (0, 2)
    with pytest.raises(MeshError, match="sends requests to canary"):
        detach(shop)
    Running(shop, **KEPT, image="order-service:3", step_duration="0s").wait(20)
    assert shop.shares() == {"stable": 100}
    assert (shop.replicas(SERVICE), shop.replicas(COPY)) == (2, 0)
    assert shop.image(SERVICE) == "order-service:3"


def test_from_a_kept_copy_back_to_the_original(shop: CopyCluster) -> None:
    Running(shop, **KEPT, image="", patch=PATCH, step_duration="0s").wait(20)
    Running(shop, **RUN, image="order-service:3", step_duration="0s").wait(20)
    assert shop.shares() == {"stable": 100}
    assert (shop.image(SERVICE), shop.env()) == ("order-service:3", {"LEVEL": "debug"})
    assert shop.idle()


@pytest.mark.parametrize("given", [RUN, KEPT], ids=["keep original", "keep canary"])
def test_an_undo_brings_the_previous_template_back(shop: CopyCluster, given: dict[str, Any]) -> None:
    before = shop.template()
    Running(shop, **given, patch=PATCH, step_duration="0s").wait(20)
    end = Running(shop, "undo", **RUN, state="undone").wait(20)
    assert end.state and end.state.phase == Phase.SUCCEEDED
    assert shop.shares() == {"stable": 100}
    assert shop.template() == before
    assert shop.replicas(SERVICE) == 2
    again = Running(shop, "undo", **RUN, state="undone").wait(20)
    assert not again.changed


@pytest.mark.parametrize(
    "when",
    [
        lambda shop: shop.image(SERVICE) == "order-service:2",
        lambda shop: shop.has("Deployment", COPY) and shop.shares() == {"canary": 100},
    ],
    ids=["once the original has the tested template", "at 100 %"],
)
def test_an_abort_late_in_a_promotion_brings_the_previous_version_back(shop: CopyCluster, when: Any) -> None:
    before = shop.template()
    running = Running(shop, **RUN, step_duration="0s", drain="1s")
    until(lambda: when(shop))
    Running(shop, "abort", **RUN, state="aborted").wait(20)
    end = running.wait(20)
    assert end.state and end.state.phase == Phase.FAILED
    assert shop.shares() == {"stable": 100}
    assert shop.template() == before
    assert shop.idle()


@pytest.mark.parametrize("given", [RUN, KEPT], ids=["keep original", "keep canary"])
def test_the_autoscaler_follows_the_traffic(shop: CopyCluster, given: dict[str, Any]) -> None:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": SERVICE}
    spec = {"minReplicas": 1, "maxReplicas": 5, "scaleTargetRef": reference}
    shop.put("HorizontalPodAutoscaler", {"metadata": {"name": "orders"}, "spec": spec})
    Running(shop, **given, step_duration="0s").wait(20)
    found = shop.edit("HorizontalPodAutoscaler", "orders")
    assert found["spec"]["minReplicas"] == 1
    assert found["spec"]["scaleTargetRef"]["name"] == (SERVICE if given is RUN else COPY)
    assert not found["metadata"].get("annotations")


class Killed(BaseException):
    """The process has ended."""


def kill_after(shop: CopyCluster, writes: int) -> None:
    """After so many writes, the process does nothing any more, not even about its Lease."""
    left = [writes]

    def refuse(verb: str, kind: str, name: str) -> int:
        if left[0] <= 0:
            raise Killed
        left[0] -= verb not in ("get", "list") and kind != "Lease"
        return 0

    shop.refuse = refuse


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("command", ["reconcile", "abort", "progress"])
@pytest.mark.parametrize("writes", range(1, 15))
def test_killed_after_each_write_every_command_ends_the_run(shop: CopyCluster, writes: int, command: str) -> None:
    before = shop.template()
    running = Running(shop, **RUN, step_duration="0s")
    kill_after(shop, writes)
    running._thread.join(20)
    shop.refuse = lambda *__: 0
    with shop.lock:
        notes = shop.objects["Lease", f"canary-{SERVICE}"]["metadata"]["annotations"]
        process = "canary.service-mesh.corpv3.com/process"
        notes[process] = f"{notes[process].rpartition('/')[0]}/999999999@1"
    given = {**RUN, "step_duration": "0s"} if command == "progress" else RUN
    state = shop.state()
    if command == "abort" and state is not None and state.final:
        # On a slow machine a run has fewer waits, and so fewer writes: this one had ended before it was killed.
        with pytest.raises(CanaryFailure, match="has ended"):
            Running(shop, command, **given).wait(20)
        return
    Running(shop, command, **given).wait(20)
    state = shop.state()
    if state is None:
        return
    assert state.final
    expected = {"stable": None} if shop.shares() == {"stable": None} else {"stable": 100}
    assert shop.shares() in (expected, {"": None})
    assert shop.idle()
    if state.phase == Phase.FAILED:
        assert shop.template() == before
    else:
        assert shop.image(SERVICE) == "order-service:2"
    detach(shop)
    after = shop.snapshot()
    after["Deployment", SERVICE]["spec"]["template"]["spec"]["containers"][0]["image"] = "order-service:1"
    assert after == CopyCluster().snapshot()


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_other_kinds_are_refused_with_the_reason(shop: CopyCluster, kind: str) -> None:
    shop.put(kind, {"metadata": {"name": "orders"}, "spec": {}})
    with pytest.raises(CanaryFailure, match=f"orders, which is a {kind}. A canary needs a Deployment: it"):
        Running(shop, **{**RUN, "target": {**TARGET, "deployment": "orders"}}).wait()


def test_pods_of_others_do_not_lose_their_requests(shop: CopyCluster) -> None:
    shop.put("Deployment", deployment("legacy", "v0", 1, "order-service:0"))
    with pytest.raises(CanaryFailure, match=r"also to those that Deployment order-service does not have \(legacy-0\)"):
        Running(shop, **RUN).wait()


def test_pods_without_a_version_are_refused(shop: CopyCluster) -> None:
    del shop.edit("Deployment", SERVICE)["spec"]["template"]["metadata"]["labels"]["version"]
    with pytest.raises(CanaryFailure, match="have no label that tells their version"):
        Running(shop, **RUN).wait()


def test_a_policy_for_many_hosts_is_not_replaced(shop: CopyCluster) -> None:
    spec = {"host": "*.svc.cluster.local", "trafficPolicy": {"tls": {"mode": "DISABLE"}}}
    shop.put("DestinationRule", {"metadata": {"name": "all"}, "spec": spec})
    with pytest.raises(MeshError, match=r"DestinationRule shop/all for \*.svc.cluster.local sets the traffic policy"):
        Running(shop, **RUN).wait()
    assert not [write for write in shop.writes if write[1] != "Lease"]


def test_a_deployment_of_the_copys_name_is_not_taken(shop: CopyCluster) -> None:
    shop.put("Deployment", deployment(COPY, "v9", 0, "order-service:9"))
    with pytest.raises(CanaryFailure, match="order-service-canary exists, and this collection did not make it"):
        Running(shop, **RUN).wait()


def test_check_mode_lists_every_object_and_writes_nothing(shop: CopyCluster) -> None:
    before = deepcopy(shop.objects)
    given = params(**RUN, image="order-service:2", patch=PATCH)
    found = planned(Detachable(shop, given, lambda __: None, lambda: ""), given)
    assert shop.objects == before
    for name in (
        "DestinationRule shop/order-service-canary",
        "VirtualService shop/order-service",
        "Deployment shop/order-service-canary",
    ):
        assert f"# {name}" in found["diff"]["after"]
    assert "value: debug" in found["diff"]["after"]
    assert any("gets the tested pod template" in line for line in found["plan"])
    Running(shop, **RUN, step_duration="0s").wait(20)
    given = params(**RUN, state="detached")
    found = planned(Detachable(shop, given, lambda __: None, lambda: ""), given)
    assert found["changed"]
    assert "DestinationRule shop/order-service-canary: removed" in found["plan"]


def test_the_copys_template_changed_by_hand_rolls_back(shop: CopyCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CanaryService, "_watch", lambda *__: NothingYet())
    running = Running(shop, **RUN)
    until(lambda: shop.shares() == {"stable": 75, "canary": 25})
    shop.edit("Deployment", COPY)["spec"]["template"]["spec"]["containers"][0]["image"] = "order-service:9"
    end = running.wait()
    assert end.state and "pod template of Deployment order-service-canary was changed" in end.state.reason


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"target": {"way": "copy"}}, "target.way is copy, and target.deployment is empty"),
        ({"patch": PATCH}, "patch is set, and target.way is slots"),
        ({"target": TARGET, "patch": {"replicas": 2}}, "patch has 'replicas': a pod template has metadata and spec"),
        ({"target": TARGET, "patch": {"metadata": {"name": "x"}}}, "patch has metadata.name: only annotations and"),
    ],
)
def test_invalid_options_are_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanFailure, match=message):
        refuse_problems(params(**given))
