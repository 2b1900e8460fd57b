"""Debian's PostgreSQL, Redis and RabbitMQ, run with exactly what the chart renders: its scripts, files and environment.

Each server has its own folder, its own ports on loopback, and the unprivileged user that Debian's package made.
What a pod would have at /etc, /scripts or /var/run is in that folder.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .playbooks import ROOT

CHART = ROOT / "roles/database/files/chart"
Objects = dict[tuple[str, str], dict[str, Any]]

# With what files, SQL, JSON and shells give a meaning to.
PASSWORD = "p'a\\s\"s:w%d$"


def helm() -> str:
    """The helm of the environment, of PATH, or of the lab's cache."""
    cached = sorted(glob.glob(os.path.expanduser("~/.cache/corpv3-service-mesh/helm-*/helm")))
    found = os.environ.get("SERVICE_MESH_TEST_HELM") or next(iter(cached), None) or shutil.which("helm")
    if not found:
        pytest.skip("there is no helm: `make up` or `make integration` builds one, or SERVICE_MESH_TEST_HELM names it")
    return found


def template(values: dict[str, Any] | None = None, kubernetes: str = "1.36.0") -> subprocess.CompletedProcess[str]:
    command = [helm(), "template", "database", str(CHART), "--namespace", "database", "--values", "-"]
    command += ["--kube-version", kubernetes]
    return subprocess.run(command, input=json.dumps(values or {}), capture_output=True, text=True, check=False)


def render(values: dict[str, Any] | None = None, kubernetes: str = "1.36.0") -> Objects:
    done = template(values, kubernetes)
    assert done.returncode == 0, done.stderr
    objects = [item for item in yaml.safe_load_all(done.stdout) if item]
    found = {(item["kind"], item["metadata"]["name"]): item for item in objects}
    assert len(found) == len(objects)
    return found


def require_servers() -> None:
    """The servers are there, or are installed, or the test is skipped."""
    programs = ["redis-server", "rabbitmq-server"]
    there = all(shutil.which(program) for program in programs) and postgresql_folder()
    if os.getuid() != 0:
        pytest.skip("the servers run as the users that Debian made for them, and only root can become those")
    if not there:
        if not shutil.which("apt-get"):
            pytest.skip("PostgreSQL, Redis and RabbitMQ are not all installed, and there is no apt-get to install them")
        subprocess.run([str(ROOT / "tools/test_servers.sh")], check=True)


def postgresql_folder() -> str:
    """Where initdb and the like are: the variable's, or Debian's newest; empty if it is not installed."""
    named = os.environ.get("SERVICE_MESH_TEST_POSTGRESQL", "")
    return named or max(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[-2]), default="")


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """One that other users may enter; pytest's own may not be."""
    path = Path(tempfile.mkdtemp(prefix="database-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def wait_for(condition: Callable[[], Any], what: str | Callable[[], str], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s: {what if isinstance(what, str) else what()}")
        time.sleep(0.1)


def _session(leader: int) -> list[int]:
    """Processes that live and descend from the leader: servers give each of their children a session of its own."""
    parents = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            name_and_rest = Path(path).read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if name_and_rest[0] != "Z":
            parents[int(path.split("/")[2])] = int(name_and_rest[1])
    found = {leader} & set(parents)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found)


