"""The node's image: a Debian root file system with the files of kind's base image. kind itself makes the rest."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

from meshlab import tools
from meshlab.node import mounts

from . import images, programs

PACKAGES = (
    *(
        "systemd",
        "conntrack",
        "iptables",
        "nftables",
        "iproute2",
        "ethtool",
        "util-linux",
        "mount",
        "kmod",
        "e2fsprogs",
    ),
    *("ca-certificates", "curl", "jq", "procps", "runc", "containernetworking-plugins"),
)
PLUGINS = ("host-local", "loopback", "portmap", "ptp")
BINARIES = ("containerd", "containerd-shim-runc-v2", "ctr", "crictl")
UNITS = ("kubelet", "containerd", "undo-mount-hacks", "machine-sysctls")
# The kubelet sets these for the whole machine unless they are so already: files cover them.
SYSCTL_UNIT = """[Unit]
Description=Leave the machine's own sysctls as they are
Before=kubelet.service

[Service]
Type=oneshot
WorkingDirectory=/kind/sysctl
ExecStart=/bin/sh -euc 'find . -type f | while read -r file; do mount --bind "$file" "/proc/sys/$file"; done'

[Install]
WantedBy=multi-user.target
"""
# A kubelet refuses cgroup v1 by default, and an OOM score below 0 needs CAP_SYS_RESOURCE.
KUBELET_ARGUMENTS = "--fail-cgroupv1=false --oom-score-adj=0"
# What a container must not start, and what would set values of the whole machine.
UNWANTED = (
    "lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service",
    "lib/systemd/system/multi-user.target.wants/*",
    "etc/systemd/system/*.wants/*",
    "lib/systemd/system/local-fs.target.wants/*",
    "lib/systemd/system/sockets.target.wants/*udev*",
    "lib/systemd/system/sockets.target.wants/*initctl*",
    "lib/systemd/system/basic.target.wants/*",
    "usr/lib/sysctl.d/*",
)
# Not needed, and a quarter of it.
DISPENSABLE = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale")
DOCKERFILE = """FROM {base}
ENV container=docker
STOPSIGNAL SIGRTMIN+3
ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]
"""


def bootstrap(engine: Path, root: Path, mirror: str, suite: str) -> None:
    """Install Debian into ``root``. Its mounts exist only while that runs."""
    program = [str(engine / "usr/sbin/debootstrap"), "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    argv = ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", *program, suite, str(root), mirror]
    environment = {**os.environ, "DEBOOTSTRAP_DIR": str(engine / "usr/share/debootstrap")}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"debootstrap failed:\n{done.stdout.strip()[-1500:]}\n{done.stderr.strip()[-500:]}")


def furnish(root: Path, source: Path, tool: Mapping[str, str]) -> None:
    """Give Debian what kind's base image has. ``source``: of kind's module; ``tool``: paths by program."""
    for pattern in UNWANTED:
        for path in root.glob(pattern):
            path.unlink()
    for path in (root / each for each in DISPENSABLE):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
    files = source / "images/base/files"
    for path in sorted(each for each in files.rglob("*") if each.is_file()):
        place = path.relative_to(files)
        if place.parts[0] != "LICENSES" and place.name != "clean-install":
            target = root / place
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            target.chmod(0o755 if "bin" in place.parts else 0o644)
    for name, value in mounts.SYSCTLS.items():
        file = root / "kind/sysctl" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{value}\n", encoding="ascii")
    kubelet = root / "etc/default/kubelet"
    kubelet.write_text(f"{kubelet.read_text(encoding='utf-8').strip()} {KUBELET_ARGUMENTS}\n", encoding="utf-8")
    units = root / "etc/systemd/system"
    (units / "machine-sysctls.service").write_text(SYSCTL_UNIT, encoding="utf-8")
    (units / "multi-user.target.wants").mkdir(exist_ok=True)
    for name in UNITS:
        (units / f"multi-user.target.wants/{name}.service").symlink_to(f"/etc/systemd/system/{name}.service")
    (units / "systemd-binfmt.service").symlink_to("/dev/null")
    (root / "sbin/init").unlink(missing_ok=True)
    (root / "sbin/init").symlink_to("/usr/lib/systemd/systemd")
    with (root / "etc/systemd/journald.conf").open("a", encoding="utf-8") as journal:
        journal.write("ReadKMsg=no\n")
    (root / "etc/kubernetes/manifests").mkdir(parents=True)
    (root / "opt/cni/bin").mkdir(parents=True)
    for name in PLUGINS:
        shutil.copy(root / "usr/lib/cni" / name, root / "opt/cni/bin")
    for name in BINARIES:
        shutil.copy(tool[name], root / "usr/local/bin" / name)
    _configure_containerd(root, tool["ctr"])


def _configure_containerd(root: Path, ctr: str) -> None:
    config = root / "etc/containerd/config.toml"
    text = config.read_text(encoding="utf-8")
    # Where the machine has no CAP_SYS_RESOURCE to give, each pod would fail; elsewhere nothing changes.
    config.write_text(text.replace("restrict_oom_score_adj = false", "restrict_oom_score_adj = true"), encoding="utf-8")
    spec = json.loads(subprocess.run([ctr, "oci", "spec"], check=True, capture_output=True, text=True).stdout)
    del spec["process"]["rlimits"]
    hook = {"path": "/kind/bin/mount-product-files.sh"}
    spec.setdefault("hooks", {}).setdefault("createContainer", []).append(hook)
    (root / "etc/containerd/cri-base.json").write_text(json.dumps(spec), encoding="utf-8")


def write_release(target: Path, tool: Mapping[str, str], names: Mapping[str, str]) -> None:
    """A server release of Kubernetes as far as kind reads it, with all images of a new cluster."""
    archives = ("kube-apiserver.tar", "kube-controller-manager.tar", "kube-scheduler.tar", "kube-proxy.tar")
    made = {image.names[0]: image for image in images.control_plane(names, tool)}
    own = {f"{name}.tar": made.pop(names[name]) for name in (each.removesuffix(".tar") for each in archives)}
    # gzip's format is demanded; to compress it would only cost time.
    with tarfile.open(target, "w:gz", compresslevel=0) as tar:
        version = tools.KUBERNETES_VERSION.encode()
        info = tarfile.TarInfo("kubernetes/version")
        info.size = len(version)
        tar.addfile(info, io.BytesIO(version))
        for name in ("kubeadm", "kubelet", "kubectl"):
            tar.add(tool[name], f"kubernetes/server/bin/{name}")
        for name in archives:
            content = [own[name], *(made.values() if name == archives[-1] else ())]
            path = target.with_name(name)
            with path.open("wb") as file:
                images.write(content, file)
            tar.add(path, f"kubernetes/server/bin/{name}")
            path.unlink()


def make(folder: Path, image: str, tool: Mapping[str, str], environment: Mapping[str, str]) -> None:
    """Make the node's image in the engine that ``environment`` leads to."""
    base = f"{image}-base"
    with subprocess.Popen(
        ["tar", "-C", str(folder / "root"), "--numeric-owner", "-c", "."], stdout=subprocess.PIPE
    ) as packed:
        subprocess.run(["docker", "import", "-", f"{base}-files"], stdin=packed.stdout, env=environment, check=True)
    built = ["docker", "build", "--quiet", f"--tag={base}", "-"]
    subprocess.run(built, input=DOCKERFILE.format(base=f"{base}-files").encode(), env=environment, check=True)
    release = folder / "kubernetes-server-linux-amd64.tar.gz"
    write_release(release, tool, programs.image_names(tool["kubeadm"], programs.source()))
    argv = [
        tool["kind"],
        "build",
        "node-image",
        "--type=file",
        f"--image={image}",
        f"--base-image={base}",
        str(release),
    ]
    # kind unpacks the release into the folder for temporary files.
    subprocess.run(argv, env={**environment, "TMPDIR": str(folder)}, check=True)
    release.unlink()
