"""The images of the cluster's pods, made of pinned programs and this machine's files, under their usual names."""

from __future__ import annotations

import json
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

from meshlab.node import archive, catalog
from meshlab.node.contents import program
from meshlab.node.layout import CATATONIT
from meshlab.settings import Settings
from meshlab.tools import ISTIO_VERSION

# The pods' commands name programs, or paths below it.
PROGRAMS = "usr/local/bin"
# restaurant_app_image_tag of molecule/kind.
APPLICATION_TAG = "molecule"
IDLE = """trap exit TERM
while :; do sleep 3600 & wait; done
"""
# Writes the configuration that kindnetd writes for a cluster of one node, where no route to another is needed.
KINDNETD = (
    """#!/bin/sh
cat >/etc/cni/net.d/10-kindnet.conflist <<END
{"cniVersion": "1.0.0", "name": "kindnet", "plugins": [
  {"type": "ptp", "ipMasq": true, "ipam": {"type": "host-local", "dataDir": "/run/cni-ipam-state",
    "routes": [{"dst": "0.0.0.0/0"}], "ranges": [[{"subnet": "${POD_SUBNET%/*}/24"}]]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
END
"""
    + IDLE
)
# rancher's module cannot be built as it is published (two spellings of one import), so claims stay pending.
PROVISIONER = "#!/bin/sh\n" + IDLE


def control_plane(names: Mapping[str, str], tools: Mapping[str, str]) -> list[archive.Image]:
    """The images of a fresh cluster. ``names``: of the images, by what is in them; ``tools``: paths by program."""
    static = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
    found = [_program(names[name], tools[name]) for name in static]
    found.append(_program(names["coredns"], tools["coredns"], "coredns"))
    proxy = program(Path(tools["kube-proxy"]), f"{PROGRAMS}/kube-proxy")
    found.append(archive.Image((names["kube-proxy"],), (catalog.iptables(), (proxy,)), (), (), catalog.PATH))
    pause = program(Path(CATATONIT), "pause")
    found.append(archive.Image((names["pause"],), ((pause,),), ("/pause", "-P")))
    for name, script in (("kindnetd", KINDNETD), ("local-path-provisioner", PROVISIONER)):
        entry = archive.Entry(f"{PROGRAMS}/{name}", content=script.encode(), mode=0o755)
        found.append(archive.Image((names[name],), (catalog.shell(), (entry,)), (name,), (), catalog.PATH))
    found.append(archive.Image((names["local-path-helper"],), (catalog.shell(),), (), ("sh",), catalog.PATH))
    return found


def mesh(tools: Mapping[str, str]) -> list[archive.Image]:
    """Istio's images and the application's."""
    # Of a lab's settings, images need only where the programs are.
    settings = Settings("kind", Path(), 0, True, 0, (), dict(tools), "")
    istio = [make(settings) for make in (catalog.proxy, catalog.pilot, catalog.install_cni)]
    return [
        *(_tagged(image, ISTIO_VERSION) for image in istio),
        *(_tagged(image, APPLICATION_TAG) for image in catalog.applications()),
    ]


def _tagged(image: archive.Image, tag: str) -> archive.Image:
    """The lab's registry has these images under every tag; an archive needs one."""
    return replace(image, names=tuple(f"{name}:{tag}" for name in image.names))


def _program(name: str, path: str, inside: str = "") -> archive.Image:
    inside = inside or f"{PROGRAMS}/{Path(path).name}"
    return archive.Image((name,), ((program(Path(path), inside),),), (f"/{inside}",), (), catalog.PATH)


def write(images: Sequence[archive.Image], target: IO[bytes]) -> None:
    """Write an archive of all of them that names them first, because kind reads no further than the first image."""
    repositories: dict[str, dict[str, str]] = {}
    for name in (name for image in images for name in image.names):
        repository, tag = name.rsplit(":", 1)
        repositories.setdefault(repository, {})[tag] = ""
    content = json.dumps(repositories, sort_keys=True).encode()
    # A tar without its end, which the archive's follows.
    info = tarfile.TarInfo("repositories")
    info.size = len(content)
    padding = -len(content) % tarfile.BLOCKSIZE
    target.write(info.tobuf(tarfile.GNU_FORMAT) + content + bytes(padding))
    with tempfile.TemporaryDirectory(dir=Path(target.name).parent) as folder:
        archive.write(images, target, Path(folder))
