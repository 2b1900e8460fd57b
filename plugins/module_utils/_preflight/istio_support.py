# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""On which versions of Kubernetes each minor release of Istio is supported."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.versions import minor_of

Minor = tuple[int, int]

# (oldest, newest) Kubernetes by line of Istio, from the column "Supported Kubernetes Versions" of
# https://istio.io/latest/docs/releases/supported-releases/:
# - 1.20 to 1.22 as that page was in June 2024,
# - 1.23 to 1.30 as https://endoflife.date/istio had copied it on 2026-08-22,
# - 1.31 as in the announcement of 1.31.0 (2026-08-31). The page is reported to include 1.37 for it since 2026-09-30,
#   which was not verified.
_SUPPORTED: dict[Minor, tuple[Minor, Minor]] = {
    (1, 20): ((1, 25), (1, 29)),
    (1, 21): ((1, 26), (1, 29)),
    (1, 22): ((1, 27), (1, 30)),
    (1, 23): ((1, 27), (1, 30)),
    (1, 24): ((1, 28), (1, 31)),
    (1, 25): ((1, 29), (1, 32)),
    (1, 26): ((1, 29), (1, 33)),
    (1, 27): ((1, 29), (1, 33)),
    (1, 28): ((1, 30), (1, 34)),
    (1, 29): ((1, 31), (1, 35)),
    (1, 30): ((1, 32), (1, 36)),
    (1, 31): ((1, 32), (1, 36)),
}


class Support(NamedTuple):
    """``verdict``: supported, too_old (the cluster is), untested (the cluster is newer than what was tested) or unknown
    (the release is). ``text``: what is wrong and the way out, empty if it is supported.
    """

    verdict: str
    text: str


def support_of(istio: str, kubernetes: str) -> Support:
    """Whether a release of Istio (``1.31.1``) is supported on a cluster of that version (``v1.36.3-gke.1``)."""
    line, cluster = minor_of(istio), minor_of(kubernetes)
    if line is None or line not in _SUPPORTED or cluster is None:
        known = f"{_text(min(_SUPPORTED))} to {_text(max(_SUPPORTED))}"
        return Support(
            "unknown",
            f"this collection knows the Kubernetes versions of Istio {known} only. Check whether this release supports "
            f"{kubernetes} (https://istio.io/latest/docs/releases/supported-releases/)",
        )
    oldest, newest = _SUPPORTED[line]
    supported = f"Istio {_text(line)} is supported on Kubernetes {_text(oldest)} to {_text(newest)}"
    if cluster < oldest:
        return Support(
            "too_old", f"{supported}, and the cluster runs {kubernetes}: upgrade the cluster first{_or_take(cluster)}"
        )
    if cluster > newest:
        return Support("untested", f"{supported}, and the cluster runs {kubernetes}, which it was not tested with")
    return Support("supported", "")


def _or_take(cluster: Minor) -> str:
    lines = [line for line, (oldest, newest) in _SUPPORTED.items() if oldest <= cluster <= newest]
    return f", or use a release of Istio {_text(max(lines))}" if lines else ""


def _text(minor: Minor) -> str:
    return f"{minor[0]}.{minor[1]}"
