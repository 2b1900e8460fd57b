# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Repositories that hold more than one mesh, or less than one: what is elsewhere is not missing, nor in conflict."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import NOT_READ, Mesh, Settings
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate import catalog, engine

from ....support import validate_harness as harness

SERVICE = """apiVersion: v1
kind: Service
metadata: {{name: {name}{place}}}
spec: {{selector: {{app: {name}}}, ports: [{{port: 80, name: http}}]}}
"""
WORKLOAD = """apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}{place}}}
spec:
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: app, image: shop}}]}}
"""
ROUTE = """apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}{place}}}
spec:
  hosts: [{host}]
  http: [{{timeout: {timeout}, route: [{{destination: {{host: {to}, port: {{number: 80}}}}}}]}}]
"""
SHOP = ", namespace: shop"


def service(name: str, place: str = SHOP) -> str:
    return f"{SERVICE.format(name=name, place=place)}---\n{WORKLOAD.format(name=name, place=place)}"


def route(to: str, *, name: str = "", place: str = SHOP, host: str = "", timeout: str = "5s") -> str:
    return ROUTE.format(name=name or f"to-{to}", place=place, host=host or to, to=to, timeout=timeout)


def run(files: dict[str, str], **facts: Any) -> engine.Outcome:
    resources = [item for file, text in files.items() for item in harness.resources_of(text, file)]
    outcome = engine.run_checks(Mesh(resources, Settings(facts=facts)), catalog.all_checks())
    assert outcome.broken == {}
    return outcome


def found(files: dict[str, str], *codes: str, **facts: Any) -> list[tuple[str, str, str]]:
    findings = run(files, **facts).findings
    return [(item.rule.code, item.severity, item.resource.source.file) for item in findings if item.rule.code in codes]


def environment(folder: str, timeout: str) -> dict[str, str]:
    return {f"{folder}/cart.yaml": service("cart"), f"{folder}/route.yaml": route("cart", timeout=timeout)}


def test_environments_beside_each_other_do_not_define_an_object_twice() -> None:
    files = {**environment("envs/dev", "5s"), **environment("envs/prod", "9s")}
    assert found(files, "MESH219") == []
    # As before: one folder that defines it twice, among others.
    mistake = {
        "shop/cart.yaml": "---\n".join([service("cart"), service("e"), route("cart")]),
        "shop/b.yaml": service("b"),
    }
    mistake["shop/more.yaml"] = "---\n".join([service("c"), service("d"), route("cart", timeout="9s")])
    assert found(mistake, "MESH219") == [("MESH219", "warning", "shop/more.yaml")]


def test_steps_of_a_canary_in_one_folder_are_a_note() -> None:
    files = {"shop/cart.yaml": service("cart")}
    files |= {f"shop/canary-{step}.yaml": route("cart", timeout=f"{step}s") for step in (10, 50)}
    assert found(files, "MESH219") == [("MESH219", "info", "shop/canary-50.yaml")]


def test_objects_in_two_folders_may_be_for_two_clusters() -> None:
    files = {"a/web.yaml": "---\n".join([service("web"), service("a"), service("b")])}
    files["b/web.yaml"] = "---\n".join([SERVICE.format(name="web", place=SHOP), service("c"), service("d")])
    files["b/web.yaml"] = files["b/web.yaml"].replace("port: 80", "port: 81")
    assert found(files, "MESH219") == [("MESH219", "info", "b/web.yaml")]


def test_two_variants_do_not_conflict() -> None:
    """The demos share the Service, so a cluster gets one of them."""
    split = {"demos/split/cart.yaml": service("cart"), "demos/split/route.yaml": route("cart", name="split")}
    retry = {"demos/retry/cart.yaml": service("cart"), "demos/retry/route.yaml": route("cart", name="retry")}
    assert found({**split, **retry}, "IST0109") == []
    # In one folder, the conflict is real.
    both = {**split, "demos/split/more.yaml": route("cart", name="more")}
    assert [place[2] for place in found(both, "IST0109")] == ["demos/split/more.yaml", "demos/split/route.yaml"]


