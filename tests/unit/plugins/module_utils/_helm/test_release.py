# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.release import ReleaseFailure, release_of


def entry(**given: Any) -> dict[str, Any]:
    return {
        "name": "istiod",
        "namespace": "istio-system",
        "chart": "istiod",
        "repository": None,
        "version": "1.31.1",
        "values": {},
        "state": "present",
        "wait": True,
        "timeout": 300,
        "rollback": True,
        "ignore_differences": [],
        **given,
    }


@pytest.mark.parametrize(
    ("given", "chart", "repository"),
    [
        ({"repository": "https://example.com/charts"}, "istiod", "https://example.com/charts"),
        ({"repository": "oci://example.com/charts"}, "oci://example.com/charts/istiod", ""),
        ({"repository": "oci://example.com/charts/"}, "oci://example.com/charts/istiod", ""),
        ({"chart": "oci://example.com/charts/istiod"}, "oci://example.com/charts/istiod", ""),
        ({"chart": "/srv/charts/istiod", "version": None}, "/srv/charts/istiod", ""),
    ],
)
def test_a_registry_and_a_repository_name_their_charts_their_own_way(
    given: dict[str, Any], chart: str, repository: str
) -> None:
    release = release_of(entry(**given))
    assert (release.chart, release.repository) == (chart, repository)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"chart": None}, "chart is missing"),
        ({"repository": "oci://example.com/charts", "chart": None}, "chart is missing"),
        ({"repository": "oci://example.com/charts", "version": None}, "version is missing"),
        ({}, "Set repository"),
    ],
)
def test_what_cannot_be_found_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ReleaseFailure, match=words):
        release_of(entry(**given))
