# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Helm 3 and helm 4 on the same releases. What one of them does alone is tested with both in test_helm_releases.py."""

from __future__ import annotations

import functools
import os
import subprocess
import threading
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.charts import rendering

from ..support.trial_chart import CONFIG_MAP, DEPLOYMENT, SECRET

ROLES = Path(__file__).resolve().parents[3] / "roles"
OLD = {"labels": {"tier": "old", "team": "a"}, "greeting": "old"}
NEW = {"labels": {"team": "a"}, "greeting": "new"}


@pytest.fixture
def ensure(run_module: Callable[..., Any], namespace: str) -> Callable[..., str]:
    """What has been done to release ``trial`` with that helm."""

    def run(helm: str, chart: str, **options: Any) -> str:
        release = {"name": "trial", "namespace": namespace, "chart": chart, "wait": False, **options}
        outcome = run_module("helm_releases", releases=[release], helm_binary=helm)
        assert "releases" in outcome.result, outcome.message or outcome.stdout
        return str(outcome.result["releases"][0]["action"])

    return run


@pytest.fixture
def greeting(api: Any, namespace: str) -> Callable[[], tuple[dict[str, str], dict[str, str]]]:
    """Data and labels of the ConfigMap."""

    def get() -> tuple[dict[str, str], dict[str, str]]:
        live = api.get(f"/api/v1/namespaces/{namespace}/configmaps/trial")
        return live["data"], live["metadata"]["labels"]

    return get


EXPECTED = ({"greeting": "new"}, {"team": "a", "app.kubernetes.io/managed-by": "Helm"})


@pytest.mark.parametrize("upwards", [True, False], ids=["3-4-3", "4-3-4"])
def test_a_release_goes_to_the_other_helm_and_back(
    ensure: Any, chart: Any, api: Any, namespace: str, greeting: Any, helm3: str, helm4: str, upwards: bool
) -> None:
    here, there = (helm3, helm4) if upwards else (helm4, helm3)
    path = chart(config=CONFIG_MAP, secret=SECRET, app=DEPLOYMENT)
    assert ensure(here, path, values=OLD) == "installed"
    assert ensure(there, path, values=OLD) == "unchanged"

    assert ensure(there, path, values=NEW) == "upgraded"
    assert greeting() == EXPECTED
    assert [ensure(helm, path, values=NEW) for helm in (there, here)] == ["unchanged", "unchanged"]

    path = chart(config=CONFIG_MAP, app=DEPLOYMENT)
    assert ensure(here, path, values=OLD) == "upgraded"
    assert api.get(f"/api/v1/namespaces/{namespace}/secrets/trial") is None
    assert [ensure(helm, path, values=OLD) for helm in (here, there)] == ["unchanged", "unchanged"]
    assert ensure(there, "", state="absent", wait=True) == "uninstalled"


def test_a_release_that_helm_4_applied_on_the_servers_side_is_taken_over(
    ensure: Any, chart: Any, greeting: Any, kubeconfig: str, namespace: str, helm: str, helm4: str, tmp_path: Path
) -> None:
    path = chart(config=CONFIG_MAP, app=DEPLOYMENT)
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(OLD))
    subprocess.run(
        [helm4, "install", "trial", path, "--namespace", namespace, "--values", str(values)],
        env={**os.environ, "KUBECONFIG": kubeconfig},
        check=True,
    )

    assert ensure(helm, path, values=OLD) == "unchanged"
    assert ensure(helm, path, values=NEW) == "upgraded"
    assert greeting() == EXPECTED
    assert ensure(helm, path, values=NEW) == "unchanged"


def test_a_chart_may_name_a_variable_twice(ensure: Any, chart: Any, helm: str) -> None:
    """Server-side apply, helm 4's default for what is new, refuses that."""
    container = "image: registry.invalid/app:1"
    twice = f"{container}\n              env: [{{name: A, value: '1'}}, {{name: A, value: '2'}}]"
    path = chart(app=DEPLOYMENT.replace(container, twice))
    assert ensure(helm, path) == "installed"
    assert ensure(helm, path) == "unchanged"


def test_a_chart_comes_from_a_repository(ensure: Any, chart: Any, helm: str, tmp_path: Path) -> None:
    path = chart(config=CONFIG_MAP)
    site = str(tmp_path / "site")
    for command in (["package", path, "--destination", site], ["repo", "index", site]):
        subprocess.run([helm, *command], check=True, capture_output=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(SimpleHTTPRequestHandler, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        options = {"repository": f"http://127.0.0.1:{server.server_port}", "version": "1.0.0"}
        assert ensure(helm, "trial", **options) == "installed"
        assert ensure(helm, "trial", **options) == "unchanged"
        server.shutdown()


def test_waiting_takes_no_right_to_watch(
    run_module: Any, chart: Any, api: Any, kubeconfig: str, namespace: str, helm: str, tmp_path: Path
) -> None:
    """Helm 4's default way of waiting watches every kind of a chart."""
    # A namespace's own account, "default", appears only some time after its namespace.
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    api.create(accounts, {"metadata": {"name": "trial"}})
    account = {"kind": "ServiceAccount", "name": "trial", "namespace": namespace}
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "create", "update", "patch", "delete"]}]
    groups = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    api.create(f"{groups}/roles", {"metadata": {"name": "trial"}, "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "trial"}
    api.create(f"{groups}/rolebindings", {"metadata": {"name": "trial"}, "roleRef": role, "subjects": [account]})
    token = api.ask("post", f"{accounts}/trial/token", {"spec": {}})
    restricted = yaml.safe_load(Path(kubeconfig).read_text())
    for user in restricted["users"]:
        user["user"] = {"token": token["status"]["token"]}
    path = tmp_path / "restricted"
    path.write_text(yaml.safe_dump(restricted))

    ready = DEPLOYMENT.replace("nodeSelector: {trial: no-such-node}", "terminationGracePeriodSeconds: 0")
    release = {"name": "trial", "namespace": namespace, "chart": chart(config=CONFIG_MAP, app=ready), "timeout": 60}
    for state, action in (("present", "installed"), ("absent", "uninstalled")):
        outcome = run_module(
            "helm_releases", releases=[{**release, "state": state}], helm_binary=helm, kubeconfig=str(path)
        )
        assert "releases" in outcome.result, outcome.message or outcome.stdout
        assert outcome.result["releases"][0]["action"] == action


@pytest.mark.parametrize("role", ["restaurant_app", "database"])
def test_our_charts_are_the_same_for_both(helm3: str, helm4: str, role: str) -> None:
    path = str(ROLES / role / "files/chart")

    def printed(helm: str, *arguments: str) -> str:
        done = subprocess.run([helm, *arguments, path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    printed(helm4, "lint", "--strict")
    first, second = (rendering(printed(helm, "template", "trial", "--kube-version=1.36.0")) for helm in (helm3, helm4))
    assert first.objects and first == second


def test_a_charts_refusal_is_reported_alike(helm3: str, helm4: str) -> None:
    """The roles put helm's message into the words of their variables (filter chart_message)."""
    command = ["template", "trial", str(ROLES / "restaurant_app/files/chart"), "--set", "services.menu-service.port=x"]
    refused = [subprocess.run([helm, *command], capture_output=True, text=True, check=False) for helm in (helm3, helm4)]
    assert [done.returncode for done in refused] == [1, 1]
    assert "at '/services/menu-service/port'" in refused[0].stderr
    assert refused[0].stderr == refused[1].stderr