def test_a_service_is_missing_only_where_its_neighbours_are() -> None:
    demos = {"first/cart.yaml": service("cart"), "second/route.yaml": route("payment")}
    assert found(demos, "IST0101") == []
    assert found({**demos, "second/audit.yaml": service("audit")}, "IST0101") == [
        ("IST0101", "error", "second/route.yaml")
    ]
    # Another route of the folder finds its Service.
    assert found({**demos, "second/more.yaml": route("cart")}, "IST0101") == [("IST0101", "error", "second/route.yaml")]
    # A typo is one everywhere.
    assert found({**demos, "second/route.yaml": route("cartt")}, "IST0101") == [
        ("IST0101", "error", "second/route.yaml")
    ]


@pytest.mark.parametrize("unread", [[], ["charts/shop"]])
def test_what_could_not_be_read_may_contain_anything(unread: list[str]) -> None:
    files = {"a.yaml": service("cart") + "---\n" + route("payment")}
    files["b.yaml"] = SERVICE.format(name="audit", place=SHOP)
    assert found(files, "IST0101", "MESH213", not_read=unread) == (
        [] if unread else [("IST0101", "error", "a.yaml"), ("MESH213", "warning", "b.yaml")]
    )
    assert NOT_READ == "not_read"
    if unread:
        lacking = run(files, not_read=unread).undecided["route_to_unknown_service"]
        assert lacking == ["the objects of charts/shop, which could not be read"]
        assert found({"a.yaml": service("cart") + "---\n" + route("cartt")}, "IST0101", not_read=unread)


def test_an_object_without_a_namespace_may_be_the_one_that_is_meant() -> None:
    chart = {"chart/templates/payment.yaml (rendered)": service("payment", "")}
    files = {"a.yaml": service("cart") + "---\n" + route("payment")}
    assert found({**files, **chart}, "IST0101") == []
    assert found(files, "IST0101") == [("IST0101", "error", "a.yaml")]


def test_an_east_west_gateway_is_installed_by_itself() -> None:
    installed = WORKLOAD.format(name="ingress", place=", namespace: istio-system").replace(
        "app: ingress", "istio: ingressgateway"
    )
    gateway = """apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: cross-network, namespace: istio-system}
spec:
  selector: {istio: %s}
  servers: [{port: {number: 15443, name: tls, protocol: TLS}, tls: {mode: AUTO_PASSTHROUGH}, hosts: ["*.local"]}]
"""
    both = {"ingress.yaml": installed.replace("name: app", "name: istio-proxy")}
    assert found({**both, "a.yaml": gateway % "eastwestgateway"}, "IST0101") == []
    assert found({**both, "a.yaml": gateway % "egressgateway"}, "IST0101") == [("IST0101", "error", "a.yaml")]


MARKED = ["${HOST}", "$(HOST)", "<HOST>", "<<HOST>>", "{{ host }}", "@HOST@", "<secret:host>", "<path:kv/shop#host>"]


@pytest.mark.parametrize("host", [*MARKED, "YOUR_HOST", "your_host", "{.host}", "{host}"])
def test_a_placeholder_is_undecided(host: str) -> None:
    text = f"""apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: api, namespace: shop}}
spec: {{hosts: ["{host}"], resolution: DNS, ports: [{{number: 443, name: tls, protocol: TLS}}]}}
"""
    assert found({"a.yaml": text}, "IST0106") == []
    assert any(host in lacking for found in run({"a.yaml": text}).undecided.values() for lacking in found)
    assert found({"a.yaml": text.replace(host, "a..b")}, "IST0106") == [("IST0106", "error", "a.yaml")]


