# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cases of what the API server and istiod refuse or doubt: a valid object, what is changed, the reported fields.

The objects are in valid/, the cases in schema_cases/. Paths are below spec. `either: true`: the API server's schema
and istiod both report it, and which of the fields is reported does not matter. `istiod_is_silent`: what istiod
finds, too, but loses on its way to the answer. Unit tests look at the fields, the integration test asks a real istiod.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parents[1] / "plugins/module_utils/_validate"
FAST_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def valid_objects() -> list[dict[str, Any]]:
    files = sorted((HERE / "valid").glob("*.yaml"))
    return [document for file in files for document in yaml.load_all(file.read_text(), FAST_LOADER) if document]


def cases() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """(name, case, the object with the change)."""
    known: dict[str, dict[str, Any]] = {}
    for obj in valid_objects():
        name = obj["metadata"]["name"]
        known[f"{obj['kind']}/{name}"] = obj
    for file in sorted((HERE / "schema_cases").glob("*.yaml")):
        for number, case in enumerate(yaml.load(file.read_text(), FAST_LOADER)):
            full = case["of"] if "/" in case["of"] else f"{file.stem}/{case['of']}"
            candidates = [obj for key, obj in known.items() if key == full or key.endswith(f"/{case['of']}")]
            obj = copy.deepcopy(known[full] if full in known else candidates[0])
            for path, value in case.get("change", {}).items():
                put(obj["spec"], path, value)
            for path in case.get("drop", ()):
                put(obj["spec"], path, None, drop=True)
            what = ", ".join([*case.get("change", {}), *(f"without {path}" for path in case.get("drop", ()))])
            yield f"{obj['kind']} {number}: {what}", case, obj


def put(spec: Any, path: str, value: Any, drop: bool = False) -> None:
    steps: list[Any] = [
        int(index) if index else name for name, index in re.findall(r"([^.\[\]]+)(?=\.|\[|$)|\[([0-9]+)\]", path)
    ]
    for step in steps[:-1]:
        spec = spec.setdefault(step, {}) if isinstance(spec, dict) else spec[step]
    if drop:
        del spec[steps[-1]]
    else:
        spec[steps[-1]] = value


def fields(paths: list[str]) -> set[str]:
    """As findings write them."""
    below = {path if path.startswith("metadata.annotations") else f"spec.{path}" if path else "spec" for path in paths}
    return {re.sub(r"\.(:[a-z]+)$", r".\1", path) for path in below}
