"""What Istio's charts are given by a cluster's distribution and IP families: the role's values, as helm renders them.

https://istio.io/latest/docs/ambient/install/platform-prerequisites has what its profiles set, and why.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from ..support.database_servers import helm
from ..support.playbooks import INVENTORY, ISTIO_PREFLIGHT, ROOT, RunPlaybook, play
from ..support.snapshots import Snapshot

pytestmark = pytest.mark.skipif(bool(INVENTORY), reason="renders the lab's copies of the charts")

Objects = dict[tuple[str, str], dict[str, Any]]
PLAIN = {"bin": "/opt/cni/bin", "conf": "/etc/cni/net.d", "netns": "/var/run/netns", "quota": False}
K3S = "/var/lib/rancher/k3s"
MICROK8S = "/var/snap/microk8s/current"
# What the role found -> the API server's version there, and what istio-cni must be given.
FOUND: dict[str, tuple[str, dict[str, Any]]] = {
    "gke": ("v1.33.5-gke.1000", {"bin": "/home/kubernetes/bin", "quota": True}),
    "k3d": ("v1.33.4+k3s1", {"bin": "/bin", "conf": f"{K3S}/agent/etc/cni/net.d"}),
    "k3s": ("v1.33.4+k3s1", {"bin": f"{K3S}/data/cni", "conf": f"{K3S}/agent/etc/cni/net.d"}),
    "microk8s": ("v1.33.4", {"bin": f"{MICROK8S}/opt/cni/bin", "conf": f"{MICROK8S}/args/cni-network"}),
    "minikube": ("v1.33.4", {"netns": "/var/run/docker/netns"}),
    "openshift": ("v1.33.4", {"bin": "/var/lib/cni/bin", "conf": "/etc/cni/multus/net.d"}),
    "eks": ("v1.33.1-eks-595af52", {}),
    "aks": ("v1.33.4", {}),
    "google-distributed-cloud": ("v1.33.5-gke.1000", {}),
    "": ("v1.36.3", {}),
}
# The user's value -> what counts on a cluster that was found to be GKE.
GIVEN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another platform": ({"istio_platform": "k3d"}, FOUND["k3d"][1]),
    "none": ({"istio_platform": "none"}, {}),
    "a folder": ({"istio_cni_values": {"cniBinDir": "/mine"}}, {"bin": "/mine", "quota": True}),
    "a folder below cni": ({"istio_cni_values": {"cni": {"cniBinDir": "/mine"}}}, {"bin": "/mine", "quota": True}),
}
AWS_DUAL_STACK = {"service.beta.kubernetes.io/aws-load-balancer-ip-address-type": "dualstack"}
# The cluster's families, the user's variables -> how many of Cloudflare's networks of each, and the Service's fields.
FAMILIES: dict[str, tuple[list[str], dict[str, Any], tuple[int, int], list[str], str]] = {
    "IPv4": (["IPv4"], {}, (15, 0), [], ""),
    "IPv6": (["IPv6"], {}, (0, 7), [], ""),
    "not known": ([], {}, (15, 0), [], ""),
    "the other": (["IPv4"], {"istio_gateway_ip_families": ["IPv6"]}, (0, 7), ["IPv6"], "SingleStack"),
    "both": (
        ["IPv4"],
        {"istio_gateway_ip_families": ["IPv6", "IPv4"]},
        (15, 7),
        ["IPv6", "IPv4"],
        "RequireDualStack",
    ),
    "both on AWS": (["IPv4"], {"istio_gateway_service_annotations": AWS_DUAL_STACK}, (15, 7), [], ""),
}


def found(platform: str, *families: str) -> dict[str, Any]:
    return {"preflight_cluster": {"platform": {"name": platform, "evidence": "said so"}, "ip_families": [*families]}}


@pytest.fixture(autouse=True)
def cluster(kubeconfig: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The role's preflight compares Istio with the cluster, also where a test only renders."""
    monkeypatch.setenv("K8S_AUTH_KUBECONFIG", kubeconfig)


def releases_of(
    run_playbook: RunPlaybook, folder: Path, cases: dict[str, dict[str, Any]]
) -> dict[str, dict[str, dict[str, Any]]]:
    """The role's releases by name, of each case's variables, out of one run."""
    template = str(ROOT / "roles/istio/templates/releases.yml.j2")
    paths = {case: folder / f"{number}.yml" for number, case in enumerate(cases)}
    tasks: list[dict[str, Any]] = [ISTIO_PREFLIGHT | {"vars": found("")}]
    tasks += [
        {"ansible.builtin.template": {"src": template, "dest": str(path), "mode": "0600"}, "vars": cases[case]}
        for case, path in paths.items()
    ]
    run = run_playbook(play(*tasks))
    assert run.rc == 0, run.stdout
    return {case: {item["name"]: item for item in yaml.safe_load(path.read_text())} for case, path in paths.items()}


