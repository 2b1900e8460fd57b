# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path
from typing import Any

from ..support.trial_chart import CONFIG_MAP, DEPLOYMENT


def test_side_by_side_one_failure_does_not_keep_the_others(
    run_module: Any, api: Any, namespace: str, helm: str, chart: Any, tmp_path: Path
) -> None:
    good = chart(config=CONFIG_MAP)
    bad = tmp_path / "bad"
    shutil.copytree(good, bad)
    (bad / "templates" / "config.yaml").write_text(textwrap.dedent(DEPLOYMENT))
    releases = [
        {"name": "bad", "namespace": namespace, "chart": str(bad), "timeout": 3},
        {"name": "good", "namespace": namespace, "chart": good},
    ]
    outcome = run_module("helm_releases", releases=releases, side_by_side=True, helm_binary=helm)
    assert f"release {namespace}/bad could not be installed" in outcome.message
    assert f"release {namespace}/good" not in outcome.message
    listed = api.get(f"/api/v1/namespaces/{namespace}/secrets")["items"]
    assert [item["metadata"]["name"] for item in listed] == ["sh.helm.release.v1.good.v1"]


def test_what_a_removed_release_leaves_may_belong_to_another(
    run_module: Any, namespace: str, helm: str, chart: Any
) -> None:
    path = chart(config=CONFIG_MAP.replace("{{ .Release.Name }}", "shared"))

    def ensure(present: str, absent: str, *arguments: str) -> Any:
        releases = [
            {"name": present, "namespace": namespace, "chart": path},
            {"name": absent, "namespace": namespace, "state": "absent"},
        ]
        return run_module("helm_releases", *arguments, releases=releases, side_by_side=True, helm_binary=helm)

    ensure("one", "two")
    assert ensure("two", "one", "--check").changed
    moved = ensure("two", "one")
    assert [entry["action"] for entry in moved.result["releases"]] == ["installed", "uninstalled"], moved.message
    assert not ensure("two", "one").changed


def test_charts_alone_are_asked_all_at_once_and_nothing_is_touched(
    run_module: Any, api: Any, namespace: str, helm: str, chart: Any
) -> None:
    path = chart(config=CONFIG_MAP.replace("toJson .Values.labels", 'required "labels are missing" .Values.team'))
    releases = [{"name": name, "namespace": namespace, "chart": path} for name in ("one", "two")]
    refused = run_module("helm_releases", releases=releases, charts_only=True, helm_binary=helm)
    for name in ("one", "two"):
        assert f"release {namespace}/{name}: chart" in refused.message
    assert refused.message.count("labels are missing") == 2

    releases = [{**release, "values": {"team": {"team": "cooks"}}} for release in releases]
    taken = run_module("helm_releases", releases=releases, charts_only=True, helm_binary=helm)
    assert (taken.message, taken.changed) == ("", False), taken.stdout
    assert api.get(f"/api/v1/namespaces/{namespace}/secrets")["items"] == []
