"""actionlint with our arguments, built once from its pinned module into the cache of the lab's tools.

PyPI's wheel of it would do as well, but downloads the binary from GitHub when it is installed, and without a pin of its
own.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "roles/lab/files"))

from meshlab import tools

ACTIONLINT = tools.Build(
    "actionlint", str(ROOT / "tools/actionlint"), ("github.com/rhysd/actionlint/cmd/actionlint",), (), 25
)


def main() -> None:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "corpv3-service-mesh"
    tools.run_build(ACTIONLINT, cache)
    binary = tools.folder(ACTIONLINT, cache) / "actionlint"
    os.execv(binary, [str(binary), *sys.argv[1:]])  # noqa: S606  (it is to end as actionlint ends)


if __name__ == "__main__":
    main()
