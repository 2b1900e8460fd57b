"""The archives that kind takes for a server release's images, and the stand-in for its pod network's daemon."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# In a process of its own, because the folder of tools is not on the tests' path.
PROGRAM = """
import sys
sys.path[:0] = sys.argv[1:3]
from kind import images
from meshlab.node.archive import Entry, Image
names = ("r.k8s.io/etcd:3.6", "r.k8s.io:5000/a:1")
made = [Image((name,), ((Entry("x", content=name.encode()),),), ("/x",)) for name in names]
with open(sys.argv[3], "wb") as file:
    images.write(made, file)
print(images.KINDNETD)
"""


def run(archive: Path) -> str:
    argv = [sys.executable, "-c", PROGRAM, str(ROOT / "tools"), str(ROOT / "roles/lab/files"), str(archive)]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def test_an_archive_names_all_its_images_before_anything_else(tmp_path: Path) -> None:
    run(tmp_path / "archive.tar")
    with tarfile.open(tmp_path / "archive.tar") as tar:
        assert tar.getnames()[0] == "repositories"
        repositories, manifest = (json.load(tar.extractfile(name)) for name in ("repositories", "manifest.json"))  # type: ignore[arg-type]
    assert repositories == {"r.k8s.io/etcd": {"3.6": ""}, "r.k8s.io:5000/a": {"1": ""}}
    assert [image["RepoTags"] for image in manifest] == [["r.k8s.io/etcd:3.6"], ["r.k8s.io:5000/a:1"]]
    assert [path.name for path in tmp_path.iterdir()] == ["archive.tar"]


def test_the_pod_network_takes_the_first_subnet_of_the_clusters(tmp_path: Path) -> None:
    script = run(tmp_path / "archive.tar").replace("/etc/cni/net.d", str(tmp_path)).split("trap ")[0]
    subprocess.run(["sh"], input=script, env={**os.environ, "POD_SUBNET": "10.244.0.0/16"}, text=True, check=True)
    configuration = json.loads((tmp_path / "10-kindnet.conflist").read_text(encoding="utf-8"))
    assert configuration["plugins"][0]["ipam"]["ranges"] == [[{"subnet": "10.244.0.0/24"}]]
