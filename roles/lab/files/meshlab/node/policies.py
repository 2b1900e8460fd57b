"""NetworkPolicies on the real node: kube-network-policies decides, iptables asks it about each new connection.

Its own rules are nftables with a ``queue`` statement, which a kernel without CONFIG_NFT_QUEUE refuses. So the node's
network namespace has the same question as iptables rules, and the program's log has an error for each of its tries.
"""

from __future__ import annotations

from .catalog import NETWORK_POLICIES_IMAGE
from .layout import Node
from .manifests import Placed, account, rule, workload

NAME = "kube-network-policies"
LABELS = {"app": NAME}
QUEUE = 100
METRICS_PORT = 9180
# Of a pod with a sidecar: the application's metrics and the proxy's in one.
MERGED_METRICS_PORT = 15020
READS = (
    rule("", ("pods", "namespaces"), "list", "watch"),
    rule("networking.k8s.io", ("networkpolicies",), "list", "watch"),
)


def objects(node: Node) -> list[Placed]:
    """Each object with the path of its collection."""
    container = {
        "image": NETWORK_POLICIES_IMAGE,
        "args": [
            f"--hostname-override={node.name}",
            f"--nfqueue-id={QUEUE}",
            f"--metrics-bind-address={node.ip}:{METRICS_PORT}",
            # containerd has no NRI here.
            "--disable-nri",
            "--v=1",
        ],
        "resources": {"requests": {"cpu": "20m", "memory": "40Mi"}},
        "securityContext": {"capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]}},
    }
    return [*account(NAME, READS), workload("DaemonSet", NAME, LABELS, container, hostNetwork=True)]


def rules(pods: str, machine: str) -> list[list[str]]:
    """Arguments of iptables. After translation, so with the pod's address in place of its Service's."""
    chain = ["-t", "mangle", "-A", "POSTROUTING"]
    new = ["-m", "conntrack", "--ctstate", "NEW"]
    # Without a listener everything passes, as on a node whose policies come later than its pods.
    ask = ["-j", "NFQUEUE", "--queue-num", str(QUEUE), "--queue-bypass"]
    return [
        # The kubelet's probes.
        [*chain, "-m", "owner", "--uid-owner", "0", "-j", "RETURN"],
        # The lab's own Prometheus is on the machine. Policies admit the pod that it stands for.
        [*chain, "-s", machine, "-p", "tcp", "--dport", str(MERGED_METRICS_PORT), "-j", "RETURN"],
        [*chain, "-s", pods, *new, *ask],
        [*chain, "-d", pods, *new, *ask],
    ]
