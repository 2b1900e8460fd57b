"""Which definitions of the Gateway API a cluster gets."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.gateway_api_release import decide

GROUP = "gateway.networking.k8s.io"


def definition(
    plural: str = "httproutes",
    release: str = "v1.6.0",
    channel: str = "standard",
    versions: tuple[str, ...] = ("v1",),
    **more: Any,
) -> dict[str, Any]:
    annotations = {f"{GROUP}/bundle-version": release, f"{GROUP}/channel": channel}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}", "annotations": {k: v for k, v in annotations.items() if v}},
        "spec": {"group": GROUP, "versions": [{"name": name} for name in versions]},
        **more,
    }


POLICY = {"kind": "ValidatingAdmissionPolicy", "metadata": {"name": f"safe-upgrades.{GROUP}"}}
RELEASE = [definition("gateways"), definition(), POLICY]
OTHER = {
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "virtualservices.networking.istio.io", "labels": {"app.kubernetes.io/managed-by": "Helm"}},
    "spec": {"group": "networking.istio.io", "versions": []},
}


def problem(release: Any, live: Any = (), version: str = "1.6.0", channel: str = "standard") -> str:
    found = decide(release, live, version, channel)
    assert not found.objects
    (text,) = found.problems
    return text


@pytest.mark.parametrize(
    "live",
    [
        [],
        [OTHER],
        [definition(release="v1.4.0"), OTHER],
        RELEASE[:2],
        [definition(release="v1.6.0-rc.1")],
        [definition(release="v1.4.0", versions=("v1beta1", "v1"), status={"storedVersions": ["v1"]})],
        # The experimental kinds of another group are of one channel only.
        [{**definition(channel="experimental"), "spec": {"group": "gateway.networking.x-k8s.io", "versions": []}}],
    ],
)
def test_an_empty_cluster_and_older_definitions_get_the_release(live: list[dict[str, Any]]) -> None:
    found = decide(RELEASE, live, "1.6.0", "standard")
    assert (found.objects, found.problems, found.notes) == (RELEASE, (), ())


@pytest.mark.parametrize("newer", ["v1.6.1", "v1.10.0", "v2.0.0"])
def test_newer_definitions_stay(newer: str) -> None:
    found = decide(RELEASE, [definition(), definition("gateways", newer)], "1.6.0", "standard")
    assert not found.objects and not found.problems
    assert found.notes == [f"The Gateway API's definitions stay at {newer}, which is newer than 1.6.0."]


@pytest.mark.parametrize(("live", "wanted"), [("experimental", "standard"), ("standard", "experimental")])
def test_a_cluster_keeps_its_channel(live: str, wanted: str) -> None:
    release = [definition(channel=wanted)]
    text = problem(release, [definition("grpcroutes", "v1.5.0", live)], channel=wanted)
    assert f"The cluster has the {live} channel." in text


@pytest.mark.parametrize("label", ["app.kubernetes.io/managed-by", "addonmanager.kubernetes.io/mode"])
def test_definitions_of_another_owner_are_its_own(label: str) -> None:
    live = definition(release="v1.5.0")
    live["metadata"]["labels"] = {label: "Helm"}
    assert f"httproutes.{GROUP} has the label {label}=Helm" in problem(RELEASE, [live])


def test_a_definition_of_unknown_release_is_refused() -> None:
    assert f"httproutes.{GROUP} has no annotation" in problem(RELEASE, [definition(release="")])


def test_objects_in_a_version_that_goes_are_stored_anew_first() -> None:
    live = definition(release="v1.0.0", status={"storedVersions": ["v1alpha2", "v1"]})
    assert "objects stored as v1alpha2, which the release no longer has" in problem(RELEASE, [live])


@pytest.mark.parametrize(
    ("release", "words"),
    [
        ([], "no definitions"),
        ([POLICY], "no definitions"),
        ([definition(release="v1.5.0")], "bundle-version v1.5.0, not v1.6.0"),
        ([definition(channel="experimental")], "channel experimental, not standard"),
        ([definition(channel="")], "channel (none), not standard"),
        ([*RELEASE, {"kind": "Deployment", "metadata": {"name": "miner"}}], "Deployment miner"),
        ([*RELEASE, OTHER], "virtualservices.networking.istio.io"),
        ([{"kind": "CustomResourceDefinition"}], "do not belong"),
    ],
)
def test_a_manifest_of_something_else_is_refused(release: list[dict[str, Any]], words: str) -> None:
    text = problem(release)
    assert text.startswith("The manifest has ") and words in text
