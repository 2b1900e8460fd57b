"""The database's scripts and configuration on real servers. Needs no lab; database_servers.py has the how."""

from __future__ import annotations

import shutil

from ..support.database_cluster import cluster, count, folder, let_the_one_that_lags_serve, prepared
from ..support.database_servers import PASSWORD, Postgresql, wait_for

__all__ = ["cluster", "folder", "prepared"]


def test_replicas_get_every_row_and_take_no_writes(cluster: Postgresql, prepared: Postgresql) -> None:
    cluster.sql(0, "CREATE TABLE orders (id int); INSERT INTO orders SELECT generate_series(1, 1000)")
    for replica in (1, 2):
        wait_for(lambda ordinal=replica: count(cluster, ordinal) == "1000", f"rows on server {replica}")
        assert "read-only" in cluster.try_sql(replica, "INSERT INTO orders VALUES (0)").stderr
    slots = cluster.sql(0, "SELECT slot_name FROM pg_replication_slots WHERE active ORDER BY 1", "postgres", "postgres")
    assert slots.split() == ["postgresql_1", "postgresql_2"]
    status = cluster.pods[2].run("status.sh").stdout.splitlines()
    assert "named primary: postgresql-0" in status
    assert [line.split()[1] for line in status[1:]] == ["primary", "replica", "replica"]
    # Nothing gets in without its password, and no password is in what the server writes.
    assert "authentication failed" in cluster.try_sql(0, "SELECT 1", password="wrong").stderr
    assert not any(PASSWORD in pod.output() for pod in (*prepared.pods, *cluster.pods))


def test_failover_by_hand_when_the_primary_is_gone(cluster: Postgresql) -> None:
    first, second, third = cluster.pods
    cluster.sql(0, "CREATE TABLE orders (id int); INSERT INTO orders SELECT generate_series(1, 100)")
    wait_for(lambda: count(cluster, 1) == count(cluster, 2) == "100", "rows on both replicas")
    first.kill()

    refused = second.run("promote.sh", POSTGRESQL_PATIENCE="0")
    assert refused.returncode != 0
    assert "the topology names postgresql-0" in refused.stderr

    cluster.name_primary(1)
    assert not second.healthy(), "a replica must not get the primary's traffic"
    promoted = second.run("promote.sh")
    assert promoted.returncode == 0, promoted.stderr
    wait_for(second.healthy, "the new primary is ready")
    cluster.sql(1, "INSERT INTO orders SELECT generate_series(101, 150)")
    wait_for(lambda: count(cluster, 2) == "150", "the other replica follows the new primary")
    wait_for(lambda: third.run("status.sh").stdout.count("streaming") == 1, "and keeps a slot there")

    # The old primary comes back with its data, and waits.
    first.start()
    wait_for(lambda: "Run rejoin.sh" in first.output(), "the old primary waits")
    assert not first.healthy()
    assert first.healthy("live"), "it must not be killed while an operator repairs it"
    assert cluster.try_sql(0, "SELECT 1").returncode != 0
    rejoined = first.run("rejoin.sh")
    assert rejoined.returncode == 0, rejoined.stderr
    wait_for(first.healthy, "the old primary is a replica")
    wait_for(lambda: count(cluster, 0) == "150", "with all rows")
    assert "read-only" in cluster.try_sql(0, "INSERT INTO orders VALUES (0)").stderr
    # What was its slots keeps no WAL there any more.
    slots = cluster.sql(1, "SELECT slot_name FROM pg_replication_slots WHERE active ORDER BY 1", "postgres", "postgres")
    assert slots.split() == ["postgresql_0", "postgresql_2"]
    assert cluster.sql(0, "SELECT count(*) FROM pg_replication_slots", "postgres", "postgres") == "0"


def test_an_old_primary_with_writes_of_its_own_is_rewound(cluster: Postgresql) -> None:
    first, second, _third = cluster.pods
    cluster.sql(0, "CREATE TABLE orders (id int); INSERT INTO orders SELECT generate_series(1, 100)")
    wait_for(lambda: count(cluster, 1) == count(cluster, 2) == "100", "rows on both replicas")
    # As behind a broken network: written, and never sent.
    for pod in cluster.pods[1:]:
        pod.kill()
    cluster.sql(0, "INSERT INTO orders SELECT generate_series(1001, 1100)")
    first.kill()
    cluster.name_primary(1)
    for pod in cluster.pods[1:]:
        pod.start()
    wait_for(lambda: count(cluster, 1) == "100", "the replica serves without a primary")
    assert second.run("promote.sh").returncode == 0
    cluster.sql(1, "INSERT INTO orders SELECT generate_series(101, 110)")

    first.start()
    wait_for(lambda: "Run rejoin.sh" in first.output(), "the old primary waits")
    rejoined = first.run("rejoin.sh")
    assert rejoined.returncode == 0, rejoined.stderr
    assert "rewinding from last common checkpoint" in rejoined.stderr
    wait_for(lambda: count(cluster, 0) == "110", "the common rows and the new primary's, and no others")


