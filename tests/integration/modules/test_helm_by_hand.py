# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Another user changes a release with helm; helm_releases reads what is installed without asking helm."""

from __future__ import annotations

import os
import subprocess
from typing import Any

from ..support.trial_chart import CONFIG_MAP, SECRET, action, actions


def test_what_others_do_with_helm_by_hand_is_found(
    run_module: Any, chart: Any, api: Any, kubeconfig: str, namespace: str, helm: str
) -> None:
    path = chart(config=CONFIG_MAP, secret=SECRET)
    config_map = f"/api/v1/namespaces/{namespace}/configmaps/trial"

    def ensure(path: str) -> Any:
        release = {"name": "trial", "namespace": namespace, "chart": path, "wait": False}
        return run_module("helm_releases", releases=[release], helm_binary=helm)

    def by_hand(*command: str) -> None:
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
        subprocess.run([helm, *command, "--namespace", namespace], env=environment, check=True, capture_output=True)

    ensure(path)
    assert not ensure(path).changed
    for command in (["upgrade", "trial", path, "--set", "greeting=theirs"], ["rollback", "trial", "2"]):
        by_hand(*command)
        assert api.get(config_map)["data"] == {"greeting": "theirs"}
        outcome = ensure(path)
        assert action(outcome) == "upgraded" and actions(outcome) == {"ConfigMap": "changed", "Secret": "unchanged"}
        assert api.get(config_map)["data"] == {"greeting": "hello"}
        assert not ensure(path).changed

    by_hand("uninstall", "trial")
    assert action(ensure(path)) == "installed"
