"""Images without a container engine."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.node import registry
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.node.archive import (
    MANIFEST,
    Entry,
    Image,
    store,
    write,
    write_layer,
)


def test_a_layer_is_the_same_bytes_whatever_the_order_and_the_files_times(tmp_path: Path) -> None:
    source = tmp_path / "program"
    source.write_bytes(b"program")
    entries = [Entry("usr/bin/program", source=source, mode=0o755), Entry("bin/sh", link="busybox")]
    first = write_layer(entries, tmp_path)
    made = first.read_bytes()
    os.utime(source, (0, 0))
    assert write_layer(list(reversed(entries)), tmp_path) == first
    assert (first.read_bytes(), first.name) == (made, hashlib.sha256(made).hexdigest())


def test_a_layer_has_the_folders_of_its_files_and_no_owner(tmp_path: Path) -> None:
    entries = [Entry("usr/local/lib/x", content=b"1"), Entry("tmp", mode=0o1777, folder=True)]
    with tarfile.open(write_layer(entries, tmp_path)) as tar:
        members = {member.name: member for member in tar.getmembers()}
    assert [name for name, member in members.items() if member.isdir()] == ["tmp", "usr", "usr/local", "usr/local/lib"]
    assert members["tmp"].mode == 0o1777
    assert {(m.uid, m.gid, m.uname, m.mtime) for m in members.values()} == {(0, 0, "", 0)}


def test_an_image_is_found_by_its_name_and_a_shared_layer_is_there_once(tmp_path: Path) -> None:
    base, own = (Entry("base", content=b"base"),), (Entry("own", content=b"own"),)
    images = [
        Image(("docker.io/a:1", "docker.io/a:2"), (base,), ("/a",), environment={"PATH": "/bin"}),
        Image(("docker.io/b",), (base, own), ("/b",), user="10001:10001"),
    ]
    found = store(images, tmp_path)
    assert found["docker.io/a:1"] == found["docker.io/a:2"] != found["docker.io/b"]
    # Two layers, two configurations, two manifests; each named by its content.
    files = list(tmp_path.iterdir())
    assert len(files) == 6
    assert all(path.name == hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    first, second = (json.loads((tmp_path / found[name]).read_text()) for name in ("docker.io/a:1", "docker.io/b"))
    assert first["layers"] == second["layers"][:1]
    for descriptor in (second["config"], *second["layers"]):
        assert (tmp_path / descriptor["digest"].removeprefix("sha256:")).stat().st_size == descriptor["size"]
    config = json.loads((tmp_path / second["config"]["digest"].removeprefix("sha256:")).read_text())
    assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in second["layers"]], "layers are not compressed"
    assert (config["config"]["Entrypoint"], config["config"]["User"]) == (["/b"], "10001:10001")


def test_an_archive_names_images_by_their_digests_and_has_a_shared_layer_once(tmp_path: Path) -> None:
    base, own = (Entry("base", content=b"base"),), (Entry("own", content=b"own"),)
    images = [
        Image(("docker.io/a:1", "docker.io/a:2"), (base,), ("/a",), environment={"PATH": "/bin"}),
        Image(("docker.io/b:1",), (base, own), ("/b",), user="10001:10001"),
    ]
    stream = io.BytesIO()
    write(images, stream, tmp_path)
    stream.seek(0)
    with tarfile.open(fileobj=stream) as tar:
        files = {name: tar.extractfile(name).read() for name in tar.getnames()}  # type: ignore[union-attr]
    manifest = json.loads(files.pop("manifest.json"))
    assert [entry["RepoTags"] for entry in manifest] == [["docker.io/a:1", "docker.io/a:2"], ["docker.io/b:1"]]
    assert manifest[0]["Layers"] == manifest[1]["Layers"][:1]
    # Two layers and two configurations.
    assert len(files) == 4
    for name, content in files.items():
        assert name.split(".")[0] == hashlib.sha256(content).hexdigest()
    config = json.loads(files[manifest[1]["Config"]])
    assert config["rootfs"]["diff_ids"] == [f"sha256:{name.removesuffix('.tar')}" for name in manifest[1]["Layers"]]


def test_the_registry_answers_a_pull(tmp_path: Path) -> None:
    index = store([Image(("docker.io/shop/cart",), ((Entry("x", content=b"1"),),), ("/x",))], tmp_path)
    (tmp_path / registry.INDEX).write_text(json.dumps(index))

    def get(path: str, of: str = "docker.io") -> tuple[str, str] | None:
        found = registry.blob(tmp_path, path, of)
        return (found[0].name, found[1]) if found else None

    manifest = get("/v2/shop/cart/manifests/1.2.3")
    assert manifest == (index["docker.io/shop/cart"], MANIFEST)
    assert get(f"/v2/shop/cart/manifests/sha256:{manifest[0]}") == manifest
    layer = json.loads((tmp_path / manifest[0]).read_text())["layers"][0]["digest"]
    assert get(f"/v2/shop/cart/blobs/{layer}") == (layer.removeprefix("sha256:"), "application/octet-stream")


@pytest.mark.parametrize(
    ("path", "of"),
    [
        ("/v2/shop/cart/manifests/missing-1", "docker.io"),
        ("/v2/shop/other/manifests/1", "docker.io"),
        ("/v2/shop/cart/manifests/1", "ghcr.io"),
        ("/v2/shop/cart/blobs/sha256:" + 64 * "0", "docker.io"),
        ("/v2/shop/cart/blobs/../../etc/passwd", "docker.io"),
        ("/v2/shop/cart/blobs/index.json", "docker.io"),
        ("/v2/shop/cart/tags/list", "docker.io"),
    ],
)
def test_the_registry_has_nothing_else(tmp_path: Path, path: str, of: str) -> None:
    index = store([Image(("docker.io/shop/cart",), ((Entry("x", content=b"1"),),), ("/x",))], tmp_path)
    (tmp_path / registry.INDEX).write_text(json.dumps(index))
    assert registry.blob(tmp_path, path, of) is None
