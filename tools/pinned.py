"""What only tests need: programs, built once from their pinned modules into the cache of the lab's tools, and files.

``tools/pinned.py NAME`` prints the path of a program's binary, or of a module's folder.

PyPI's wheel of actionlint would do as well, but downloads the binary from GitHub when it is installed, and without a
pin of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "roles/lab/files"))

from meshlab import tools

HELM_4_VERSION = "v4.3.2"
PROGRAMS = {
    "actionlint": tools.Build(
        "actionlint", str(ROOT / "tools/actionlint"), ("github.com/rhysd/actionlint/cmd/actionlint",), (), 25
    ),
    # The lab has helm 3; the modules are tested with both.
    "helm4": tools.Build(
        "helm4",
        str(ROOT / "tools/helm4"),
        ("helm.sh/helm/v4/cmd/helm",),
        (f"-X helm.sh/helm/v4/internal/version.version={HELM_4_VERSION}",),
        107,
    ),
    # The lab needs them only if its real node runs their pods.
    "alertmanager": tools.APP_BUILDS["alertmanager"],
    "jaeger": tools.APP_BUILDS["jaeger"],
}
# Modules that the lab's istiod is built with; its go.sum has their checksums.
MODULES = {"gateway-api": "sigs.k8s.io/gateway-api"}
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "corpv3-service-mesh"


def binary(name: str) -> Path:
    """The program's path. It is built first where the cache has it not."""
    build = PROGRAMS[name]
    tools.run_build(build, CACHE)
    return tools.folder(build, CACHE) / build.binaries[build.packages[0]]


def module(name: str) -> Path:
    """The module's folder. It is downloaded first where Go's cache has it not."""
    argv = [tools.find_go(CACHE), "mod", "download", "-json", MODULES[name]]
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    done = subprocess.run(argv, cwd=tools.MODULES / "istio", env=environment, check=True, stdout=subprocess.PIPE)
    return Path(json.loads(done.stdout)["Dir"])


if __name__ == "__main__":
    print(module(sys.argv[1]) if sys.argv[1] in MODULES else binary(sys.argv[1]))
