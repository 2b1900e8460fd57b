"""What one lab is: its name, folders, ports and address ranges, all derived from a name and a port offset."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

# Address ranges: lab number n (= port offset / 100) owns 10.(100+n).0.0/16 for pods and 10.(150+n).0.0/16 for services.
POD_NETWORK_BASE = 100
SERVICE_NETWORK_BASE = 150
MAX_LABS = 50

PORTS = {
    "gateway": 8080,
    "gateway_tls": 8443,
    "prometheus": 9090,
    "api": 6443,
    "etcd": 2379,
    "etcd_peer": 2380,
    "controller_manager": 10257,
    "scheduler": 10259,
    "kwok": 10247,
    "kube_state_metrics": 10285,
    "kube_state_metrics_own": 10286,
    "container_metrics": 10287,
}
# On the bridge's address, which is this lab's alone.
BRIDGE_PORTS = {
    "kubelet": 10250,
    "registry": 5000,
}
# Only where there is no pod network, so no address of its own for istiod.
LOOPBACK_PORTS = {
    "istiod_monitoring": 15014,
    "istiod_http": 15018,
    "istiod_https": 15017,
    "istiod_grpc": 15010,
    "istiod_secure": 15012,
}


@dataclass(frozen=True)
class Settings:
    """One lab. ``tools`` maps a tool's name to its binary's path."""

    name: str
    state_dir: Path
    port_offset: int
    pod_network: bool
    nodes: int
    real_namespaces: tuple[str, ...]
    tools: dict[str, str]
    scrape_interval: str
    real_node: bool = False
    real_node_namespaces: tuple[str, ...] = ()
    real_node_apps: tuple[str, ...] = ()

    @classmethod
    def load(cls, path: str | Path) -> Settings:
        """Read the JSON file that the role writes."""
        raw = json.loads(Path(path).read_text(encoding="utf-8"))
        return cls(
            name=raw["name"],
            state_dir=Path(raw["state_dir"]),
            port_offset=int(raw["port_offset"]),
            pod_network=bool(raw["pod_network"]),
            nodes=int(raw["nodes"]),
            real_namespaces=tuple(raw["real_namespaces"]),
            tools=dict(raw["tools"]),
            scrape_interval=raw["scrape_interval"],
            real_node=bool(raw.get("real_node", False)),
            real_node_namespaces=tuple(raw.get("real_node_namespaces", ())),
            real_node_apps=tuple(raw.get("real_node_apps", ())),
        )

    @property
    def number(self) -> int:
        """0 for the default lab, 1 for offset 100 and so on."""
        return self.port_offset // 100

    def port(self, name: str) -> int:
        """The loopback port of a component."""
        return {**PORTS, **BRIDGE_PORTS, **LOOPBACK_PORTS}[name] + self.port_offset

    @property
    def port_names(self) -> list[str]:
        """The ports that this lab needs."""
        return [*PORTS, *(LOOPBACK_PORTS if not self.pod_network else ())]

    def tool(self, name: str) -> str:
        """Path of a tool's binary."""
        return self.tools[name]

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, for people and tests."""
        return self.state_dir / "kubeconfig"

    @property
    def logs(self) -> Path:
        """Where every process writes its output."""
        return self.state_dir / "logs"

    @property
    def faults(self) -> Path:
        """The file that the stand-ins read for the faults they should show."""
        return self.state_dir / "faults.json"

    @property
    def shared(self) -> Path:
        """A copy of it, in a folder that each container of the real node has at /run/meshlab."""
        return self.state_dir / "node" / "shared"

    @property
    def registry(self) -> Path:
        """The images of the real node, as blobs."""
        return self.state_dir / "node" / "registry"

    @property
    def istio_config(self) -> Path:
        """Istio objects that istiod reads beside the cluster's."""
        return self.state_dir / "istio-config"

    @property
    def bridge(self) -> str:
        """Name of the bridge that joins the pods."""
        return f"meshlab{self.number}"

    @property
    def bridge_ip(self) -> str:
        """The host's address in the pod network."""
        return f"10.{POD_NETWORK_BASE + self.number}.128.1"

    @property
    def pod_cidr(self) -> str:
        """All pod addresses; kwok's nodes own the lower half, the pod agent the upper."""
        return f"10.{POD_NETWORK_BASE + self.number}.0.0/16"

    @property
    def kwok_pod_cidr(self) -> str:
        """The half from which kwok's nodes give addresses to simulated pods."""
        return f"10.{POD_NETWORK_BASE + self.number}.0.0/17"

    def pod_ip(self, index: int) -> str:
        """The index-th address of the pod agent's half; 1 is the bridge."""
        return f"10.{POD_NETWORK_BASE + self.number}.{128 + index // 256}.{index % 256}"

    @property
    def service_cidr(self) -> str:
        """Cluster IPs."""
        return f"10.{SERVICE_NETWORK_BASE + self.number}.0.0/16"

    @property
    def kubernetes_ip(self) -> str:
        """The cluster IP of the Service ``kubernetes``, which Kubernetes chooses so."""
        return f"10.{SERVICE_NETWORK_BASE + self.number}.0.1"

    @property
    def real_node_name(self) -> str:
        """The node of the real kubelet, where there is one."""
        return f"{self.name}-real"

    @property
    def netns_prefix(self) -> str:
        """Every network namespace of this lab begins so."""
        return f"{self.name}."
