"""The database's Redis and RabbitMQ configuration on real servers. Needs no lab; database_brokers.py has the how."""

from __future__ import annotations

import os
import re
import resource
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..support.amqp_client import Amqp, AmqpRefusedError
from ..support.database_brokers import Rabbitmq, Redis
from ..support.database_servers import PASSWORD, require_servers, temporary_folder, wait_for


@pytest.fixture(scope="module", autouse=True)
def _servers() -> None:
    require_servers()


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary_folder() as path:
        yield path


@pytest.fixture
def redis(folder: Path) -> Iterator[Redis]:
    server = Redis(folder / "redis")
    try:
        server.start()
        yield server
    finally:
        server.pod.kill()


@pytest.fixture
def rabbitmq(folder: Path) -> Iterator[Rabbitmq]:
    server = Rabbitmq(folder / "rabbitmq")
    try:
        server.start()
        yield server
    finally:
        server.end()


def test_redis_keeps_what_it_has_acknowledged(redis: Redis) -> None:
    assert redis.ask("SET", "order", "1") == "OK"
    assert redis.pod.stop() == 0
    redis.start()
    assert redis.ask("GET", "order") == "1"
    # A crash loses what was not synchronised to the disk; this process dies, its machine does not.
    redis.ask("SET", "order", "2")
    redis.pod.kill()
    redis.start()
    assert redis.ask("GET", "order") == "2"


def test_redis_answers_no_client_without_the_password(redis: Redis) -> None:
    assert "NOAUTH" in redis.ask("GET", "order", password="wrong")
    assert PASSWORD not in Path(f"/proc/{redis.pod.process.pid}/cmdline").read_text()  # type: ignore[union-attr]
    (redis.pod.folder / "secrets/password").write_text("another")
    assert not redis.pod.healthy(), "the server still has the old password"
    redis.pod.stop()
    redis.start()
    assert redis.ask("PING", password="another") == "PONG"


def test_redis_runs_with_the_charts_configuration(redis: Redis) -> None:
    wanted = {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory": str(256 * 2**20),
        "maxmemory-policy": "noeviction",
    }
    for name, value in wanted.items():
        assert redis.ask("CONFIG", "GET", name).splitlines() == [name, value]


def test_redis_is_alive_but_not_ready_while_it_does_not_answer(redis: Redis) -> None:
    assert redis.pod.healthy("live")
    redis.pod.stop()
    assert not redis.pod.healthy("ready")
    assert not redis.pod.healthy("live")


def test_rabbitmq_keeps_persistent_messages_and_takes_a_new_password(rabbitmq: Rabbitmq) -> None:
    assert rabbitmq.pod.healthy("live")
    assert rabbitmq.pod.healthy("ready")
    with Amqp(rabbitmq.port, "restaurant", PASSWORD) as client:
        client.declare("orders")
        client.publish("orders", b"order 1")
    with pytest.raises(AmqpRefusedError):
        Amqp(rabbitmq.port, "restaurant", "wrong")
    with pytest.raises(AmqpRefusedError):
        Amqp(rabbitmq.port, "guest", "guest")
    with urllib.request.urlopen(f"http://127.0.0.1:{rabbitmq.metrics}/metrics") as answer:
        assert b"rabbitmq_queue_messages_ready 1" in answer.read()

    assert rabbitmq.pod.stop() == 0
    assert not rabbitmq.pod.healthy("live")
    rabbitmq.write_secret(rabbitmq.pod.folder, "another")
    rabbitmq.start()
    with pytest.raises(AmqpRefusedError):
        Amqp(rabbitmq.port, "restaurant", PASSWORD)
    with Amqp(rabbitmq.port, "restaurant", "another") as client:
        assert client.declare("orders") == 1
        assert client.get("orders") == b"order 1"
    assert PASSWORD not in rabbitmq.pod.output()


def erlang(rabbitmq: Rabbitmq) -> int:
    """The number of the broker's process."""
    assert rabbitmq.pod.process
    found: int = rabbitmq.pod.processes("beam.smp")[0]
    return found


def test_rabbitmq_makes_no_table_for_all_files_that_a_node_allows(rabbitmq: Rabbitmq) -> None:
    rabbitmq.pod.stop()
    # A test may not raise its own limit: the chart's value is lowered instead.
    most = min(int(rabbitmq.pod.env["RABBITMQ_MAX_OPEN_FILES"]), resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 2)
    rabbitmq.pod.env["RABBITMQ_MAX_OPEN_FILES"] = str(most)
    rabbitmq.start()
    limits = Path(f"/proc/{erlang(rabbitmq)}/limits").read_text()
    assert re.search(rf"^Max open files +{most} +{most} ", limits, re.MULTILINE), limits


def test_rabbitmq_leaves_its_crash_dump_on_the_volume(rabbitmq: Rabbitmq) -> None:
    limit = int(rabbitmq.pod.env["ERL_CRASH_DUMP_BYTES"])
    os.kill(erlang(rabbitmq), signal.SIGUSR1)
    dump = rabbitmq.pod.folder / "home/erl_crash.dump"
    wait_for(lambda: rabbitmq.pod.process and rabbitmq.pod.process.poll() is not None, "the broker has ended")
    assert dump.read_bytes().startswith(b"=erl_crash_dump")
    assert dump.stat().st_size <= limit + 4096
