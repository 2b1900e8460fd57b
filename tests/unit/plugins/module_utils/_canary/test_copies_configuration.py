"""Canaries by copy of another content of ConfigMaps and Secrets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.plan import PlanFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.terms import OtherTerms
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.detach import Detachable
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.failures import CanaryFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.options import refuse_problems
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.result import planned
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.service import CanaryService
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase

from ....support.canary_calls import NothingYet, Running, until
from ....support.canary_cluster import SERVICE, params
from ....support.copy_cluster import RUN, CopyCluster
from .test_copies import detach, shop

__all__ = ["shop"]

PASSWORD = "correct horse"
LOUD = {"kind": "ConfigMap", "name": "settings", "data": {"LEVEL": "debug"}}
OTHER_KEY = {"kind": "Secret", "name": "keys", "data": {"PASSWORD": PASSWORD}}
ONE = {**RUN, "image": "", "configuration": [LOUD]}


@pytest.fixture
def with_settings(shop: CopyCluster) -> CopyCluster:
    shop.put("ConfigMap", {"metadata": {"name": "settings"}, "data": {"LEVEL": "info", "COLOR": "blue"}})
    shop.put("Secret", {"metadata": {"name": "keys"}, "type": "Opaque", "data": {"PASSWORD": "bGV0bWVpbg=="}})
    container = shop.edit("Deployment", SERVICE)["spec"]["template"]["spec"]["containers"][0]
    container["envFrom"] = [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "keys"}}]
    return shop


def references(shop: CopyCluster) -> list[str]:
    sources = shop.template()["spec"]["containers"][0]["envFrom"]
    return [str(next(iter(source.values()))["name"]) for source in sources]


def test_a_promoted_content_stays_and_the_previous_one_is_not_changed(with_settings: CopyCluster) -> None:
    before = with_settings.snapshot()
    end = Running(with_settings, **ONE, step_duration="0s").wait(20)
    assert end.state and end.state.phase == Phase.SUCCEEDED, end
    new, keys = references(with_settings)
    assert keys == "keys" and new.startswith("settings-")
    assert with_settings.objects["ConfigMap", new]["data"] == {"LEVEL": "debug", "COLOR": "blue"}
    assert detach(with_settings)
    after = with_settings.snapshot()
    assert after.pop(("ConfigMap", new))["immutable"] is True
    assert {key for key in after if after[key] != before[key]} == {("Deployment", SERVICE)}
    assert after.keys() == before.keys()


def test_the_next_content_is_one_of_the_same_object(with_settings: CopyCluster) -> None:
    Running(with_settings, **ONE, step_duration="0s").wait(20)
    again = Running(with_settings, **ONE, step_duration="0s").wait(20)
    assert not again.changed
    first = references(with_settings)[0]
    later = [{**LOUD, "data": {"LEVEL": "trace"}}]
    Running(with_settings, **{**ONE, "configuration": later}, step_duration="0s").wait(20)
    second = references(with_settings)[0]
    assert second.startswith("settings-") and second not in (first, f"{first}-")
    # The previous one is there for an undo, and goes when it is detached.
    assert with_settings.has("ConfigMap", first)
    detach(with_settings)
    assert not with_settings.has("ConfigMap", first) and with_settings.has("ConfigMap", second)


def test_rolled_back_and_detached_nothing_is_left(with_settings: CopyCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    before = with_settings.snapshot()
    monkeypatch.setattr(CanaryService, "_watch", lambda *__: NothingYet())
    running = Running(with_settings, **{**ONE, "configuration": [LOUD, OTHER_KEY]})
    until(lambda: with_settings.shares() == {"stable": 75, "canary": 25})
    running.cancelled = "enough"
    running.wait()
    assert detach(with_settings)
    assert with_settings.snapshot() == before


def test_a_run_in_progress_knows_its_contents(with_settings: CopyCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CanaryService, "_watch", lambda *__: NothingYet())
    running = Running(with_settings, **ONE)
    until(lambda: with_settings.shares() == {"stable": 75, "canary": 25})
    other = params(**{**ONE, "configuration": [{**LOUD, "data": {"LEVEL": "trace"}}]})
    with pytest.raises(OtherTerms, match="configuration"):
        Detachable(with_settings, other, lambda __: None, lambda: "").planned()
    same = Detachable(with_settings, params(**ONE), lambda __: None, lambda: "").planned()
    assert same and same.state.configuration
    running.cancelled = "enough"
    running.wait()


def test_no_content_of_a_secret_is_shown_or_stored_elsewhere(
    with_settings: CopyCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = params(**{**ONE, "configuration": [OTHER_KEY]})
    plan = planned(Detachable(with_settings, options, lambda __: None, lambda: ""), options)
    assert "Secret shop/keys-" in plan["diff"]["after"]
    monkeypatch.setattr(CanaryService, "_watch", lambda *__: NothingYet())
    running = Running(with_settings, **{**ONE, "configuration": [OTHER_KEY]})
    until(lambda: with_settings.shares() == {"stable": 75, "canary": 25})
    running.cancelled = "enough"
    running.wait()
    others = {key: obj for key, obj in with_settings.snapshot().items() if key[0] != "Secret"}
    everything: list[Any] = [plan, running.lines, [*others.values()]]
    stored = "Y29ycmVjdCBob3JzZQ=="
    assert PASSWORD not in json.dumps(everything, default=str) and stored not in json.dumps(everything, default=str)


def test_what_the_deployment_does_not_use_is_refused(with_settings: CopyCluster) -> None:
    given = [{**LOUD, "name": "setings"}]
    with pytest.raises(CanaryFailure, match=r"uses no ConfigMap setings .* refers to settings: correct configuration"):
        Running(with_settings, **{**ONE, "configuration": given}).wait()
    assert not [write for write in with_settings.writes if write[1] != "Lease"]


def test_slots_cannot_have_another_content() -> None:
    with pytest.raises(PlanFailure, match=r"configuration is set, and target\.way is slots"):
        refuse_problems(params(configuration=[LOUD]))


def test_an_account_without_rights_for_contents_detaches_the_rest(with_settings: CopyCluster) -> None:
    Running(with_settings, **RUN, step_duration="0s").wait(20)
    with_settings.refuse = lambda verb, kind, name: 403 if kind in ("ConfigMap", "Secret") else 0
    assert detach(with_settings)
