# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Releases out of Helm's Secrets. Real ones, of both helms, are read by the integration tests of helm_releases."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.storage import InstalledReleases
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Ref


def secret(name: str, revision: int, status: str) -> dict[str, Any]:
    release = {
        "chart": {"metadata": {"name": "chart", "version": f"1.0.{revision}"}},
        "manifest": f"---\n# Source: chart/templates/a.yaml\nkind: Revision{revision}\n",
    }
    packed = base64.b64encode(gzip.compress(json.dumps(release).encode()))
    labels = {"owner": "helm", "name": name, "version": str(revision), "status": status}
    return {
        "metadata": {"namespace": "shop", "name": f"sh.helm.release.v1.{name}.v{revision}", "labels": labels},
        "data": {"release": base64.b64encode(packed).decode()},
    }


class Cluster:
    """Secrets by their names, and which of them were read whole."""

    def __init__(self, *secrets: dict[str, Any]) -> None:
        self.secrets = {found["metadata"]["name"]: found for found in secrets}
        self.read: list[str] = []

    def list(self, *arguments: Any, metadata_only: bool) -> list[dict[str, Any]]:
        assert metadata_only and arguments == ("v1", "Secret", "shop", "owner=helm,name in (app,base)")
        return [{"metadata": found["metadata"]} for found in self.secrets.values()]

    def get(self, ref: Ref) -> dict[str, Any] | None:
        self.read.append(ref.name)
        return self.secrets.get(ref.name)


def test_the_newest_revision_counts_and_only_it_is_read() -> None:
    cluster = Cluster(*(secret("app", revision, "superseded") for revision in (9, 2, 10)), secret("app", 11, "failed"))
    installed = InstalledReleases(cluster)  # type: ignore[arg-type]
    installed.read("shop", ["base", "app"])

    found = installed.get("shop", "app")
    assert found is not None and cluster.read == ["sh.helm.release.v1.app.v11"]
    assert (found.status, found.chart_label, found.revision) == ("failed", "chart-1.0.11", 11)
    assert "kind: Revision11" in found.manifest
    assert installed.get("shop", "base") is None


def test_a_superseded_revision_counts_where_it_is_the_newest() -> None:
    """A helm that was killed between its last two writes leaves that behind."""
    installed = InstalledReleases(Cluster(secret("app", 3, "failed"), secret("app", 4, "superseded")))  # type: ignore[arg-type]
    installed.read("shop", ["app", "base"])
    found = installed.get("shop", "app")
    assert found is not None and (found.revision, found.status) == (4, "superseded")


def test_what_has_gone_is_gone_when_it_is_read_again() -> None:
    cluster = Cluster(secret("app", 1, "deployed"))
    installed = InstalledReleases(cluster)  # type: ignore[arg-type]
    installed.read("shop", ["app", "base"])
    cluster.secrets.clear()
    installed.read("shop", ["app", "base"])
    assert installed.get("shop", "app") is None
