"""Canaries by copy whose route is one of the Gateway API: each side gets a Service."""

from __future__ import annotations

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary import backends, lease
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.adoption import AdoptionFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.detach import Detachable
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.service import CanaryService
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase

from ....support.canary_calls import Running
from ....support.canary_cluster import SERVICE, params
from ....support.copy_cluster import RUN, CopyCluster
from .core.test_terms import Good
from .test_gateway_api import KINDS, route, rule


@pytest.fixture(params=KINDS)
def shop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> CopyCluster:
    monkeypatch.setattr(CanaryService, "_watch", lambda *__: Good())
    monkeypatch.setattr(backends, "_SECONDS", 0.1)
    monkeypatch.setattr(lease, "_CHECK_SECONDS", 0.1)
    cluster = CopyCluster()
    cluster.remove("VirtualService", SERVICE)
    cluster.put(request.param, route(rule(SERVICE)))
    return cluster


def shares(shop: CopyCluster) -> dict[str, int]:
    with shop.lock:
        (found,) = (obj for (kind, __), obj in shop.objects.items() if kind in KINDS)
        return {entry["name"]: entry["weight"] for entry in found["spec"]["rules"][0]["backendRefs"]}


def test_both_sides_get_a_service_and_the_original_the_promotion(shop: CopyCluster) -> None:
    before = shop.snapshot()
    end = Running(shop, **RUN, step_duration="0s").wait(20)
    assert end.state and end.state.phase == Phase.SUCCEEDED
    assert shares(shop) == {f"{SERVICE}-stable": 100, f"{SERVICE}-canary": 0}
    assert (shop.image(SERVICE), shop.replicas(SERVICE)) == ("order-service:2", 2)
    assert shop.idle()
    made = shop.edit("Service", f"{SERVICE}-canary")["spec"]
    assert made == {
        "selector": {"app": SERVICE, "version": "v1-canary"},
        "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
    }
    assert Detachable(shop, params(**RUN, state="detached"), lambda __: None, lambda: "").detach().changed
    before["Deployment", SERVICE]["spec"]["template"]["spec"]["containers"][0]["image"] = "order-service:2"
    assert shop.snapshot() == before


def test_a_service_of_that_name_for_other_pods_is_not_taken(shop: CopyCluster) -> None:
    shop.put("Service", {"metadata": {"name": f"{SERVICE}-canary"}, "spec": {"selector": {"app": "other"}}})
    with pytest.raises(AdoptionFailure, match="order-service-canary exists and selects other pods"):
        Running(shop, **RUN).wait()
    assert not [write for write in shop.writes if write[1] != "Lease"]
