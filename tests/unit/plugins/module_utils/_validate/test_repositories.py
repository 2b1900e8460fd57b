# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Folders as they are in repositories: kustomizations, charts, templates, and files that are not for Kubernetes."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading import loading
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.inputs import Reader
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.loading import (
    Loaded,
    documents,
    load_bytes,
)

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: %s}\n"


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def read(folder: Path) -> Reader:
    reader = Reader(base=str(folder))
    reader.read([str(folder)])
    return reader


def names(reader: Reader) -> list[str]:
    return [resource.name for resource in reader.loaded.resources]


def codes(reader: Reader) -> list[tuple[str, str]]:
    return [(finding.rule.code, finding.resource.source.file) for finding in reader.loaded.findings]


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH; its kubectl answers with a Service named after the folder that it builds."""
    path = tmp_path / "bin"
    program(path, "kubectl", '[ "$1" = kustomize ] && printf "' + SERVICE.replace("\n", "\\n") % "${2##*/}" + '"')
    monkeypatch.setenv("PATH", str(path))
    return path


def test_only_the_roots_of_kustomizations_are_built(tmp_path: Path, tools: Path) -> None:
    tree = tmp_path / "tree"
    write(
        tree,
        {
            "base/kustomization.yaml": "resources: [service.yaml]\n",
            "base/service.yaml": SERVICE % "cart",
            "components/tls/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n",
            "overlays/dev/kustomization.yaml": "resources: [../../base]\n",
            "overlays/prod/kustomization.yml": "bases: [../../base]\ncomponents: [../../components/tls]\n"
            "patches: [{path: ../../patches/replicas.yaml}, {patch: '- op: remove'}]\n",
            "patches/replicas.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: patch}\n",
            "plain/service.yaml": SERVICE % "plain",
        },
    )
    assert names(read(tree)) == ["dev", "prod", "plain"]
    # A base that the user names is built.
    assert names(read(tree / "base")) == ["base"]


def test_fluxs_kind_of_the_same_name_is_an_object(tmp_path: Path, tools: Path) -> None:
    head = "apiVersion: %s\nkind: Kustomization\nmetadata: {name: %s}\n"
    flux = head % ("kustomize.toolkit.fluxcd.io/v1", "shop") + "spec: {patches: [{path: service.yaml}]}\n"
    folders = {
        "flux": flux,
        "both": f"# Two.\n---\n{flux}---\n{flux.replace('shop', 'desk')}",
        "own": head % ("kustomize.config.k8s.io/v1beta1", "own"),
        "wrong": head % ("v1", "wrong"),
    }
    for folder, text in folders.items():
        write(tmp_path / "tree", {f"{folder}/kustomization.yaml": text, f"{folder}/service.yaml": SERVICE % folder})
    assert names(read(tmp_path / "tree")) == ["shop", "desk", "both", "shop", "flux", "own", "wrong"]


@pytest.mark.parametrize(
    ("overlays", "replaced"),
    [
        ({"staging": "shop-staging"}, {"shop"}),
        ({"staging": "shop-staging", "prod": "shop"}, set()),
        ({"dev": ""}, set()),
    ],
)
def test_a_base_with_another_namespace_may_be_deployed_too(
    tmp_path: Path, tools: Path, overlays: dict[str, str], replaced: set[str]
) -> None:
    write(tmp_path / "tree", {"shop/kustomization.yaml": "namespace: shop\nresources: [service.yaml]\n"})
    for name, namespace in overlays.items():
        text = f"namespace: '{namespace}'\nresources: [../../shop]\n"
        write(tmp_path / "tree", {f"overlays/{name}/kustomization.yaml": text})
    assert read(tmp_path / "tree").loaded.replaced == replaced


def test_a_kustomization_without_any_program_is_a_finding(tmp_path: Path, tools: Path) -> None:
    (tools / "kubectl").unlink()
    write(tmp_path / "tree", {"k/kustomization.yaml": "resources: []\n", "z.yaml": SERVICE % "z"})
    reader = read(tmp_path / "tree")
    assert (names(reader), codes(reader)) == (["z"], [("MESH007", "k")])
    assert "kustomize_binary" in reader.loaded.findings[0].message


def test_a_chart_without_helm_is_a_finding(tmp_path: Path, tools: Path) -> None:
    chart = {"Chart.yaml": "apiVersion: v2\nname: a\n", "templates/a.yaml": "kind: {{ .Values.kind }}\n"}
    write(tmp_path / "tree", {**{f"chart/{name}": text for name, text in chart.items()}, "z.yaml": SERVICE % "z"})
    reader = read(tmp_path / "tree")
    assert (names(reader), codes(reader)) == (["z"], [("MESH007", "chart")])
    assert "helm_binary" in reader.loaded.findings[0].message


def test_files_for_other_programs_are_left_alone(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "tsconfig.json": "{ // comments\n  'a': [\n",
            "package.json": json.dumps({"name": "x", "kind": "module"}),
            "values.yaml": "a: 1\na: 2\n",
            ".travis.yml": SERVICE % "hidden",
            ".#cart.yaml": SERVICE % "locked",
            "#cart.yaml": SERVICE % "saved",
            "cart.yaml~": SERVICE % "old",
            ".cart.yaml.swp": SERVICE % "swapped",
            "cart.yaml": SERVICE % "cart",
            "broken.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: [\n",
        },
    )
    reader = read(tmp_path)
    assert (names(reader), codes(reader)) == (["cart"], [("MESH001", "broken.yaml")])
    # A file that the user names must be valid.
    named = Reader(base=str(tmp_path))
    named.read([str(tmp_path / "tsconfig.json")])
    assert codes(named) == [("MESH001", "tsconfig.json")]


def test_a_template_gets_one_hint() -> None:
    loaded = Loaded()
    service = "apiVersion: v1\nkind: Service\nmetadata:\n  name: %s\n"
    unquoted = service % "{{ .Values.name }}"
    quoted = service % "'{{ name }}-primary'"
    text = "\n---\n".join((service % "plain", unquoted, quoted, "{{- if .Values.x }}\na: 1\n{{- end }}\n"))
    load_bytes(text.encode(), "templates/a.yaml", "default", loaded)
    assert [resource.name for resource in loaded.resources] == ["plain"]
    assert [(item.rule.code, item.severity, item.line) for item in loaded.findings] == [("MESH008", "info", 6)]


@pytest.mark.parametrize(
    ("value", "marks"),
    [("%IMAGE%:1.0", "% %"), ("%HOST%", "% %"), ("{registry}/cart:1.0", "{ }"), ("[CART_NAME]-adapter", "[ ]")],
)
def test_words_that_are_replaced_make_a_template(value: str, marks: str) -> None:
    loaded = Loaded()
    load_bytes(f"{SERVICE % 'cart'}spec:\n  type: {value}\n".encode(), "a.yaml", "default", loaded)
    assert [(item.rule.code, item.line) for item in loaded.findings] == [("MESH008", 1)]
    assert f"placeholders {marks}" in loaded.findings[0].message
    # A word elsewhere does not excuse another fault, and in a text it may be meant.
    for text in ("spec: {type: '%HOST%'\n", "spec: [50%\n", "spec: {ports: [{registry}, a\n"):
        loaded = Loaded()
        load_bytes(f"{SERVICE % 'cart'}{text}".encode(), "a.yaml", "default", loaded)
        assert [item.rule.code for item in loaded.findings] == ["MESH001"]


def test_placeholders_in_texts_are_meant() -> None:
    loaded = Loaded()
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {alert: '{{ $labels.pod }} is down'}\n"
    load_bytes(text.encode(), "a.yaml", "default", loaded)
    assert ([resource.name for resource in loaded.resources], loaded.findings) == (["a"], [])


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("eksctl.io/v1alpha5", "ClusterConfig"),
        ("kind.x-k8s.io/v1alpha4", "Cluster"),
        ("kustomize.config.k8s.io/v1beta1", "Kustomization"),
        ("skaffold/v4beta11", "Config"),
        ("kubeadm.k8s.io/v1beta4", "ClusterConfiguration"),
        ("v1", "Config"),
    ],
)
def test_kinds_of_client_programs_are_no_objects(api_version: str, kind: str) -> None:
    loaded = Loaded()
    load_bytes(f"apiVersion: {api_version}\nkind: {kind}\n".encode(), "a.yaml", "default", loaded)
    assert (loaded.resources, loaded.findings) == ([], [])


def loaded_codes(text: str) -> list[str]:
    loaded = Loaded()
    load_bytes(text.encode(), "a.yaml", "default", loaded)
    return [finding.rule.code for finding in loaded.findings]


def test_templates_of_ytt_and_envsubst_are_hints() -> None:
    service = "apiVersion: v1\nkind: Service\nmetadata:\n  name: %s\n"
    assert loaded_codes(service % '#@ "api." + data.values.domain') == ["MESH008"]
    assert loaded_codes("#@ load('@ytt:data', 'data')\n#@overlay/match by=1\n---\n" + service % "a") == ["MESH008"]
    assert loaded_codes(service % "a #@alice" + "spec:\n  ports:\n  - 1\n  ${ports}\n") == ["MESH008"]
    # Such a comment, or a placeholder as a value, leaves the rest as it is.
    assert loaded_codes(service % "a #@alice") == []
    assert loaded_codes(service % "${name}") == []
    assert loaded_codes(service % "${name}" + " x: [\n") == ["MESH001"]


@pytest.mark.parametrize(
    "line",
    [
        "<#if config.mail?? && config.mail>",
        "</#if>",
        "<% if mail %>",
        "{% if mail %}",
        "<MAIL_ANNOTATION_1>",
        "  namespace: [TEAM_NAME]-apps",
    ],
)
def test_statements_of_template_engines_are_hints(line: str) -> None:
    text = f"apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n{line}\n  annotations: {{}}\n"
    assert loaded_codes(text) == ["MESH008"]
    # In a text they are meant.
    config = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  page: |\n    {line}\n"
    assert loaded_codes(config) == []


@pytest.mark.parametrize("begin", ["cat <<EOF >/tmp/a.yaml", "kubectl apply -f - <<'EOF'", "$ cat <<-END > a.yaml"])
def test_a_script_that_writes_manifests_is_a_hint(begin: str) -> None:
    end = begin.partition("<<")[2].split()[0].strip("-'")
    text = f"mkdir -p /tmp/manifests\n{begin}\n{SERVICE % 'a'}---\n{SERVICE % 'b'}{end}\nkubectl get service a:\n"
    assert set(loaded_codes(text)) == {"MESH008"}
    # What a container runs is a text.
    assert loaded_codes(SERVICE % "a" + f"spec:\n  script: |\n    {begin}\n    x\n    {end}\n") == []


def test_a_list_that_a_client_printed_has_no_kind() -> None:
    loaded = Loaded()
    items = [{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}, {"metadata": {"name": "b"}}]
    text = json.dumps({"apiVersion": "v1", "kind": "", "metadata": {"continue": ""}, "items": items})
    load_bytes(text.encode(), "a.json", "default", loaded)
    assert [(resource.kind.kind, resource.name) for resource in loaded.resources] == [("Service", "a")]


def test_json_objects_one_after_the_other_are_documents() -> None:
    loaded = Loaded()
    objects = [{"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}} for name in "ab"]
    text = "\n".join(json.dumps(item, indent=2) for item in objects)
    load_bytes(text.encode(), "a.json", "default", loaded)
    assert loaded.findings == []
    assert [(item.name, item.source.line) for item in loaded.resources] == [("a", 1), ("b", 8)]
    assert loaded_codes(text + "}\n") == ["MESH001"]


@pytest.mark.parametrize(
    ("file", "text"), [("Chart.yaml", "name: {{ x }}\n"), ("kustomization.yaml", "resources: [{{ x }}]\n")]
)
def test_a_generated_chart_is_a_template(tmp_path: Path, tools: Path, file: str, text: str) -> None:
    for name in ("helm", "kubectl"):
        program(tools, name, "echo 'Error: invalid map key' >&2; exit 1")
    write(tmp_path / "tree", {f"shop/{file}": text})
    assert codes(read(tmp_path / "tree")) == [("MESH008", "shop")]
    (tmp_path / f"tree/shop/{file}").write_text(text.replace("{{ x }}", "x"))
    assert codes(read(tmp_path / "tree")) == [("MESH007", "shop")]


def test_a_line_longer_than_any_object_is_refused() -> None:
    text = SERVICE % ("a" * 9_000_000)
    assert loaded_codes(text) == ["MESH004"]
    # Many lines, or JSON, may be many objects.
    assert loaded_codes((SERVICE + "---\n") % "a" * 70_000) == []
    listed = {"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Service"}] * 200_000}
    assert loaded_codes(json.dumps(listed)) == []


def test_separators_take_no_memory() -> None:
    text = "---\n" * 500_000
    tracemalloc.start()
    try:
        assert list(documents(text)) == []
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < len(text)


def test_a_file_of_too_many_documents_is_read_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "MAX_DOCUMENTS", 3)
    loaded = Loaded()
    load_bytes("---\n".join(SERVICE % name for name in "abcde").encode(), "a.yaml", "default", loaded)
    assert [resource.name for resource in loaded.resources] == ["a", "b", "c"]
    assert [(finding.rule.code, finding.line) for finding in loaded.findings] == [("MESH004", 12)]


@pytest.mark.parametrize("begin", ["", "---\n"])
def test_what_is_beyond_the_last_document_is_not_even_decoded(begin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "MAX_DOCUMENTS", 3)
    texts = [SERVICE % name for name in "abcdefg"]
    loaded = Loaded()
    load_bytes((begin + "---\n".join(texts)).encode() + b"---\n\xff", "a.yaml", "default", loaded)
    assert [resource.name for resource in loaded.resources] == ["a", "b", "c"]
    assert [(item.rule.code, item.line) for item in loaded.findings] == [("MESH004", 12 + begin.count("-") // 3)]
    whole = Loaded()
    load_bytes((begin + "---\n".join(texts[:3])).encode(), "a.yaml", "default", whole)
    assert (len(whole.resources), whole.findings) == (3, [])


def test_documents_of_a_large_file_share_their_strings(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "---\n".join(SERVICE % name for name in "ab")
    for is_large in (True, False):
        monkeypatch.setattr(loading, "_LARGE", 0 if is_large else len(text))
        loaded = Loaded()
        load_bytes(text.encode(), "a.yaml", "default", loaded)
        one, other = (next(iter(resource.obj)) for resource in loaded.resources)
        assert one == other
        assert (one is other) == is_large
