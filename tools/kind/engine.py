"""A Docker engine of Debian's packages in a folder of its own and in namespaces of its own.

Its bridges, chains, mounts and processes exist in these namespaces only: with their first process the kernel ends all
of them. The machine keeps the control group and the folder, which ``clean`` removes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from meshlab.node import cgroups

HERE = Path(__file__).parent
# None of them is installed: a container engine's package would start it, in the machine's network.
PACKAGES = ("docker.io", "containerd", "runc", "tini", "libdevmapper1.02.1", "debootstrap")
# Names of binaries -> Debian packages that the images are made of, and that the engine calls.
NEEDED = {
    "/usr/bin/catatonit": "catatonit",
    "/bin/busybox": "busybox-static",
    "/usr/sbin/iptables": "iptables",
    "/usr/bin/nsenter": "util-linux",
    "/usr/sbin/ip": "iproute2",
}
START_SECONDS = 60
CAPABILITY_BIT = 24


def control_group(folder: Path) -> str:
    """The name of the engine's control group; another checkout's differs."""
    return f"mesh-kind-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"


def install_missing() -> None:
    """Install what the machine lacks of the programs that images are made of."""
    missing = [package for path, package in NEEDED.items() if not Path(path).exists()]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "-qq", "update"], env=environment, check=True)
    if missing:
        print(f"kind: installing {' '.join(missing)}", flush=True)
        argv = ["apt-get", "-qq", "-y", "install", "--no-install-recommends", *missing]
        subprocess.run(argv, env=environment, check=True, stdout=subprocess.DEVNULL)


def unpack(folder: Path) -> Path:
    """Fetch the engine's packages, checked by apt, and unpack them below ``folder``."""
    packages, engine = folder / "packages", folder / "engine"
    packages.mkdir()
    # apt would warn that its own user cannot write there.
    argv = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *PACKAGES]
    subprocess.run(argv, cwd=packages, check=True)
    for path in sorted(packages.glob("*.deb")):
        subprocess.run(["dpkg-deb", "--extract", str(path), str(engine)], check=True)
    shutil.rmtree(packages)
    return engine


def mirror() -> tuple[str, str]:
    """The address and the suite of this machine's Debian, as apt is configured."""
    release = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines() if "=" in line
    )
    suite = release["VERSION_CODENAME"].strip('"')
    argv = ["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)", "Created-By: Packages"]
    lines = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()
    return next(line.split()[0] for line in lines if line.split()[1:] == [suite]), suite


def environment(folder: Path, *programs: str) -> dict[str, str]:
    """Of everything that runs in the engine's namespaces. ``programs``: paths of more that are called by name."""
    folders = [*(str(Path(each).parent) for each in programs)]
    folders += [*(str(folder / "engine" / each) for each in ("usr/bin", "usr/sbin")), os.environ["PATH"]]
    return {**os.environ, "PATH": ":".join(folders), "DOCKER_HOST": "unix:///run/docker.sock"}


def enter(folder: Path, argv: list[str]) -> int:
    """Run a program in new namespaces, where it is the engine's first; its exit code."""
    cgroups.create(control_group(folder))
    tini = str(folder / "engine/usr/bin/tini-static")
    command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=KILL"]
    return subprocess.run(
        [*command, "--mount-proc", tini, "-s", "--", *argv], env=environment(folder), check=False
    ).returncode


def start(folder: Path) -> list[subprocess.Popen[bytes]]:
    """Start the engine, inside its namespaces."""
    engine, data, env = folder / "engine", folder / "data", environment(folder)
    data.mkdir(exist_ok=True)
    for command in (["mount", "-t", "tmpfs", "-o", "mode=755", "kind", "/run"], ["ip", "link", "set", "lo", "up"]):
        subprocess.run(command, check=True)
    libraries = ":".join(str(engine / each) for each in ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"))
    containerd = ["containerd", "--config=/dev/null", "--address=/run/containerd.sock", "--state=/run/containerd"]
    dockerd = ["dockerd", "--containerd=/run/containerd.sock", "--exec-root=/run/docker", "--pidfile=/run/docker.pid"]
    dockerd += ["--host=unix:///run/docker.sock", f"--data-root={data / 'docker'}"]
    dockerd += [
        f"--cgroup-parent=/{control_group(folder)}",
        f"--userland-proxy-path={engine / 'usr/sbin/docker-proxy'}",
    ]
    if not may_raise_limits():
        runtime = folder / "runtime"
        runtime.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E {HERE / "runtime.py"} "$@"\n', encoding="utf-8")
        runtime.chmod(0o755)
        dockerd += [f"--add-runtime=limited={runtime}", "--default-runtime=limited"]
    started = []
    for argv, socket in (
        ([*containerd, f"--root={data / 'containerd'}"], "/run/containerd.sock"),
        (dockerd, "/run/docker.sock"),
    ):
        with (folder / f"{argv[0]}.log").open("wb") as log:
            process = subprocess.Popen(argv, env={**env, "LD_LIBRARY_PATH": libraries}, stdout=log, stderr=log)
        started.append(process)
        _wait(process, Path(socket), folder / f"{argv[0]}.log")
    return started


def _wait(process: subprocess.Popen[bytes], socket: Path, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not socket.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{log.stem} did not start:\n{log.read_text(encoding='utf-8')[-1500:]}")
        time.sleep(0.1)


def may_raise_limits() -> bool:
    """Whether root has CAP_SYS_RESOURCE here, which privileged containers get."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    bounding = next(line.split()[1] for line in status.splitlines() if line.startswith("CapBnd:"))
    return bool(int(bounding, 16) >> CAPABILITY_BIT & 1)


def stop(processes: list[subprocess.Popen[bytes]]) -> None:
    """End the engine before its namespaces end, so that it unmounts what it mounted."""
    for process in reversed(processes):
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()


def clean(folder: Path) -> None:
    """Remove what an engine in ``folder`` left, also after the kill of any of its processes."""
    cgroups.remove(control_group(folder))
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        print(f"kind: {folder} could not be removed completely", file=sys.stderr)
