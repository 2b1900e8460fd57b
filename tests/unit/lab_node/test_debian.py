"""What an image takes from Debian's packages. Needs dpkg-query."""

from __future__ import annotations

import shutil

import pytest
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.node import databases, debian

pytestmark = pytest.mark.skipif(not shutil.which("dpkg-query"), reason="packages are Debian's")


def test_installed_packages_have_versions() -> None:
    found = debian.installed("coreutils", "dash", "no-such-package", "libc6")
    assert list(found) == sorted(["coreutils", "dash", "libc6"])
    assert all(version[0].isdigit() for version in found.values())


def test_a_package_comes_with_the_libraries_of_its_programs() -> None:
    entries = {entry.path: entry for entry in debian.files(["dash", "coreutils"])}
    assert entries["bin/dash"].mode == 0o755
    assert any(path.endswith("/libc.so.6") for path in entries)
    assert "lib64/ld-linux-x86-64.so.2" in entries
    assert not [path for path in entries if path.startswith(("usr/share/doc", "etc"))]


def test_a_folder_is_never_a_link() -> None:
    """On a machine with one /usr, /bin is a link, and nothing could be put below it."""
    entries = debian.files(databases.SHELL)
    links = {entry.path for entry in entries if entry.link}
    assert not [entry.path for entry in entries if any(entry.path.startswith(f"{link}/") for link in links)]
