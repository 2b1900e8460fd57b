"""The images that the node has, made on this machine under the names that pods ask for."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .archive import Entry, Image
from .config import PAUSE_IMAGE
from .contents import program
from .layout import CATATONIT, Node

BUSYBOX_IMAGE = "docker.io/library/busybox:stable"
BUSYBOX = Path("/bin/busybox")
# The programs that hooks, probes and people call in a container.
BUSYBOX_NAMES = ("sh", "ash", "cat", "cp", "echo", "env", "false", "grep", "head", "hostname", "httpd", "id", "kill", "ls")
BUSYBOX_NAMES += ("mkdir", "nc", "nslookup", "ping", "ps", "rm", "sed", "sleep", "tail", "touch", "tr", "true", "wget")
TMP = Entry("tmp", mode=0o1777, folder=True)


def pause() -> Image:
    """What holds a pod's namespaces."""
    return Image((PAUSE_IMAGE,), ((program(Path(CATATONIT), "pause"),),), ("/pause", "-P"))


def shell() -> tuple[Entry, ...]:
    """A shell and its friends, static, so that they need nothing else."""
    links = [Entry(f"bin/{name}", link="busybox") for name in BUSYBOX_NAMES]
    return (program(BUSYBOX, "bin/busybox"), *links, TMP)


def busybox() -> Image:
    """For small workloads of tests and people."""
    return Image((BUSYBOX_IMAGE,), (shell(),), (), ("sh",), {"PATH": "/bin"})


def images(node: Node) -> list[Image]:
    """All of them."""
    return [pause(), busybox()]


def fingerprint(made: list[Image]) -> str:
    """Changes with what the images are made of: names, commands, and each file's path, size and time."""
    digest = hashlib.sha256()
    for image in made:
        digest.update(repr((image.names, image.entrypoint, image.command, sorted(image.environment.items()))).encode())
        for entry in (entry for layer in image.layers for entry in layer):
            stat = entry.source.stat() if entry.source else None
            digest.update(repr((entry.path, entry.mode, entry.link, entry.content)).encode())
            digest.update(repr((stat.st_size, stat.st_mtime_ns) if stat else None).encode())
    return digest.hexdigest()
