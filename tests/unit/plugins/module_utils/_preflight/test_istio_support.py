# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.istio_support import support_of


@pytest.mark.parametrize(
    ("istio", "kubernetes", "verdict", "words"),
    [
        ("1.31.1", "v1.32.0", "supported", ""),
        ("1.31.1", "v1.36.3-gke.100", "supported", ""),
        ("1.31.0-rc.4", "v1.36.3", "supported", ""),
        (
            "1.30.5",
            "v1.31.9+k3s1",
            "too_old",
            "Istio 1.30 is supported on Kubernetes 1.32 to 1.36, and the cluster runs v1.31.9+k3s1",
        ),
        ("1.31.1", "v1.31.4", "too_old", "upgrade the cluster first, or use a release of Istio 1.29"),
        ("1.31.1", "v1.9.0", "too_old", "upgrade the cluster first"),
        ("1.31.1", "v1.37.0", "untested", "1.32 to 1.36, and the cluster runs v1.37.0, which it was not tested with"),
        ("1.20.1", "v1.36.3", "untested", "Istio 1.20 is supported on Kubernetes 1.25 to 1.29"),
        ("1.99.0", "v1.36.3", "unknown", "knows the Kubernetes versions of Istio 1.20 to 1.31 only"),
        ("1.19.0", "v1.28.0", "unknown", "supported-releases"),
        ("nightly", "v1.28.0", "unknown", "supported-releases"),
        ("1.31.1", "an own build", "unknown", "supported-releases"),
    ],
)
def test_the_pair_is_judged(istio: str, kubernetes: str, verdict: str, words: str) -> None:
    found = support_of(istio, kubernetes)
    assert found.verdict == verdict
    assert words in found.text
    assert bool(found.text) == (verdict != "supported")


def test_what_nothing_supports_has_no_line_to_take() -> None:
    assert "or take" not in support_of("1.31.1", "v1.24.17").text
