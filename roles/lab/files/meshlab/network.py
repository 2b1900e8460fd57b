"""The pod network: one bridge per lab, a network namespace and a veth pair per pod. Root only.

Pods reach each other and the host over the bridge, and nothing else: they have no default route, and an
``unreachable`` route keeps what is sent to a lost pod or a cluster IP from leaving by the host's own default route.
"""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
from pathlib import Path

from .settings import Settings

NETNS_ETC = Path("/etc/netns")
# Ethernet type, hardware and protocol with the lengths of their addresses, and "request".
_ARP = struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1)
# An ordinary PATH lacks the folder where Debian keeps it.
IP = shutil.which("ip") or "/usr/sbin/ip"


def ip(*arguments: str, check: bool = True) -> str:
    """Run ip(8)."""
    result = subprocess.run([IP, *arguments], capture_output=True, text=True, check=False)
    if check and result.returncode != 0:
        raise RuntimeError(f"ip {' '.join(arguments)}: {result.stderr.strip()}")
    return result.stdout


def _batch(commands: list[str], namespace: str | None = None) -> None:
    prefix = [IP, *(["-n", namespace] if namespace else []), "-batch", "-"]
    result = subprocess.run(prefix, input="\n".join(commands), capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(prefix)}: {result.stderr.strip()}")


def bridge_exists(settings: Settings) -> bool:
    """Whether the lab's bridge is there."""
    return Path(f"/sys/class/net/{settings.bridge}").exists()


def create_bridge(settings: Settings) -> None:
    """Make the bridge, once."""
    if not bridge_exists(settings):
        # Without an address of its own a bridge takes over that of a port, and changes it when pods come and go.
        _batch(
            [
                f"link add {settings.bridge} address {mac_of(settings.bridge_ip)} type bridge",
                f"addr add {settings.bridge_ip}/16 dev {settings.bridge}",
                f"link set {settings.bridge} up",
            ]
        )
    ip("route", "replace", "unreachable", settings.service_cidr)


def mac_of(address: str) -> str:
    """One that belongs to the address: who knew an earlier owner of the address still reaches it."""
    return f"02:{socket.inet_aton(address).hex(':')}:01"


def announce(settings: Settings, address: str, mac: str) -> None:
    """Correct the others' ARP tables, as a CNI plugin does for a new pod.

    Addresses are soon used again, and a table keeps the owner before for up to 40 s.
    """
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as bridge:
        bridge.bind((settings.bridge, 0))
        sender = bridge.getsockname()[4]
        owner, target = bytes.fromhex(mac.replace(":", "")), socket.inet_aton(address)
        bridge.send(b"\xff" * 6 + sender + _ARP + owner + target + bytes(6) + target)


def delete_bridge(settings: Settings) -> None:
    """Remove bridge and routes; whatever is already gone is fine."""
    ip("link", "del", settings.bridge, check=False)
    ip("route", "del", "unreachable", settings.service_cidr, check=False)


def flush_host_addresses(settings: Settings) -> None:
    """Remove every pod address that the host still has, after an agent that died before it could."""
    for line in ip("-o", "-4", "addr", "show", "dev", settings.bridge, check=False).splitlines():
        address = line.split()[3].split("/")[0]
        if address != settings.bridge_ip:
            delete_host_address(settings, address)


def add_host_address(settings: Settings, address: str) -> None:
    """Give the host a pod's address, for pods whose process runs in the host's namespace (istiod)."""
    ip("addr", "replace", f"{address}/16", "dev", settings.bridge)
    announce(settings, address, mac_of(settings.bridge_ip))


def delete_host_address(settings: Settings, address: str) -> None:
    """Remove it."""
    ip("addr", "del", f"{address}/16", "dev", settings.bridge, check=False)


def namespaces(settings: Settings) -> list[str]:
    """The lab's network namespaces."""
    names = [line.split()[0] for line in ip("netns", "list").splitlines() if line]
    return [name for name in names if name.startswith(settings.netns_prefix)]


def create_namespace(settings: Settings, namespace: str, address: str) -> None:
    """A namespace with the pod's address on eth0, joined to the bridge."""
    veth = f"ml{settings.number}-{socket.inet_aton(address)[2:].hex()}"
    mac = mac_of(address)
    delete_namespace(namespace)
    ip("link", "del", veth, check=False)
    _batch(
        [
            f"netns add {namespace}",
            f"link add {veth} type veth peer name eth0 address {mac} netns {namespace}",
            f"link set {veth} master {settings.bridge} up",
        ]
    )
    _batch(
        [
            "link set lo up",
            f"addr add {address}/16 dev eth0",
            "link set eth0 up",
            f"route add {settings.service_cidr} dev eth0",
        ],
        namespace,
    )
    announce(settings, address, mac)
    folder = NETNS_ETC / namespace
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "resolv.conf").write_text("# The lab has no DNS server: names are in /etc/hosts.\n", encoding="utf-8")


def write_hosts(namespace: str, content: str) -> None:
    """Replace the namespace's /etc/hosts in place: it is bind-mounted, so the inode must stay."""
    path, data = NETNS_ETC / namespace / "hosts", content.encode()
    if not path.parent.is_dir() or (path.exists() and path.read_bytes() == data):
        return
    # Never empty in between: resolvers read it at any moment.
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o644), "wb", buffering=0) as hosts:
        hosts.write(data)
        hosts.truncate(len(data))


def namespace_pids(namespace: str) -> list[int]:
    """The processes inside a namespace."""
    return [int(pid) for pid in ip("netns", "pids", namespace, check=False).split()]


def delete_namespace(namespace: str) -> None:
    """Remove a namespace with its veth pair."""
    ip("netns", "del", namespace, check=False)
    shutil.rmtree(NETNS_ETC / namespace, ignore_errors=True)
