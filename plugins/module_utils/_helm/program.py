# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The helm program. Values reach it by its standard input only, never by its arguments."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common import run_memory
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.charts import Chart, Rendering, rendering
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object, Objects

MINIMUM_VERSION = (3, 18)
# Newer majors were never tested.
NEWEST_MAJOR = 4
# What the run remembers of a program.
_VERSION = "helm_version"


class HelmFailure(MeshError):
    """Helm failed."""


class Helm:
    """One helm binary talking to one cluster. Several threads may use it."""

    def __init__(self, binary: str, kubeconfig: str = "") -> None:
        self._binary = os.path.expanduser(binary)
        # HELM_KUBE* would point helm to another cluster than the modules.
        self._environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith("HELM_KUBE") and key not in ("HELM_NAMESPACE", "HELM_DEBUG")
        }
        self._environment["KUBECONFIG"] = kubeconfig or os.devnull

    @functools.cached_property
    def version(self) -> tuple[int, int, int]:
        program = self._program()
        text = run_memory.recall(_VERSION, program)
        if text is None:
            text = self._run("version", "--template", "{{ .Version }}")
            run_memory.remember(_VERSION, program, text)
        found = re.search(r"v?(\d+)\.(\d+)\.(\d+)", text)
        if not found:
            raise HelmFailure(f"{self._binary} version returned '{text.strip()}', which is not a valid version")
        return (int(found[1]), int(found[2]), int(found[3]))

    def _program(self) -> list[str | int]:
        """What distinguishes this program from another or newer one of the same name."""
        path = shutil.which(self._binary)
        found = os.stat(path) if path else None
        return [self._binary, path or "", *((found.st_ino, found.st_mtime_ns) if found else ())]

    def require_version(self) -> tuple[int, int, int]:
        """The program's version. HelmFailure if the collection does not support it."""
        if not MINIMUM_VERSION <= self.version < (NEWEST_MAJOR + 1,):
            raise HelmFailure(
                f"{self._binary} is helm {'.'.join(map(str, self.version))}; needed is helm 3.18 or newer, or helm 4. "
                "Install one and set helm_binary to it."
            )
        return self.version

    def require_secrets(self) -> None:
        """HelmFailure if the environment makes helm store its releases elsewhere than in Secrets."""
        driver = self._environment.get("HELM_DRIVER", "")
        if driver not in ("", "secret", "secrets"):
            raise HelmFailure(
                f"HELM_DRIVER is '{driver}', and this module reads Helm's releases from Secrets. "
                "Unset it, after moving releases that are stored elsewhere."
            )

    # Helm 4 has other defaults than helm 3. With these options both write a release and wait for it in the same way,
    # and a release can go from one to the other and back.

    def _writing(self) -> list[str]:
        """The options for writing objects.

        By default helm 4 installs by server-side apply. That refuses charts with two list items of the same key, and
        fails if another manager has set a field.
        """
        return ["--server-side=false"] if self.version >= (4,) else []

    def _waiting(self) -> str:
        """The option for waiting until objects are ready, or gone.

        By default helm 4 watches, which needs the right to watch every kind of a chart, and uses kstatus.
        _kube/readiness.py explains what helm 3 waits for.
        """
        return "--wait=legacy" if self.version >= (4,) else "--wait"

    def pull(self, chart: str, repository: str, version: str, directory: str) -> None:
        """Downloads the chart of a repository or registry and unpacks it to the directory."""
        source = ("--repo", repository) if repository else ()
        self._run("pull", chart, *source, "--version", version, "--untar", "--untardir", directory)

    def template(
        self,
        name: str,
        namespace: str,
        chart: Chart,
        values: Object,
        *,
        upgrade: bool,
        kubernetes: str,
        api_versions: Sequence[str],
        directory: str,
    ) -> Rendering:
        """The objects as the chart makes them for this cluster, without hooks.

        ``directory``: for temporary files. Unless it writes them to files, helm 4 looks each of them up in the cluster,
        and prints nothing if a kind is not defined yet or an object has another owner.
        """
        arguments = ["--dry-run=server", "--no-hooks", "--include-crds", "--kube-version", kubernetes]
        arguments += ["--api-versions", ",".join(api_versions)]
        if upgrade:
            arguments.append("--is-upgrade")
        with tempfile.TemporaryDirectory(dir=directory) as rendered:
            output = self._run(
                "template",
                name,
                chart.path,
                "--namespace",
                namespace,
                "--values",
                "-",
                "--output-dir",
                rendered,
                *arguments,
                values=values,
            )
            # In the order in which helm installs them. A file with several objects appears once for each of them.
            files = dict.fromkeys(re.findall(r"^wrote (.+)$", output, re.MULTILINE))
            return rendering("".join(Path(file).read_text(encoding="utf-8") for file in files))

    def history(self, name: str, namespace: str) -> Objects:
        revisions: Objects = json.loads(
            self._run("history", name, "--namespace", namespace, "--max", "256", "--output", "json")
        )
        return revisions

    def upgrade(self, name: str, namespace: str, chart: Chart, values: Object, *, wait: bool, timeout: int) -> None:
        waiting = [self._waiting(), "--wait-for-jobs"] if wait else []
        self._run(
            "upgrade",
            name,
            chart.path,
            "--install",
            "--namespace",
            namespace,
            # Without it, helm reuses the previous values if there are none this time.
            "--reset-values",
            "--history-max",
            "10",
            "--values",
            "-",
            "--timeout",
            f"{timeout}s",
            *self._writing(),
            *waiting,
            values=values,
            limit=timeout + 60,
        )

    def rollback(self, name: str, namespace: str, revision: int, timeout: int) -> None:
        self._run(
            "rollback",
            name,
            str(revision),
            "--namespace",
            namespace,
            "--timeout",
            f"{timeout}s",
            *self._writing(),
            limit=timeout + 60,
        )

    def uninstall(self, name: str, namespace: str, *, wait: bool, timeout: int) -> None:
        waiting = [self._waiting()] if wait else []
        self._run(
            "uninstall",
            name,
            "--namespace",
            namespace,
            "--ignore-not-found",
            "--timeout",
            f"{timeout}s",
            *waiting,
            limit=timeout + 60,
        )

    def _run(self, *arguments: str, values: Object | None = None, limit: int = 120) -> str:
        try:
            done = subprocess.run(
                [self._binary, *arguments],
                input=json.dumps(values if values is not None else {}),
                env=self._environment,
                capture_output=True,
                text=True,
                timeout=limit,
                check=False,
            )
        except FileNotFoundError:
            raise HelmFailure(
                f"the program '{self._binary}' was not found. Install helm 3.18 or newer, or helm 4, "
                "or set helm_binary to its path."
            ) from None
        except PermissionError:
            raise HelmFailure(f"'{self._binary}' is not executable. Set helm_binary to the helm program.") from None
        except subprocess.TimeoutExpired:
            raise HelmFailure(f"helm {arguments[0]} did not finish within {limit} s") from None
        if done.returncode:
            raise HelmFailure(_essence(done.stderr) or f"helm {arguments[0]} failed with exit code {done.returncode}")
        return done.stdout


def _essence(stderr: str) -> str:
    """Helm's error without its warnings and its advice to use --debug."""
    lines = [
        line
        for line in stderr.strip().splitlines()
        if line.strip()
        and not line.startswith(("WARNING:", "W0", "W1", "I0", "I1", "level=", "Use --debug", "walk.go", "coalesce.go"))
    ]
    return "\n".join(lines).removeprefix("Error: ")
