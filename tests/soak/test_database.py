"""PostgreSQL on three real servers under writes: what it may live through without losing a row that it acknowledged.

Needs no lab, and is here for its time. tests/integration/test_database_*.py have the quicker cases.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..integration.support.database_cluster import (
    archive,
    archiving,
    back_up,
    backups,
    cluster,
    copies,
    count,
    folder,
    keep_little_wal,
    let_the_one_that_lags_serve,
    names,
    prepared,
    restart,
    restart_primary_without_data,
    restore,
    rows_everywhere,
    stale_after_a_second,
    superuser,
    why_not_ready,
)
from ..integration.support.database_servers import PASSWORD, Pod, Postgresql, wait_for

__all__ = ["archive", "backups", "cluster", "folder", "prepared"]

ANY_ONE = "ANY 1 (postgresql_0, postgresql_1, postgresql_2)"


class Writer:
    """Writes orders, one after the other, to whichever server takes writes, and remembers what was acknowledged."""

    def __init__(self, cluster: Postgresql) -> None:
        self._cluster = cluster
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.acknowledged: list[int] = []

    def __enter__(self) -> Writer:
        self._cluster.sql(0, "CREATE TABLE orders (id int PRIMARY KEY)")
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._done.set()
        self._thread.join()

    def _write(self) -> None:
        order = 0
        while not self._done.is_set():
            order += 1
            if self._cluster.write_anywhere("INSERT INTO orders VALUES (:number)", order):
                self.acknowledged.append(order)

    def continues(self) -> None:
        """Wait until ten more are acknowledged."""
        goal = len(self.acknowledged) + 10
        wait_for(lambda: len(self.acknowledged) >= goal, "writes are acknowledged again", seconds=300)

    def lost(self, ordinal: int, database: str = "restaurant") -> set[int]:
        """Acknowledged, and not on that server."""
        there = self._cluster.sql(ordinal, "SELECT id FROM orders", database=database).split()
        return set(self.acknowledged) - set(map(int, there))


@pytest.fixture
def synchronous(folder: Path, prepared: Postgresql) -> Iterator[Postgresql]:
    """Three servers of which one besides the primary must have each row before it is acknowledged."""
    servers = Postgresql(folder, data_of=prepared, settings={"synchronous_standby_names": ANY_ONE})
    try:
        servers.start()
        yield servers
    finally:
        servers.end()


def all_have_everything(servers: Postgresql, writer: Writer) -> None:
    for ordinal in range(3):
        wait_for(lambda at=ordinal: not writer.lost(at), f"server {ordinal} has every acknowledged row")
    wait_for(lambda: all(pod.healthy() for pod in servers.pods), "all three are ready")


def test_a_stream_lost_by_a_wrong_password_costs_no_row_and_no_backup(
    synchronous: Postgresql, folder: Path, backups: Path
) -> None:
    second = synchronous.pods[1]
    stale_after_a_second(second)
    with Writer(synchronous) as writer:
        writer.continues()
        second.stop()
        secret = second.folder / "secrets/replicator-password"
        secret.write_text("wrong")
        second.start()
        wait_for(lambda: "has lacked what the primary has" in why_not_ready(second), second.output)
        writer.continues()
        before_the_backup = list(writer.acknowledged)
        code, said = back_up(synchronous, folder, backups)
        assert code == 0, said
        assert "of 127.0.77.11" not in said, "not of the one that lags"
        second.stop()
        secret.write_text(PASSWORD + "replicator")
        second.start()
        writer.continues()
    all_have_everything(synchronous, writer)
    code, said = restore(synchronous, folder, backups)
    assert code == 0, said
    there = synchronous.sql(0, "SELECT id FROM orders", database="restaurant_restored").split()
    assert set(before_the_backup) <= set(map(int, there))


def test_a_lost_slot_costs_no_row(synchronous: Postgresql) -> None:
    second = synchronous.pods[1]
    stale_after_a_second(second)
    with Writer(synchronous) as writer:
        writer.continues()
        second.stop()
        keep_little_wal(synchronous)
        for __ in range(4):
            writer.continues()
            superuser(synchronous, 0, "SELECT pg_switch_wal()")
        superuser(synchronous, 0, "CHECKPOINT")
        second.start()
        wait_for(lambda: "Run rejoin.sh --clone here" in second.output(), second.output)
        assert why_not_ready(second)
        cloned = second.run("rejoin.sh", "--clone")
        assert cloned.returncode == 0, cloned.stderr
        writer.continues()
    all_have_everything(synchronous, writer)


def test_an_empty_primary_beside_late_peers_costs_no_row(synchronous: Postgresql) -> None:
    first, second, third = synchronous.pods
    with Writer(synchronous) as writer:
        writer.continues()
        restart_primary_without_data(synchronous, 60)
        wait_for(lambda: (first.folder / "run/state").exists() and not first.healthy(), "it looks for others")
        third.start()
        second.start()
        wait_for(lambda: "has no data, but server" in first.output(), first.output)
        # The runbook: the one with the greatest position.
        wait_for(lambda: second.run("status.sh").stdout.count("replica") == 2, "both replicas serve")
        positions = {
            ordinal: superuser(synchronous, ordinal, "SELECT pg_last_wal_replay_lsn() - '0/0'") for ordinal in (1, 2)
        }
        best = max(positions, key=lambda ordinal: int(positions[ordinal]))
        synchronous.name_primary(best)
        promoted = synchronous.pods[best].run("promote.sh")
        assert promoted.returncode == 0, promoted.stderr
        writer.continues()
    all_have_everything(synchronous, writer)


def test_a_replica_that_is_ahead_has_every_row_also_when_another_one_is_forced(synchronous: Postgresql) -> None:
    first, second, third = synchronous.pods
    stale_after_a_second(third)
    restart(third)
    wait_for(third.healthy, "the replica is ready")
    with Writer(synchronous) as writer:
        writer.continues()
        second.kill()
        writer.continues()
        first.kill()
        synchronous.name_primary(1)
        second.start()
        wait_for(lambda: count(synchronous, 1) != "", "the one that lags serves")
        refused = second.run("promote.sh")
        assert "server 2 has more" in refused.stderr, "what the runbook does loses nothing"
        before_it_is_forced = set(writer.acknowledged)
        forced = second.run("promote.sh", "--force")
        assert forced.returncode == 0, forced.stderr
    assert before_it_is_forced - set(map(int, synchronous.sql(1, "SELECT id FROM orders").split()))
    wait_for(lambda: "has lacked what the primary has" in why_not_ready(third), third.output)
    there = set(map(int, synchronous.sql(2, "SELECT id FROM orders").split()))
    assert before_it_is_forced <= there, "until it is copied again, every row can be read there"


def stopped_in_the_middle(cluster: Postgresql, pod: Pod) -> tuple[int, int] | None:
    """The replica whose table of orders is read, and the process of the dump, which now waits; else it continues."""
    reading = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'pg_dump' AND query LIKE 'COPY%orders%'"
    for dump in pod.processes("pg_dump"):
        # It may have ended.
        subprocess.run(["kill", "-STOP", str(dump)], check=False)
        for ordinal in (1, 2):
            if superuser(cluster, ordinal, reading):
                return ordinal, dump
        subprocess.run(["kill", "-CONT", str(dump)], check=False)
    return None


def test_a_migration_in_the_night_neither_kills_the_dump_nor_waits_for_it(
    cluster: Postgresql, folder: Path, backups: Path
) -> None:
    """PostgreSQL's own 30 seconds would end it."""
    cluster.sql(0, "CREATE TABLE orders (id int, text text)")
    cluster.sql(0, "INSERT INTO orders SELECT i, repeat(md5(i::text), 4) FROM generate_series(1, 300000) i")
    pod = cluster.job_pod("postgresql-backup", folder / "backup", host=0, BACKUP_FOLDER=str(backups))
    pod.start()
    source, dump = wait_for(lambda: stopped_in_the_middle(cluster, pod), "a replica is being dumped")
    cluster.sql(0, "ALTER TABLE orders ADD COLUMN price int; DELETE FROM orders WHERE id > 100")
    held = "SELECT pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()"
    wait_for(lambda: superuser(cluster, source, held) == "t", "the replica waits with the migration")
    subprocess.run(["sleep", "35"], check=True)
    subprocess.run(["kill", "-CONT", str(dump)], check=True)
    assert pod.process
    assert pod.process.wait(timeout=300) == 0, pod.output()
    assert "restored, and equal" in pod.output()
    rows_everywhere(cluster, 100)
    code, said = restore(cluster, folder, backups)
    assert code == 0, said
    assert cluster.sql(0, "SELECT count(*) FROM orders", database="restaurant_restored") == "300000"


