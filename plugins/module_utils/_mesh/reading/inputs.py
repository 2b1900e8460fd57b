# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Files, folders, globs, charts and kustomizations, as resources."""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import InputError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading import kustomizations
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.loading import (
    MAX_BYTES,
    RENDERING,
    TEMPLATE,
    TOO_LARGE,
    UNREADABLE,
    UNSUPPLIED,
    Loaded,
    decoded,
    is_manifest,
    load_bytes,
    load_text,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.templates import marks_of_file
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import BUILT, RENDERED

ENDINGS = (".yaml", ".yml", ".json")
_HELM, _KUSTOMIZE = "helm", "kustomize"
# The folder of Flux's own manifests in a cluster's folder.
_OF_FLUX = "flux-system"
# Characters of a release's name.
_MOST_OF_A_RELEASE = 53
_MAX_TOTAL = 8 * MAX_BYTES
# What looks like files there may never end, or hold secrets of other processes.
_KERNELS = ("/proc/", "/sys/")


class ChartInput(NamedTuple):
    """A Helm chart to render: ``path`` on disk, and the values for it."""

    path: str
    name: str = "release"
    namespace: str = "default"
    values: Object | None = None
    values_files: tuple[str, ...] = ()


class Reader:
    """Reads inputs into one `Loaded`. File names are shown relative to ``base``.

    A folder with a chart is rendered with the chart's own values, one with a kustomization is built. Both need their
    program. Folders and files that belong to a kustomization of the same tree are read with it only.
    """

    def __init__(
        self,
        namespace: str = "default",
        base: str = "",
        helm: str = "",
        kustomize: str = "",
        *,
        kustomize_enable_helm: bool = False,
    ) -> None:
        self.loaded = Loaded()
        self.files = 0
        self._namespace = namespace
        self._base = base or os.getcwd()
        self._helm = helm or _HELM
        self._kustomize = kustomize or _KUSTOMIZE
        self._kustomize_arguments = ["--enable-helm", "--helm-command", self._helm] if kustomize_enable_helm else []
        self._bytes = 0
        self._seen: set[str] = set()
        # Of the folder that is being read.
        self._parts: set[str] = set()

    def read(self, paths: Iterable[str]) -> Loaded:
        for path in paths:
            self._read(os.path.expanduser(path))
        return self.loaded

    def content(self, text: str, name: str = "-") -> None:
        """A text from elsewhere, such as standard input."""
        load_bytes(text.encode("utf-8", "surrogatepass"), name, self._namespace, self.loaded)

    def _read(self, path: str) -> None:
        if os.path.isdir(path):
            self._tree(path)
        elif os.path.exists(path):
            self._file(path)
        else:
            matches = sorted(glob.glob(path, recursive=True)) if glob.has_magic(path) else []
            if not matches:
                what = "matches no file" if glob.has_magic(path) else "does not exist"
                raise InputError(f"paths: '{path}' {what}.{_start_of(path)}")
            for match in matches:
                if os.path.isdir(match):
                    self._tree(match)
                elif match.endswith(ENDINGS):
                    self._file(match)

    def _tree(self, folder: str) -> None:
        tree = kustomizations.read_tree(folder)
        self._parts = tree.parts - {os.path.realpath(folder)}
        self.loaded.replaced |= tree.replaced
        self._folder(folder)

    def _folder(self, folder: str) -> None:
        """In the order of ``kubectl apply --recursive``, by name, since the last definition of an object wins."""
        if f"{os.path.realpath(folder)}/".startswith(_KERNELS):
            self.loaded.fault(UNREADABLE, self._shown(folder), "the kernel's, not a folder of files")
            return
        try:
            names = sorted(os.listdir(folder))
        except OSError as error:
            self.loaded.fault(UNREADABLE, self._shown(folder), error.strerror or str(error))
            return
        if "Chart.yaml" in names:
            self._chart(ChartInput(folder, _release_name(folder), self._namespace), own_values=True)
        elif kustomizations.is_kustomization(folder, names):
            self._kustomization(folder)
        else:
            if any(name.lower().startswith("readme") for name in names):
                self.loaded.guided.add(self._shown(folder))
            # Editors keep copies in hidden files, or with other endings.
            for path in (os.path.join(folder, name) for name in names if not name.startswith((".", "#"))):
                if os.path.realpath(path) in self._parts:
                    continue
                if os.path.isdir(path):
                    if not os.path.islink(path):
                        self._folder(path)
                elif path.endswith(ENDINGS):
                    self._file(path, is_named=False)

    def _file(self, path: str, *, is_named: bool = True) -> None:
        """``is_named``: the user names the file, or its pattern, so it must be configuration of Kubernetes."""
        real = os.path.realpath(path)
        if real in self._seen:
            return
        self._seen.add(real)
        shown = self._shown(path)
        try:
            if not os.path.isfile(real) or real.startswith(_KERNELS):
                self.loaded.fault(UNREADABLE, shown, "not a regular file")
                return
            with open(path, "rb") as file:
                # One byte more than allowed detects a larger file without reading all of it.
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            self.loaded.fault(UNREADABLE, shown, error.strerror or str(error))
            return
        self._bytes += len(data)
        if self._bytes > _MAX_TOTAL:
            self.loaded.fault(TOO_LARGE, shown, f"the files together have more than {_MAX_TOTAL} bytes")
            return
        self.files += 1
        content = decoded(data, shown, self.loaded) if is_named or is_manifest(data) else None
        # A large file's bytes need not be in memory beside its objects.
        del data
        if content is not None:
            load_text(content.text, shown, self._namespace, self.loaded, content.rest)

    def chart(self, chart: ChartInput) -> None:
        """A chart that the user names, with values. Raises InputError if there is none."""
        if not os.path.exists(path := os.path.expanduser(chart.path)):
            raise InputError(
                f"chart: '{chart.path}' does not exist. Give the path of a chart's folder or archive.{_start_of(path)}"
            )
        self._chart(chart, own_values=False)

    def _chart(self, chart: ChartInput, *, own_values: bool) -> None:
        # Here, as below: what runs programs takes its time to import, and most files need none.
        from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.local_charts import (
            with_local_dependencies,
        )
        from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.needs import (
            lacks_dependencies,
            need_of_chart,
        )

        path = os.path.expanduser(chart.path)
        text, problem = self._rendered(chart, path)
        if lacks_dependencies(problem):
            with with_local_dependencies(path) as copy:
                text, problem = self._rendered(chart, copy) if copy else (text, problem)
        shown = self._shown(path)
        if problem:
            file, line = _place_of(problem, shown)
            self._not_rendered(path, file, problem, need_of_chart(problem, own_values=own_values), line)
            return
        for source, part in _by_template(text):
            file = f"{_template_in(shown, source) if source else shown}{RENDERED}"
            if own_values:
                self.loaded.with_own_values.add(file)
            load_text(part, file, chart.namespace, self.loaded)

    def _rendered(self, chart: ChartInput, path: str) -> tuple[str, str]:
        """The output of helm for the chart at this path, or what is wrong."""
        from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.programs import output_of

        command = [self._helm, "template", chart.name, path, "--namespace", chart.namespace, "--include-crds"]
        for file in chart.values_files:
            command += ["--values", os.path.expanduser(file)]
        given = ""
        if chart.values:
            command += ["--values", "-"]
            given = json.dumps(chart.values)
        return output_of([command], given, "helm", "helm_binary" if self._helm != _HELM else "")

    def _kustomization(self, folder: str) -> None:
        from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.needs import (
            is_restricted,
            need_of_kustomization,
        )

        text, problem = self._built(folder, self._kustomize_arguments)
        if is_restricted(problem):
            text, problem = self._built(
                folder, [*self._kustomize_arguments, "--load-restrictor", "LoadRestrictionsNone"]
            )
        shown = self._shown(folder)
        if problem:
            need = need_of_kustomization(problem) or self._absent_file(problem)
            self._not_rendered(folder, shown, problem, need)
        else:
            load_text(text, f"{shown}{BUILT}", self._namespace, self.loaded)

    def _absent_file(self, problem: str) -> str:
        """What is needed if kustomize lacks a file that a program creates or git ignores; empty otherwise."""
        from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.needs import missing_file
        from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.programs import (
            is_ignored_by_git,
        )

        path = missing_file(problem)
        if os.path.basename(path) == _OF_FLUX:
            return f"{self._shown(path)} is not here: flux bootstrap creates it"
        if not path or not is_ignored_by_git(path):
            return ""
        return f"{self._shown(path)} is not here, because git ignores it: create it"

    def _built(self, folder: str, arguments: Sequence[str]) -> tuple[str, str]:
        """The output of kustomize, or what is wrong."""
        from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.programs import output_of

        is_kubectl = os.path.basename(self._kustomize).startswith("kubectl")
        commands = [[self._kustomize, "kustomize" if is_kubectl else "build", folder, *arguments]]
        is_chosen = self._kustomize != _KUSTOMIZE
        if not is_chosen:
            # kubectl contains kustomize.
            commands.append(["kubectl", "kustomize", folder, *arguments])
        return output_of(commands, "", "kustomize", "kustomize_binary" if is_chosen else "")

    def _not_rendered(self, folder: str, file: str, problem: str, need: str, line: int = 1) -> None:
        for name in ("Chart.yaml", "values.yaml", *kustomizations.NAMES):
            if marks := marks_of_file(os.path.join(folder, name)):
                self.loaded.fault(TEMPLATE, self._shown(folder), f"{name} has {marks}: it is generated")
                return
        self.loaded.fault(UNSUPPLIED if need else RENDERING, file, need or problem, line)

    def _shown(self, path: str) -> str:
        relative = os.path.relpath(path, self._base)
        return path if relative.startswith("..") else relative


def _start_of(path: str) -> str:
    """Where a relative path starts, as a sentence of its own."""
    return "" if os.path.isabs(path) else f" Relative paths start at {os.getcwd()}."


_TEMPLATE = re.compile(r"\(?\b([\w./-]+/templates/[\w./-]+\.(?:ya?ml|tpl|json|txt))[:)](\d+)?")


def _place_of(problem: str, chart: str) -> tuple[str, int]:
    """(file, line): helm names the template as <chart>/templates/<file>:<line>."""
    found = _TEMPLATE.search(problem)
    return (_template_in(chart, found[1]), int(found[2] or 1)) if found else (chart, 1)


def _release_name(folder: str) -> str:
    """The folder's name, as far as helm takes it."""
    name = os.path.basename(os.path.abspath(folder)).lower()
    return re.sub(r"[^a-z0-9]+", "-", name)[:_MOST_OF_A_RELEASE].strip("-") or "release"


def _template_in(chart: str, source: str) -> str:
    """helm begins with the chart's name, which may differ from its folder's."""
    return os.path.join(chart, source.partition("/")[2])


def _by_template(text: str) -> list[tuple[str, str]]:
    """Helm's output in pieces, each with the template that it comes from."""
    pieces: list[tuple[str, str]] = []
    for piece in re.split(r"^(?=---$)", text, flags=re.MULTILINE):
        source = re.match(r"(?:---\n)?# Source: (.+)", piece)
        pieces.append((source[1].strip() if source else "", piece))
    return pieces
