"""What the lab's other parts do where there is a real node, and where there is none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab import faults, stages, tools
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.agent.watch import is_real
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.components import components
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.node import observability, programs
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.node import run as node_run
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.node.layout import Node
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    names = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "kube-state-metrics")
    names += ("prometheus", "containerd", "kubelet", "kube-proxy")
    binaries = {name: f"/cache/{name}" for name in names}
    return Settings("lab", tmp_path, 0, True, 3, ("restaurant-management",), binaries, "1s", True)


def test_kwok_manages_the_nodes_that_carry_its_annotation(settings: Settings) -> None:
    kwok = next(part for part in components(settings) if part.name == "kwok")
    assert "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake" in kwok.argv
    assert "--manage-all-nodes=true" not in kwok.argv


def test_the_agent_leaves_the_real_node_s_pods_to_its_kubelet(settings: Settings) -> None:
    def pod(node: str) -> dict[str, object]:
        return {"metadata": {"namespace": "restaurant-management"}, "spec": {"nodeName": node, "containers": []}}

    assert is_real(pod("lab-node-0"), settings)
    assert not is_real(pod("lab-real"), settings)


def test_a_ztunnel_is_simulated(settings: Settings) -> None:
    for args, real in ((["proxy", "ztunnel"], False), (["proxy", "router"], True)):
        spec = {"nodeName": "lab-node-0", "containers": [{"name": "istio-proxy", "args": args}]}
        assert is_real({"metadata": {"namespace": "istio-system"}, "spec": spec}, settings) is real


def test_simulated_nodes_report_a_kubelet_s_version_only_beside_a_real_one(settings: Settings) -> None:
    version = f"kubeletVersion: {tools.KUBERNETES_VERSION}"
    assert version in stages.kwok_config(settings)
    assert version not in stages.kwok_config(replace(settings, real_node=False))


def test_faults_reach_the_containers_folder_where_there_is_one(settings: Settings) -> None:
    fault = {"service": "menu-service", "latency_ms": 300}
    faults.apply(settings, fault)
    settings.shared.mkdir(parents=True)
    faults.apply(settings, fault)
    assert json.loads((settings.shared / "faults.json").read_text()) == [fault]
    faults.apply(settings, {"clear": True})
    assert json.loads((settings.shared / "faults.json").read_text()) == []


def test_the_node_s_programs_end_with_their_starter_and_are_inside_its_namespaces(settings: Settings) -> None:
    inside = {
        part.name: part.argv for part in programs.components(Node(settings), 4711) if part.name in programs.INSIDE
    }
    assert list(inside) == list(programs.INSIDE)
    for argv in inside.values():
        assert argv[1:9] == ["--target", "4711", "--mount", "--net", "--pid", "setpriv", "--pdeathsig", "KILL"]


def test_the_first_process_takes_all_others_with_it(settings: Settings) -> None:
    argv = programs.first(Node(settings)).argv
    assert {"--pid", "--mount", "--kill-child=KILL"} <= set(argv)
    assert argv[argv.index("--propagation") + 1] == "slave"


def test_status_says_why_there_is_none(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for uid, why in ((0, "off: lab_real_node=false"), (1000, "off: only root can run one")):
        monkeypatch.setattr("os.geteuid", lambda uid=uid: uid)
        line = {"name": "real node", "pid": None, "address": why, "health": "simulated"}
        assert node_run.status(replace(settings, real_node=False)) == [line]


def test_the_node_s_tools_are_built_only_for_it(tmp_path: Path) -> None:
    added = {str(each["name"]) for each in tools.plan(tmp_path, True)} - {
        str(each["name"]) for each in tools.plan(tmp_path)
    }
    assert added == {"kubelet", "containerd", "istio-cni", "coredns", "metrics-server", "kube-network-policies"}


def test_the_programs_of_an_app_are_built_only_where_its_pods_run(tmp_path: Path) -> None:
    apps = ["jaeger", "prometheus", "istio-ingressgateway"]

    def names(**options: Any) -> set[str]:
        return {str(each["name"]) for each in tools.plan(tmp_path, **options)}

    assert names(real_node=True, apps=apps) - names(real_node=True) == {"jaeger", "config-reloader"}
    assert names(apps=apps) == names()


def test_only_an_app_on_the_real_node_has_an_image(settings: Settings, tmp_path: Path) -> None:
    built = replace(settings, tools={**settings.tools, "jaeger": str(tmp_path / "jaeger")})
    assert not observability.images(built)
    (image,) = observability.images(replace(built, real_node_apps=("istiod", "jaeger")))
    assert image.names == ("docker.io/jaegertracing/jaeger",)
    assert image.entrypoint == ("/cmd/jaeger/jaeger-linux",)


def test_status_names_a_pods_images_and_its_node() -> None:
    pod = {
        "metadata": {"namespace": "shop", "name": "cart-1"},
        "spec": {
            "initContainers": [{"image": "docker.io/istio/proxyv2:1.31.0"}],
            "containers": [{"image": "localhost:5000/shop/cart:2"}, {"image": "docker.io/istio/proxyv2:1.31.0"}],
        },
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]},
    }
    line = node_run.pod_line(pod, "lab-real")
    assert line["address"] == "lab-real: proxyv2:1.31.0, cart:2"
    assert (line["name"], line["health"]) == ("shop/cart-1", "running")
    pod["status"]["conditions"][0]["status"] = "True"
    assert node_run.pod_line(pod, "lab-real")["health"] == "ready"
