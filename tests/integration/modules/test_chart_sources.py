# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Charts by helm itself from a server on loopback: a classic repository, and an OCI registry."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..support.chart_server import ChartServer
from ..support.trial_chart import CONFIG_MAP


@pytest.fixture
def server(helm: str, chart: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChartServer]:
    """One that has the chart ``trial`` 1.0.0 and 1.1.0."""
    with ChartServer(tmp_path) as found:
        for version in ("1.0.0", "1.1.0"):
            folder = chart(version, config=CONFIG_MAP)
            subprocess.run([helm, "package", folder, "--destination", str(tmp_path)], check=True, capture_output=True)
            found.add(tmp_path / f"trial-{version}.tgz")
        for name, value in found.trust.items():
            monkeypatch.setenv(name, value)
        yield found


@pytest.mark.parametrize("scheme", ["https", "oci"])
def test_a_chart_comes_from_a_repository_and_from_a_registry(
    run_module: Any, api: Any, namespace: str, helm: str, server: ChartServer, scheme: str
) -> None:
    source = {"chart": "trial", "repository": f"{scheme}://{server.address}/some/charts"}

    def ensure(version: str, *arguments: str) -> Any:
        release = {"name": "trial", "namespace": namespace, "wait": False, "version": version, **source}
        return run_module("helm_releases", *arguments, releases=[release], helm_binary=helm)

    assert ensure("1.0.0", "--check").changed
    first = ensure("1.0.0")
    assert first.changed, first.message
    assert api.get(f"/api/v1/namespaces/{namespace}/configmaps/trial")["data"] == {"greeting": "hello"}
    assert not ensure("1.0.0").changed
    assert ensure("1.1.0").changed
    assert any(path.startswith("/v2/some/charts/trial/") for path in server.asked) == (scheme == "oci")

    missing = ensure("2.0.0")
    assert f"release {namespace}/trial: chart " in missing.message
    assert "2.0.0 could not be downloaded from" in missing.message
