# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.charts import (
    ChartError,
    documents,
    is_path,
    load_chart,
    rendering,
    unpacked_chart,
)


def write_chart(directory: Path, about: str = "apiVersion: v2\nname: base\nversion: 1.30.3\n") -> Path:
    directory.mkdir(parents=True)
    (directory / "Chart.yaml").write_text(about)
    return directory


class TestCharts:
    def test_a_directory(self, tmp_path: Path) -> None:
        chart = load_chart(str(write_chart(tmp_path / "anything")))
        assert chart.label == "base-1.30.3"
        assert chart.path == str(tmp_path / "anything")

    def test_an_archive(self, tmp_path: Path) -> None:
        write_chart(tmp_path / "base" / "charts" / "sub", "name: sub\nversion: 0.0.1\n")
        (tmp_path / "base" / "Chart.yaml").write_text("name: base\nversion: 1.30.3\n")
        with tarfile.open(tmp_path / "base.tgz", "w:gz") as archive:
            archive.add(tmp_path / "base", "base")
        assert load_chart(str(tmp_path / "base.tgz")).label == "base-1.30.3"

    @pytest.mark.parametrize("about", ["", "name: base\n", "[]", "{"])
    def test_no_chart(self, tmp_path: Path, about: str) -> None:
        with pytest.raises(ChartError, match="is not a Helm chart"):
            load_chart(str(write_chart(tmp_path / "c", about)))

    def test_nothing_there(self) -> None:
        with pytest.raises(ChartError, match="/no/such is not a Helm chart"):
            load_chart("/no/such")

    def test_what_helm_pulled(self, tmp_path: Path) -> None:
        (tmp_path / "base-1.30.3.tgz").write_bytes(b"")
        write_chart(tmp_path / "base")
        assert unpacked_chart(str(tmp_path)).name == "base"

    def test_paths_and_names(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_chart(tmp_path / "istiod")
        assert is_path("/charts/base")
        assert is_path("./base")
        assert is_path("~/base")
        assert not is_path("base")
        assert not is_path("oci://registry.example.com/base")
        monkeypatch.chdir(tmp_path)
        assert is_path("istiod")


RENDERED = """---
# Source: trial/crds/definitions.yaml
kind: CustomResourceDefinition
metadata: {name: first}
---
kind: CustomResourceDefinition
metadata: {name: second}
---
# Source: trial/charts/sub/crds/definition.yaml
kind: CustomResourceDefinition
metadata: {name: third}
---
# Source: trial/templates/crds/definition.yaml
kind: CustomResourceDefinition
metadata: {name: rendered}
---
# Source: trial/templates/empty.yaml
# nothing but a comment
---
# Source: trial/templates/list.yaml
kind: List
items:
  - kind: ConfigMap
    metadata: {name: a}
  - kind: ConfigMap
    metadata: {name: b}
---
# Source: trial/templates/text.yaml
kind: ConfigMap
metadata: {name: c}
data:
  text: |
    ---
    # Source: of confusion
    kind: Nothing
"""


def names(objects: list[dict[str, dict[str, str]]]) -> list[str]:
    return [obj["metadata"]["name"] for obj in objects]


def test_the_crds_folder_is_distinguished_from_templates() -> None:
    found = rendering(RENDERED)
    assert names(found.definitions) == ["first", "second", "third"]
    assert names(found.objects) == ["rendered", "a", "b", "c"]
    assert found.objects[-1]["data"]["text"].startswith("---\n# Source")


def test_documents_take_all() -> None:
    assert len(documents(RENDERED)) == 7
    assert documents("") == []
    assert names(documents("kind: A\nmetadata: {name: a}\n--- \nkind: B\nmetadata: {name: b}")) == ["a", "b"]


def test_a_text_that_ends_an_object_has_the_line_break_that_helm_sends() -> None:
    for end in ("", "\n", "\n\n---\n# Source: a/templates/b.yaml\n"):
        text = f"---\n# Source: a/templates/a.yaml\nkind: A\nmetadata: {{name: a}}\ndata:\n  key: |\n    text{end}"
        assert rendering(text).objects[0]["data"] == {"key": "text\n"}
        assert documents(text)[0]["data"] == {"key": "text\n"}


def test_the_line_breaks_that_helm_4_leaves_are_kept_where_the_text_keeps_them() -> None:
    obj = "kind: A\nmetadata: {name: a}\ndata:\n  key: |+\n    text\n\n\n"
    text = f"---\n# Source: a/b.yaml\n{obj}---\n# Source: a/c.yaml\n"
    assert rendering(text).objects[0]["data"] == {"key": "text\n\n\n"}
