"""Programs and modules of pinned versions that only tests need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .playbooks import ROOT


def pinned(name: str) -> Path:
    """What ``tools/pinned.py`` has by this name: a program, built first if the cache lacks it, or a module's folder."""
    argv = [sys.executable, str(ROOT / "tools/pinned.py"), name]
    return Path(subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())
