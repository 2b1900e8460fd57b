# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Comments beside a line, and how many findings of a code are listed."""

from __future__ import annotations

import time
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.loading import MAX_FINDINGS
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.request import VALIDATE_OPTIONS, answered
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.validation import Validated

DEFAULTS: dict[str, Any] = {name: option.get("default") for name, option in VALIDATE_OPTIONS.items()}
ROUTE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: shop}
spec:
  hosts: [cart]
  http:
    - route:
        - destination:
            host: cart
            prot: 80%s
"""


def validated(text: str) -> Validated:
    return answered({**DEFAULTS, "content": text}, lambda: None, time.time()).result  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize(
    ("comment", "is_ignored"),
    [
        ("  # mesh-validate: ignore MESH101", True),
        (" # mesh-validate: ignore IST0101, MESH101: the vendor's", True),
        (" #mesh-validate:ignore MESH1*", True),
        (" # mesh-validate: ignore IST0101", False),
        (" # mesh-validate: ignore", False),
        (" # mesh-validate: ignore: MESH101", False),
        ("\n# mesh-validate: ignore MESH101", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("before", ["", "---\na: 1\n---\n"])
def test_a_comment_suppresses_its_lines_findings(comment: str, is_ignored: bool, before: str) -> None:
    result = validated(before + ROUTE % comment)
    assert [finding["code"] for finding in result.findings] == ([] if is_ignored else ["MESH101"])
    assert result.summary["suppressed"] == int(is_ignored)
    assert bool(result.notes) == ("mesh-validate" in comment and not is_ignored)


def test_a_comment_that_matches_nothing_is_noted_with_its_place() -> None:
    (note,) = validated("---\n" + ROUTE % " # mesh-validate: ignore IST0101, IST0102").notes
    assert note == "-:11: the comment mesh-validate: ignore IST0101, IST0102 matches nothing"


def test_findings_of_a_code_are_counted_and_the_first_listed() -> None:
    number = MAX_FINDINGS + 5
    fields = "".join(f", prot{place}: 80" for place in range(number))
    result = validated(
        ROUTE.replace("\n            prot: 80%s", "").replace(
            "hosts: [cart]", f"hosts: [cart]{fields}".replace(", ", "\n  ")
        )
    )
    listed = [finding for finding in result.findings if finding["code"] == "MESH101"]
    assert (len(listed), result.summary["error"] + result.summary["warning"]) == (MAX_FINDINGS, number)
    assert "MESH101: 5 more findings are not listed" in result.notes


def test_faults_of_the_input_are_counted_too() -> None:
    keys = "".join(f"  a{place}: 1\n  a{place}: 1\n" for place in range(MAX_FINDINGS + 7))
    result = validated(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n{keys}")
    assert len(result.findings) == MAX_FINDINGS
    assert result.summary["error"] == MAX_FINDINGS + 7
    assert "MESH002: 7 more findings are not listed" in result.notes