class Pod:
    """One container of a rendered workload, as a process."""

    def __init__(self, folder: Path, user: str, container: dict[str, Any], overrides: dict[str, str]) -> None:
        self.folder = folder
        self.user = user
        self.command: list[str] = container["command"]
        # What the chart sets with a value; overrides name the places on this machine.
        fixed = {item["name"]: item["value"] for item in container["env"] if "value" in item}
        self.env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **fixed, **overrides}
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def script(self, name: str) -> str:
        return str(self.folder / "scripts" / name)

    def start(self, *arguments: str) -> None:
        """Start the container's command."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["/bin/sh", self.script(Path(self.command[1]).name), *arguments],
                env=self.env,
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                user=self.user,
                group=self.user,
                extra_groups=[],
                start_new_session=True,
            )

    def run(self, name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a script in the container, as `kubectl exec` and probes do."""
        return self.execute(["/bin/sh", self.script(name), *arguments], **environment)

    def execute(self, command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env={**self.env, **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            user=self.user,
            group=self.user,
            extra_groups=[],
        )

    def healthy(self, kind: str = "ready") -> bool:
        return self.run("health.sh", kind).returncode == 0

    def stop(self) -> int:
        """End it as a kubelet does."""
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def kill(self) -> None:
        """End all of it at once, as a node that loses its power."""
        if not self.process:
            return
        session = self.process.pid
        for pid in _session(session):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()
        wait_for(lambda: not _session(session), f"all processes of {self.folder} are gone")
        # In a new container no process has the number of an old one; here it may be a zombie still.
        (self.folder / "data/pgdata/postmaster.pid").unlink(missing_ok=True)

    def everything(self) -> list[int]:
        """All processes of the container."""
        assert self.process
        return _session(self.process.pid)

    def processes(self, program: str) -> list[int]:
        """Those of the container that run a program."""
        # Unlike Path.resolve, it does not fail for one that has just ended.
        return [pid for pid in self.everything() if Path(os.path.realpath(f"/proc/{pid}/exe")).name == program]

    def output(self) -> str:
        return self.log.read_text(errors="replace")


def write(folder: Path, files: dict[str, str], user: str) -> None:
    """Files as a mounted ConfigMap or Secret has them."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.chown(folder, user, user)
    for name, content in files.items():
        path = folder / name
        path.write_text(content)
        shutil.chown(path, user, user)


def container_of(objects: Objects, name: str) -> dict[str, Any]:
    (container,) = objects["StatefulSet", name]["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = container
    return found


def job_container_of(objects: Objects, name: str) -> dict[str, Any]:
    job = objects["CronJob", name]["spec"]["jobTemplate"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = container
    return found


class Postgresql:
    """As many servers as the chart's values request, each with an address of its own on loopback."""

    ROLES = ("postgres", "replicator", "backup", "app")

    def __init__(
        self,
        folder: Path,
        replicas: int = 3,
        data_of: Postgresql | None = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.objects = render(
            {
                "postgresql": {
                    "replicas": replicas,
                    "settings": {"shared_buffers": "16MB", "fsync": False, **(settings or {})},
                    "archive": {"enabled": True},
                }
            }
        )
        self.port = free_port()
        # As the mounted ConfigMap postgresql-primary.
        self.topology = self.folder / "topology"
        self.topology.mkdir()
        self.pods = [self._pod(ordinal) for ordinal in range(replicas)]
        self.name_primary(0)
        if data_of:
            for mine, other in zip(self.pods, data_of.pods, strict=True):
                subprocess.run(["cp", "-a", other.folder / "data", mine.folder], check=True)

    def _pod(self, ordinal: int) -> Pod:
        folder = self.folder / str(ordinal)
        write(folder, {}, "postgres")
        self.write_files(folder)
        overrides = self.places(folder) | {
            "POD_NAME": f"postgresql-{ordinal}",
            "PGDATA": str(folder / "data/pgdata"),
            "POSTGRESQL_CONFIG": str(folder / "config"),
            "POSTGRESQL_TOPOLOGY": str(self.topology / "primary"),
            "POSTGRESQL_PEERS_SECONDS": "1",
            "POSTGRESQL_ARCHIVE": "false",
            "POSTGRESQL_LISTEN": f"127.0.77.1{ordinal}",
            "POSTGRESQL_LOOK_SECONDS": "0.2",
            "POSTGRESQL_PATIENCE": "5",
        }
        return Pod(folder, "postgres", container_of(self.objects, "postgresql"), overrides)

    def places(self, folder: Path) -> dict[str, str]:
        return {
            "POSTGRESQL_PORT": str(self.port),
            "POSTGRESQL_HOST_FORMAT": "127.0.77.1%d",
            "POSTGRESQL_SECRETS": str(folder / "secrets"),
            "POSTGRESQL_RUN": str(folder / "run"),
            "PATH": f"{postgresql_folder()}:{os.environ['PATH']}",
        }

    def write_files(self, folder: Path, password: str = PASSWORD) -> None:
        for name in ("data", "run"):
            write(folder / name, {}, "postgres")
        write(folder / "scripts", self.objects["ConfigMap", "postgresql-scripts"]["data"], "postgres")
        write(folder / "config", self.objects["ConfigMap", "postgresql-config"]["data"], "postgres")
        write(folder / "secrets", {f"{role}-password": password + role for role in self.ROLES}, "postgres")

    def name_primary(self, ordinal: int) -> None:
        """What `kubectl patch configmap postgresql-primary` does."""
        (self.topology / "primary").write_text(f"postgresql-{ordinal}")

    def keep_initialised(self) -> None:
        """What the role does once the database has served."""
        (self.topology / "initialised").write_text("2026-11-30T06:00:00Z")

    def start(self) -> None:
        for pod in self.pods:
            pod.start()
        for pod in self.pods:
            wait_for(pod.healthy, lambda pod=pod: f"server {pod.folder.name} is ready: {pod.output()[-2000:]}")

    def end(self) -> None:
        for pod in self.pods:
            pod.kill()

    def sql(self, ordinal: int, statement: str, user: str = "restaurant", database: str = "restaurant") -> str:
        """By the network and with the password, as the application."""
        done = self.try_sql(ordinal, statement, user, database)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def try_sql(
        self,
        ordinal: int,
        statement: str,
        user: str = "restaurant",
        database: str = "restaurant",
        password: str = PASSWORD,
    ) -> subprocess.CompletedProcess[str]:
        role = "app" if user == "restaurant" else user
        address = f"host=127.0.77.1{ordinal} port={self.port} user={user} dbname={database} connect_timeout=30"
        return subprocess.run(
            ["psql", address, "--no-psqlrc", "-Atq", "-v", "ON_ERROR_STOP=1", "-c", statement],
            env={"PATH": os.environ["PATH"], "PGPASSWORD": password + role},
            capture_output=True,
            text=True,
            check=False,
        )

    def write_anywhere(self, statement: str, number: int) -> bool:
        """Whether the server that takes writes has acknowledged the statement, with its :number."""
        hosts = ",".join(f"127.0.77.1{ordinal}" for ordinal in range(len(self.pods)))
        address = f"host={hosts} port={self.port} user=restaurant dbname=restaurant target_session_attrs=primary"
        try:
            done = subprocess.run(
                ["psql", f"{address} connect_timeout=10", "-Xq", "-v", "ON_ERROR_STOP=1", "-v", f"number={number}"],
                input=statement,
                text=True,
                env={"PATH": os.environ["PATH"], "PGPASSWORD": f"{PASSWORD}app"},
                capture_output=True,
                check=False,
                timeout=30,
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def job_pod(self, name: str, folder: Path, host: int, **environment: str) -> Pod:
        """A CronJob's container."""
        write(folder, {}, "postgres")
        self.write_files(folder)
        container = job_container_of(self.objects, name)
        overrides = self.places(folder) | {"PGHOST": f"127.0.77.1{host}", "BACKUP_PATIENCE": "5", **environment}
        return Pod(folder, "postgres", container, overrides)

    def archive_pod(self, folder: Path) -> Pod:
        """The archive's container."""
        write(folder, {}, "postgres")
        write(folder / "archive", {}, "postgres")
        self.write_files(folder)
        overrides = self.places(folder) | {
            "ARCHIVE_FOLDER": str(folder / "archive"),
            "PGHOST": "127.0.77.10",
            "POSTGRESQL_LOOK_SECONDS": "0.2",
        }
        return Pod(folder, "postgres", container_of(self.objects, "postgresql-archive"), overrides)

    def job(self, name: str, folder: Path, host: int, **environment: str) -> subprocess.CompletedProcess[str]:
        """One run of a CronJob's container."""
        pod = self.job_pod(name, folder, host, **environment)
        return pod.run(Path(pod.command[1]).name)
