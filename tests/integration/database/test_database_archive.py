"""The archive of PostgreSQL's WAL, and restoring to a moment. Real servers, no lab; database_servers.py has the how."""

from __future__ import annotations

import time

from ..support.database_cluster import archive, archiving, cluster, copies, folder, prepared, rows_everywhere
from ..support.database_servers import Pod, Postgresql, wait_for

__all__ = ["archive", "cluster", "folder", "prepared"]


def now(cluster: Postgresql) -> str:
    """The primary's time; what is written a second later is after it."""
    time.sleep(1.1)
    moment = cluster.sql(0, "SELECT date_trunc('second', clock_timestamp())")
    time.sleep(1.1)
    return moment


def test_a_database_is_restored_to_a_moment_before_and_after_a_failover(cluster: Postgresql, archive: Pod) -> None:
    try:
        cluster.sql(0, "CREATE TABLE orders (id int); INSERT INTO orders SELECT generate_series(1, 100)")
        archive.start()
        wait_for(lambda: copies(archive), archive.output)
        wait_for(lambda: archiving(archive), archive.output)
        early = archive.run("restore_to_time.sh", "2020-01-01 00:00:00+00")
        assert "no copy of the data is as old as" in early.stderr
        cluster.sql(0, "INSERT INTO orders SELECT generate_series(101, 200)")
        before_the_mistake = now(cluster)
        cluster.sql(0, "DELETE FROM orders WHERE id > 50")
        done = archive.run("restore_to_time.sh", before_the_mistake)
        assert done.returncode == 0, done.stderr
        rows = "SELECT count(*), sum(id) FROM orders"
        assert cluster.sql(0, rows, database="restaurant_at_time") == f"200|{sum(range(1, 201))}"
        assert cluster.sql(0, rows) == f"50|{sum(range(1, 51))}", "nothing is overwritten"
        assert "is not empty" in archive.run("restore_to_time.sh", before_the_mistake).stderr

        # The archive follows the next primary, and what was written there is in it.
        rows_everywhere(cluster, 50)
        cluster.pods[0].kill()
        cluster.name_primary(1)
        promoted = cluster.pods[1].run("promote.sh")
        assert promoted.returncode == 0, promoted.stderr
        wait_for(lambda: archiving(archive), archive.output)
        cluster.sql(1, "INSERT INTO orders SELECT generate_series(1001, 1010)")
        wait_for(
            lambda: (
                cluster.sql(
                    1,
                    "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'postgresql_archive'"
                    " AND flush_lsn >= pg_current_wal_lsn()",
                    "postgres",
                )
                == "1"
            ),
            archive.output,
        )
        done = archive.run("restore_to_time.sh", "latest", PGHOST="127.0.77.11", RESTORE_TARGET="of_now")
        assert done.returncode == 0, done.stderr
        assert cluster.sql(1, "SELECT count(*) FROM orders", database="of_now") == "60"
        # What was before the failover can still be restored.
        done = archive.run("restore_to_time.sh", before_the_mistake, PGHOST="127.0.77.11", RESTORE_TARGET="of_then")
        assert done.returncode == 0, done.stderr
        assert cluster.sql(1, "SELECT count(*) FROM orders", database="of_then") == "200"
        assert not list((archive.folder / "archive").glob(".scratch"))
        assert archive.stop() == 0
    finally:
        archive.kill()
