"""The databases' images, made of this machine's Debian packages: the server, its tools, and a shell to run them by.

They are named like the official images and have what the chart uses of those: programs on PATH, the user with the
number 999, UTF-8. The version is Debian's, whatever the tag. A server that is not installed has no image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from glob import glob

from . import debian
from .archive import Entry, Image
from .contents import TMP

# What the chart's scripts call.
SHELL: tuple[str, ...] = ("dash", "coreutils", "diffutils", "findutils", "util-linux", "hostname", "procps")
SHELL += ("sed", "grep", "mawk", "gzip", "tar", "libc-bin", "tzdata")
LINKS = (Entry("bin/sh", link="dash"), Entry("usr/bin/awk", link="mawk"), TMP)
USER = 999


@dataclass(frozen=True, eq=False)
class Server:
    """``packages``: names and patterns of names. ``programs``: the folder that is first on PATH, * for a version."""

    image: str
    user: str
    packages: tuple[str, ...]
    programs: str
    environment: Mapping[str, str] = field(default_factory=dict)


SERVERS = (
    Server(
        "docker.io/library/postgres",
        "postgres",
        ("postgresql-1?", "postgresql-client-1?"),
        "/usr/lib/postgresql/*/bin",
    ),
    Server("docker.io/library/redis", "redis", ("redis-server", "redis-tools"), "/usr/bin"),
    Server(
        "docker.io/library/rabbitmq",
        "rabbitmq",
        ("rabbitmq-server", "erlang-*"),
        "/usr/lib/rabbitmq/bin",
        # 3.10 does not start without its log of upgrades, which later versions do not have.
        {"RABBITMQ_LOG_BASE": "/var/run/rabbitmq"},
    ),
)


def images() -> list[Image]:
    """Of the servers that are installed."""
    there = {server: packages for server in SERVERS if (packages := debian.installed(*server.packages))}
    base = (*debian.files(SHELL), *LINKS) if there else ()
    return [_image(server, list(packages), base) for server, packages in there.items()]


def versions() -> dict[str, str]:
    """Changes with what the images are made of."""
    return debian.installed(*SHELL, *(pattern for server in SERVERS for pattern in server.packages))


def _image(server: Server, packages: list[str], base: tuple[Entry, ...]) -> Image:
    programs = max(glob(server.programs))
    environment = {
        "PATH": f"{programs}:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        **server.environment,
    }
    own = (*debian.files(packages), *_accounts(server.user))
    return Image((server.image,), (base, own), (), ("sh",), environment, f"{USER}:{USER}")


def _accounts(user: str) -> tuple[Entry, Entry]:
    return (
        Entry("etc/passwd", content=f"root:x:0:0::/:/bin/sh\n{user}:x:{USER}:{USER}::/:/bin/sh\n".encode()),
        Entry("etc/group", content=f"root:x:0:\n{user}:x:{USER}:\n".encode()),
    )
