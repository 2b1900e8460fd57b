"""The node's network: a namespace on the lab's bridge that routes to its pods and answers for their addresses."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from .. import network
from . import policies
from .layout import Node

NSENTER = shutil.which("nsenter") or "/usr/bin/nsenter"
# Of the node's own network namespace, so the machine's are unchanged.
SYSCTLS = {
    "net/ipv4/ip_forward": "1",
    # The node answers on the bridge for its pods, so that nothing else needs a route to them.
    "net/ipv4/conf/eth0/proxy_arp": "1",
    "net/ipv4/neigh/eth0/proxy_delay": "0",
}


def path(node: Node) -> Path:
    """The file that holds the namespace."""
    return Path("/run/netns") / node.name


def create(node: Node) -> None:
    """The namespace, joined to the bridge, with a way to the cluster IPs that kube-proxy then translates."""
    if path(node).exists():
        return
    settings = node.settings
    network.ip("link", "del", node.link, check=False)
    network.ip("netns", "add", node.name)
    # Answers for its pods, too, so the others' ARP tables stay true of a node that is made again.
    peer = ("peer", "name", "eth0", "address", network.mac_of(node.ip), "netns", node.name)
    network.ip("link", "add", node.link, "type", "veth", *peer)
    network.ip("link", "set", node.link, "master", settings.bridge, "up")
    for arguments in (
        ("link", "set", "lo", "up"),
        ("addr", "add", f"{node.ip}/16", "dev", "eth0"),
        ("link", "set", "eth0", "up"),
        ("route", "add", settings.service_cidr, "dev", "eth0"),
    ):
        network.ip("-n", node.name, *arguments)
    for name, value in SYSCTLS.items():
        write = ["sh", "-c", f"echo {value} > /proc/sys/{name}"]
        subprocess.run([NSENTER, f"--net={path(node)}", *write], check=True)
    for rule in policies.rules(settings.pod_cidr, settings.bridge_ip):
        subprocess.run([NSENTER, f"--net={path(node)}", "iptables", "-w", *rule], check=True)


def delete(node: Node) -> None:
    """Remove it; addresses, routes, chains and the pods' cables go with it."""
    network.ip("netns", "del", node.name, check=False)
    network.ip("link", "del", node.link, check=False)
