# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the table of Istio's annotations for mesh_validate.

    api=$(go list -m -f '{{.Dir}}' istio.io/api)
    python tools/annotations.py "$api" > plugins/module_utils/_validate/data/annotations.py

Only facts are taken: names, maturity, whether deprecated, and the kinds that an annotation belongs to.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml

HEADER = '''# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Istio's annotations. Made by tools/annotations.py; do not edit.

Source: istio.io/{release}.
"""

from __future__ import annotations

from typing import NamedTuple


class Annotation(NamedTuple):
    """kinds: those it belongs to; "Any" for all."""

    maturity: str
    deprecated: bool
    kinds: tuple[str, ...]


ANNOTATIONS = {{
{lines}
}}
'''


def main() -> None:
    api = Path(sys.argv[1])
    known = yaml.safe_load((api / "annotation" / "annotations.yaml").read_text())["annotations"]
    lines = []
    for entry in sorted(known, key=lambda entry: entry["name"]):
        kinds = ", ".join(json.dumps(kind) for kind in entry["resources"])
        comma = "," if len(entry["resources"]) == 1 else ""
        # Alpha is what istio.io/api takes where its list is silent.
        facts = f'"{entry.get("featureStatus", "alpha").lower()}", {bool(entry.get("deprecated"))}, ({kinds}{comma})'
        lines.append(f"    {json.dumps(entry['name'])}: Annotation({facts}),")
    print(HEADER.format(release=api.name.replace("@", " "), lines="\n".join(lines)), end="")


if __name__ == "__main__":
    main()
