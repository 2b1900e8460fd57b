"""The programs that only tests need, built once from their pinned modules into the cache of the lab's tools.

``tools/pinned.py NAME`` prints the path of its binary.

PyPI's wheel of actionlint would do as well, but downloads the binary from GitHub when it is installed, and without a
pin of its own.
"""

from __future__ import annotations

import os
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
}


def binary(name: str) -> Path:
    """The program's path. It is built first where the cache has it not."""
    build = PROGRAMS[name]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "corpv3-service-mesh"
    tools.run_build(build, cache)
    return tools.folder(build, cache) / build.binaries[build.packages[0]]


if __name__ == "__main__":
    print(binary(sys.argv[1]))
