"""The images that the node has, made on this machine under the names that pods ask for."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from .. import standin
from ..settings import Settings
from . import databases, observability
from .archive import Entry, Image
from .config import PAUSE_IMAGE
from .contents import TMP, compiled, libraries, packages, program, python
from .layout import CATATONIT, Node

HERE = Path(__file__).parents[1]
BUSYBOX_IMAGE = "docker.io/library/busybox:stable"
COREDNS_IMAGE = "registry.k8s.io/coredns/coredns:v1.15.0"
METRICS_SERVER_IMAGE = "registry.k8s.io/metrics-server/metrics-server:v0.9.0"
NETWORK_POLICIES_IMAGE = "registry.k8s.io/networking/kube-network-policies:v0.8.0"
# istio_hub's default, as containerd completes it. Every tag is this build, also ``latest``, which its charts ask for.
ISTIO_HUB = "docker.io/istio"
# restaurant_app_image_prefix, as containerd completes it.
APPLICATION_PREFIX = "docker.io/corpv3"
SERVICES = (*standin.PORTS, "frontend")
# Of the stand-in of order-service, with what they need themselves.
DATABASE_CLIENTS = ("pg8000", "scramp", "asn1crypto", "python-dateutil", "redis")
BUSYBOX = Path("/bin/busybox")
# The programs that hooks, probes and people call in a container.
BUSYBOX_NAMES: tuple[str, ...] = (
    "sh",
    "ash",
    "cat",
    "cp",
    "dd",
    "echo",
    "env",
    "false",
    "grep",
    "head",
    "hostname",
    "httpd",
    "id",
)
BUSYBOX_NAMES += ("kill", "ls", "mkdir", "nc", "nslookup", "ping", "ps", "rm", "sed", "sleep", "tail", "touch", "tr")
BUSYBOX_NAMES += ("true", "wget")
PATH = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
PROXY_USER = "1337:1337"
IPTABLES = Path("/usr/sbin/xtables-nft-multi")
IPTABLES_NAMES = tuple(
    f"{tool}{kind}{verb}"
    for tool in ("iptables", "ip6tables")
    for kind in ("", "-nft")
    for verb in ("", "-save", "-restore")
)


def pause() -> Image:
    """What holds a pod's namespaces."""
    return Image((PAUSE_IMAGE,), ((program(Path(CATATONIT), "pause"),),), ("/pause", "-P"))


def shell() -> tuple[Entry, ...]:
    """A shell and its friends, static, so that they need nothing else."""
    links = [Entry(f"bin/{name}", link="busybox") for name in BUSYBOX_NAMES]
    return (program(BUSYBOX, "bin/busybox"), *links, TMP)


def busybox() -> Image:
    """For small workloads of tests and people."""
    return Image((BUSYBOX_IMAGE,), (shell(),), (), ("sh",), PATH)


def static(settings: Settings) -> list[Image]:
    """One static program each: the cluster's DNS, its resource metrics, its NetworkPolicies."""
    programs = {
        "coredns": COREDNS_IMAGE,
        "metrics-server": METRICS_SERVER_IMAGE,
        "kube-network-policies": NETWORK_POLICIES_IMAGE,
    }
    return [
        Image((image,), ((program(Path(settings.tool(name)), name),),), (f"/{name}",))
        for name, image in programs.items()
    ]


def iptables() -> tuple[Entry, ...]:
    """What istio-iptables calls: Debian's iptables for the kernel's nftables, with its extensions."""
    extensions = sorted(Path("/usr/lib/x86_64-linux-gnu/xtables").glob("lib*.so"))
    links = [Entry(f"usr/sbin/{name}", link=IPTABLES.name) for name in IPTABLES_NAMES]
    files = [Entry(str(path).lstrip("/"), source=path) for path in extensions]
    return (program(IPTABLES, str(IPTABLES)), *links, *files, *libraries([IPTABLES, *extensions]))


