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
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.corpv3.service_mesh.plugins.module_utils._charts import Chart, Rendering, documents, rendering
from ansible_collections.corpv3.service_mesh.plugins.module_utils._objects import Object, Objects

MINIMUM_VERSION = (3, 18)
# Majors beyond it were never run.
NEWEST_MAJOR = 4


class HelmFailure(Exception):
    """Helm ended with an error."""


class Helm:
    """One helm binary talking to one cluster. Safe to use from several threads."""

    def __init__(self, binary: str, kubeconfig: str = "") -> None:
        self._binary = os.path.expanduser(binary)
        # HELM_KUBE* would send helm to another cluster than the one that the modules talk to.
        self._environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith("HELM_KUBE") and key not in ("HELM_NAMESPACE", "HELM_DEBUG")
        }
        self._environment["KUBECONFIG"] = kubeconfig or os.devnull

    @functools.cached_property
    def version(self) -> tuple[int, int, int]:
        text = self._run("version", "--template", "{{ .Version }}")
        found = re.search(r"v?(\d+)\.(\d+)\.(\d+)", text)
        if not found:
            raise HelmFailure(f"{self._binary} version says '{text.strip()}', which is not a valid version")
        return (int(found[1]), int(found[2]), int(found[3]))

    def require_version(self) -> tuple[int, int, int]:
        """The program's version. HelmFailure where the collection cannot work with it."""
        if not MINIMUM_VERSION <= self.version < (NEWEST_MAJOR + 1,):
            raise HelmFailure(
                f"{self._binary} is helm {'.'.join(map(str, self.version))}; needed is helm 3.18 or newer, or helm 4. "
                "Install one and name it in helm_binary (service_mesh_helm_binary)."
            )
        return self.version

    # Helm 4 has other defaults than helm 3. These two are all that it has to be told, so that a release is written and
    # waited for in the same way by both, and can go from one to the other and back.

    def _writing(self) -> list[str]:
        """The options for writing objects.

        By default helm 4 installs by server-side apply. That refuses charts with two list items of the same key, and
        fails where another manager has set a field.
        """
        return ["--server-side=false"] if self.version >= (4,) else []

    def _waiting(self) -> str:
        """The option for waiting until objects are ready, or gone.

        By default helm 4 watches, which takes the right to watch every kind of a chart, and goes by kstatus. What
        _readiness explains is what helm 3 waits for.
        """
        return "--wait=legacy" if self.version >= (4,) else "--wait"

    def pull(self, chart: str, repository: str, version: str, directory: str) -> None:
        """Puts the chart of a repository or registry, unpacked, into the directory."""
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

        ``directory``: where they may lie for a moment. Unless it writes them to files, helm 4 looks each of them up in
        the cluster, and prints nothing where a kind is yet to be defined or an object belongs to somebody else.
        """
        arguments = ["--dry-run=server", "--no-hooks", "--include-crds", "--kube-version", kubernetes]
        arguments += ["--api-versions", ",".join(api_versions)]
        if upgrade:
            arguments.append("--is-upgrade")
        with tempfile.TemporaryDirectory(dir=directory) as rendered:
            told = self._run(
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
            # In the order in which helm installs them. A file with several objects is named for each of them.
            files = dict.fromkeys(re.findall(r"^wrote (.+)$", told, re.MULTILINE))
            return rendering("".join(Path(file).read_text(encoding="utf-8") for file in files))

    def releases(self, namespace: str) -> Objects:
        """Whatever state they are in."""
        # Helm 3 lists some states only by default, and helm 4 no longer has its --all.
        states = ("deployed", "failed", "pending", "superseded", "uninstalled", "uninstalling")
        releases: Objects = json.loads(
            self._run(
                "list", "--namespace", namespace, *(f"--{state}" for state in states), "--max", "0", "--output", "json"
            )
        )
        return releases

    def manifest(self, name: str, namespace: str) -> Objects:
        return documents(self._run("get", "manifest", name, "--namespace", namespace))

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
            # Without it, helm keeps the values of the last time when there are none this time.
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
                f"there is no program '{self._binary}'. Install helm 3.18 or newer, or helm 4, "
                "or name where it is in helm_binary (service_mesh_helm_binary)."
            ) from None
        except PermissionError:
            raise HelmFailure(f"'{self._binary}' may not be run: is it the helm program?") from None
        except subprocess.TimeoutExpired:
            raise HelmFailure(f"helm {arguments[0]} did not end within {limit} s") from None
        if done.returncode:
            raise HelmFailure(_essence(done.stderr) or f"helm {arguments[0]} ended with {done.returncode}")
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