def test_words_with_an_underscore_are_placeholders_in_a_template_only() -> None:
    """In any other file my_service is a real mistake, wherever it is repeated."""
    text = """apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: service_name, namespace: shop, labels: {app: service_name}}
spec: {hostnames: [route_domain], rules: [{filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}]}]}
"""
    assert found({"edge/template.yaml": text}, "MESH103", "IST0106") == []
    assert any(
        "service_name" in lacking for items in run({"template.yaml": text}).undecided.values() for lacking in items
    )
    for file in ("template/edge.yaml", "templates/template.yaml (rendered)", "template (built)"):
        assert {code for code, _level, _file in found({file: text}, "MESH103", "IST0106")} == {"MESH103", "IST0106"}
    # Other faults of the template are faults.
    assert found({"template.yaml": text.replace("route_domain", "a..b")}, "IST0106") == [
        ("IST0106", "error", "template.yaml")
    ]
    assert found({"template.yaml": text.replace("service_name", "Service_1")}, "MESH103") != []


def test_a_constant_with_a_typo_is_not_a_placeholder() -> None:
    text = """apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: cart, namespace: shop}
spec: {host: cart, trafficPolicy: {tls: {mode: ISTIO_MUTAL}}}
"""
    assert found({"a.yaml": text}, "IST0106") == [("IST0106", "error", "a.yaml")]


def test_environments_are_known_by_their_names() -> None:
    """Even if most of what they define differs."""
    files = {}
    for name in ("dev", "staging"):
        own = [service(f"{name}-{item}") for item in "abc"]
        files[f"envs/{name}/all.yaml"] = "---\n".join([route("cart", timeout=f"{len(name)}s"), *own])
    assert found(files, "MESH219") == []
    teams = {file.replace("envs", "apps").replace("dev", "cart"): text for file, text in files.items()}
    assert found(teams, "MESH219") == [("MESH219", "info", "apps/staging/all.yaml")]


def both_with_host(one: str, other: str, **facts: Any) -> list[str]:
    """Files with conflicting routes, and no common object."""
    files = {one: service("cart") + "---\n" + route("cart", name="a")}
    files[other] = service("pay") + "---\n" + route("pay", name="b", host="cart")
    return sorted(place[2] for place in found(files, "IST0109", **facts))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("clusters/eu/a.yaml", "clusters/us/a.yaml"),
        ("mesh/openshift (built)", "mesh/minikube (built)"),
        ("aks/a.yaml", "gke/a.yaml"),
        ("shop/overlays/fast (built)", "shop/overlays/slow (built)"),
        ("deploy/dev/a.yaml", "deploy/prod-eu1/a.yaml"),
        ("kustomize/dev (built)", "kustomize/prod (built)"),
    ],
)
def test_clusters_and_environments_need_no_common_object(one: str, other: str) -> None:
    assert both_with_host(one, other) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("clusters/base/a.yaml", "clusters/us/a.yaml"),
        ("clusters/a.yaml", "clusters/b.yaml"),
        ("deploy/dev/a.yaml", "deploy/shop/a.yaml"),
        ("apps/cart (built)", "apps/pay (built)"),
    ],
)
def test_a_folder_for_all_and_other_folders_are_one_mesh(one: str, other: str) -> None:
    assert both_with_host(one, other) == sorted([one, other])


def kustomized(team: str, *others: str) -> str:
    """The cart, in a namespace of the team's own, and other Services."""
    place = f", namespace: {team}"
    own = [service("cart", place), route("cart", host="cart.example.com", place=place)]
    return "---\n".join([*own, *(service(name, place) for name in others)])


def test_alternatives_of_a_demo_do_not_conflict() -> None:
    files = {
        "demo/app.yaml": service("cart"),
        "demo/samples/gateway/route.yaml": route("cart", name="a"),
        "demo/samples/sidecar/route.yaml": route("cart", name="b", timeout="9s"),
    }
    assert found(files, "IST0109") == []
    # Two of one alternative do, and so do two in a folder of another name.
    files["demo/samples/sidecar/more.yaml"] = route("cart", name="c")
    assert {file for _code, _level, file in found(files, "IST0109")} == {
        "demo/samples/sidecar/route.yaml",
        "demo/samples/sidecar/more.yaml",
    }
    moved = {file.replace("samples", "parts"): text for file, text in files.items()}
    assert len(found(moved, "IST0109")) == 3


