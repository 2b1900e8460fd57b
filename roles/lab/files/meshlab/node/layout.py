"""What the real node is: its names, addresses and folders, all derived from the lab's settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..settings import POD_NETWORK_BASE, SERVICE_NETWORK_BASE, Settings

# The node's own view of the machine: the standard paths, each a folder of the lab (see mounts.py).
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
CNI_CONFIG = "/etc/cni/net.d"
CNI_PROGRAMS = "/opt/cni/bin"
DEBIAN_CNI_PROGRAMS = "/usr/lib/cni"
RUNC = "/usr/sbin/runc"
CATATONIT = "/usr/bin/catatonit"
KUBELET_PORT = 10250
PROXY_HEALTH_PORT = 10256
# Only pods that tolerate it come to the real node. Charts' DaemonSets often tolerate all of NoSchedule; of those, only
# istio-cni's tolerates this too, and the others' programs are not in any image here.
TAINT, TAINT_EFFECT = "lab.corpv3.com/real", "NoExecute"


@dataclass(frozen=True)
class Node:
    """The lab's real node."""

    settings: Settings

    @property
    def name(self) -> str:
        """Its name in the cluster, and that of its network namespace."""
        return self.settings.real_node_name

    @property
    def ip(self) -> str:
        """Its address on the lab's bridge; the pod agent's addresses end before it."""
        return f"10.{POD_NETWORK_BASE + self.settings.number}.254.1"

    @property
    def link(self) -> str:
        """The host's end of its cable."""
        return f"ml{self.settings.number}-real"

    @property
    def cgroup(self) -> str:
        """Name of its control group, in each controller's root."""
        return f"meshlab-{self.settings.name}"

    @property
    def folder(self) -> Path:
        """Configuration and data, removed by ``down``."""
        return self.settings.state_dir / "node"

    @property
    def configuration(self) -> Path:
        """What its programs read."""
        return self.folder / "config"

    @property
    def api_server(self) -> str:
        """The API server as the node and its pods reach it: a forwarder on the bridge's address."""
        return f"https://{self.settings.bridge_ip}:{self.settings.port('api')}"

    @property
    def dns_ip(self) -> str:
        """The cluster IP of the cluster's DNS."""
        return f"10.{SERVICE_NETWORK_BASE + self.settings.number}.0.10"
