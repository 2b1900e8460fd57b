"""Images without a container engine."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.node.archive import (
    Entry,
    Image,
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
    assert (first.read_bytes(), first.stem) == (made, hashlib.sha256(made).hexdigest())


def test_a_layer_has_the_folders_of_its_files_and_no_owner(tmp_path: Path) -> None:
    entries = [Entry("usr/local/lib/x", content=b"1"), Entry("tmp", mode=0o1777, folder=True)]
    with tarfile.open(write_layer(entries, tmp_path)) as tar:
        members = {member.name: member for member in tar.getmembers()}
    assert [name for name, member in members.items() if member.isdir()] == ["tmp", "usr", "usr/local", "usr/local/lib"]
    assert members["tmp"].mode == 0o1777
    assert {(m.uid, m.gid, m.uname, m.mtime) for m in members.values()} == {(0, 0, "", 0)}


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
    assert (config["config"]["Entrypoint"], config["config"]["User"]) == (["/b"], "10001:10001")
