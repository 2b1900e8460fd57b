"""No replica is old in silence, and no empty volume becomes the database. Real servers, no lab."""

from __future__ import annotations

from ..support.database_cluster import (
    cluster,
    count,
    folder,
    prepared,
    restart,
    restart_primary_without_data,
    rows_everywhere,
    stale_after_a_second,
    stop_after_the_table,
    superuser,
    why_not_ready,
    write_more_wal_than_is_kept,
)
from ..support.database_servers import PASSWORD, Postgresql, wait_for

__all__ = ["cluster", "folder", "prepared"]


def test_a_replica_whose_slot_is_lost_is_not_ready_until_it_is_copied_again(cluster: Postgresql) -> None:
    second = cluster.pods[1]
    stale_after_a_second(second)
    stop_after_the_table(cluster, second)
    write_more_wal_than_is_kept(cluster)
    status = "SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'postgresql_1'"
    assert superuser(cluster, 0, status) == "lost"

    second.start()
    wait_for(lambda: "has lacked what the primary has" in why_not_ready(second), "the old copy is not ready")
    assert second.healthy("live"), "there is nothing that a restart would fix"
    wait_for(lambda: "Run rejoin.sh --clone here" in second.output(), second.output)
    assert "kB of WAL" in second.output() or "MB of WAL" in second.output(), "it says how far it is behind"
    # What it has is as old after a restart.
    restart(second)
    wait_for(lambda: "has lacked what the primary has" in why_not_ready(second), "still not ready")

    cloned = second.run("rejoin.sh", "--clone")
    assert cloned.returncode == 0, cloned.stderr
    wait_for(second.healthy, "the copy is ready")
    rows_everywhere(cluster, 4000)
    assert superuser(cluster, 0, status) == "reserved", "the new slot protects it"


def test_a_replica_with_a_wrong_password_is_not_ready_until_it_has_the_right_one(cluster: Postgresql) -> None:
    third = cluster.pods[2]
    stale_after_a_second(third)
    stop_after_the_table(cluster, third)
    secret = third.folder / "secrets/replicator-password"
    secret.write_text("wrong")
    third.start()
    wait_for(
        lambda: "has lacked what the primary has" in why_not_ready(third), "a replica that cannot log in is not ready"
    )
    wait_for(lambda: "does not let this server ask why" in third.output(), third.output)
    assert "password authentication failed" in third.output()
    # What a run of site.yml does with a Secret that has changed.
    third.stop()
    secret.write_text(PASSWORD + "replicator")
    third.start()
    cluster.sql(0, "INSERT INTO orders VALUES (1)")
    rows_everywhere(cluster, 1)
    wait_for(third.healthy, "it is ready again")


def test_an_empty_volume_waits_for_peers_that_answer_late(cluster: Postgresql) -> None:
    """As with a network whose rules reach a new pod seconds after it starts, or nodes that come back together."""
    first, second, _third = cluster.pods
    cluster.sql(0, "CREATE TABLE orders (id int); INSERT INTO orders VALUES (1)")
    rows_everywhere(cluster, 1)
    restart_primary_without_data(cluster, 30)
    wait_for(
        lambda: (first.folder / "run/state").exists() and (first.folder / "run/state").read_text() == "looking\n",
        "it looks",
    )
    assert first.healthy("live")
    second.start()
    wait_for(lambda: "has no data, but server 1 has some" in first.output(), first.output)
    # That one going away again changes nothing.
    second.kill()
    assert not (first.folder / "data/pgdata").exists()
    second.start()
    wait_for(lambda: count(cluster, 1) == "1", "the replica serves")
    cluster.name_primary(1)
    promoted = second.run("promote.sh")
    assert promoted.returncode == 0, promoted.stderr
    wait_for(lambda: count(cluster, 0) == "1", "it copies the new primary")


def test_a_database_that_was_made_once_is_never_made_again(cluster: Postgresql) -> None:
    first = cluster.pods[0]
    cluster.sql(0, "CREATE TABLE orders (id int); INSERT INTO orders VALUES (1)")
    rows_everywhere(cluster, 1)
    cluster.keep_initialised()
    restart_primary_without_data(cluster, 0)
    wait_for(lambda: "this cluster's database was made before" in first.output(), first.output)
    assert not (first.folder / "data/pgdata").exists()
    assert first.healthy("live")
    # All volumes are gone, and a new database is wanted: docs/runbooks/database_restore.md
    (cluster.topology / "initialised").unlink()
    wait_for(first.healthy, "the new primary is ready")
    assert "does not exist" in cluster.try_sql(0, "SELECT count(*) FROM orders").stderr


def test_data_of_another_major_version_is_left_alone(cluster: Postgresql) -> None:
    third = cluster.pods[2]
    third.stop()
    version = third.folder / "data/pgdata/PG_VERSION"
    version.write_text("14\n")
    third.start()
    wait_for(lambda: "the data is of PostgreSQL 14 and this is PostgreSQL" in third.output(), third.output)
    assert not third.healthy()
    assert third.healthy("live"), "to end again and again would not help"


def test_a_script_that_fails_ends_its_server_in_an_orderly_way(cluster: Postgresql) -> None:
    first = cluster.pods[0]
    first.stop()
    first.env["POSTGRESQL_DATABASE"] = ""
    first.log.write_text("")
    first.start()
    assert first.process
    assert first.process.wait(timeout=30) != 0
    assert "database system is shut down" in first.output()
    assert not (first.folder / "data/pgdata/postmaster.pid").exists()


def test_the_servers_distinguish_the_archive_from_a_replica(cluster: Postgresql) -> None:
    """A slot of an archive that is no more would keep WAL for ever."""
    superuser(cluster, 0, "SELECT pg_create_physical_replication_slot('postgresql_archive', true)")
    slots = "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'postgresql_archive'"
    first = cluster.pods[0]
    first.env["POSTGRESQL_ARCHIVE"] = "true"
    restart(first)
    wait_for(first.healthy, "the primary is ready")
    assert superuser(cluster, 0, slots) == "1"
    first.env["POSTGRESQL_ARCHIVE"] = "false"
    restart(first)
    wait_for(first.healthy, "the primary is ready")
    assert superuser(cluster, 0, slots) == "0"
