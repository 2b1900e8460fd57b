"""The pure part of a canary by copy: names, labels, templates, differences, rules."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.adoption import (
    free_name,
    rule_change,
    rule_without,
    side_of,
    strangers,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.copying import (
    copy_value,
    differences,
    merge_patch,
    relabelled,
    version_label,
)
from hypothesis import given
from hypothesis import strategies as st

LABELS = st.dictionaries(st.sampled_from(("app", "version", "team", "tier")), st.sampled_from("abc"), max_size=3)
SUBSETS = st.dictionaries(st.sampled_from(("v1", "v2", "stable", "canary")), LABELS, max_size=3)


@pytest.mark.parametrize(
    ("pod", "selector", "known", "label"),
    [
        ({"app": "a", "version": "v1"}, {"app": "a"}, [], "version"),
        ({"app": "a", "app.kubernetes.io/version": "1.2"}, {"app": "a"}, [], "app.kubernetes.io/version"),
        # A Service that selects the label would not have the copy's pods.
        ({"app": "a", "version": "v1"}, {"app": "a", "version": "v1"}, [], ""),
        # What the subset selects by counts.
        ({"app": "a", "version": "v1", "track": "x"}, {"app": "a"}, ["track"], "track"),
        ({"app": "a"}, {"app": "a"}, [], ""),
    ],
)
def test_the_label_is_found(pod: dict[str, str], selector: dict[str, str], known: list[str], label: str) -> None:
    assert version_label(pod, selector, known) == label


def test_a_label_of_the_copy_is_short_enough() -> None:
    assert copy_value("v1") == "v1-canary"
    assert len(copy_value("v" * 63)) == 63


def test_a_relabelled_template_is_another_one() -> None:
    template = {"metadata": {"labels": {"app": "a", "version": "v1"}}, "spec": {}}
    assert relabelled(template, "version", "v2")["metadata"]["labels"] == {"app": "a", "version": "v2"}
    assert template["metadata"]["labels"]["version"] == "v1"  # type: ignore[index]


@pytest.mark.parametrize(
    ("patch", "containers"),
    [
        ({}, [{"name": "app", "image": "a:2"}]),
        (
            {"spec": {"containers": [{"name": "app", "tty": True}]}},
            [{"name": "app", "tty": True, "image": "a:2"}],
        ),
        ({"spec": {"containers": [{"name": "log"}]}}, [{"name": "log"}, {"name": "app", "image": "a:2"}]),
    ],
)
def test_an_image_is_a_part_of_the_patch(patch: dict[str, Any], containers: list[dict[str, Any]]) -> None:
    found = merge_patch(patch, "app", "a:2")
    assert found["spec"]["template"]["spec"]["containers"] == containers
    assert merge_patch(patch, "app", "") == {"spec": {"template": patch}}


def test_differences_are_paths_without_values() -> None:
    before = {"spec": {"containers": [{"name": "a", "image": "a:1", "env": [{"name": "KEY", "value": "secret"}]}]}}
    after = {"spec": {"containers": [{"name": "a", "image": "a:2", "args": ["x"]}]}}
    assert differences(before, after) == [
        "spec.containers[a].args",
        "spec.containers[a].env",
        "spec.containers[a].image",
    ]
    assert differences(before, before) == []


@given(st.recursive(LABELS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner)))
def test_nothing_differs_from_itself(value: Any) -> None:
    assert differences(value, value) == []


@given(SUBSETS, SUBSETS)
def test_a_rule_gets_what_it_lacks_and_loses_only_that(there: dict[str, Any], wanted: dict[str, Any]) -> None:
    entries = [{"name": name, "labels": labels} for name, labels in there.items()]
    spec = {"host": "orders", **({"subsets": entries} if entries else {})}
    rule = {"metadata": {"name": "orders", "namespace": "shop"}, "spec": spec}
    change = rule_change([rule], "shop", "orders", wanted)
    if set(wanted) <= set(there):
        assert change is None
        return
    assert change and change.after
    names = [entry["name"] for entry in change.after["spec"]["subsets"]]
    assert set(names) == set(there) | set(wanted) and len(names) == len(set(names))
    assert rule_change([change.after], "shop", "orders", wanted) is None, "once is enough"
    back = rule_without(change.after, "orders")
    assert back and back.after == rule


def test_a_rule_that_was_made_is_removed() -> None:
    change = rule_change([], "shop", "orders", {"stable": {"version": "v1"}})
    assert change and change.before is None and change.after
    back = rule_without(change.after, "orders")
    assert back and back.after is None
    assert rule_without({"metadata": {"name": "a", "namespace": "shop"}, "spec": {}}, "orders") is None


def test_names_of_subsets_are_not_taken_from_others() -> None:
    known = {"stable": {"version": "v9"}, "stable-2": {"version": "v1"}}
    assert free_name("stable", {"version": "v1"}, known) == "stable-2"
    assert free_name("canary", {"version": "v1"}, known) == "canary"


def test_the_subset_of_the_pods_is_preferably_the_routes() -> None:
    subsets = {"a": {"version": "v1"}, "b": {"version": "v1"}, "all": {}, "other": {"version": "v2"}}
    pod = {"app": "x", "version": "v1"}
    assert side_of(subsets, pod, ["b"]) == "b"
    assert side_of(subsets, pod, []) == "a"
    assert side_of({"all": {}, "other": {"version": "v2"}}, pod, ["all"]) == ""


def test_pods_of_neither_side_are_strangers() -> None:
    pods = [{"metadata": {"name": name, "labels": {"version": name}}} for name in ("v1", "v2", "v3")]
    assert strangers(pods, [{"version": "v1"}, {"version": "v2"}]) == ["v3"]
