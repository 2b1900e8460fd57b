# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole calls of traffic_shift, on a cluster in memory."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.istiod import ISTIOD_OPTIONS
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.route import TrafficFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.shift_options import argument_spec
from ansible_collections.corpv3.service_mesh.plugins.modules import traffic_shift

from ...support.canary_cluster import NAMESPACE, SERVICE
from ...support.gateway_cluster import CANARY, STABLE, GatewayCluster

HTTP = {"route_ref": {"kind": "HTTPRoute", "name": "orders", "namespace": "", "rule": ""}, "namespace": NAMESPACE}
TENTH = {STABLE: 90, CANARY: 10}


class Module:
    """What a module gets of Ansible."""

    def __init__(self, check_mode: bool = False, **given: Any) -> None:
        defaults = {name: option.get("default") for name, option in argument_spec().items()}
        self.params = {**defaults, "unproven_wait": 0, **copy.deepcopy(given)}
        self.check_mode = check_mode
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> GatewayCluster:
    found = GatewayCluster()
    monkeypatch.setattr(traffic_shift, "Cluster", lambda __: found)
    return found


def test_an_http_route_is_shifted_once(cluster: GatewayCluster) -> None:
    check = traffic_shift.run(Module(check_mode=True, **HTTP, weights=TENTH))
    assert (check["changed"], cluster.writes) == (True, [])
    done = traffic_shift.run(Module(**HTTP, weights=TENTH))
    assert done["weights_before"] == {"rules[0]": {STABLE: 100, CANARY: 0}}
    assert check["weights"] == done["weights"] == {"rules[0]": TENTH}
    assert "weight: 90" in done["diff"]["after"]
    assert (cluster.shares(), done["attempts"]) == (TENTH, 1)
    again = traffic_shift.run(Module(**HTTP, weights=TENTH))
    assert (again["changed"], again["diff"], len(cluster.writes)) == (False, {}, 1)


def test_a_wait_without_istiod_still_has_the_status(cluster: GatewayCluster) -> None:
    module = Module(**HTTP, weights=TENTH, wait=True)
    done = traffic_shift.run(module)
    assert (done["accepted"], done["acknowledged"], done["proxies"]) == (True, False, 0)
    assert "istiod cannot be queried" in module.warnings[0]


def test_a_virtual_service_has_no_status_to_wait_for(cluster: GatewayCluster) -> None:
    done = traffic_shift.run(
        Module(namespace=NAMESPACE, virtual_service=SERVICE, service=SERVICE, weights={"v1": 100, "v2": 0}, wait=True)
    )
    assert not done["changed"]
    assert "accepted" not in done


def test_missing_rights_name_the_manifest(cluster: GatewayCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "may", lambda verb, *__: verb != "update")
    with pytest.raises(
        TrafficFailure, match=r"docs/gateway-api-operator\.yml grants what it lacks:\n- update: httproutes"
    ):
        traffic_shift.run(Module(**HTTP, weights=TENTH))


def documented(options: dict[str, Any]) -> dict[str, Any]:
    return {
        name: (
            option.get("type"),
            option.get("default"),
            option.get("choices"),
            option.get("required", False),
            documented(option.get("suboptions") or option.get("options") or {}),
        )
        for name, option in options.items()
        if name not in ISTIOD_OPTIONS
    }


def test_the_documentation_has_the_options() -> None:
    assert documented(yaml.safe_load(traffic_shift.DOCUMENTATION)["options"]) == documented(argument_spec())
