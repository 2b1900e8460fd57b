"""The modules that have code of their own."""

from __future__ import annotations

from pathlib import Path

_MODULES = Path(__file__).resolve().parents[1] / "plugins/modules"
# Those without a function main are action plugins, and only their documentation is there.
MODULES = sorted(path for path in _MODULES.glob("[!_]*.py") if "\ndef main(" in path.read_text())
