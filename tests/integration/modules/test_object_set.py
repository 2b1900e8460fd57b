# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

LABEL = "service-mesh.corpv3.com/part-of"


def config_map(namespace: str, name: str = "a", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


def secret(namespace: str, **texts: str) -> dict[str, Any]:
    metadata = {"name": "s", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": texts}


@pytest.fixture
def ensure(run_module: Callable[..., Any]) -> Callable[..., Any]:
    """A set of its own for each test."""
    name = f"set-{uuid.uuid4().hex[:8]}"

    def run(objects: list[dict[str, Any]], *arguments: str, **options: Any) -> Any:
        return run_module("object_set", *arguments, **{"name": name, "objects": objects, **options})

    return run


@pytest.fixture
def definition(api: Any) -> Iterator[dict[str, Any]]:
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    yield {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"trials.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "trials", "singular": "trial", "kind": "Trial", "listKind": "TrialList"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }
    api.delete(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/trials.{group}")


def trial(definition: dict[str, Any], namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": f"{definition['spec']['group']}/v1",
        "kind": "Trial",
        "metadata": {"name": "t", "namespace": namespace},
        "spec": {"weights": [90, 10]},
    }


def changes(outcome: Any) -> dict[str, str]:
    assert "objects" in outcome.result, outcome.message or outcome.stdout
    return {f"{entry['kind']} {entry['name']}": entry["change"] for entry in outcome.result["objects"]}


def test_a_first_run_applies_and_a_second_changes_nothing(ensure: Any, api: Any, namespace: str) -> None:
    objects = [config_map(namespace, key="value"), secret(namespace, password="hush")]

    dry = ensure(objects, "--check", "--diff")
    assert changes(dry) == {"ConfigMap a": "created", "Secret s": "created"}
    assert api.get(f"/api/v1/namespaces/{namespace}/configmaps/a") is None

    assert ensure(objects).changed
    assert LABEL in api.get(f"/api/v1/namespaces/{namespace}/configmaps/a")["metadata"]["labels"]
    assert set(changes(ensure(objects)).values()) == {"unchanged"}


def test_what_left_the_set_is_pruned(ensure: Any, api: Any, namespace: str) -> None:
    ensure([config_map(namespace, "a"), config_map(namespace, "b", x="1", y="2"), secret(namespace, k="v")])
    api.create(f"/api/v1/namespaces/{namespace}/configmaps", config_map(namespace, "foreign"))
    smaller = [config_map(namespace, "b", x="1")]
    kinds = {"prune_kinds": ["v1/Secret", "none.example.com/v1/Unknown"]}

    assert changes(ensure(smaller, "--check", **kinds)) == {
        "ConfigMap b": "changed",
        "ConfigMap a": "deleted",
        "Secret s": "deleted",
    }
    assert ensure(smaller, **kinds).changed

    assert api.get(f"/api/v1/namespaces/{namespace}/configmaps/a") is None
    assert api.get(f"/api/v1/namespaces/{namespace}/configmaps/b")["data"] == {"x": "1"}
    assert api.get(f"/api/v1/namespaces/{namespace}/configmaps/foreign") is not None
    assert not ensure(smaller, **kinds).changed


def test_nothing_is_pruned_where_it_is_not_wanted(ensure: Any, api: Any, namespace: str) -> None:
    ensure([config_map(namespace, "a"), config_map(namespace, "b")])
    assert not ensure([config_map(namespace, "b")], prune=False).changed
    assert api.get(f"/api/v1/namespaces/{namespace}/configmaps/a") is not None


def test_a_key_that_leaves_a_secret_is_gone(ensure: Any, api: Any, namespace: str) -> None:
    ensure([secret(namespace, old="1", kept="2")])
    ensure([secret(namespace, kept="2")])
    assert set(api.get(f"/api/v1/namespaces/{namespace}/secrets/s")["data"]) == {"kept"}


def test_secrets_are_never_shown(ensure: Any, namespace: str) -> None:
    first = ensure([secret(namespace, password="open-sesame")], "--diff", "-vvv")
    second = ensure([secret(namespace, password="swordfish")], "--diff", "-vvv")
    assert "(hidden" in second.diff
    for outcome in (first, second):
        for text in ("open-sesame", "swordfish", "b3Blbi1zZXNhbWU", "c3dvcmRmaXNo"):
            assert text not in outcome.stdout
            assert text not in str(outcome.result)


def test_a_namespace_a_kind_and_its_objects_in_one_set(ensure: Any, api: Any, definition: dict[str, Any]) -> None:
    name = f"made-{uuid.uuid4().hex[:8]}"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    objects = [trial(definition, name), definition, namespace]

    assert set(changes(ensure(objects, "--check")).values()) == {"created"}
    made = ensure(objects)
    assert made.changed, made.message
    assert not ensure(objects).changed
    assert ensure(objects, state="absent", wait_timeout=60).changed
    assert api.get(f"/api/v1/namespaces/{name}") is None


def test_an_unknown_kind_is_an_error_only_where_it_matters(
    ensure: Any, namespace: str, definition: dict[str, Any]
) -> None:
    objects = [trial(definition, namespace)]
    assert changes(ensure(objects, "--check")) == {"Trial t": "created"}
    assert "the cluster does not know" in ensure(objects).message
    assert not ensure(objects, state="absent").changed


def test_one_wrong_object_stops_all_before_anything_is_touched(ensure: Any, api: Any, namespace: str) -> None:
    wrong = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "w", "namespace": namespace},
        "spec": {"ports": [{"port": 99999}]},
    }
    for arguments in (("--check",), ()):
        assert f"does not take Service {namespace}/w" in ensure([config_map(namespace), wrong], *arguments).message
    assert api.get(f"/api/v1/namespaces/{namespace}/configmaps/a") is None


def test_what_does_not_become_ready_reports_why(ensure: Any, namespace: str) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": namespace},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            # Of a class without a provisioner.
            "storageClassName": "nobodys",
        },
    }
    outcome = ensure([claim], wait_timeout=2)
    assert "is not ready after 2 s" in outcome.message
    assert f"PersistentVolumeClaim {namespace}/data: the volume claim is Pending" in outcome.message
    assert ensure([claim], wait=False).rc == 0


