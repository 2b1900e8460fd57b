"""runc for a machine whose root lacks CAP_SYS_RESOURCE. dockerd calls this program as its runtime.

It takes out of a container's description, or of a further process's, what the kernel would refuse.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

CAPABILITY = "CAP_SYS_RESOURCE"


def allowed(process: dict[str, Any]) -> dict[str, Any]:
    """The process without the capability, without protection from the OOM killer, without limits that are raised."""
    capabilities = process.get("capabilities") or {}
    changed = {key: value for key, value in process.items() if key != "rlimits"}
    changed["capabilities"] = {
        name: [each for each in held or [] if each != CAPABILITY] for name, held in capabilities.items()
    }
    changed["oomScoreAdj"] = max(process.get("oomScoreAdj") or 0, 0)
    return changed


def option(arguments: list[str], *names: str) -> str:
    """The value of an option, written with a blank or with an equals sign; empty if it is missing."""
    for position, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in names:
            return value if equals else arguments[position + 1]
    return ""


def rewrite(arguments: list[str]) -> None:
    """Change the file that this call of runc will read."""
    if {"create", "run"} & set(arguments):
        path = Path(option(arguments, "--bundle", "-b") or ".") / "config.json"
        described = json.loads(path.read_text(encoding="utf-8"))
        described["process"] = allowed(described["process"])
    elif "exec" in arguments and option(arguments, "--process", "-p"):
        path = Path(option(arguments, "--process", "-p"))
        described = allowed(json.loads(path.read_text(encoding="utf-8")))
    else:
        return
    path.write_text(json.dumps(described), encoding="utf-8")


if __name__ == "__main__":
    rewrite(sys.argv[1:])
    os.execvp("runc", ["runc", *sys.argv[1:]])