def test_kustomizations_of_like_objects_are_variants_whatever_their_namespaces() -> None:
    alike = {f"{team} (built)": kustomized(team) for team in ("x", "y")}
    assert found(alike, "IST0109") == []
    # Files with namespaces are where they are.
    assert [code for code, *_rest in found({"x.yaml": alike["x (built)"], "y.yaml": alike["y (built)"]}, "IST0109")]
    larger = kustomized("y", "a", "b")
    assert [code for code, *_rest in found({**alike, "y (built)": larger}, "IST0109")]
    # By their number, these are not alike by chance.
    more = {"x (built)": kustomized("x", "z"), "y (built)": kustomized("y", "z", "a", "b", "c", "d")}
    assert found(more, "IST0109") == []


POLICIES = """---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: default{place}}}
spec: {{mtls: {{mode: STRICT}}}}
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {{name: default{place}}}
spec: {{accessLogging: [{{disabled: true}}]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: default{place}}}
spec: {{podSelector: {{}}}}
"""


def test_namespaces_with_the_same_policies_are_of_one_cluster() -> None:
    files = {}
    for team in ("x", "y"):
        place = f", namespace: {team}"
        own = "---\n".join([service(team, place), route(team, host="cart.example.com", place=place)])
        files[f"apps/{team} (built)"] = own + POLICIES.format(place=place)
    assert len(found(files, "IST0109")) == 2


def test_applications_of_one_environment_stay_together() -> None:
    """Though those of the other environment are like them."""
    files = {}
    for cluster in ("main", "test"):
        for app in ("shop", "pay"):
            place = f", namespace: {app}"
            own = "---\n".join([service(app, place), route(app, host="cart.example.com", place=place)])
            files[f"clusters/{cluster}/{app} (built)"] = own
    # Of what both environments define, the last definition.
    assert [file for _code, _level, file in found(files, "IST0109")] == [
        "clusters/test/pay (built)",
        "clusters/test/shop (built)",
    ]


def test_a_sample_without_a_namespace_sets_no_namespaces_apart() -> None:
    files = {"teams/sample/cart.yaml": service("cart", "")}
    for team in ("x", "y"):
        place = f", namespace: {team}"
        files[f"teams/{team}/cart.yaml"] = service("cart", place)
        files[f"teams/{team}/route.yaml"] = route("cart", name="route", host="cart.example.com", place=place)
    assert len(found(files, "IST0109")) == 2


def test_an_object_without_a_namespace_may_be_the_one_with_it() -> None:
    """A chart and plain files of one application, or two forms of an example."""
    plain = {"plain/cart.yaml": service("cart"), "plain/route.yaml": route("cart", host="cart.example.com")}
    chart = {
        "chart/cart.yaml": service("cart", ""),
        "chart/route.yaml": route("cart", host="cart.example.com", place=""),
    }
    assert found({**plain, **chart}, "IST0109") == []
    # One of several objects is not a variant. The conflict is a guess.
    more = {"plain/more.yaml": "---\n".join(service(name) for name in "abc")}
    more["chart/more.yaml"] = "---\n".join(service(name, "") for name in "def")
    assert found({**plain, **chart, **more}, "IST0109") == [
        ("IST0109", "warning", "chart/route.yaml"),
        ("IST0109", "warning", "plain/route.yaml"),
    ]


def test_what_is_laid_over_a_base_is_a_note() -> None:
    base = "---\n".join([route("cart"), service("cart"), service("a"), service("b")])
    assert found({"shop/base.yaml": base, "shop/slow.yaml": route("cart", timeout="9s")}, "MESH219") == [
        ("MESH219", "info", "shop/slow.yaml")
    ]
