"""The configuration files of containerd, the kubelet, kube-proxy and the pod network's plugins."""

from __future__ import annotations

from typing import Any

from .layout import (
    CNI_CONFIG,
    CNI_PROGRAMS,
    CONTAINERD_SOCKET,
    DEBIAN_CNI_PROGRAMS,
    KUBELET_PORT,
    PROXY_HEALTH_PORT,
    RUNC,
    TAINT,
    TAINT_EFFECT,
    Node,
)

Object = dict[str, Any]
PAUSE_IMAGE = "registry.k8s.io/pause:3.10.1"
CONTAINERD_METRICS_PORT = 1338
SHARED = "/run/meshlab"
# Folder of containerd's settings of registries; the only one is for all of them.
REGISTRIES = "certs.d"
KUBELET_HEALTH_PORT = 10248


def containerd(node: Node) -> str:
    """containerd's configuration, TOML of its version 3."""
    return f"""version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
# Snapshotters and services that need a driver or a folder of the machine.
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.snapshotter.v1.blockfile"]

[grpc]
  address = "{CONTAINERD_SOCKET}"

[metrics]
  address = "{node.ip}:{CONTAINERD_METRICS_PORT}"

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "{PAUSE_IMAGE}"
  [plugins."io.containerd.cri.v1.images".registry]
    config_path = "{node.configuration / REGISTRIES}"

[plugins."io.containerd.cri.v1.runtime"]
  # A process without CAP_SYS_RESOURCE may not lower it, and every sandbox would fail.
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["{CNI_PROGRAMS}", "{DEBIAN_CNI_PROGRAMS}"]
    conf_dir = "{CNI_CONFIG}"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    base_runtime_spec = "{node.configuration / "container.json"}"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      BinaryName = "{RUNC}"
      SystemdCgroup = false
"""


def registry(node: Node) -> str:
    """Where containerd pulls images of every registry from."""
    server = f"http://{node.settings.bridge_ip}:{node.settings.port('registry')}"
    return f"""server = "{server}"

[host."{server}"]
  capabilities = ["pull", "resolve"]
"""


def container(default: Object, node: Node) -> Object:
    """What all containers have: containerd's default with two folders of the lab: its faults, istiod's further source.

    istiod's has its path of the machine, by which it is configured wherever istiod runs.
    """
    settings = node.settings
    folders = {SHARED: settings.shared, str(settings.istio_config): settings.istio_config}
    mounts = [
        {"destination": destination, "type": "bind", "source": str(source), "options": ["rbind", "ro"]}
        for destination, source in folders.items()
    ]
    return {**default, "mounts": [*default["mounts"], *mounts]}


def kubelet(node: Node) -> Object:
    """The kubelet's configuration."""
    pki = node.settings.state_dir / "pki"
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": node.ip,
        "port": KUBELET_PORT,
        "healthzBindAddress": node.ip,
        "healthzPort": KUBELET_HEALTH_PORT,
        "tlsCertFile": str(pki / "real-node.crt"),
        "tlsPrivateKeyFile": str(pki / "real-node.key"),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "clusterDomain": "cluster.local",
        "clusterDNS": [node.dns_ip],
        "resolvConf": str(node.configuration / "resolv.conf"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{node.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        # Negative values need CAP_SYS_RESOURCE.
        "oomScoreAdj": 0,
        "registerWithTaints": [{"key": TAINT, "effect": TAINT_EFFECT}],
        # How full the machine's disk is says nothing about the lab's images.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        # The machine's disk is shared with people: how full it is must not evict pods.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
        "serializeImagePulls": False,
    }


def kube_proxy(node: Node) -> Object:
    """kube-proxy's configuration: chains in the node's own network namespace, and no setting of the machine."""
    unchanged = {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "hostnameOverride": node.name,
        "bindAddress": node.ip,
        "clusterCIDR": node.settings.pod_cidr,
        "healthzBindAddress": f"{node.ip}:{PROXY_HEALTH_PORT}",
        "clientConnection": {"kubeconfig": str(node.configuration / "kube-proxy.kubeconfig")},
        "conntrack": unchanged,
        "iptables": {"localhostNodePorts": False, "minSyncPeriod": "1s"},
    }


def pod_network(pod_cidr: str) -> Object:
    """The plugins that give a pod its address. Each pod has a cable of its own, so all its traffic is routed.

    Pods on one bridge would answer each other past kube-proxy's translation.
    """
    return {
        "cniVersion": "1.0.0",
        "name": "meshlab",
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "dataDir": "/run/cni-addresses",
                    "ranges": [[{"subnet": pod_cidr}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }
