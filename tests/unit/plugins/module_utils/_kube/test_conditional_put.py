"""Writing an object that others write as well: on condition, again after a conflict, and not for ever."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.conditional_put import (
    Conflict,
    Written,
    conditional_put,
    put,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Ref

REF = Ref("v1", "ConfigMap", "shop", "prices")


class OneObject:
    """A cluster with room for one object, which another writer changes before each of the first writes."""

    def __init__(self, others: Sequence[Callable[[Object], None]] = (), there: bool = True) -> None:
        self.others = list(others)
        self.version = 1
        self.object: Object | None = self._versioned({"metadata": {}, "spec": {"a": 1}}) if there else None
        self.requests: list[tuple[str, str, list[tuple[str, Any]]]] = []

    def _versioned(self, obj: Object) -> Object:
        self.version += 1
        return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version)}}

    def path(self, ref: Ref) -> str:
        return f"/{ref.kind}/{ref.name}"

    def get(self, ref: Ref) -> Object | None:
        assert ref == REF
        return copy.deepcopy(self.object)

    def list(self, *__: Any, **___: Any) -> list[Object]:
        raise AssertionError("one object is asked for")

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Sequence[tuple[str, Any]] = (),
        content_type: str = "application/json",
    ) -> Any:
        self.requests.append((method, path, list(query)))
        if self.others:
            changed = copy.deepcopy(self.object) or {"metadata": {}, "spec": {}}
            self.others.pop(0)(changed)
            self.object = self._versioned(changed)
        there = self.object is not None
        if (method == "post") == there:
            raise ApiFailure(409 if there else 404, "", "the test says so")
        if self.object and body["metadata"]["resourceVersion"] != self.object["metadata"]["resourceVersion"]:
            raise ApiFailure(409, "Conflict", "it was changed")
        self.object = self._versioned(body)
        return copy.deepcopy(self.object)


def with_b(found: Object | None) -> Object:
    obj = copy.deepcopy(found) or {"metadata": {}, "spec": {}}
    obj["spec"]["b"] = 2
    return obj


def touched(obj: Object) -> None:
    obj["metadata"]["labels"] = {"touched": "yes"}


def changed(obj: Object) -> None:
    obj["spec"]["a"] = obj["spec"].get("a", 0) + 1


def written(cluster: OneObject, **how: Any) -> Written:
    return conditional_put(cluster, REF, how.pop("decide", with_b), "tests", **how)


def test_it_writes_what_was_decided() -> None:
    cluster = OneObject()
    done = written(cluster)
    assert (done.changed, done.attempts) == (True, 1)
    assert (done.before["spec"], done.after["spec"]) == ({"a": 1}, {"a": 1, "b": 2})
    assert cluster.requests == [("put", "/ConfigMap/prices", [("fieldManager", "tests")])]


def test_a_dry_run_is_a_dry_run_at_the_api_server() -> None:
    cluster = OneObject()
    written(cluster, dry_run=True)
    assert cluster.requests[0][2] == [("fieldManager", "tests"), ("dryRun", "All")]


def test_what_is_the_same_already_is_not_written() -> None:
    cluster = OneObject()
    done = written(cluster, decide=lambda found: copy.deepcopy(found) or {})
    assert (done.changed, cluster.requests) == (False, [])
    assert done.before is done.after


def test_what_is_not_there_is_made() -> None:
    cluster = OneObject(there=False)
    done = written(cluster)
    assert (done.before, done.after["spec"]) == ({}, {"b": 2})
    assert cluster.requests == [("post", "/ConfigMap/", [("fieldManager", "tests")])]


@pytest.mark.parametrize("there", [True, False], ids=["there", "new"])
def test_after_a_conflict_all_is_decided_again(there: bool) -> None:
    cluster = OneObject([changed, changed], there)
    done = written(cluster)
    # Nothing of the others' changes is lost.
    assert done.after["spec"] == {"a": 3 if there else 2, "b": 2}
    assert (done.attempts, done.before["spec"]["a"]) == (3, done.after["spec"]["a"])


def test_a_decision_may_be_that_nothing_is_left_to_do() -> None:
    def other(obj: Object) -> None:
        obj["spec"]["b"] = 2

    done = written(OneObject([other]))
    assert (done.changed, done.attempts) == (False, 2)


def test_what_decides_may_give_up() -> None:
    def only_once(found: Object | None) -> Object:
        if found and found["spec"]["a"] > 1:
            raise KeyError("it is another one now")
        return with_b(found)

    cluster = OneObject([changed])
    with pytest.raises(KeyError):
        written(cluster, decide=only_once)
    assert cluster.object and "b" not in cluster.object["spec"]


def test_it_does_not_try_for_ever() -> None:
    cluster = OneObject([changed] * 5)
    with pytest.raises(
        Conflict, match="ConfigMap shop/prices was changed by another writer at each of 3 attempts"
    ) as e:
        written(cluster, attempts=3)
    assert (e.value.status, len(cluster.requests)) == (409, 3)


def test_another_failure_is_not_tried_again() -> None:
    cluster = OneObject()
    cluster.request = lambda *__, **___: (each for each in ()).throw(ApiFailure(403, "", "no"))  # type: ignore[method-assign]
    with pytest.raises(ApiFailure, match="no"):
        written(cluster)


def test_the_look_is_repeated_for_a_change_of_the_spec_only() -> None:
    looks: list[Any] = []
    done = written(OneObject([touched, changed, touched]), refuse=lambda before: looks.append(before["spec"]))
    assert (done.attempts, looks) == (4, [{"a": 1}, {"a": 2}])


def test_what_is_refused_is_not_written() -> None:
    def refuse(_before: Object) -> None:
        raise ValueError("there is no pod")

    cluster = OneObject()
    with pytest.raises(ValueError, match="there is no pod"):
        written(cluster, refuse=refuse)
    assert not cluster.requests


def test_what_is_the_same_already_needs_no_look() -> None:
    written(OneObject(), decide=lambda found: found or {}, refuse=lambda _before: pytest.fail("it was asked"))


def test_one_attempt_is_on_condition_too() -> None:
    cluster = OneObject([changed])
    before = cluster.get(REF)
    with pytest.raises(ApiFailure) as failure:
        put(cluster, REF, before, with_b(before), "tests")
    assert failure.value.status == 409
