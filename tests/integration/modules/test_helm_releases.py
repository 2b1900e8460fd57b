# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ..support.trial_chart import CONFIG_MAP, DEPLOYMENT, SECRET, action, actions


@pytest.fixture
def ensure(run_module: Callable[..., Any], namespace: str, helm: str) -> Callable[..., Any]:
    """One release, called ``trial``, in a namespace of its own."""

    def run(chart: str, *arguments: str, **options: Any) -> Any:
        release = {"name": "trial", "namespace": namespace, "chart": chart, "wait": False, **options}
        return run_module("helm_releases", *arguments, releases=[release], helm_binary=helm)

    return run


@pytest.fixture
def kind(api: Any) -> Iterator[tuple[str, str]]:
    """The group of a kind ``Trial`` that does not exist yet, and the definition that a chart may bring."""
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    definition = f"""
        apiVersion: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        metadata:
          name: trials.{group}
        spec:
          group: {group}
          scope: Namespaced
          names: {{plural: trials, singular: trial, kind: Trial, listKind: TrialList}}
          versions:
            - name: v1
              served: true
              storage: true
              schema:
                openAPIV3Schema:
                  type: object
                  properties:
                    spec:
                      type: object
                      properties:
                        weights: {{type: array, items: {{type: integer}}}}
        """
    yield group, definition
    api.delete(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/trials.{group}")


def trial(group: str, weights: str = "[90, 10]") -> str:
    return f"""
        apiVersion: {group}/v1
        kind: Trial
        metadata:
          name: routing
        spec:
          weights: {weights}
        """


def test_a_first_run_installs_and_a_second_changes_nothing(ensure: Any, chart: Any, api: Any, namespace: str) -> None:
    path = chart(config=CONFIG_MAP, secret=SECRET, app=DEPLOYMENT)

    dry = ensure(path, "--check", "--diff")
    assert dry.changed and action(dry) == "installed"
    assert set(actions(dry).values()) == {"created"}
    assert "greeting: hello" in dry.diff
    assert api.get(f"/api/v1/namespaces/{namespace}/configmaps/trial") is None

    assert action(ensure(path)) == "installed"
    again = ensure(path)
    assert not again.changed and set(actions(again).values()) == {"unchanged"}
    assert not ensure(path, "--check").changed


def test_a_text_keeps_the_line_breaks_that_helm_gives_it(ensure: Any, chart: Any) -> None:
    path = chart(config=f"{CONFIG_MAP}      text: |+\n        end\n\n\n", app=DEPLOYMENT)
    assert ensure(path).changed
    assert not ensure(path).changed


def test_check_mode_works_before_namespace_and_kinds_exist(
    run_module: Any, chart: Any, kind: tuple[str, str], helm: str
) -> None:
    group, definition = kind
    path = chart(definition=definition, route=trial(group), app=DEPLOYMENT)
    release = {"name": "trial", "namespace": f"absent-{uuid.uuid4().hex[:8]}", "chart": path}

    outcome = run_module("helm_releases", "--check", "--diff", releases=[release], helm_binary=helm)

    assert set(actions(outcome)) == {"CustomResourceDefinition", "Trial", "Deployment"}
    assert set(actions(outcome).values()) == {"created"}


def test_a_missing_namespace_is_named(run_module: Any, chart: Any, helm: str) -> None:
    release = {"name": "trial", "namespace": "no-such-namespace", "chart": chart(config=CONFIG_MAP)}
    outcome = run_module("helm_releases", releases=[release], helm_binary=helm)
    assert "namespace no-such-namespace does not exist" in outcome.message


def test_drift_is_put_right_also_in_custom_resources(
    ensure: Any, chart: Any, api: Any, namespace: str, kind: tuple[str, str]
) -> None:
    group, definition = kind
    path = chart(crds__definition=definition, config=CONFIG_MAP, route=trial(group))
    ensure(path)
    config_map = f"/api/v1/namespaces/{namespace}/configmaps/trial"
    route = f"/apis/{group}/v1/namespaces/{namespace}/trials/routing"
    api.patch(config_map, {"data": {"greeting": "goodbye"}})
    api.patch(route, {"spec": {"weights": [0, 100]}})

    dry = ensure(path, "--check", "--diff")
    assert actions(dry) == {"CustomResourceDefinition": "unchanged", "ConfigMap": "changed", "Trial": "changed"}
    assert "goodbye" in dry.diff

    assert action(ensure(path)) == "upgraded"
    assert api.get(config_map)["data"] == {"greeting": "hello"}
    assert api.get(route)["spec"] == {"weights": [90, 10]}
    assert not ensure(path).changed


def test_what_a_new_rendering_lacks_is_removed(ensure: Any, chart: Any, api: Any, namespace: str) -> None:
    ensure(chart(config=CONFIG_MAP, secret=SECRET), values={"labels": {"tier": "old", "team": "a"}})
    path = chart(config=CONFIG_MAP)

    for arguments in (("--check",), ()):
        outcome = ensure(path, *arguments, values={"labels": {"team": "a"}})
        assert actions(outcome) == {"ConfigMap": "changed", "Secret": "deleted"}

    labels = api.get(f"/api/v1/namespaces/{namespace}/configmaps/trial")["metadata"]["labels"]
    assert labels == {"team": "a", "app.kubernetes.io/managed-by": "Helm"}
    assert api.get(f"/api/v1/namespaces/{namespace}/secrets/trial") is None
    assert not ensure(path, values={"labels": {"team": "a"}}).changed


def test_values_are_not_kept_from_the_last_time(ensure: Any, chart: Any, api: Any, namespace: str) -> None:
    path = chart(config=CONFIG_MAP)
    ensure(path, values={"greeting": "special"})
    assert ensure(path).changed
    assert api.get(f"/api/v1/namespaces/{namespace}/configmaps/trial")["data"] == {"greeting": "hello"}


def test_definitions_in_the_crds_folder_are_brought_up_to_date(
    ensure: Any, chart: Any, api: Any, kind: tuple[str, str]
) -> None:
    group, definition = kind
    ensure(chart(crds__definition=definition, config=CONFIG_MAP))
    wider = definition.replace("weights:", "note: {type: string}\n                        weights:")

    outcome = ensure(chart(crds__definition=wider, config=CONFIG_MAP, route=trial(group)))

    assert actions(outcome) == {"CustomResourceDefinition": "changed", "ConfigMap": "unchanged", "Trial": "created"}
    live = api.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/trials.{group}")
    assert "note" in str(live["spec"]["versions"][0]["schema"])


def test_secrets_are_never_shown(ensure: Any, chart: Any) -> None:
    path = chart(secret=SECRET)
    first = ensure(path, "--diff", "-vvv", values={"password": "open-sesame"})
    second = ensure(path, "--diff", "-vvv", values={"password": "swordfish"})

    assert actions(second) == {"Secret": "changed"} and "(hidden" in second.diff
    for outcome in (first, second):
        for secret in ("open-sesame", "swordfish", "b3Blbi1zZXNhbWU", "c3dvcmRmaXNo"):
            assert secret not in outcome.stdout and secret not in str(outcome.result)


def test_objects_of_another_owner_are_not_taken_over(ensure: Any, chart: Any, api: Any, namespace: str) -> None:
    metadata = {"name": "trial", "namespace": namespace}
    api.create(f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": metadata, "data": {"greeting": "mine"}})
    for arguments in (("--check",), ()):
        outcome = ensure(chart(config=CONFIG_MAP, secret=SECRET), *arguments)
        assert f"ConfigMap {namespace}/trial (belongs to no release)" in outcome.message
    assert api.get(f"/api/v1/namespaces/{namespace}/secrets/trial") is None


def test_a_release_that_does_not_become_ready_reports_why_and_is_rolled_back(
    ensure: Any, chart: Any, api: Any, namespace: str
) -> None:
    outcome = ensure(chart(config=CONFIG_MAP, app=DEPLOYMENT), wait=True, timeout=8)

    assert "could not be installed within 8 s" in outcome.message
    assert f"\n- Deployment {namespace}/trial: 0 of 2 ready" in outcome.message
    assert "It was uninstalled." in outcome.message
    assert api.get(f"/api/v1/namespaces/{namespace}/configmaps/trial") is None


def test_a_failed_upgrade_is_rolled_back(ensure: Any, chart: Any, api: Any, namespace: str) -> None:
    ensure(chart(config=CONFIG_MAP))

    outcome = ensure(chart(config=CONFIG_MAP, app=DEPLOYMENT), wait=True, timeout=8, values={"greeting": "new"})

    assert "It was rolled back to revision 1." in outcome.message
    assert api.get(f"/api/v1/namespaces/{namespace}/configmaps/trial")["data"] == {"greeting": "hello"}
    assert not ensure(chart(config=CONFIG_MAP)).changed


@pytest.mark.parametrize("installed", [False, True])
def test_a_release_that_a_killed_helm_left_is_repaired(
    ensure: Any, chart: Any, kubeconfig: str, namespace: str, helm: str, installed: bool
) -> None:
    if installed:
        ensure(chart(config=CONFIG_MAP))
    path = chart(config=CONFIG_MAP, app=DEPLOYMENT)
    process = subprocess.Popen(
        [helm, "upgrade", "--install", "trial", path, "--namespace", namespace, "--wait"],
        env={**os.environ, "KUBECONFIG": str(kubeconfig)},
        stdout=subprocess.DEVNULL,
    )
    time.sleep(3)
    process.send_signal(signal.SIGKILL)
    process.wait()

    path = chart(config=CONFIG_MAP)
    outcome = ensure(path)

    assert outcome.rc == 0, outcome.stdout
    assert "an earlier run was interrupted" in outcome.stdout
    assert not ensure(path).changed


def test_an_object_that_the_api_server_refuses_stops_all_before_anything_is_touched(
    ensure: Any, chart: Any, api: Any, namespace: str
) -> None:
    ensure(chart(config=CONFIG_MAP))
    wrong = DEPLOYMENT.replace("app: {{ .Release.Name }}", "app: other", 1)

    for arguments in (("--check",), ()):
        outcome = ensure(chart(config=CONFIG_MAP, app=wrong), *arguments, values={"greeting": "new"})
        assert f"does not take Deployment {namespace}/trial" in outcome.message
        assert "selector" in outcome.message
    assert api.get(f"/api/v1/namespaces/{namespace}/configmaps/trial")["data"] == {"greeting": "hello"}


def test_differences_with_another_owner_are_ignored(ensure: Any, chart: Any, api: Any, namespace: str) -> None:
    path = chart(app=DEPLOYMENT)
    ensure(path)
    api.patch(f"/apis/apps/v1/namespaces/{namespace}/deployments/trial", {"spec": {"replicas": 5}})

    rule = {"kind": "Deployment", "name": "tri*", "fields": ["spec.replicas"]}
    assert not ensure(path, ignore_differences=[rule]).changed
    assert ensure(path, "--check").changed


def test_a_webhook_that_is_down_is_not_a_reason_to_fail(ensure: Any, chart: Any, api: Any, namespace: str) -> None:
    path = chart(config=CONFIG_MAP)
    ensure(path)
    name, collection = f"down-{namespace}", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    webhook = {
        "name": "down.example.com",
        "clientConfig": {"service": {"name": "down", "namespace": namespace}},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    api.create(collection, {"metadata": {"name": name}, "webhooks": [webhook]})
    try:
        time.sleep(2)
        assert not ensure(path).changed
        outcome = ensure(path, "--check", values={"greeting": "new"})
        assert actions(outcome) == {"ConfigMap": "changed"}
        assert "compared one by one" in outcome.stdout
    finally:
        api.delete(f"{collection}/{name}")


def test_a_chart_may_look_up_what_is_live(
    ensure: Any, chart: Any, api: Any, namespace: str, kind: tuple[str, str]
) -> None:
    group, definition = kind
    route = f"""
        {{{{- $weights := list 100 0 }}}}
        {{{{- if .Capabilities.APIVersions.Has "{group}/v1/Trial" }}}}
        {{{{- with lookup "{group}/v1" "Trial" .Release.Namespace "routing" }}}}
        {{{{- $weights = .spec.weights }}}}
        {{{{- end }}}}
        {{{{- end }}}}
        apiVersion: {group}/v1
        kind: Trial
        metadata:
          name: routing
        spec:
          weights: {{{{ toJson $weights }}}}
        """
    path = chart(crds__definition=definition, config=CONFIG_MAP, route=route)
    assert actions(ensure(path, "--check"))["Trial"] == "created"
    ensure(path)
    live = f"/apis/{group}/v1/namespaces/{namespace}/trials/routing"
    api.patch(live, {"spec": {"weights": [75, 25]}})

    assert not ensure(path).changed
    assert actions(ensure(path, values={"greeting": "new"})) == {
        "CustomResourceDefinition": "unchanged",
        "ConfigMap": "changed",
        "Trial": "unchanged",
    }
    assert api.get(live)["spec"]["weights"] == [75, 25]


def test_releases_are_uninstalled(ensure: Any, chart: Any, api: Any, namespace: str) -> None:
    kept = CONFIG_MAP.replace(
        "name: {{ .Release.Name }}", 'name: kept\n      annotations: {"helm.sh/resource-policy": keep}'
    )
    ensure(chart(config=CONFIG_MAP, kept=kept))

    outcome = ensure("", state="absent", wait=True)

    assert action(outcome) == "uninstalled" and len(outcome.result["releases"][0]["objects"]) == 1
    assert api.get(f"/api/v1/namespaces/{namespace}/configmaps/trial") is None
    assert api.get(f"/api/v1/namespaces/{namespace}/configmaps/kept") is not None
    again = ensure("", state="absent")
    assert action(again) == "absent" and not again.changed


@pytest.mark.parametrize(
    ("release", "complaint"),
    [
        ({"chart": "base", "repository": "https://charts.invalid"}, "version is missing"),
        ({"chart": "base", "version": "1.0.0"}, "neither a path nor an oci:// reference. Set repository."),
        ({"chart": "/no/such/chart"}, "is not a Helm chart"),
        ({}, "chart is missing"),
    ],
)
def test_a_chart_that_cannot_be_found_is_named(
    run_module: Any, helm: str, namespace: str, release: dict[str, str], complaint: str
) -> None:
    entry = {"name": "trial", "namespace": namespace, **release}
    assert complaint in run_module("helm_releases", releases=[entry], helm_binary=helm).message


def test_helm_itself_is_named_when_it_is_missing(run_module: Any, namespace: str) -> None:
    entry = {"name": "trial", "namespace": namespace, "state": "absent"}
    outcome = run_module("helm_releases", releases=[entry], helm_binary="/no/such/helm")
    assert "helm_binary" in outcome.message