@pytest.fixture
def late_class(api: Any) -> Iterator[str]:
    """A storage class as most clusters have it: a claim is bound once a pod uses it."""
    name, path = f"late-{uuid.uuid4().hex[:8]}", "/apis/storage.k8s.io/v1/storageclasses"
    api.create(
        path,
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": name},
            "provisioner": "example.com/none",
            "volumeBindingMode": "WaitForFirstConsumer",
        },
    )
    yield name
    api.delete(f"{path}/{name}")


def test_a_claim_that_waits_for_its_pod_is_not_waited_for(ensure: Any, namespace: str, late_class: str) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "late", "namespace": namespace},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": late_class,
        },
    }
    assert ensure([claim], wait_timeout=2).rc == 0


def test_absence_takes_what_carries_the_label_too(ensure: Any, api: Any, namespace: str) -> None:
    ensure([config_map(namespace, "a"), config_map(namespace, "b")])
    held = f"/api/v1/namespaces/{namespace}/configmaps/b"
    api.patch(held, {"metadata": {"finalizers": ["example.com/hold"]}})

    outcome = ensure([], state="absent", prune_kinds=["v1/ConfigMap"], wait_timeout=2)
    assert "finalizers example.com/hold" in outcome.message

    api.patch(held, {"metadata": {"finalizers": None}})
    ensure([], state="absent", prune_kinds=["v1/ConfigMap"])
    assert api.get(held) is None
    assert not ensure([config_map(namespace, "a")], state="absent").changed


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"objects": [{"kind": "ConfigMap"}]}, "has no apiVersion, metadata.name"),
        ({"objects": [config_map("")]}, "needs metadata.namespace"),
        ({"name": "not a label"}, "not a valid value for a label"),
        ({"prune_kinds": ["ConfigMap"]}, "is not written like v1/ConfigMap"),
    ],
)
def test_bad_options_are_named(run_module: Any, options: dict[str, Any], complaint: str) -> None:
    assert complaint in run_module("object_set", **{"name": "trial", **options}).message
