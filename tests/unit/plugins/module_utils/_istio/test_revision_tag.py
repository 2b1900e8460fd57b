# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which pods the webhooks of a tag send to its revision."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.filter.revision_tag import FilterModule

revision_tag = FilterModule().filters()["revision_tag"]


def fits(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """As the API server judges the expressions of a selector."""
    judged = {
        "In": lambda item: labels.get(item["key"]) in item["values"],
        "NotIn": lambda item: labels.get(item["key"]) not in item["values"],
        "DoesNotExist": lambda item: item["key"] not in labels,
    }
    return all(judged[item["operator"]](item) for item in selector["matchExpressions"])


def webhooks_for(tag: str, namespace: dict[str, str], pod: dict[str, str]) -> list[str]:
    return [
        item["name"].removesuffix(".sidecar-injector.istio.io")
        for item in revision_tag(tag, "1-31", "istio-system")["webhooks"]
        if fits(item["namespaceSelector"], namespace) and fits(item["objectSelector"], pod)
    ]


@pytest.mark.parametrize(
    ("tag", "namespace", "pod", "webhooks"),
    [
        ("stable", {"istio.io/rev": "stable"}, {}, ["rev.namespace"]),
        ("stable", {"istio.io/rev": "stable"}, {"sidecar.istio.io/inject": "false"}, []),
        ("stable", {"istio.io/rev": "other"}, {}, []),
        ("stable", {"istio.io/rev": "stable", "istio-injection": "enabled"}, {}, []),
        ("stable", {}, {"istio.io/rev": "stable"}, ["rev.object"]),
        ("stable", {"istio-injection": "enabled"}, {}, []),
        ("default", {"istio-injection": "enabled"}, {}, ["namespace"]),
        ("default", {"istio-injection": "disabled"}, {"sidecar.istio.io/inject": "true"}, []),
        ("default", {}, {"sidecar.istio.io/inject": "true"}, ["object"]),
        ("default", {}, {}, []),
        ("default", {"istio.io/rev": "default"}, {}, ["rev.namespace"]),
    ],
)
def test_a_pod_gets_its_sidecar_from_one_webhook_or_none(
    tag: str, namespace: dict[str, str], pod: dict[str, str], webhooks: list[str]
) -> None:
    assert webhooks_for(tag, namespace, pod) == webhooks


def test_the_object_leads_to_the_revision() -> None:
    made = revision_tag("stable", "1-31", "mesh")
    assert made["metadata"]["name"] == "istio-revision-tag-stable"
    assert made["metadata"]["labels"]["istio.io/rev"] == "1-31"
    assert {item["clientConfig"]["service"]["name"] for item in made["webhooks"]} == {"istiod-1-31"}
    assert {item["clientConfig"]["service"]["namespace"] for item in made["webhooks"]} == {"mesh"}


def test_a_control_plane_without_a_name_is_revision_default() -> None:
    made = revision_tag("default", "", "istio-system")
    assert made["metadata"]["labels"]["istio.io/rev"] == "default"
    assert made["webhooks"][0]["clientConfig"]["service"]["name"] == "istiod"
