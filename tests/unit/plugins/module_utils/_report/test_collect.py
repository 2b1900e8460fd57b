# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a report contains, and that it is complete even where something cannot be read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.retired_registries import (
    ADDRESSES,
    INSTALL,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._prometheus.query import SourceFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._report.collect import ReportRequest, collect
from ansible_collections.corpv3.service_mesh.plugins.module_utils._report.report import overview, rendered


def in_short(data: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {name: (cell.text, cell.tone) for _key, name, cell in overview(data)}


def test_the_cluster(data: dict[str, Any]) -> None:
    cluster = data["cluster"]
    assert (cluster["server"], cluster["uid"]) == ("https://api.example.com:6443", "5d0c1f0e-kube-system")
    assert cluster["kubernetes"] == "v1.36.3"
    assert cluster["nodes"] == [
        {"version": "v1.36.3", "os": "Debian 13", "architecture": "amd64", "count": 2, "ready": 1}
    ]


def test_the_versions(data: dict[str, Any]) -> None:
    versions = data["versions"]
    (plane,) = versions["control_planes"]
    assert (plane["name"], plane["revision"], plane["version"], plane["ready"]) == ("istiod", "blue", "1.31.0", 2)
    assert versions["proxies"]["versions"] == [
        {"type": "router", "version": "1.30.3", "count": 1, "in_sync": 1},
        {"type": "sidecar", "version": "1.31.0", "count": 1, "in_sync": 1},
    ]
    # The newest revision, even though it is not the one that serves.
    (release,) = versions["releases"]
    assert (release["chart"], release["version"], release["revision"]) == ("istiod", "1.0.3", 3)
    assert (release["status"], release["updated"]) == ("failed", "2027-01-14T08:00:00")
    images = {item["name"]: item["images"] for item in versions["workloads"]}
    assert images["cart-v2"] == {"cart": "shop.example.com/cart:1.1.0"}


def test_proxies_that_are_behind_are_named(mesh: Any, wanted: dict[str, Any]) -> None:
    mesh.sync[0] |= {"resources": {"type.googleapis.com/Cluster": {"lastError": "no such <host>"}}}
    proxies = collect(mesh, ReportRequest(**wanted))["versions"]["proxies"]
    assert proxies["behind"] == ["shop/cart-0 refused type.googleapis: no such <host>"] or proxies["behind"] == [
        "shop/cart-0 refused com/Cluster: no such <host>"
    ]
    assert (proxies["total"], proxies["in_sync"]) == (2, 1)


def test_traffic_and_golden_signals(data: dict[str, Any]) -> None:
    (cart,) = [item for item in data["traffic"]["services"] if item["name"] == "cart"]
    assert cart["traffic"] == {"requests_per_second": 10.0, "error_percent": 1.0, "p50": 42.0, "p95": 42.0, "p99": 42.0}
    assert cart["saturation"] == {"cpu": 85.0}
    assert cart["health"] == "degraded"
    (call,) = data["traffic"]["calls"]
    assert (call["client"]["workload"], call["service"]["name"]) == ("web", "cart")
    assert ">cart</text>" in data["traffic"]["topology_svg"]


def test_the_canaries_history_names_actor_and_reason(data: dict[str, Any]) -> None:
    (run,) = data["canaries"]["runs"]
    assert (run["namespace"], run["service"], run["phase"]) == ("shop", "cart", "Failed")
    assert run["weights"] == {"stable": 100, "canary": 0}
    assert [(event["phase"], event["weight"], event["reason"]) for event in run["history"]] == [
        ("Progressing", 10, "cart 1.1.0"),
        ("RollingBack", 0, "success rate 91.0 is below 99"),
        ("Failed", 0, "success rate 91.0 is below 99"),
    ]
    assert {event["actor"] for event in run["history"]} == {"alice (process 7)"}


def test_a_run_that_cannot_be_read_is_reported(mesh: Any, wanted: dict[str, Any]) -> None:
    for item in mesh.objects:
        if item["kind"] == "VirtualService":
            item["metadata"]["annotations"] = {"canary.service-mesh.corpv3.com/cart": "{"}
    canaries = collect(mesh, ReportRequest(**wanted))["canaries"]
    assert canaries["runs"] == []
    assert "VirtualService shop/cart records a run, but the state cannot be read" in canaries["notes"][0]


def test_certificates_the_first_to_end_first(data: dict[str, Any]) -> None:
    found = [(item["use"], item["where"], item["days_left"]) for item in data["certificates"]["certificates"]]
    assert found == [
        ("gateway", "Secret istio-system/forgotten", None),
        ("webhook", "ValidatingWebhookConfiguration without-bundle", None),
        ("gateway", "Secret istio-system/shop-tls", 12),
        ("mesh authority", "ConfigMap istio-system/istio-ca-root-cert", 3000),
        ("webhook", "MutatingWebhookConfiguration istio-sidecar-injector", 3000),
        ("mesh authority", "Secret istio-system/istio-ca-secret, ca-cert.pem", 3000),
    ]
    (shop,) = [item for item in data["certificates"]["certificates"] if item["days_left"] == 12]
    assert (shop["names"], shop["used_by"], shop["ends"]) == (
        ["shop.example.com"],
        ["shop/front"],
        "2027-01-27T08:00:00Z",
    )


@pytest.mark.parametrize(
    ("served", "expected"),
    [
        ([40, 12], ("first expires in 12 days; CA expires in 3000 days", "warning")),
        ([364], ("first expires in 364 days; CA expires in 3000 days", "good")),
        ([1], ("first expires in 1 day; CA expires in 3000 days", "warning")),
        ([-1, 12], ("first has expired; CA expires in 3000 days", "error")),
        # The mesh's root alone says nothing on the certificates that must be renewed.
        ([], ("CA expires in 3000 days", "good")),
    ],
)
def test_the_first_certificate_to_expire_is_not_the_root(
    data: dict[str, Any], served: list[int], expected: tuple[str, str]
) -> None:
    found = data["certificates"]
    gateway, authority = (
        next(item for item in found["certificates"] if item["use"] == use and item["days_left"] is not None)
        for use in ("gateway", "mesh authority")
    )
    found["certificates"] = [authority, *({**gateway, "days_left": days} for days in served)]
    assert in_short(data)["Certificates"] == expected


def test_what_must_be_known_first(data: dict[str, Any]) -> None:
    short = in_short(data)
    assert short["Services"] == ("1 degraded", "warning")
    assert short["Proxies"] == ("2 of 2 in sync", "good")
    assert short["Canaries"] == ("none in progress", "good")
    assert short["Certificates"] == ("2 unreadable or missing", "error")
    assert short["Cost"][0].endswith(" USD a month for mesh and observability")


def test_without_a_bill_the_section_reports_so(mesh: Any, wanted: dict[str, Any]) -> None:
    data = collect(mesh, ReportRequest(**{**wanted, "cost": {}}))
    assert in_short(data)["Cost"] == ("not requested", "")
    assert "Note: the cost was not requested" in rendered("markdown", data)


def test_validation_is_that_of_mesh_validate(data: dict[str, Any], mesh: Any, wanted: dict[str, Any]) -> None:
    codes = {finding["code"] for finding in data["validation"]["findings"]}
    # The Gateway names a Secret that does not exist.
    assert "IST0101" in codes
    quiet = collect(mesh, ReportRequest(**wanted, namespaces=["shop"], policy=_off()))
    assert "IST0101" not in {finding["code"] for finding in quiet["validation"]["findings"]}


def _off() -> Any:
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.selection import policy_of

    return policy_of({"levels": {"IST0101": "off"}})


@pytest.mark.parametrize(
    ("forbidden", "section", "note"),
    [
        ({"Node"}, "cluster", "Node was not read: may not list Node"),
        ({"Secret"}, "certificates", "Secret was not read in namespace istio-system: the account may not list it"),
        ({"Secret"}, "versions", "Helm's releases was not read: may not list Secret"),
        ({"VirtualService"}, "canaries", "VirtualService.networking.istio.io was not read"),
        ({"VirtualService"}, "traffic", "VirtualService.networking.istio.io was not read"),
        (
            {"DestinationRule"},
            "canaries",
            "the run of shop/cart is shown from its record only: may not list DestinationRule",
        ),
        ({"Pod"}, "versions", "it is not known what the proxies accepted"),
        ({"Pod"}, "registries", "Pod was not read: the account may not list it"),
        ({"Secret"}, "registries", "Helm's releases was not read: may not list Secret"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, set) else None,
)
def test_what_may_not_be_read_is_reported_in_its_section(
    mesh: Any, wanted: dict[str, Any], forbidden: set[str], section: str, note: str
) -> None:
    mesh.forbidden = forbidden
    data = collect(mesh, ReportRequest(**wanted))
    assert any(text.startswith(note) for text in data[section]["notes"]), data[section]["notes"]
    for form in ("html", "markdown"):
        assert "Note: " in rendered(form, data)


def test_nothing_but_the_clusters_version_may_be_read(mesh: Any, wanted: dict[str, Any]) -> None:
    mesh.forbidden = {item["kind"] for item in mesh.objects}
    data = collect(mesh, ReportRequest(**wanted))
    assert in_short(data)["Services"] == ("none seen", "warning")
    for form in ("html", "markdown", "json"):
        assert "v1.36.3" in rendered(form, data)


def test_without_prometheus_the_section_reports_so(mesh: Any, wanted: dict[str, Any]) -> None:
    data = collect(mesh, ReportRequest(**{**wanted, "fetch": None}))
    assert data["traffic"]["notes"] == ["prometheus is not set, so the traffic is not known"]
    assert in_short(data)["Services"] == ("1 not measured", "warning")
    assert not [line for line in rendered("markdown", data).splitlines() if "idle" in line]
    assert "prometheus is not set" in rendered("html", data)


def silent_prometheus(*scraped: str) -> Any:
    """It has no request, and scrapes these pods of namespace shop."""

    def fetch(path: str, parameters: Any) -> tuple[int, bytes]:
        pods = scraped if "up{" in parameters["query"] else ()
        found = [{"metric": {"namespace": "shop", "pod": pod}, "value": [0, "1"]} for pod in pods]
        return 200, json.dumps({"status": "success", "data": {"resultType": "vector", "result": found}}).encode()

    return fetch


def test_a_service_that_is_not_scraped_is_not_idle(mesh: Any, wanted: dict[str, Any]) -> None:
    data = collect(mesh, ReportRequest(**{**wanted, "fetch": silent_prometheus()}))
    assert in_short(data)["Services"] == ("1 not measured", "warning")
    note = "prometheus does not scrape the pods of shop/cart, so their traffic is not known"
    assert data["traffic"]["notes"] == [note]
    assert note in rendered("markdown", data)


def test_a_scraped_service_without_requests_is_idle(mesh: Any, wanted: dict[str, Any]) -> None:
    data = collect(mesh, ReportRequest(**{**wanted, "fetch": silent_prometheus("cart-0")}))
    assert in_short(data)["Services"] == ("1 idle", "good")
    assert data["traffic"]["notes"] == []


def test_pods_without_a_proxy_are_not_idle_even_if_they_are_scraped(mesh: Any, wanted: dict[str, Any]) -> None:
    for item in mesh.objects:
        if item["kind"] == "Pod":
            containers = item["spec"]["containers"]
            item["spec"]["containers"] = [one for one in containers if one["name"] != "istio-proxy"]
    data = collect(mesh, ReportRequest(**{**wanted, "fetch": silent_prometheus("cart-0")}))
    assert in_short(data)["Services"] == ("1 not measured", "warning")
    for item in data["traffic"]["services"]:
        item["mtls"] = "none"
    assert in_short(data)["Services"] == ("1 without a sidecar", "warning")


def test_a_prometheus_that_does_not_answer_is_reported(mesh: Any, wanted: dict[str, Any]) -> None:
    def dead(path: str, parameters: Any) -> tuple[int, bytes]:
        raise SourceFailure("prometheus.example.com has not answered within 10 s")

    data = collect(mesh, ReportRequest(**{**wanted, "fetch": dead}))
    assert (
        data["traffic"]["notes"][0] == "the traffic was not read: prometheus.example.com has not answered within 10 s"
    )
    assert "## Canaries" in rendered("markdown", data)


def test_other_namespaces_are_left_out(mesh: Any, wanted: dict[str, Any]) -> None:
    data = collect(mesh, ReportRequest(**wanted, namespaces=["elsewhere"]))
    assert data["traffic"]["services"] == []
    assert data["versions"]["workloads"] == []
    assert data["versions"]["releases"] == []
    assert data["canaries"]["runs"] == []


def plant_old_sidecar(mesh: Any) -> str:
    """Gives the pod of shop/cart the image of a retired registry, which is returned."""
    image = f"{ADDRESSES[0]}/release/proxyv2:1.30.3"
    cart = next(item for item in mesh.objects if item["kind"] == "Pod" and item["metadata"]["namespace"] == "shop")
    cart["spec"]["containers"].append({"name": "istio-proxy", "image": image})
    return image


def test_what_comes_from_retired_registries_is_listed_with_its_command(mesh: Any, wanted: dict[str, Any]) -> None:
    image = plant_old_sidecar(mesh)
    hub = json.dumps({"global": {"hub": f"{ADDRESSES[1]}"}})
    mesh.objects.append(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "istio-sidecar-injector", "namespace": "istio-system"},
            "data": {"values": hub},
        }
    )
    data = collect(mesh, ReportRequest(**wanted))
    found = data["registries"]
    (workload,) = found["workloads"]
    assert (workload["namespace"], workload["pods"], workload["images"]) == ("shop", 1, [image])
    assert found["injectors"] == [
        {"namespace": "istio-system", "name": "istio-sidecar-injector", "address": ADDRESSES[1]}
    ]
    assert in_short(data)["Istio's registries"] == (
        "1 workload, 1 injector from registries that Istio retires",
        "warning",
    )
    for form in ("html", "markdown", "json"):
        text = rendered(form, data).replace("\\", "")
        for words in (image, INSTALL, "8 December 2026, 15:00 UTC"):
            assert words in text, (form, words)


def test_nothing_from_retired_registries_is_reported_too(data: dict[str, Any]) -> None:
    assert in_short(data)["Istio's registries"] == ("nothing from registries that Istio retires", "good")
    assert "Nothing comes from the registries" in rendered("markdown", data)


def test_pods_of_other_namespaces_are_not_listed(mesh: Any, wanted: dict[str, Any]) -> None:
    plant_old_sidecar(mesh)
    data = collect(mesh, ReportRequest(**wanted, namespaces=["elsewhere"]))
    assert data["registries"]["workloads"] == []
