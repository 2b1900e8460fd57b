"""The databases under loads that use their memory up, beside the limits that their role sets. Needs no lab."""

from __future__ import annotations

import os
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ..integration.support.amqp_client import Amqp, AmqpRefusedError
from ..integration.support.database_brokers import RABBITMQ_FOLDER, Rabbitmq, Redis
from ..integration.support.database_cluster import backups, folder
from ..integration.support.database_servers import (
    PASSWORD,
    Objects,
    Postgresql,
    container_of,
    job_container_of,
    postgresql_folder,
    render,
    require_servers,
    wait_for,
)
from ..integration.support.playbooks import ROOT
from .conftest import Report
from .memory import Memory, bytes_of, working_in

__all__ = ["backups", "folder"]

# Sorts and hashes beside one another, each with all of work_mem.
STATEMENT = """\\set first random(1, 1900000)
SELECT max(n) FROM (SELECT aid, count(*) AS n FROM pgbench_accounts WHERE aid BETWEEN :first AND :first + 60000
  GROUP BY aid, filler ORDER BY filler, aid) AS counted;
"""


@pytest.fixture(scope="module", autouse=True)
def _servers() -> None:
    require_servers()


def limit(container: dict[str, Any]) -> int:
    return bytes_of(container["resources"]["limits"]["memory"])


def limit_of_environment(environment: str, variable: str) -> int:
    """What the inventory sets, else the role's."""
    values = yaml.safe_load((ROOT / "roles/database/defaults/main.yml").read_text())
    values |= yaml.safe_load((ROOT / f"inventories/{environment}/group_vars/clusters/main.yml").read_text())
    return bytes_of(values[variable]["limits"]["memory"])


def version(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def stock() -> Objects:
    """As the chart has it."""
    return render()


@pytest.fixture
def postgresql(folder: Path, stock: Objects) -> Iterator[Postgresql]:
    """One server with the chart's memory, and a database that is larger than its buffers."""
    settings = yaml.safe_load((ROOT / "roles/database/files/chart/values.yaml").read_text())["postgresql"]["settings"]
    server = Postgresql(folder, replicas=1, settings=settings)
    try:
        server.start()
        bench(server, "-i", "-q", "-s", "20")
        yield server
    finally:
        server.end()


def bench(server: Postgresql, *arguments: str) -> str:
    address = f"host=127.0.77.10 port={server.port} user=postgres dbname=restaurant"
    command = [f"{postgresql_folder()}/pgbench", *arguments, address]
    environment = {**os.environ, "PGPASSWORD": f"{PASSWORD}postgres"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_postgresql_with_all_its_connections(postgresql: Postgresql, tmp_path: Path, report: Report) -> None:
    script = tmp_path / "statement.sql"
    script.write_text(STATEMENT)
    with Memory(postgresql.pods[0].everything) as memory:
        bench(postgresql, "-n", "-c", "95", "-j", "2", "-T", "60", "-b", "tpcb-like@1", "-f", f"{script}@1")
    named = version(f"{postgresql_folder()}/postgres", "--version")
    for environment in ("production", "staging", "development"):
        allowed = limit_of_environment(environment, "database_postgresql_resources")
        report(f"{named}, {environment}: {memory.beside(allowed)}")
        assert memory.held < allowed


def test_a_backup_that_is_restored_and_compared(
    postgresql: Postgresql, stock: Objects, folder: Path, backups: Path, report: Report
) -> None:
    allowed = limit(job_container_of(stock, "postgresql-backup"))
    pod = postgresql.job_pod("postgresql-backup", folder / "backup", host=0, BACKUP_FOLDER=str(backups))
    pod.start()
    # The server that the dump is restored into is not the script's child.
    with Memory(lambda: [*pod.everything(), *working_in(backups)], 0.1) as memory:
        assert pod.process
        assert pod.process.wait(timeout=600) == 0, pod.output()
    report(f"backup of 2,000,000 rows: {memory.beside(allowed)}")
    assert memory.held < allowed


def test_redis_that_is_full_and_rewrites_its_log(folder: Path, stock: Objects, report: Report) -> None:
    allowed = limit(container_of(stock, "redis"))
    redis = Redis(folder / "redis")
    try:
        redis.start()
        with Memory(redis.pod.everything, 0.1) as memory:
            full = next(batch for batch in range(1000) if "OOM" in fill(redis, batch, "x"))
            redis.ask("EVAL", f"{each(full - 1)} redis.call('DEL', 'key' .. i) end", "0")
            redis.ask("BGREWRITEAOF")
            # A page that changes while the child writes is there twice.
            for batch in range(full - 1):
                fill(redis, batch, "y")
            wait_for(lambda: "aof_rewrite_in_progress:0" in redis.ask("INFO", "persistence"), "the log is rewritten")
    finally:
        redis.pod.kill()
    report(f"{version('redis-server', '--version').split(' sha')[0]}, {full} MB: {memory.beside(allowed)}")
    assert memory.held < allowed


def each(batch: int) -> str:
    return f"for i = {batch * 1000}, {batch * 1000 + 999} do"


def fill(redis: Redis, batch: int, letter: str) -> str:
    """A thousand values of 1 kB; the answer, which is an error once maxmemory is used."""
    return redis.ask("EVAL", f"{each(batch)} redis.call('SET', 'key' .. i, string.rep('{letter}', 1000)) end", "0")


def test_rabbitmq_whose_consumers_are_gone(folder: Path, stock: Objects, report: Report) -> None:
    allowed = limit(container_of(stock, "rabbitmq"))
    rabbitmq = Rabbitmq(folder / "rabbitmq")
    try:
        rabbitmq.start()
        with Memory(rabbitmq.pod.everything) as memory:
            sent = flood(rabbitmq)
        blocked = b"rabbitmq_alarms_memory_used_watermark 1" in metrics(rabbitmq)
    finally:
        rabbitmq.end()
    named = version(f"{RABBITMQ_FOLDER}/rabbitmqctl", "version")
    report(f"RabbitMQ {named}, {sent} messages of 64 KiB, blocked: {blocked}: {memory.beside(allowed)}")
    assert memory.held < allowed


def metrics(rabbitmq: Rabbitmq) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{rabbitmq.metrics}/metrics") as answer:
        found: bytes = answer.read()
        return found


def flood(rabbitmq: Rabbitmq, publishers: int = 8, seconds: float = 90) -> int:
    """As many messages as the broker takes from so many publishers, each of which waits for every confirmation."""
    ends = time.monotonic() + seconds
    sent = [0] * publishers

    def publish(number: int) -> None:
        with Amqp(rabbitmq.port, "restaurant", PASSWORD) as client:
            client.declare(f"orders-{number}")
            # A publisher that is held back gets no confirmation in time, and ends.
            try:
                while time.monotonic() < ends:
                    client.publish(f"orders-{number}", os.urandom(65536))
                    sent[number] += 1
            except (TimeoutError, AmqpRefusedError):
                return

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(publishers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(sent)
