# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh_validate's verdict on single objects against that of a real API server and a real istiod, by dry run.

The cluster refuses, drops fields, or warns: so must the checks, object by object. Where they differ on purpose is said
in EXCEPTIONS and in the cases. SCHEMA_MUTATIONS=all asks for every mutation instead of a sample; it takes minutes.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Mesh, Settings
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Resource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate import catalog, engine
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.data import store
from kubernetes import client

from ...unit.support import mutations, schema_cases
from ..support.playbooks import ROOT

CHECKS = [check for check in catalog.all_checks() if ".checks.schema." in check.function.__module__]
SAMPLE = 400
# The lab's istiod, which is not the newest release in the data.
_LAB = yaml.safe_load((ROOT / "inventories/lab/group_vars/clusters/lab.yml").read_text())
RELEASE = ".".join(_LAB["istio_version"].split(".")[:2])
# Refusals of the cluster that are not found, and why.
EXCEPTIONS = (
    # Sent as JSON, 1.0 is not a whole number to a rule of CEL; every client that reads YAML sends 1.
    re.compile(r"got float64"),
)


CASES = list(schema_cases.cases())


class Verdict(NamedTuple):
    """What is reported about an object. dropped: fields that the API server does not know."""

    refused: bool
    dropped: frozenset[str]
    warned: bool
    text: str


class Cluster:
    """Asks the API server, and through it istiod, without leaving anything behind."""

    def __init__(self, api: client.ApiClient) -> None:
        self._pool = api.rest_client.pool_manager
        self._host = api.configuration.host
        token = api.configuration.get_api_key_with_prefix("authorization")
        self._headers = {"Accept": "application/json", **({"Authorization": token} if token else {})}
        self._plurals = {
            (item["spec"]["group"], item["spec"]["names"]["kind"]): item["spec"]["names"]["plural"]
            for item in self._get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")["items"]
        }

    def _get(self, path: str) -> Any:
        return json.loads(self._pool.request("GET", self._host + path, headers=self._headers).data)

    def knows(self, obj: dict[str, Any]) -> bool:
        return (obj["apiVersion"].partition("/")[0], obj["kind"]) in self._plurals

    def verdict(self, obj: dict[str, Any]) -> Verdict:
        plural = self._plurals[(obj["apiVersion"].partition("/")[0], obj["kind"])]
        path = f"/apis/{obj['apiVersion']}/namespaces/default/{plural}?dryRun=All&fieldValidation=Warn"
        headers = {"Content-Type": "application/json", **self._headers}
        answer = self._pool.request("POST", self._host + path, body=json.dumps(obj), headers=headers)
        warnings = [text[7:-1].replace('\\"', '"') for text in answer.headers.getlist("Warning")]
        dropped = frozenset(found[1] for text in warnings if (found := re.fullmatch(r'unknown field "(.*)"', text)))
        spoken = [text for text in warnings if not text.startswith("unknown field")]
        refused = answer.status not in (200, 201)
        text = json.loads(answer.data).get("message", "") if refused else "; ".join(spoken)
        return Verdict(refused, dropped, bool(spoken), text)


def our_verdict(obj: dict[str, Any]) -> Verdict:
    outcome = engine.run_checks(Mesh([Resource(obj)], Settings(facts={"istio_release": RELEASE})), CHECKS)
    assert outcome.broken == {}, obj
    found = [finding.as_dict() for finding in outcome.findings if finding.rule.code != "IST0002"]
    errors = [finding for finding in found if finding["code"] == "IST0106"]
    # The API server does not quote keys that have dots.
    dropped = frozenset(
        re.sub(r'\["(.*?)"\]', r".\1", finding["field"]) for finding in found if finding["code"] == "MESH101"
    )
    doubts = [finding for finding in found if finding["level"] != "error"]
    text = "; ".join(f"{finding['field']}: {finding['message']}" for finding in errors or doubts)
    return Verdict(bool(errors), dropped, bool(doubts), text)


@pytest.fixture(scope="module")
def cluster(api: client.ApiClient) -> Cluster:
    return Cluster(api)


def difference(cluster: Cluster, obj: dict[str, Any]) -> str:
    theirs, ours = cluster.verdict(obj), our_verdict(obj)
    if theirs.refused and (ours.dropped or any(pattern.search(theirs.text) for pattern in EXCEPTIONS)):
        # A misspelled required field is reported once.
        return ""
    if theirs.refused != ours.refused:
        return f"refused by {'the cluster' if theirs.refused else 'us'} only: {theirs.text or ours.text}"
    if not theirs.refused and theirs.dropped != ours.dropped:
        return f"dropped fields: {sorted(theirs.dropped)} and {sorted(ours.dropped)}"
    # istiod loses some of its warnings on the way, and does not see all routes that are covered: we may report more.
    if not theirs.refused and theirs.warned and not ours.warned:
        return f"warned by the cluster only: {theirs.text}"
    return ""


@pytest.mark.parametrize(("name", "case", "obj"), CASES, ids=[name for name, _case, _obj in CASES])
def test_the_cluster_reports_the_same_for_each_case(
    cluster: Cluster, name: str, case: dict[str, Any], obj: dict[str, Any]
) -> None:
    verdict = cluster.verdict(obj)
    assert verdict.refused == bool(case.get("refused")), verdict.text
    if not verdict.refused and not case.get("istiod_is_silent"):
        assert verdict.warned == bool(case.get("doubted")), verdict.text


def test_the_cluster_accepts_the_valid_objects(cluster: Cluster) -> None:
    verdicts = {f"{obj['kind']} {obj['metadata']['name']}": cluster.verdict(obj) for obj in known_objects(cluster)}
    assert {
        name: verdict for name, verdict in verdicts.items() if verdict != Verdict(False, frozenset(), False, "")
    } == {}


def known_objects(cluster: Cluster) -> list[dict[str, Any]]:
    """The Gateway API's kinds are not in every cluster."""
    return [obj for obj in schema_cases.valid_objects() if cluster.knows(obj)]


def all_mutations(cluster: Cluster) -> Iterator[tuple[str, dict[str, Any]]]:
    for obj in known_objects(cluster):
        for what, changed in mutations.mutations(obj):
            yield f"{obj['kind']} {obj['metadata']['name']}: {what}", changed


def test_the_cluster_reports_the_same_for_changed_objects(cluster: Cluster) -> None:
    chosen = list(all_mutations(cluster))
    if os.environ.get("SCHEMA_MUTATIONS") != "all":
        # The same ones in every run: a failure that comes and goes does not help.
        chosen = random.Random(1).sample(chosen, SAMPLE)  # noqa: S311
    found = {name: text for name, obj in chosen if (text := difference(cluster, obj))}
    assert found == {}


def test_the_data_is_that_of_the_cluster(kubeconfig: str) -> None:
    script = unit_script()
    live = script.kinds_of(Path(kubeconfig), script.GROUPS["istio"])
    known = store.expanded("istio")[RELEASE]
    assert {name: schema for name, schema in live.items() if known.get(name) != schema} == {}
    assert known.keys() == live.keys()


def unit_script() -> Any:
    spec = importlib.util.spec_from_file_location("schemas", ROOT / "tools/schemas.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
