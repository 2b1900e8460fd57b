# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.fields import (
    BUILT_IN_IGNORES,
    IgnoreRule,
    contains,
    includes,
    merged,
    normalise,
    split_path,
    without,
    without_ignored,
    without_removed,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import (
    Ref,
    abridged,
    in_apply_order,
    masked,
    plain,
    with_encoded_data,
)


def config_map(**metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n", **metadata}}


class TestRef:
    def test_reads_like_a_sentence(self) -> None:
        assert str(Ref.of(config_map())) == "ConfigMap n/a"
        assert str(Ref("v1", "Namespace", "", "n")) == "Namespace n"

    def test_is_the_same_object_in_every_version_of_its_group(self) -> None:
        old = Ref("autoscaling/v1", "HorizontalPodAutoscaler", "n", "a")
        new = Ref("autoscaling/v2", "HorizontalPodAutoscaler", "n", "a")
        assert old.identity == new.identity
        assert old.identity != Ref("v1", "HorizontalPodAutoscaler", "n", "a").identity

    def test_survives_what_is_not_an_object(self) -> None:
        assert Ref.of({"metadata": None}) == Ref("", "", "", "")


class TestPlain:
    def test_forgets_tagged_types(self) -> None:
        class Tagged(str):
            pass

        result = plain({Tagged("key"): [Tagged("value"), 1, None, True]})
        assert result == {"key": ["value", 1, None, True]}
        # isinstance would also be content with the tagged ones.
        assert {value.__class__ for value in (next(iter(result)), result["key"][0])} == {str}


class TestNormalise:
    def test_leaves_only_decided_fields(self) -> None:
        live = config_map(
            uid="u",
            resourceVersion="1",
            generation=3,
            creationTimestamp="2026-01-01T00:00:00Z",
            managedFields=[{}],
            labels={"app.kubernetes.io/managed-by": "Helm", "app": "a"},
            annotations={"meta.helm.sh/release-name": "r", "meta.helm.sh/release-namespace": "n"},
        )
        assert normalise({**live, "status": {"phase": "Active"}}) == config_map(labels={"app": "a"})

    def test_does_not_change_its_argument(self) -> None:
        live = config_map(uid="u", labels={"app.kubernetes.io/managed-by": "Helm"})
        normalise(live)
        assert live["metadata"]["uid"] == "u"
        assert live["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "Helm"}

    def test_takes_null_for_nothing(self) -> None:
        assert normalise(config_map(labels=None, annotations=None)) == config_map()


class TestPaths:
    def test_split(self) -> None:
        assert split_path("spec.replicas") == ["spec", "replicas"]
        assert split_path("webhooks[].clientConfig.caBundle") == ["webhooks", "[]", "clientConfig", "caBundle"]
        assert split_path(r"metadata.annotations.a\.b/c") == ["metadata", "annotations", "a.b/c"]

    @pytest.mark.parametrize("path", ["", "a..b", "[].a", "a[]b"])
    def test_nonsense_is_refused(self, path: str) -> None:
        with pytest.raises(ValueError, match="is not a field path"):
            split_path(path)

    def test_without(self) -> None:
        value = {"a": [{"b": 1, "c": 2}, {"c": 3}], "d": {"e": 1}}
        assert without(value, split_path("a[].b")) == {"a": [{"c": 2}, {"c": 3}], "d": {"e": 1}}
        assert without(value, split_path("d.e")) == {**value, "d": {}}
        assert without(value, split_path("d.x.y")) == value
        assert without(value, split_path("d[].y")) == value


class TestIgnoring:
    def webhook(self, kind: str, name: str) -> dict[str, Any]:
        webhook = {"name": "w", "failurePolicy": "Fail", "clientConfig": {"caBundle": "x", "url": "u"}}
        return {"kind": kind, "metadata": {"name": name}, "webhooks": [webhook]}

    def test_certificates_of_webhooks_belong_to_controllers(self) -> None:
        obj = without_ignored(self.webhook("MutatingWebhookConfiguration", "any"), BUILT_IN_IGNORES)
        assert obj["webhooks"] == [{"name": "w", "failurePolicy": "Fail", "clientConfig": {"url": "u"}}]

    def test_only_istiod_changes_its_failure_policy(self) -> None:
        istio = self.webhook("ValidatingWebhookConfiguration", "istio-validator-istio-system")
        other = self.webhook("ValidatingWebhookConfiguration", "other")
        assert "failurePolicy" not in without_ignored(istio, BUILT_IN_IGNORES)["webhooks"][0]
        assert "failurePolicy" in without_ignored(other, BUILT_IN_IGNORES)["webhooks"][0]

    def test_other_kinds_and_names_are_left_alone(self) -> None:
        obj = {"kind": "Deployment", "metadata": {"name": "a"}, "spec": {"replicas": 2}}
        assert without_ignored(obj, [IgnoreRule("StatefulSet", ("spec.replicas",))]) == obj
        assert without_ignored(obj, [IgnoreRule("Deployment", ("spec.replicas",), "b*")]) == obj


class TestWithoutRemoved:
    """As helm's three-way merge: what the last version had and the new one lacks goes, all else stays."""

    def test_keys(self) -> None:
        live = {"old": 1, "kept": 2, "foreign": 3}
        assert without_removed(live, {"old": 1, "kept": 2}, {"kept": 2}) == {"kept": 2, "foreign": 3}

    def test_a_whole_map_takes_only_its_own_keys_along(self) -> None:
        live = {"annotations": {"mine": "1", "theirs": "2"}, "labels": {"mine": "1"}}
        previous = {"annotations": {"mine": "1"}, "labels": {"mine": "1"}}
        assert without_removed(live, previous, {}) == {"annotations": {"theirs": "2"}}

    def test_null_means_removed(self) -> None:
        assert without_removed({"a": 1, "b": 2}, {"a": 1}, {"a": None}) == {"b": 2}

    def test_items_of_keyed_lists(self) -> None:
        def env(*names: str) -> dict[str, Any]:
            return {"containers": [{"name": "app", "env": [{"name": name, "value": "x"} for name in names]}]}

        live = env("OLD", "KEPT", "FOREIGN")
        assert without_removed(live, env("OLD", "KEPT"), env("KEPT")) == env("KEPT", "FOREIGN")

    def test_a_removed_sidecar(self) -> None:
        live = [{"name": "app"}, {"name": "agent"}, {"name": "istio-proxy"}]
        assert without_removed(live, [{"name": "app"}, {"name": "agent"}], [{"name": "app"}]) == [
            {"name": "app"},
            {"name": "istio-proxy"},
        ]

    def test_plain_lists_are_as_predicted(self) -> None:
        assert without_removed(["a", "b"], ["a", "b", "c"], ["a", "b"]) == ["a", "b"]

    def test_indistinguishable_items_are_as_predicted(self) -> None:
        rules = [{"weight": 1}, {"weight": 2}]
        assert without_removed(rules, rules, [{"weight": 1}]) == rules

    def test_nothing_removed_is_nothing_changed(self) -> None:
        live = {"spec": {"replicas": 2, "list": [{"name": "a", "x": 1}], "default": True}}
        desired = {"spec": {"replicas": 2, "list": [{"name": "a", "x": 1}]}}
        assert without_removed(live, desired, desired) == live


class TestIncludes:
    @pytest.mark.parametrize(
        ("live", "desired"),
        [({"a": 1, "b": 2}, {"a": 1}), ([{"name": "a", "default": 1}], [{"name": "a"}]), ({"a": {}}, {"a": {}})],
    )
    def test_more_may_be_live(self, live: Any, desired: Any) -> None:
        assert includes(live, desired)

    @pytest.mark.parametrize(
        ("live", "desired"),
        [
            ({}, {"a": ""}),
            ({}, {"a": None}),
            ({"a": "1000m"}, {"a": "1"}),
            ({"a": True}, {"a": 1}),
            ({"a": 1}, {"a": True}),
            ([1, 2], [1]),
            ([2, 1], [1, 2]),
            ("a", {"a": 1}),
        ],
    )
    def test_whatever_is_in_doubt_is_not(self, live: Any, desired: Any) -> None:
        assert not includes(live, desired)


class TestContains:
    @pytest.mark.parametrize(
        ("live", "desired"),
        [
            ({"a": 1, "default": 2}, {"a": 1}),
            ({}, {"empty": {}, "none": None, "zero": 0, "no": False, "text": ""}),
            ({"cpu": "1"}, {"cpu": "1000m"}),
            ({"memory": "1Gi"}, {"memory": "1024Mi"}),
            ({"cpu": "2"}, {"cpu": 2}),
            ([{"name": "a", "protocol": "TCP"}], [{"name": "a"}]),
        ],
    )
    def test_the_same(self, live: Any, desired: Any) -> None:
        assert contains(live, desired)

    @pytest.mark.parametrize(
        ("live", "desired"),
        [
            ({"a": 1}, {"a": 2}),
            ({}, {"a": 1}),
            ([1, 2], [1]),
            ({"cpu": "1"}, {"cpu": "2"}),
            ({"on": True}, {"on": "true"}),
            ("text", {"a": 1}),
        ],
    )
    def test_not_the_same(self, live: Any, desired: Any) -> None:
        assert not contains(live, desired)

    def test_merged_keeps_what_is_not_given(self) -> None:
        assert merged({"a": {"x": 1, "y": [1, 2]}, "b": 1}, {"a": {"y": [3]}}) == {"a": {"x": 1, "y": [3]}, "b": 1}


SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"key": "c2VjcmV0"}}


