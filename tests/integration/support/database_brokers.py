"""Debian's Redis and RabbitMQ, run with what the chart renders; database_servers.py has the how."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from .database_servers import PASSWORD, Pod, container_of, free_port, render, wait_for, write

RABBITMQ_FOLDER = "/usr/lib/rabbitmq/bin"


class Redis:
    """The one server, with its data below the folder."""

    def __init__(self, folder: Path, password: str = PASSWORD) -> None:
        objects = render()
        self.port = free_port()
        write(folder, {}, "redis")
        for name in ("data", "run"):
            write(folder / name, {}, "redis")
        write(folder / "scripts", objects["ConfigMap", "redis"]["data"], "redis")
        write(folder / "secrets", {"password": password}, "redis")
        overrides = {
            "REDIS_CONFIG": str(folder / "scripts"),
            "REDIS_SECRETS": str(folder / "secrets"),
            "REDIS_RUN": str(folder / "run"),
            "REDIS_DATA": str(folder / "data"),
            "REDIS_PORT": str(self.port),
        }
        self.pod = Pod(folder, "redis", container_of(objects, "redis"), overrides)

    def start(self) -> None:
        self.pod.start("--bind", "127.0.0.1")
        wait_for(self.pod.healthy, lambda: f"redis is ready: {self.pod.output()[-2000:]}")

    def ask(self, *command: str, password: str = PASSWORD) -> str:
        return self.pod.execute(["redis-cli", "-p", str(self.port), *command], REDISCLI_AUTH=password).stdout.strip()


class Rabbitmq:
    """The one broker, with its data below the folder."""

    def __init__(self, folder: Path) -> None:
        objects = render()
        self.port, self.metrics, self.erlang, self.epmd = (free_port() for __ in range(4))
        write(folder, {}, "rabbitmq")
        for name in ("home", "run"):
            write(folder / name, {}, "rabbitmq")
        write(folder / "scripts", objects["ConfigMap", "rabbitmq"]["data"], "rabbitmq")
        self.write_secret(folder, PASSWORD)
        overrides = {
            "HOME": str(folder / "home"),
            "ERL_CRASH_DUMP": str(folder / "home/erl_crash.dump"),
            "RABBITMQ_MNESIA_BASE": str(folder / "home/mnesia"),
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_PROMETHEUS_PORT": str(self.metrics),
            "RABBITMQ_CONFIG_FILE": str(folder / "scripts/rabbitmq.conf"),
            "RABBITMQ_CONFIG_FILES": str(folder / "run/conf.d"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "scripts/enabled_plugins"),
            "RABBITMQ_RUN": str(folder / "run"),
            "RABBITMQ_SECRETS": str(folder / "secrets"),
            # Not Debian's commands of the same names, which have a home and a log of their own.
            "PATH": f"{RABBITMQ_FOLDER}:{os.environ['PATH']}",
            # Another broker of this machine has the default ports.
            "RABBITMQ_DIST_PORT": str(self.erlang),
            "ERL_EPMD_PORT": str(self.epmd),
        }
        self.pod = Pod(folder, "rabbitmq", container_of(objects, "rabbitmq"), overrides)

    def write_secret(self, folder: Path, password: str) -> None:
        write(folder / "secrets", {"password": password, "erlang-cookie": "COOKIE" + "x" * 26}, "rabbitmq")

    def start(self) -> None:
        self.pod.start()
        wait_for(self.listens, lambda: f"rabbitmq takes connections: {self.pod.output()[-3000:]}", seconds=60)

    def listens(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False

    def end(self) -> None:
        self.pod.kill()
        # Erlang's name server, which the broker starts and leaves behind: one of this test's own port.
        self.pod.execute(["epmd", "-port", str(self.epmd), "-kill"])
