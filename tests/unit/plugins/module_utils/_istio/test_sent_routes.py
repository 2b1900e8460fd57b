# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a proxy gets or has, against what is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.sent_routes import Sent, WrittenRoutes

from ....support.routes_of_proxies import HOST, configuration, virtual_service

WRITTEN = WrittenRoutes([virtual_service(10)])


def of_proxy(configuration: dict[str, Any]) -> dict[str, Any]:
    """The same as a proxy shows it."""
    text = json.dumps(configuration)
    for ours, theirs in (
        ("virtualHosts", "virtual_hosts"),
        ("weightedClusters", "weighted_clusters"),
        ("filterMetadata", "filter_metadata"),
    ):
        text = text.replace(ours, theirs)
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.parametrize(
    ("configurations", "sent"),
    [
        ([], Sent.NONE),
        ([configuration(10)], Sent.CURRENT_OF_ALL),
        ([configuration(10, route="primary.exact")], Sent.CURRENT_OF_ALL),
        ([configuration(5)], Sent.OUTDATED),
        ([configuration(0)], Sent.OUTDATED),
        ([configuration(10), configuration(5)], Sent.OUTDATED),
        ([configuration(10, route="other")], Sent.OUTDATED),
        ([configuration(5, name="elsewhere")], Sent.NONE),
        ([{"name": "9080", "virtualHosts": [{"routes": [{"directResponse": {"status": 404}}]}]}], Sent.NONE),
    ],
)
def test_routes_are_compared_with_what_is_written(configurations: list[dict[str, Any]], sent: Sent) -> None:
    assert WRITTEN.compare(configurations) is sent
    assert WRITTEN.compare(map(of_proxy, configurations)) is sent


def test_a_single_destination_has_all_requests() -> None:
    assert WrittenRoutes([virtual_service(0)]).compare([configuration(0)]) is Sent.CURRENT_OF_ALL
    single = configuration(0)
    single["virtualHosts"][0]["routes"][0]["route"] = {"cluster": f"outbound|9080|v1|{HOST}"}
    assert WrittenRoutes([virtual_service(0)]).compare([single]) is Sent.CURRENT_OF_ALL
    assert WrittenRoutes([virtual_service(1)]).compare([single]) is Sent.OUTDATED


def test_a_gateways_routes_do_not_speak_for_sidecars() -> None:
    written = WrittenRoutes([virtual_service(10), virtual_service(10, "edge", ["shop/edge"])])
    assert written.compare([configuration(10, "edge")]) is Sent.CURRENT
    assert written.compare([configuration(10)]) is Sent.CURRENT_OF_ALL


def test_a_delegates_routes_bear_the_name_of_what_includes_it() -> None:
    delegate = virtual_service(10)
    del delegate.obj["spec"]["hosts"]
    written = WrittenRoutes([delegate])
    assert written.compare([configuration(10, "root", "edge-primary")]) is Sent.CURRENT
    assert written.compare([configuration(5, "root", "edge-primary")]) is Sent.OUTDATED
    assert written.compare([configuration(5, "root", "edge-other")]) is Sent.NONE
