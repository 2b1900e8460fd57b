"""``make kind``: molecule's scenario kind, on the machine's container engine, or on one of its own where none is there.

With an engine, kind takes its published node image, and pods pull theirs. Without one, everything is made here:
docs/testing.md. Arguments go to molecule.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "roles/lab/files"))

from meshlab import tools

from kind import engine, images, node, programs

FOLDER = ROOT / ".kind"
LOCK = ROOT / ".kind.lock"
NODE_IMAGE = "kindest/node:made-here"
INSIDE = "--inside"
NO_ENGINE = """kind: `docker info` failed: there is no container engine that this user may use.
Start one, or run `make kind` as root on Debian (x86_64): it then brings an engine of its own."""


def main(arguments: list[str]) -> int:
    """Run the scenario; its exit code."""
    if arguments[:1] == [INSIDE]:
        return inside(arguments[1:])
    if engine_answers():
        kind = shutil.which("kind") or programs.build_kind()
        return scenario(arguments, {**os.environ, "PATH": f"{Path(kind).parent}:{os.environ['PATH']}"})
    if os.geteuid() != 0 or not shutil.which("apt-get") or platform.machine() != "x86_64":
        print(NO_ENGINE, file=sys.stderr)
        return 1
    # A second run would use the same folder and control group.
    with LOCK.open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("kind: make kind already runs in this checkout", file=sys.stderr)
            return 1
        engine.clean(FOLDER)
        FOLDER.mkdir()
        try:
            return outside(arguments)
        finally:
            engine.clean(FOLDER)


def engine_answers() -> bool:
    """Whether a container engine runs that this user may use."""
    if not shutil.which("docker"):
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def scenario(arguments: list[str], environment: dict[str, str]) -> int:
    """Run molecule."""
    argv = [sys.executable, "-m", "molecule", "test", "--scenario-name=kind", *arguments]
    return subprocess.run(argv, cwd=ROOT, env=environment, check=False).returncode


def outside(arguments: list[str]) -> int:
    """What needs the machine's network and its tools; the rest follows in the engine's namespaces."""
    say("building what is not in the cache of the lab's tools")
    tool = programs.build()
    (FOLDER / "tools.json").write_text(json.dumps(tool), encoding="utf-8")
    say("fetching Debian's container engine")
    engine.install_missing()
    unpacked = engine.unpack(FOLDER)
    say("installing Debian into the node's root file system")
    mirror, suite = engine.mirror()
    node.bootstrap(unpacked, FOLDER / "root", mirror, suite)
    node.furnish(FOLDER / "root", programs.source(), tool)
    return engine.enter(FOLDER, [sys.executable, "-m", "kind", INSIDE, *arguments])


def inside(arguments: list[str]) -> int:
    """Start the engine, make the node's image and the archive of the pods' images, run the scenario."""
    tool = json.loads((FOLDER / "tools.json").read_text(encoding="utf-8"))
    environment = engine.environment(FOLDER, tool["kind"], tool["helm"], tool["kubectl"])
    say("starting the engine")
    running = engine.start(FOLDER)
    try:
        say("making the node's image")
        node.make(FOLDER, NODE_IMAGE, tool, environment)
        say("making the pods' images")
        archive = FOLDER / "images.tar"
        with archive.open("wb") as file:
            images.write(images.mesh(tool), file)
        made = {
            "node_image": NODE_IMAGE,
            "images": str(archive),
            "helm": tool["helm"],
            "istio_charts": str(tools.istio_charts(programs.CACHE)),
            "istio_version": tools.ISTIO_VERSION,
        }
        (FOLDER / "made.json").write_text(json.dumps(made), encoding="utf-8")
        further = ["--", f"--inventory={ROOT / 'molecule/kind/offline'}"]
        return scenario([*arguments, *further], {**environment, "KIND_MADE": str(FOLDER / "made.json")})
    finally:
        engine.stop(running)


def say(what: str) -> None:
    """Say what takes time next."""
    print(f"kind: {time.strftime('%H:%M:%S')} {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
