"""The node's configuration: what keeps it inside the lab, and what this machine's rights need."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.components import components
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.node import config, objects, policies, programs
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.node.layout import TAINT, Node
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.pki import FRONT_PROXY
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.settings import Settings

TOOLS = {
    name: f"/cache/{name}"
    for name in ("etcd", "kube-controller-manager", "kube-scheduler", "kwok", "kube-state-metrics", "prometheus")
}


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(Settings("second", tmp_path, 200, True, 3, (), {}, "1s", True, ("shop", "bank"), ("istiod",)))


def test_containerd_needs_no_right_to_lower_an_oom_score(node: Node) -> None:
    plugins = tomllib.loads(config.containerd(node))["plugins"]
    runtime = plugins["io.containerd.cri.v1.runtime"]
    assert runtime["restrict_oom_score_adj"] is True
    options = runtime["containerd"]["runtimes"]["runc"]["options"]
    assert options["SystemdCgroup"] is False
    assert plugins["io.containerd.cri.v1.images"]["pinned_images"]["sandbox"] == config.PAUSE_IMAGE


def test_the_kubelet_keeps_to_its_address_and_its_control_group(node: Node) -> None:
    kubelet = config.kubelet(node)
    assert {kubelet["address"], kubelet["healthzBindAddress"]} == {"10.102.254.1"}
    assert kubelet["cgroupRoot"] == "/meshlab-second"
    assert kubelet["authentication"]["anonymous"] == {"enabled": False}
    # The lab's images are in no registry: what is collected does not come again.
    assert kubelet["imageGCHighThresholdPercent"] == 100


def test_kube_proxy_changes_no_setting_of_the_machine(node: Node) -> None:
    proxy = config.kube_proxy(node)
    assert set(proxy["conntrack"].values()) == {0, "0s"}
    assert proxy["iptables"]["localhostNodePorts"] is False


def test_each_pod_has_a_cable_of_its_own(node: Node) -> None:
    """On one bridge, answers between pods of the node would go past kube-proxy's translation."""
    first = config.pod_network("10.102.3.0/24")["plugins"][0]
    assert (first["type"], first["ipMasq"], first["ipam"]["ranges"]) == ("ptp", False, [[{"subnet": "10.102.3.0/24"}]])


def test_a_container_gets_the_lab_s_faults_beside_its_default_mounts(node: Node) -> None:
    default = {"ociVersion": "1.3.0", "mounts": [{"destination": "/proc"}]}
    mounts = config.container(default, node)["mounts"]
    istiods = str(node.settings.istio_config)
    assert [mount["destination"] for mount in mounts] == ["/proc", "/run/meshlab", istiods]
    assert [mount["source"] for mount in mounts[1:]] == [str(node.settings.shared), istiods]
    assert all("ro" in mount["options"] for mount in mounts[1:])
    assert len(default["mounts"]) == 1


def test_the_placement_names_the_chosen_namespaces_and_apps_only(node: Node) -> None:
    policy = next(item for __, item in objects.objects(node) if item["kind"] == "MutatingAdmissionPolicy")
    chosen = policy["spec"]["matchConditions"][0]["expression"]
    assert chosen.startswith('request.namespace in ["shop", "bank"] || ')
    assert '["app", "app.kubernetes.io/name"].exists(l, l in object.metadata.labels && ' in chosen
    assert chosen.endswith('object.metadata.labels[l] in ["istiod"]))')
    patches = [each["jsonPatch"]["expression"] for each in policy["spec"]["mutations"]]
    assert all(TAINT in patch and "JSONPatch{" in patch for patch in patches)


def test_without_namespaces_nothing_is_placed(tmp_path: Path) -> None:
    node = Node(Settings("lab", tmp_path, 0, True, 3, (), {}, "1s", True))
    assert not [item for __, item in objects.objects(node) if "Policy" in item["kind"]]


def test_no_two_objects_have_the_same_place(node: Node) -> None:
    places = [(path, item["metadata"]["name"]) for path, item in objects.objects(node)]
    assert len(set(places)) == len(places)


def test_a_program_whose_configuration_has_changed_is_another_one(node: Node) -> None:
    """So that ``up`` starts it again."""
    node.configuration.mkdir(parents=True)
    file = node.configuration / "kubelet.json"

    def environments() -> dict[str, dict[str, str]]:
        parts = programs.components(replace_tools(node), 1)
        return {part.name: part.env for part in parts if part.name in programs.INSIDE}

    file.write_text("{}")
    before = environments()
    file.write_text("{1}")
    after = environments()
    assert {name for name in before if before[name] != after[name]} == {"kubelet"}


def replace_tools(node: Node) -> Node:
    return Node(replace(node.settings, tools={name: f"/cache/{name}" for name in programs.INSIDE}))


def test_policies_are_asked_about_new_connections_but_not_the_kubelet_s_nor_prometheus_s() -> None:
    first, second, *others = policies.rules("10.102.0.0/16", "10.102.128.1")
    assert first[-6:] == ["-m", "owner", "--uid-owner", "0", "-j", "RETURN"]
    assert second[-8:] == ["-s", "10.102.128.1", "-p", "tcp", "--dport", "15020", "-j", "RETURN"]
    for rule, way in zip(others, ("-s", "-d"), strict=True):
        assert rule[rule.index(way) + 1] == "10.102.0.0/16"
        assert rule[rule.index("--ctstate") + 1] == "NEW"
        assert rule[-4:] == ["NFQUEUE", "--queue-num", "100", "--queue-bypass"]


def test_only_the_front_proxy_s_certificate_may_name_other_users(node: Node) -> None:
    settings = replace(node.settings, tools={"kube-apiserver": "/cache/kube-apiserver", **TOOLS})
    (api,) = (part for part in components(settings) if part.name == "kube-apiserver")
    assert f"--requestheader-allowed-names={FRONT_PROXY}" in api.argv
