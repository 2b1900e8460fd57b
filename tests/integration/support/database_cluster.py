"""Fixtures of the tests on real PostgreSQL servers: three of them, as start.sh makes them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from .database_servers import Pod, Postgresql, require_servers, temporary_folder, wait_for


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary_folder() as path:
        yield path


@pytest.fixture(scope="module")
def prepared() -> Iterator[Postgresql]:
    """A primary and two replicas as start.sh makes them of empty volumes, and then stops them."""
    require_servers()
    with temporary_folder() as path:
        servers = Postgresql(path)
        try:
            servers.start()
            for pod in reversed(servers.pods):
                assert pod.stop() == 0
            yield servers
        finally:
            servers.end()


@pytest.fixture
def cluster(folder: Path, prepared: Postgresql) -> Iterator[Postgresql]:
    servers = Postgresql(folder, data_of=prepared)
    try:
        servers.start()
        yield servers
    finally:
        servers.end()


@pytest.fixture
def backups(folder: Path) -> Path:
    """The volume of the backups."""
    path = folder / "backups"
    path.mkdir()
    shutil.chown(path, "postgres", "postgres")
    return path


@pytest.fixture
def archive(cluster: Postgresql, folder: Path) -> Pod:
    pod = cluster.archive_pod(folder / "archive")
    for server in cluster.pods:
        server.env["POSTGRESQL_ARCHIVE"] = "true"
    return pod


def archiving(pod: Pod) -> bool:
    return (pod.folder / "run/archiving").exists()


def copies(pod: Pod) -> list[Path]:
    return sorted((pod.folder / "archive/base").glob("[0-9]*Z"))


def names(backups: Path) -> list[str]:
    """What a user finds on the volume of the backups."""
    return sorted(path.name for path in backups.iterdir() if path.name[0] != ".")


def back_up(cluster: Postgresql, folder: Path, backups: Path, **variables: str) -> tuple[int, str]:
    """One run of the backup's job: its code and its output."""
    environment = {"BACKUP_FOLDER": str(backups), "BACKUP_KEEP": "2", **variables}
    done = cluster.job("postgresql-backup", folder / "backup", host=0, **environment)
    return done.returncode, done.stderr


def restore(cluster: Postgresql, folder: Path, backups: Path, **which: str) -> tuple[int, str]:
    """One run of the restore's job: its code and its output."""
    done = cluster.job("postgresql-restore", folder / "restore", host=0, BACKUP_FOLDER=str(backups), **which)
    return done.returncode, done.stderr


def count(cluster: Postgresql, ordinal: int) -> str:
    return cluster.try_sql(ordinal, "SELECT count(*) FROM orders").stdout.strip()


def rows_everywhere(cluster: Postgresql, rows: int) -> None:
    """Wait until each server has that many orders."""
    for ordinal in range(len(cluster.pods)):
        wait_for(lambda at=ordinal: count(cluster, at) == str(rows), f"{rows} rows on server {ordinal}")


# In place of five minutes.
STALE = "1"


def stale_after_a_second(pod: Pod) -> None:
    pod.env["POSTGRESQL_STALE_SECONDS"] = STALE


def superuser(cluster: Postgresql, ordinal: int, statement: str) -> str:
    return cluster.sql(ordinal, statement, "postgres", "postgres")


def why_not_ready(pod: Pod) -> str:
    done = pod.run("health.sh", "ready")
    return "" if done.returncode == 0 else done.stderr


def restart(pod: Pod) -> None:
    pod.stop()
    pod.start()


def keep_little_wal(cluster: Postgresql) -> None:
    """A file of WAL. With less, the next checkpoint takes every slot from its owner, that of a backup included."""
    for setting in ("max_slot_wal_keep_size = '16MB'", "wal_keep_size = 0"):
        superuser(cluster, 0, f"ALTER SYSTEM SET {setting}")
    superuser(cluster, 0, "SELECT pg_reload_conf()")


def write_more_wal_than_is_kept(cluster: Postgresql) -> None:
    keep_little_wal(cluster)
    for __ in range(4):
        cluster.sql(0, "INSERT INTO orders SELECT generate_series(1, 1000)")
        superuser(cluster, 0, "SELECT pg_switch_wal()")
    superuser(cluster, 0, "CHECKPOINT")


def stop_after_the_table(cluster: Postgresql, pod: Pod) -> None:
    """The table of orders is everywhere, and then this server ends."""
    cluster.sql(0, "CREATE TABLE orders (id int)")
    rows_everywhere(cluster, 0)
    assert pod.stop() == 0


def restart_primary_without_data(cluster: Postgresql, peers_seconds: int) -> None:
    """All servers die, and the first comes back alone, with an empty volume."""
    first = cluster.pods[0]
    for pod in cluster.pods:
        pod.kill()
    shutil.rmtree(first.folder / "data/pgdata")
    first.env["POSTGRESQL_PEERS_SECONDS"] = str(peers_seconds)
    first.start()


def let_the_one_that_lags_serve(cluster: Postgresql) -> None:
    """The third has 100 orders that the second lacks, the primary is gone, and the second is named."""
    first, second, _third = cluster.pods
    second.kill()
    cluster.sql(0, "INSERT INTO orders SELECT generate_series(1, 100)")
    wait_for(lambda: count(cluster, 2) == "100", "rows on one replica")
    first.kill()
    cluster.name_primary(1)
    second.start()
    wait_for(lambda: count(cluster, 1) == "0", "the one that lags serves")