def render(release: dict[str, Any], kubernetes: str) -> Objects:
    command = [helm(), "template", release["name"], release["chart"], "--namespace", release["namespace"]]
    command += ["--kube-version", kubernetes, "--values", "-"]
    values = json.dumps(release["values"])
    done = subprocess.run(command, input=values, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    objects = [item for item in yaml.safe_load_all(done.stdout) if item]
    return {(item["kind"], item["metadata"]["name"]): item for item in objects}


def folders(objects: Objects) -> dict[str, Any]:
    volumes = objects["DaemonSet", "istio-cni-node"]["spec"]["template"]["spec"]["volumes"]
    paths = {volume["name"]: volume["hostPath"]["path"] for volume in volumes}
    return {
        "bin": paths["cni-bin-dir"],
        "conf": paths["cni-net-dir"],
        "netns": paths["cni-netns-dir"],
        "quota": ("ResourceQuota", "istio-cni-resource-quota") in objects,
    }


def test_istio_cni_finds_the_plugins_of_each_distribution(run_playbook: RunPlaybook, tmp_path: Path) -> None:
    releases = releases_of(run_playbook, tmp_path, {name: found(name) for name in FOUND})
    for name, (version, expected) in FOUND.items():
        assert folders(render(releases[name]["istio-cni"], version)) == PLAIN | expected, name


def test_the_preflight_reports_what_it_found_and_the_charts_follow(
    run_playbook: RunPlaybook, api: client.ApiClient, cluster_snapshot: Snapshot
) -> None:
    core = client.CoreV1Api(api)
    before = cluster_snapshot()
    node = core.list_node(limit=1).items[0].metadata.name
    core.patch_node(node, {"metadata": {"labels": {"microk8s.io/cluster": "true"}}})
    try:
        run = run_playbook("site.yml", "--tags", "istio", "--check", "--diff")
    finally:
        core.patch_node(node, {"metadata": {"labels": {"microk8s.io/cluster": None}}})
    assert run.rc == 0, run.stdout
    said = f"Istio's charts get their settings for microk8s (label microk8s.io/cluster of node {node})."
    assert run.text.count(said) == 1, run.stdout
    assert f"+ path: {FOUND['microk8s'][1]['bin']}" in run.text
    assert cluster_snapshot() == before


def test_the_users_values_win(run_playbook: RunPlaybook, tmp_path: Path) -> None:
    cases = {name: found("gke") | variables for name, (variables, _expected) in GIVEN.items()}
    releases = releases_of(run_playbook, tmp_path, cases)
    # Helm before 3.19 does not strip the suffix, by which the chart guesses; so the plain version is the harder one.
    for name, (_variables, expected) in GIVEN.items():
        assert folders(render(releases[name]["istio-cni"], "v1.33.5")) == PLAIN | expected, name


def test_every_chart_knows_that_it_is_openshift(run_playbook: RunPlaybook, tmp_path: Path) -> None:
    releases = releases_of(run_playbook, tmp_path, {"": found("openshift")})[""]
    version = FOUND["openshift"][0]
    cni = render(releases["istio-cni"], version)
    assert ("NetworkAttachmentDefinition", "istio-cni") in cni
    assert cni["ConfigMap", "istio-cni-config"]["data"]["CHAINED_CNI_PLUGIN"] == "false"
    rules = cni["ClusterRole", "istio-cni"]["rules"]
    assert [rule["verbs"] for rule in rules if "security.openshift.io" in rule["apiGroups"]] == [["use"]]
    istiod = render(releases["istiod"], version)
    (container,) = istiod["Deployment", "istiod"]["spec"]["template"]["spec"]["containers"]
    assert {"name": "PLATFORM", "value": "openshift"} in container["env"]
    # Multus runs the plugin in those pods only whose annotation asks for it.
    values = json.loads(istiod["ConfigMap", "istio-sidecar-injector"]["data"]["values"])
    assert (values["pilot"]["cni"]["enabled"], values["pilot"]["cni"]["provider"]) == (True, "multus")
    # The chart gateway has nothing that depends on it.
    assert releases["istio-base"]["values"]["global"]["platform"] == "openshift"
    assert render(releases["istio-base"], version)


def test_the_cdns_networks_follow_the_load_balancers_families(run_playbook: RunPlaybook, tmp_path: Path) -> None:
    cases = {
        name: found("", *cluster) | variables | {"istio_edge_cdn": "cloudflare"}
        for name, (cluster, variables, *_expected) in FAMILIES.items()
    }
    releases = releases_of(run_playbook, tmp_path, cases)
    for name, (*_given, networks, families, policy) in FAMILIES.items():
        objects = render(releases[name]["istio-ingressgateway"], "v1.36.3")
        service = objects["Service", "istio-ingressgateway"]["spec"]
        of_ipv6 = [":" in network for network in service["loadBalancerSourceRanges"]]
        assert (of_ipv6.count(False), of_ipv6.count(True)) == networks, name
        assert (service.get("ipFamilies", []), service.get("ipFamilyPolicy", "")) == (families, policy), name
