# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.compare import Change, defined_kinds, refusals
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.object_set import LABEL, SetFailure, checked
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Ref


@pytest.mark.parametrize(
    ("status", "message", "refused"),
    [
        (422, 'Deployment.apps "a" is invalid: spec.selector', True),
        (400, 'admission webhook "validation.istio.io" denied the request: no host', True),
        (500, "failed to create typed patch object: .spec.foo: field not declared in schema", True),
        (500, 'failed calling webhook "w": no endpoints available', False),
        (400, 'admission webhook "w" does not support dry run', False),
        (422, "failed to create manager: .spec.ports: duplicate entries for key", False),
        (403, "forbidden", False),
        (409, "conflict", False),
        (0, "connection refused", False),
    ],
)
def test_invalid_objects_are_distinguished_from_server_errors(status: int, message: str, refused: bool) -> None:
    assert ApiFailure(status, "", message).is_refusal is refused


DEFINITION = {
    "kind": "CustomResourceDefinition",
    "spec": {"group": "g.example.com", "names": {"kind": "Trial"}, "scope": "Cluster"},
}


def test_kinds_that_are_about_to_change_cannot_be_judged_yet() -> None:
    trial = Change(Ref("g.example.com/v1", "Trial", "n", "a"), "changed", refusal="field not declared")
    other = Change(Ref("v1", "ConfigMap", "n", "a"), "changed", refusal="invalid")
    fine = Change(Ref("v1", "ConfigMap", "n", "b"), "changed")

    assert refusals([trial, other, fine], defined_kinds([])) == [
        "the API server does not take Trial n/a: field not declared",
        "the API server does not take ConfigMap n/a: invalid",
    ]
    assert refusals([trial, fine], defined_kinds([DEFINITION, {"kind": "ConfigMap"}])) == []
    assert defined_kinds([DEFINITION]) == {("g.example.com", "Trial"): False}


class TestChange:
    REF = Ref("v1", "Secret", "n", "s")

    def secret(self, value: str) -> dict[str, Any]:
        return {"kind": "Secret", "metadata": {"name": "s"}, "data": {"key": value}}

    def test_report(self) -> None:
        expected = {"kind": "Secret", "namespace": "n", "name": "s", "change": "created"}
        assert Change(self.REF, "created").report() == expected

    def test_diff_hides_secrets(self) -> None:
        diff = Change(self.REF, "changed", self.secret("old="), self.secret("new=")).diff()
        assert diff["before_header"] == "Secret n/s"
        assert diff["before"] != diff["after"]
        assert "old=" not in diff["before"]
        assert "new=" not in diff["after"]

    def test_one_side_is_empty(self) -> None:
        assert Change(self.REF, "deleted", before=self.secret("x")).diff()["after"] == ""
        assert Change(self.REF, "created", after=self.secret("x")).diff()["before"] == ""


class TestChecked:
    def config_map(self, **more: Any) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n", **more}}

    def test_every_object_gets_the_label_of_the_set(self) -> None:
        [found] = checked([self.config_map(labels={"app": "a"})], "trial")
        assert found["metadata"]["labels"] == {"app": "a", LABEL: "trial"}

    def test_namespaces_come_first(self) -> None:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}
        assert [obj["kind"] for obj in checked([self.config_map(), namespace], "t")] == ["Namespace", "ConfigMap"]

    @pytest.mark.parametrize("missing", ["apiVersion", "kind"])
    def test_what_is_not_an_object_is_named(self, missing: str) -> None:
        obj = self.config_map()
        del obj[missing]
        with pytest.raises(SetFailure, match=rf"object 2 of set trial .* has no {missing}"):
            checked([self.config_map(), obj], "trial")

    def test_a_number_is_not_a_valid_name(self) -> None:
        with pytest.raises(SetFailure, match=r"metadata\.name"):
            checked([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": 5}}], "trial")

    def test_twice_the_same(self) -> None:
        with pytest.raises(SetFailure, match="holds ConfigMap n/a twice"):
            checked([self.config_map(), self.config_map()], "trial")
