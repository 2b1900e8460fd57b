"""Orders of the lab's stand-in in a real PostgreSQL."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pg8000.native

from ..support.database_cluster import cluster, folder, prepared
from ..support.database_servers import PASSWORD, Postgresql
from ..support.playbooks import ROOT

sys.path.insert(0, str(ROOT / "roles/lab/files/meshlab"))
from standin_store import create_tables

__all__ = ["cluster", "folder", "prepared"]
PODS = 8


def test_the_first_orders_create_the_tables_at_the_same_moment(cluster: Postgresql) -> None:
    at_once = threading.Barrier(PODS)

    def first_order(pod: int) -> None:
        address = {"host": "127.0.77.10", "port": cluster.port, "database": "restaurant", "password": f"{PASSWORD}app"}
        with pg8000.native.Connection("restaurant", **address) as database:
            at_once.wait()
            create_tables(database)

    for __ in range(5):
        with ThreadPoolExecutor(PODS) as pods:
            list(pods.map(first_order, range(PODS)))
        cluster.sql(0, "DROP TABLE order_items, orders")