def proxy(settings: Settings) -> Image:
    """Istio's agent with the plain Envoy and the lab's bootstrap for it."""
    envoy = Path(settings.tool("envoy"))
    own = (
        program(Path(settings.tool("pilot-agent")), "usr/local/bin/pilot-agent"),
        program(HERE / "templates/proxy_start.sh", "usr/local/bin/proxy-start"),
        Entry("var/lib/istio/envoy/envoy_bootstrap_tmpl.json", source=HERE / "templates/envoy_bootstrap.json"),
    )
    base = (*shell(), *iptables())
    binary = (program(envoy, "usr/local/bin/envoy"), *libraries([envoy]))
    names = (f"{ISTIO_HUB}/proxyv2",)
    return Image(names, (base, binary, own), ("/usr/local/bin/proxy-start",), (), PATH)


def pilot(settings: Settings) -> Image:
    """istiod; static."""
    binary = program(Path(settings.tool("pilot-discovery")), "usr/local/bin/pilot-discovery")
    names = (f"{ISTIO_HUB}/pilot",)
    return Image(names, (shell(), (binary,)), ("/usr/local/bin/pilot-discovery",), (), PATH, PROXY_USER)


def install_cni(settings: Settings) -> Image:
    """The program that puts Istio's plugin on a node and keeps it there."""
    binaries = (
        program(Path(settings.tool("install-cni")), "usr/local/bin/install-cni"),
        program(Path(settings.tool("istio-cni")), "opt/cni/bin/istio-cni"),
    )
    names = (f"{ISTIO_HUB}/install-cni",)
    return Image(names, ((*shell(), *iptables()), binaries), (), ("/usr/local/bin/install-cni",), PATH)


def applications() -> list[Image]:
    """The stand-in under each service's name, also those of Istio's sample; every tag is the same program."""
    programs = [HERE / f"standin{part}.py" for part in ("", "_pod", "_store")]
    base = (*shell(), *python(), *compiled(programs[1]), *packages(DATABASE_CLIENTS, "app/packages"))
    own = tuple(Entry(f"app/{path.name}", source=path) for path in programs)
    command = ("python3", "-S", "-E", "/app/standin_pod.py")
    return [
        Image(application_names(service), (base, own), (*command, service), (), PATH, "10001:10001")
        for service in SERVICES
    ]


def application_names(service: str) -> tuple[str, ...]:
    """The sample has an image for each version."""
    if service in standin.BOOKINFO:
        return tuple(f"{ISTIO_HUB}/examples-bookinfo-{service}-{version}" for version in ("v1", "v2", "v3"))
    return (f"{APPLICATION_PREFIX}/{service}",)


def images(node: Node) -> list[Image]:
    """All of them."""
    settings = node.settings
    mesh = [proxy(settings), pilot(settings), install_cni(settings)]
    own = [pause(), busybox(), *static(settings), *mesh, *applications()]
    return [*own, *databases.images(), *observability.images(settings)]


def fingerprint(node: Node) -> str:
    """Changes with what the images are made of, and is much sooner known than they are made: each file's size and time.

    The libraries of this machine's programs are left out: a new lab takes the new ones.
    """
    tools = ["coredns", "metrics-server", "kube-network-policies"]
    tools += ["envoy", "pilot-agent", "pilot-discovery", "install-cni", "istio-cni"]
    tools += [program.tool for program in observability.programs(node.settings)]
    files = [Path(CATATONIT), BUSYBOX, IPTABLES, *(Path(node.settings.tool(name)) for name in tools)]
    files += sorted([*HERE.glob("standin*.py"), *(HERE / "node").glob("*.py"), *(HERE / "templates").iterdir()])
    digest = hashlib.sha256(f"{sys.version} {databases.versions()}".encode())
    for path in files:
        stat = path.stat()
        digest.update(f"{path} {stat.st_size} {stat.st_mtime_ns}".encode())
    return digest.hexdigest()