def test_a_promotion_does_not_wait_for_what_reads_on_the_replica(cluster: Postgresql) -> None:
    cluster.sql(0, "CREATE TABLE orders (id int)")
    rows_everywhere(cluster, 0)
    address = f"host=127.0.77.11 port={cluster.port} user=postgres dbname=restaurant"
    script = "BEGIN; SELECT count(*) FROM orders; SELECT pg_sleep(600)"
    reader = subprocess.Popen(
        ["psql", address, "--no-psqlrc", "-c", script],
        env={"PATH": "/usr/bin:/bin", "PGPASSWORD": PASSWORD + "postgres"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        sleeping = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'BEGIN; SELECT count%' AND pid <> pg_backend_pid()"
        wait_for(lambda: superuser(cluster, 1, sleeping), "a long statement reads")
        cluster.sql(0, "ALTER TABLE orders ADD COLUMN price int; INSERT INTO orders VALUES (1)")
        held = "SELECT pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()"
        wait_for(lambda: superuser(cluster, 1, held) == "t", "the replica waits with the migration")
        cluster.pods[0].kill()
        cluster.name_primary(1)
        promoted = cluster.pods[1].run("promote.sh")
        assert promoted.returncode == 0, promoted.stderr
        assert count(cluster, 1) == "1"
    finally:
        reader.kill()
        reader.wait()


def test_replicas_serve_reads_while_there_is_no_primary(cluster: Postgresql) -> None:
    for pod in cluster.pods:
        stale_after_a_second(pod)
    cluster.sql(0, "CREATE TABLE orders (id int)")
    rows_everywhere(cluster, 0)
    for pod in cluster.pods[1:]:
        restart(pod)
        wait_for(pod.healthy, "the replica is ready")
    cluster.pods[0].kill()
    wait_for(lambda: "streaming" not in cluster.pods[1].run("status.sh").stdout, "the stream ends")
    # A second is what counts as old here, and no server has anything newer.
    subprocess.run(["sleep", "2.5"], check=True)
    assert [why_not_ready(pod) for pod in cluster.pods[1:]] == ["", ""]
    assert count(cluster, 1) == "0"
    cluster.pods[0].start()
    wait_for(cluster.pods[0].healthy, "the primary is back")
    cluster.sql(0, "INSERT INTO orders VALUES (1)")
    rows_everywhere(cluster, 1)
    wait_for(lambda: all(pod.healthy() for pod in cluster.pods), "all three are ready")


def test_a_replica_that_was_ahead_is_not_ready_beside_the_new_primary(cluster: Postgresql) -> None:
    _first, second, third = cluster.pods
    stale_after_a_second(third)
    restart(third)
    wait_for(third.healthy, "the replica is ready")
    cluster.sql(0, "CREATE TABLE orders (id int)")
    rows_everywhere(cluster, 0)
    let_the_one_that_lags_serve(cluster)
    forced = second.run("promote.sh", "--force")
    assert forced.returncode == 0, forced.stderr
    cluster.sql(1, "INSERT INTO orders VALUES (1001)")
    # It has 100 rows that were given up, and will never get the new ones.
    wait_for(lambda: "has lacked what the primary has" in why_not_ready(third), third.output)
    wait_for(lambda: "run rejoin.sh --clone here" in third.output().lower(), third.output)
    assert count(cluster, 2) == "100"
    cloned = third.run("rejoin.sh", "--clone")
    assert cloned.returncode == 0, cloned.stderr
    wait_for(lambda: third.healthy() and count(cluster, 2) == "1", "it has the new primary's rows")


def test_a_backup_whose_pod_is_killed_leaves_no_harm(cluster: Postgresql, folder: Path, backups: Path) -> None:
    cluster.sql(0, "CREATE TABLE orders (id int, text text)")
    cluster.sql(0, "INSERT INTO orders SELECT i, repeat(md5(i::text), 4) FROM generate_series(1, 200000) i")
    (backups / "20200101T000000Z").mkdir()
    pod = cluster.job_pod("postgresql-backup", folder / "backup", host=0, BACKUP_FOLDER=str(backups))
    pod.start()
    wait_for(lambda: next(backups.glob(".*.partial/*.dump"), None), "the dump has begun")
    pod.kill()
    assert names(backups) == ["20200101T000000Z"]
    code, said = back_up(cluster, folder, backups)
    assert code == 0, said
    assert not list(backups.glob(".*.partial"))
    assert "200000" in (backups / names(backups)[-1] / "restaurant.digest").read_text()


@pytest.fixture
def small_volume(backups: Path) -> Iterator[Path]:
    """One that a dump fits on, and a second one not."""
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=0777", "tmpfs", str(backups)], check=False)
    if done.returncode != 0:
        pytest.skip("the test needs a small volume, and this machine does not let root mount one")
    yield backups
    subprocess.run(["umount", str(backups)], check=True)


def test_a_full_volume_costs_no_backup(cluster: Postgresql, folder: Path, small_volume: Path) -> None:
    cluster.sql(0, "CREATE TABLE orders (id int, text text)")
    cluster.sql(0, "INSERT INTO orders SELECT i, md5(i::text) FROM generate_series(1, 50000) i")
    code, said = back_up(cluster, folder, small_volume, BACKUP_VERIFY="false")
    assert code == 0, said
    first = names(small_volume)
    # There is room for the dump, but not for a server to restore it into.
    code, said = back_up(cluster, folder, small_volume, BACKUP_KEEP="1")
    assert code != 0
    assert "No space left on device" in said
    assert names(small_volume)[:1] == first
    cluster.sql(0, "INSERT INTO orders SELECT i, md5(i::text) FROM generate_series(1, 400000) i")
    code, said = back_up(cluster, folder, small_volume, BACKUP_KEEP="1", BACKUP_VERIFY="false")
    assert code != 0
    assert "No space left on device" in said
    assert names(small_volume)[:1] == first
    assert not list(small_volume.glob(".*.partial")), "what was not finished does not keep the volume full"
    code, said = restore(cluster, folder, small_volume)
    assert code == 0, said
    assert cluster.sql(0, "SELECT count(*) FROM orders", database="restaurant_restored") == "50000"


def test_an_archive_that_lost_its_place_starts_again(cluster: Postgresql, archive: Pod) -> None:
    """It was away for longer than the primary kept WAL for it."""
    archive.env |= {"ARCHIVE_KEEP": "1"}
    try:
        archive.start()
        wait_for(lambda: copies(archive), archive.output)
        assert archive.stop() == 0
        cluster.sql(0, "CREATE TABLE orders (id int)")
        keep_little_wal(cluster)
        for __ in range(4):
            cluster.sql(0, "INSERT INTO orders SELECT generate_series(1, 10)")
            cluster.sql(0, "SELECT pg_switch_wal()", "postgres", "postgres")
        cluster.sql(0, "CHECKPOINT", "postgres", "postgres")
        old = copies(archive)
        archive.start()
        wait_for(lambda: "starting again with a new copy" in archive.output(), archive.output)
        wait_for(lambda: copies(archive) and copies(archive) != old, archive.output)
        wait_for(lambda: len(copies(archive)) == 1, "the older copy goes")
        wait_for(lambda: archiving(archive), archive.output)
        cluster.sql(0, "INSERT INTO orders VALUES (0)")
        wait_for(lambda: count(cluster, 0) == "41", "all rows")
        done = archive.run("restore_to_time.sh", "latest")
        assert done.returncode == 0, done.stderr
        assert cluster.sql(0, "SELECT count(*) FROM orders", database="restaurant_at_time") == "41"
    finally:
        archive.kill()
