# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which release of Istio and of the Gateway API the objects are judged by."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import InputError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import Resource as Served
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, Settings
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.live_definitions import read_definitions
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.options import stated_versions
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    GATEWAY_CLASS,
    HTTP_ROUTE,
    TCP_ROUTE,
    VIRTUAL_SERVICE,
    Kind,
    Resource,
    Source,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema import releases
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.data import store

NOT_STATED = {
    "istio_version": None,
    "target_version": None,
    "gateway_api_version": None,
    "gateway_api_channel": None,
}


def definition(kind: str, version: str = "", channel: str = "", file: str = "crds.yaml") -> Resource:
    notes = {releases.BUNDLE: version, releases.CHANNEL: channel}
    obj = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.lower()}s.gateway.networking.k8s.io",
            "annotations": {name: text for name, text in notes.items() if text},
        },
        "spec": {
            "group": "gateway.networking.k8s.io",
            "names": {"kind": kind},
            "versions": [{"name": "v1", "served": True}],
        },
    }
    return Resource(obj, Source(file, 1) if file else Source())


def chosen(kind: Kind, *resources: Resource, **facts: str) -> releases.Release:
    family = "istio" if kind == VIRTUAL_SERVICE else "gateway"
    return releases.release(Mesh(resources, Settings(facts=dict(facts))), family, kind, store.table(family))


@pytest.mark.parametrize(
    ("version", "name", "is_newer"),
    [
        ("", "1.32", False),
        ("unknown", "1.32", False),
        ("1.28.3", "1.30", False),
        ("1.30", "1.30", False),
        ("1.31.1", "1.31", False),
        ("1.33.0-alpha.0", "1.32", True),
        ("2.0", "1.32", True),
    ],
)
def test_of_istio(version: str, name: str, is_newer: bool) -> None:
    release = chosen(VIRTUAL_SERVICE, istio_release=version)
    assert (release.name, release.is_newer, bool(release.stated)) == (name, is_newer, version[:1].isdigit())


@pytest.mark.parametrize(
    ("resources", "facts", "name"),
    [
        ([], {}, "1.7"),
        ([], {"gateway_api_version": "v1.5.1"}, "1.5"),
        ([], {"gateway_api_version": "1.5", "gateway_api_channel": "standard"}, "1.5-standard"),
        ([], {"gateway_api_channel": "standard"}, "1.7-standard"),
        ([("HTTPRoute", "v1.4.0", "standard")], {}, "1.4-standard"),
        ([("HTTPRoute", "v1.4.0", "experimental")], {}, "1.4"),
        ([("HTTPRoute", "v1.4.0")], {}, "1.4"),
        ([("HTTPRoute", "v1.2.1", "standard")], {}, "1.4-standard"),
        ([("HTTPRoute", "v1.4.0", "standard")], {"gateway_api_version": "1.6"}, "1.6"),
        ([("HTTPRoute", "v1.4.0", "standard")], {"gateway_api_channel": "experimental"}, "1.4"),
        ([("GRPCRoute", "v1.5.0"), ("TCPRoute", "v1.6.0")], {}, "1.5"),
        ([("HTTPRoute", "main"), ("TCPRoute", "v1.6.0")], {}, "1.6"),
        ([("HTTPRoute", "")], {}, "1.7"),
    ],
)
def test_of_the_gateway_api(resources: list[Any], facts: dict[str, str], name: str) -> None:
    assert chosen(HTTP_ROUTE, *(definition(*item) for item in resources), **facts).name == name


def test_each_kind_has_the_release_of_its_own_definition() -> None:
    mixed = [definition("HTTPRoute", "v1.5.1", "standard"), definition("TCPRoute", "v1.6.2", "experimental")]
    assert (chosen(HTTP_ROUTE, *mixed).name, chosen(TCP_ROUTE, *mixed).name) == ("1.5-standard", "1.6")
    assert chosen(GATEWAY_CLASS, *mixed).name == "1.5-standard"


def test_a_definition_of_the_files_counts_before_the_one_of_the_cluster() -> None:
    live = definition("HTTPRoute", "v1.4.0", file="")
    assert chosen(HTTP_ROUTE, definition("HTTPRoute", "v1.6.0"), live).name == "1.6"


@pytest.mark.parametrize("option", ["istio_version", "target_version", "gateway_api_version"])
def test_an_invalid_version_is_refused(option: str) -> None:
    with pytest.raises(InputError, match=f"^{option}: 'newest' is not a valid version"):
        stated_versions({**NOT_STATED, option: "newest"})
    assert stated_versions(NOT_STATED) == {}


def test_a_target_that_is_older_than_the_version_in_use_is_refused() -> None:
    with pytest.raises(InputError, match=r"^target_version: '1\.30' is older than istio_version '1\.31\.1'"):
        stated_versions({**NOT_STATED, "istio_version": "1.31.1", "target_version": "1.30"})
    assert stated_versions({**NOT_STATED, "istio_version": "1.31", "target_version": "1.31.2"})


class Cluster:
    """Serves HTTPRoutes, and reports the requests."""

    def __init__(self, failure: ApiFailure | None = None) -> None:
        self.asked: list[str] = []
        self.failure = failure

    def resource(self, api_version: str, kind: str) -> Served | None:
        return (
            Served("httproutes", True) if (api_version, kind) == ("gateway.networking.k8s.io/v1", "HTTPRoute") else None
        )

    def get(self, ref: Ref) -> dict[str, Any] | None:
        self.asked.append(ref.name)
        if self.failure:
            raise self.failure
        return definition("HTTPRoute", "v1.5.1", "standard").obj


def test_only_definitions_of_what_the_cluster_serves_are_read() -> None:
    cluster, notes = Cluster(), []
    found = read_definitions(cluster, notes)  # type: ignore[arg-type]
    assert cluster.asked == ["httproutes.gateway.networking.k8s.io"]
    assert (chosen(HTTP_ROUTE, *found).name, [item.is_live for item in found], notes) == ("1.5-standard", [True], [])


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (ApiFailure(403, "Forbidden", "no"), "the account may not get its customresourcedefinitions"),
        (ApiFailure(0, "Unreachable", "timed out"), "timed out"),
    ],
)
def test_definitions_that_cannot_be_read_are_a_note(failure: ApiFailure, words: str) -> None:
    notes: list[str] = []
    assert read_definitions(Cluster(failure), notes) == []  # type: ignore[arg-type]
    assert len(notes) == 1
    assert words in notes[0]
