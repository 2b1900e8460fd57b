# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects that the input defines more than once: which definition counts, and what is reported about the others."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import (
    DESTINATION_RULE,
    Resource,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate import catalog, definitions, engine

from ....support import validate_harness as harness

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {ports: [{port: 80, name: http}]}
"""
ROUTE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: shop}
spec:
  hosts: [cart]
  http:
    - route: [{destination: {host: cart, subset: v2, port: {number: 80}}}]
"""


def rule(subset: str, **fields: Any) -> str:
    extra = "".join(f", {key}: {value}" for key, value in fields.items())
    return f"""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: cart, namespace: shop}}
spec: {{host: cart, subsets: [{{name: {subset}, labels: {{version: {subset}}}}}]{extra}}}
"""


def read(**files: str | list[str]) -> list[Resource]:
    """Resources of files by name; ``live`` is the cluster."""
    found = []
    for name, documents in files.items():
        text = "---".join([documents] if isinstance(documents, str) else documents)
        for resource in harness.resources_of(text.lstrip("\n").replace("---\n", "\n---\n"), f"{name}.yaml"):
            found.append(Resource(resource.obj) if name == "live" else resource)
    return found


def outcome(resources: list[Resource]) -> engine.Outcome:
    done = engine.run_checks(Mesh(resources), [check for check in catalog.all_checks() if check.enabled])
    assert done.broken == {}
    return done


def found(done: engine.Outcome, code: str) -> list[tuple[str, str]]:
    return [(item.resource.source.file, item.message) for item in done.findings if item.rule.code == code]


def test_the_last_definition_counts() -> None:
    resources = read(a=rule("v1"), b=rule("v2"))
    assert Mesh(resources).of(DESTINATION_RULE) == [resources[1]]
    assert Mesh(resources).find(*resources[0].identity) is resources[1]


@pytest.mark.parametrize("order", [["live", "a", "b"], ["a", "live", "b"], ["a", "b", "live"]])
def test_files_are_laid_over_the_cluster_and_the_last_of_them_counts(order: list[str]) -> None:
    texts = {"live": rule("v0"), "a": rule("v1"), "b": rule("v2")}
    mesh = Mesh(read(**{name: texts[name] for name in order}))
    assert [item.source.file for item in mesh.of(DESTINATION_RULE)] == ["b.yaml"]
    assert [[item.source.file for item in items] for items in mesh.definitions.values()] == [["a.yaml", "b.yaml"]]


def test_objects_without_a_name_are_all_kept() -> None:
    nameless = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {namespace: shop}\nspec: {hots: a}"
    mesh = Mesh(read(a=nameless, b=nameless))
    assert (len(mesh.all()), len(mesh.of(DESTINATION_RULE)), mesh.definitions) == (2, 2, {})


def test_every_copy_is_checked_by_the_checks_that_need_only_the_object() -> None:
    bad = rule("v1").replace("labels:", "lables:")
    done = outcome(read(a=bad, b=rule("v1"), c=bad))
    assert [file for file, _message in found(done, "MESH101")] == ["a.yaml", "c.yaml"]
    assert [finding.line for finding in done.findings if finding.rule.code == "MESH101"] == [4, 4]


def test_identical_copies_are_checked_each() -> None:
    bad = rule("v1").replace("labels:", "lables:")
    done = outcome(read(a=bad, b=bad))
    assert [file for file, _message in found(done, "MESH101")] == ["a.yaml", "b.yaml"]


def test_identical_copies_leave_nothing_undecided() -> None:
    once = outcome(read(a=[SERVICE, ROUTE, rule("v1")]))
    twice = outcome(read(a=[SERVICE, ROUTE, rule("v1")], b=rule("v1")))
    assert (found(twice, "IST0101"), twice.undecided) == (found(once, "IST0101"), once.undecided)
    assert found(once, "IST0101") != []


@pytest.mark.parametrize("order", [("v1", "v2"), ("v2", "v1")])
def test_nothing_is_concluded_that_holds_with_one_definition_only(order: tuple[str, str]) -> None:
    done = outcome(read(a=[SERVICE, ROUTE, rule(order[0])], b=rule(order[1])))
    assert found(done, "IST0101") == []
    undecided = [lacking for name, lacking in done.undecided.items() if name == "route_to_unknown_subset"]
    assert undecided == [["a single definition of DestinationRule shop/cart"]]


def test_what_holds_with_every_definition_is_reported_once() -> None:
    done = outcome(read(a=[SERVICE, ROUTE, rule("v1")], b=rule("v1", exportTo="['*']")))
    assert [file for file, _message in found(done, "IST0101")] == ["a.yaml"]
    assert "route_to_unknown_subset" not in done.undecided


def test_a_definition_in_the_middle_is_asked_too() -> None:
    done = outcome(read(a=[SERVICE, ROUTE, rule("v1")], b=rule("v2"), c=rule("v3")))
    assert found(done, "IST0101") == []


def test_where_there_are_too_many_definitions_nothing_is_concluded() -> None:
    many = {f"f{number}": rule(f"w{number}") for number in range(definitions.MOST_ALTERNATIVES + 2)}
    done = outcome(read(a=[SERVICE, ROUTE], **many))
    assert found(done, "IST0101") == []
    assert done.undecided["route_to_unknown_subset"] == ["a single definition of DestinationRule shop/cart"]


def test_one_line_for_a_pair_of_files() -> None:
    others = [rule(f"v{number}").replace("name: cart", f"name: cart{number}") for number in range(5)]
    changed = [text.replace("host: cart", "host: basket") for text in others]
    done = outcome(read(base=others, prod=changed))
    assert found(done, "MESH219") == [
        (
            "prod.yaml",
            "5 objects are already defined in base.yaml, with other content: "
            "DestinationRule shop/cart0 (line 1, there 1), "
            "DestinationRule shop/cart1 (line 7, there 7), DestinationRule shop/cart2 (line 13, there 13), 2 more",
        )
    ]


def test_a_line_for_each_pair_of_files() -> None:
    done = outcome(read(a=rule("v1"), b=rule("v2"), c=rule("v3"), d=rule("v3")))
    assert found(done, "MESH219") == [
        ("b.yaml", "DestinationRule shop/cart is already defined in a.yaml:1, with another spec"),
        ("c.yaml", "DestinationRule shop/cart is already defined in b.yaml:1, with another spec"),
    ]


def test_objects_with_a_suppression_are_not_counted() -> None:
    others = [rule(f"v{number}").replace("name: cart", f"name: cart{number}") for number in range(2)]
    meant = 'annotations: {service-mesh.corpv3.com/suppress: "MESH219: the overlay"}, namespace'
    changed = [text.replace("host: cart", "host: basket").replace("namespace", meant) for text in others]
    assert found(outcome(read(base=others, prod=changed)), "MESH219") == []


def test_checks_that_need_only_the_object_report_the_same_for_it_alone() -> None:
    alone = [check for check in catalog.all_checks() if check.alone]
    assert len(alone) > 50
    differ = set()
    for code, case in harness.load_cases():
        whole = Mesh(harness.resources_of(case["input"]), harness.settings_of(case.get("settings", {})))
        parts = [Mesh([resource], whole.settings, whole) for resource in whole.all()]
        for check in alone:
            said = Counter(map(engine.conclusion, check.run(whole)))
            if said != Counter(engine.conclusion(finding) for part in parts for finding in check.run(part)):
                differ.add((check.rule.name, code, case["name"]))
    assert differ == set()