class TestSecrets:
    def test_values_are_hidden_but_differences_are_seen(self) -> None:
        other = {**SECRET, "data": {"key": "b3RoZXI="}}
        assert "c2VjcmV0" not in str(masked(SECRET))
        assert masked(SECRET) == masked(dict(SECRET))
        assert masked(SECRET) != masked(other)
        assert SECRET["data"] == {"key": "c2VjcmV0"}

    def test_texts_are_hidden_too(self) -> None:
        assert "hush" not in str(masked({"kind": "Secret", "stringData": {"key": "hush"}}))

    def test_other_kinds_are_shown(self) -> None:
        assert masked(config_map()) == config_map()

    def test_texts_become_data(self) -> None:
        secret = {"kind": "Secret", "metadata": {}, "data": {"a": "eA=="}, "stringData": {"b": "secret"}}
        assert with_encoded_data(secret) == {"kind": "Secret", "metadata": {}, "data": {"a": "eA==", "b": "c2VjcmV0"}}
        assert with_encoded_data(SECRET) is SECRET


def test_long_schemas_are_not_shown() -> None:
    versions = [{"name": "v1", "schema": {"openAPIV3Schema": {}}}]
    definition = {"kind": "CustomResourceDefinition", "spec": {"group": "g", "versions": versions}}
    assert abridged(definition)["spec"] == {"group": "g", "versions": [{"name": "v1", "schema": "(not shown)"}]}
    assert "openAPIV3Schema" in versions[0]["schema"]


def test_what_others_need_is_applied_first() -> None:
    kinds = [
        "ValidatingWebhookConfiguration",
        "Deployment",
        "Service",
        "ConfigMap",
        "CustomResourceDefinition",
        "Namespace",
    ]
    ordered = [obj["kind"] for obj in in_apply_order({"kind": kind} for kind in kinds)]
    assert ordered == [
        "Namespace",
        "CustomResourceDefinition",
        "ConfigMap",
        "Deployment",
        "Service",
        "ValidatingWebhookConfiguration",
    ]