def test_a_primary_that_is_deposed_stops_by_itself(cluster: Postgresql) -> None:
    first, second, third = cluster.pods
    cluster.sql(0, "CREATE TABLE orders (id int); INSERT INTO orders VALUES (1)")
    # One that does not stream yet would be sent nothing.
    wait_for(lambda: count(cluster, 1) == count(cluster, 2) == "1", "both replicas stream")

    # The named one refuses as long as the old one takes writes, however soon it is asked.
    first.process.send_signal(19)  # type: ignore[union-attr] # SIGSTOP: start.sh does not look at the topology
    cluster.name_primary(2)
    refused = third.run("promote.sh")
    assert refused.returncode != 0
    assert "server 0 still takes writes" in refused.stderr
    first.process.send_signal(18)  # type: ignore[union-attr] # SIGCONT

    wait_for(lambda: "stops taking writes" in first.output(), "the old primary looks at the topology")
    wait_for(lambda: cluster.try_sql(0, "SELECT 1").returncode != 0, "and ends its sessions")
    assert third.run("promote.sh").returncode == 0
    assert count(cluster, 2) == "1", "a fast shutdown sends the replicas everything"
    rejoined = first.run("rejoin.sh")
    assert rejoined.returncode == 0, rejoined.stderr
    wait_for(first.healthy, "the old primary is a replica")
    assert first.process.poll() is None, "its container never ended"  # type: ignore[union-attr]
    # Any server can be copied again.
    cluster.sql(2, "INSERT INTO orders VALUES (2)")
    cloned = second.run("rejoin.sh", "--clone")
    assert cloned.returncode == 0, cloned.stderr
    wait_for(lambda: second.healthy() and count(cluster, 1) == "2", "the copy serves")
    assert second.process.poll() is None  # type: ignore[union-attr]


def test_the_replica_with_more_data_is_promoted(cluster: Postgresql) -> None:
    _first, second, third = cluster.pods
    cluster.sql(0, "CREATE TABLE orders (id int)")
    wait_for(lambda: count(cluster, 1) == count(cluster, 2) == "0", "the table on both replicas")
    let_the_one_that_lags_serve(cluster)
    refused = second.run("promote.sh")
    assert refused.returncode != 0
    assert "server 2 has more" in refused.stderr
    cluster.name_primary(2)
    assert third.run("promote.sh").returncode == 0
    wait_for(lambda: count(cluster, 1) == "100", "the other one catches up")


def test_an_empty_volume_never_becomes_the_database(cluster: Postgresql) -> None:
    first = cluster.pods[0]
    cluster.sql(0, "CREATE TABLE orders (id int); INSERT INTO orders VALUES (1)")
    wait_for(lambda: count(cluster, 1) == "1", "the row on a replica")
    first.kill()
    shutil.rmtree(first.folder / "data/pgdata")
    first.start()
    wait_for(lambda: "has no data, but server 1 has some" in first.output(), "the primary refuses")
    assert cluster.try_sql(0, "SELECT 1").returncode != 0
    cluster.name_primary(1)
    assert cluster.pods[1].run("promote.sh").returncode == 0
    wait_for(lambda: count(cluster, 0) == "1", "it copies the new primary")


def test_a_pod_ends_in_an_orderly_way_and_comes_back(cluster: Postgresql) -> None:
    cluster.sql(0, "CREATE TABLE orders (id int); INSERT INTO orders VALUES (1)")
    for pod in reversed(cluster.pods):
        assert pod.stop() == 0
        assert "database system is shut down" in pod.output()
    # As a kubelet leaves it that gives the volume to a group.
    for pod in cluster.pods:
        (pod.folder / "data/pgdata").chmod(0o2770)
        cluster.write_files(pod.folder, password="another")
    cluster.start()
    done = cluster.try_sql(0, "SELECT count(*) FROM orders", password="another")
    assert done.stdout.strip() == "1", done.stderr
    assert "authentication failed" in cluster.try_sql(0, "SELECT 1").stderr
    wait_for(
        lambda: "streaming" in cluster.pods[1].run("status.sh").stdout, "replication continues with the new password"
    )


def test_fewer_servers_leave_no_slots(cluster: Postgresql) -> None:
    for pod in cluster.pods:
        pod.stop()
    cluster.pods[0].env["POSTGRESQL_REPLICAS"] = "1"
    cluster.pods[0].start()
    wait_for(cluster.pods[0].healthy, "the only server is ready")
    assert cluster.sql(0, "SELECT count(*) FROM pg_replication_slots", "postgres", "postgres") == "0"
