"""Backups of PostgreSQL and restores from them, on real servers. Needs no lab; database_servers.py has the how."""

from __future__ import annotations

import fcntl
import re
import shutil
from pathlib import Path

from ..support.database_cluster import (
    back_up,
    backups,
    cluster,
    count,
    folder,
    names,
    prepared,
    restore,
    rows_everywhere,
)
from ..support.database_servers import Postgresql, wait_for
from ..support.playbooks import ROOT

__all__ = ["backups", "cluster", "folder", "prepared"]


def new_backup(cluster: Postgresql, folder: Path, backups: Path) -> str:
    """The name of one that succeeded."""
    code, said = back_up(cluster, folder, backups)
    assert code == 0, said
    return names(backups)[-1]


def test_a_backup_is_restored_to_a_fresh_server(cluster: Postgresql, folder: Path, backups: Path) -> None:
    cluster.sql(
        0, "CREATE TABLE orders (id serial PRIMARY KEY, dish text); INSERT INTO orders (dish) VALUES ('soup'), ('pie')"
    )
    wait_for(lambda: count(cluster, 1) == "2", "the rows on a replica")
    (backups / ".20200101T000000Z.partial").mkdir()
    (backups / "20200101T000000Z").mkdir()
    (backups / "20200102T000000Z").mkdir()
    name = new_backup(cluster, folder, backups)
    assert names(backups) == ["20200102T000000Z", name]
    shutil.rmtree(backups / "20200102T000000Z")

    # Beside the database that serves; never over it.
    code, said = restore(cluster, folder, backups)
    assert code == 0, said
    assert (
        cluster.sql(0, "SELECT string_agg(dish, ',' ORDER BY id) FROM orders", database="restaurant_restored")
        == "soup,pie"
    )
    assert "is not empty" in restore(cluster, folder, backups)[1]
    assert "is not empty" in restore(cluster, folder, backups, RESTORE_TARGET="restaurant")[1]

    # The runbook's own statements put it in the place of the other one.
    runbook = (ROOT / "docs/runbooks/database_restore.md").read_text()
    (statements,) = re.findall(r"<<'SQL'\n(.*?)\n\s*SQL\n", runbook, re.DOTALL)
    cluster.sql(0, "INSERT INTO orders (dish) VALUES ('a mistake')")
    for statement in statements.split(";"):
        if statement.strip():
            cluster.sql(0, statement, "postgres", "postgres")
    assert cluster.sql(0, "SELECT count(*) FROM orders") == "2"
    assert cluster.try_sql(0, "SELECT 1", database="restaurant_old").returncode != 0
    new_backup(cluster, folder, backups)

    # After all volumes are lost: an empty database that start.sh has just made.
    cluster.end()
    (folder / "fresh").mkdir()
    (folder / "fresh").chmod(0o755)
    fresh = Postgresql(folder / "fresh", replicas=1)
    try:
        fresh.start()
        code, said = restore(fresh, folder, backups, RESTORE_TARGET="restaurant", RESTORE_BACKUP=name)
        assert code == 0, said
        assert fresh.sql(0, "SELECT count(*) FROM orders") == "2"
        # It is the application's, sequences included.
        fresh.sql(0, "INSERT INTO orders (dish) VALUES ('tea'); ALTER TABLE orders ADD COLUMN price int")

        dump = backups / name / "restaurant.dump"
        content = bytearray(dump.read_bytes())
        content[len(content) // 2] ^= 1
        dump.write_bytes(content)
        assert "damaged" in restore(fresh, folder, backups, RESTORE_TARGET="another", RESTORE_BACKUP=name)[1]
        assert f"there are: {name}" in restore(fresh, folder, backups, RESTORE_BACKUP="20200101T000000Z")[1]
    finally:
        fresh.end()


def test_a_backup_that_fails_leaves_the_others_alone(cluster: Postgresql, folder: Path, backups: Path) -> None:
    (backups / "20200101T000000Z").mkdir()
    cluster.end()
    assert back_up(cluster, folder, backups)[0] != 0
    assert names(backups) == ["20200101T000000Z"]


def test_row_security_roles_and_large_objects_are_in_a_backup(cluster: Postgresql, folder: Path, backups: Path) -> None:
    cluster.sql(0, "CREATE ROLE waiter", "postgres", "postgres")
    cluster.sql(
        0,
        """
        CREATE TABLE orders (id int, waiter text);
        INSERT INTO orders SELECT i, 'waiter ' || i % 3 FROM generate_series(1, 300) i;
        ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
        ALTER TABLE orders FORCE ROW LEVEL SECURITY;
        CREATE POLICY own ON orders TO waiter USING (waiter = current_user);
        CREATE TABLE pictures (id int, picture oid);
        INSERT INTO pictures VALUES (1, lo_from_bytea(0, decode(repeat('00ff', 5000), 'hex')));
        """,
    )
    # The table itself has yet to get there.
    counted = "SELECT count(*) FROM pictures"
    wait_for(lambda: cluster.try_sql(1, counted).stdout.strip() == "1", "the rows on a replica")
    new_backup(cluster, folder, backups)
    code, said = restore(cluster, folder, backups)
    assert code == 0, said
    rows = "SELECT count(*), sum(hashtext(o::text)) FROM orders o"
    picture = "SELECT md5(lo_get(picture)), length(lo_get(picture)) FROM pictures"
    for statement in (rows, picture):
        was = cluster.sql(0, statement, "postgres")
        assert cluster.sql(0, statement, "postgres", "restaurant_restored") == was
    assert cluster.sql(0, rows, "postgres").startswith("300|")
    assert cluster.sql(0, picture, "postgres").endswith("|10000")
    assert cluster.sql(0, "SELECT polroles::regrole[] FROM pg_policy", "postgres", "restaurant_restored") == "{waiter}"
    # To a cluster without that role.
    cluster.end()
    (folder / "fresh").mkdir(mode=0o755)
    fresh = Postgresql(folder / "fresh", replicas=1)
    try:
        fresh.start()
        code, said = restore(fresh, folder, backups, RESTORE_TARGET="restaurant")
        assert code == 0, said
        assert fresh.sql(0, "SELECT count(*) FROM orders", "postgres") == "300"
    finally:
        fresh.end()


def test_a_backup_reads_no_replica_that_lacks_something(cluster: Postgresql, folder: Path, backups: Path) -> None:
    _first, second, third = cluster.pods
    cluster.sql(0, "CREATE TABLE orders (id int)")
    rows_everywhere(cluster, 0)
    code, said = back_up(cluster, folder, backups)
    assert code == 0, said
    assert re.search(r"KiB of 127\.0\.77\.1[12]$", said, re.MULTILINE), "a replica does the work"
    # This one serves, and has been cut off.
    second.stop()
    (second.folder / "secrets/replicator-password").write_text("wrong")
    second.start()
    wait_for(lambda: "password authentication failed" in second.output(), second.output)
    cluster.sql(0, "INSERT INTO orders VALUES (1)")
    assert count(cluster, 1) == "0"
    code, said = back_up(cluster, folder, backups)
    assert code == 0, said
    assert "KiB of 127.0.77.12" in said
    third.kill()
    cluster.sql(0, "INSERT INTO orders VALUES (2)")
    code, said = back_up(cluster, folder, backups)
    assert code == 0, said
    assert "dumping the primary" in said
    code, said = restore(cluster, folder, backups)
    assert code == 0, said
    assert cluster.sql(0, "SELECT count(*) FROM orders", database="restaurant_restored") == "2"


def test_a_dump_that_cannot_be_restored_is_not_a_backup(cluster: Postgresql, folder: Path, backups: Path) -> None:
    (backups / "20200101T000000Z").mkdir()
    (backups / "20200102T000000Z.unverified").mkdir()
    cluster.sql(
        0,
        """
        CREATE FUNCTION most() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 10';
        CREATE TABLE orders (id int CHECK (id <= most()));
        INSERT INTO orders VALUES (10);
        CREATE OR REPLACE FUNCTION most() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';
        """,
    )
    code, said = back_up(cluster, folder, backups, BACKUP_KEEP="1")
    assert code != 0
    assert "violates check constraint" in said
    assert "no older backup is removed" in said
    old, new = names(backups)
    assert old == "20200101T000000Z"
    assert new.endswith("Z.unverified")
    assert not [path for path in backups.iterdir() if path.name == ".scratch"]
    # One may still want it, by its name; it is not the latest.
    assert "there is no backup '20200101T000000Z'" in restore(cluster, folder, backups)[1]
    assert "violates check constraint" in restore(cluster, folder, backups, RESTORE_BACKUP=new)[1]
    cluster.sql(0, "CREATE OR REPLACE FUNCTION most() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 10'")
    code, said = back_up(cluster, folder, backups, BACKUP_KEEP="1")
    assert code == 0, said
    assert names(backups)[0].endswith("Z")
    assert len(names(backups)) == 1


def test_two_backups_at_a_time_do_not_disturb_each_other(cluster: Postgresql, folder: Path, backups: Path) -> None:
    (backups / ".20200101T000000Z.partial").mkdir()
    with (backups / ".lock").open("w") as lock:
        shutil.chown(lock.name, "postgres", "postgres")
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, said = back_up(cluster, folder, backups)
    assert code != 0
    assert "another backup or restore uses the volume" in said
    assert (backups / ".20200101T000000Z.partial").exists()
