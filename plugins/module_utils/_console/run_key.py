# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What the output of a run depends on, as one key: the program's code, the options, and the contents of the files.

If not all of it can be known, there is no key, and the run is not taken from the cache: with a cluster, with code of
the user, and with folders that a program reads from a network.
"""

from __future__ import annotations

import datetime
import glob
import os
import re
import stat
import sys

# As in run_cache.py.
from _blake2 import blake2b
from collections.abc import Iterable, Iterator
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._console.arguments import Asked
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.parsing import load_one
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.scripts import (
    SCRIPT_ENDINGS,
    SCRIPT_NAMES,
)

_CODE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_ENDINGS = (".yaml", ".yml", ".json")
# With one of these in a folder, helm or kustomize read files of any name, and of other folders.
_RENDERED = ("Chart.yaml", "kustomization.yaml", "kustomization.yml", "Kustomization")
_PROGRAMS = ("helm", "kustomize", "kubectl")
_OF_PROGRAMS = ("HELM_", "KUSTOMIZE_", "KUBECTL_", "XDG_", "HOME", "PATH")
# A remote base or chart, and what may run a program.
_REMOTE = (b"://", b"github.com", b"?ref=", b"helmCharts", b"generators:", b"transformers:")
_UP = re.compile(rb"(?<![\w.])\.\.(?:/+\.\.)*(?![\w.])")
_NOT_INPUT = (".git", "__pycache__")
_MOST_BYTES = 256 * 1024 * 1024
_MOST_FILES = 50_000


class _NoKey(Exception):
    """The output depends on something that the key cannot contain."""


def key_of(asked: Asked, config: str, colours: Iterable[bool]) -> str:
    """Empty if there is no key. ``config``: path of the configuration file in effect, empty for none."""
    if asked.fix or asked.explain or asked.options["live"]:
        return ""
    key = _Key()
    try:
        key.add("code", *_states(_files_below(_CODE)))
        key.add("python", sys.version, sys.prefix, *sys.path)
        # Suppressions expire by the day.
        key.add("run", os.getcwd(), str(datetime.date.today()), repr(asked), repr([*colours]))
        _add_configuration(key, asked, config)
        _add_input(key, asked.options["paths"])
    except (_NoKey, OSError, ValueError):
        return ""
    return key.text()


class _Key:
    def __init__(self) -> None:
        self._hash = blake2b(digest_size=24)
        self._bytes = 0

    def add(self, *texts: str) -> None:
        for text in texts:
            self._hash.update(text.encode("utf-8", "surrogatepass") + b"\0")

    def add_file(self, path: str) -> bytes:
        """The content of the file. Raises _NoKey for one that is not a regular file, or too large together."""
        if not os.path.isfile(path):
            raise _NoKey(path)
        with open(path, "rb") as file:
            data = file.read(_MOST_BYTES + 1)
        self._bytes += len(data)
        if self._bytes > _MOST_BYTES:
            raise _NoKey(path)
        self._hash.update(f"{path}\0{len(data)}\0".encode("utf-8", "surrogateescape"))
        self._hash.update(data)
        return data

    def text(self) -> str:
        return self._hash.hexdigest()


def _add_configuration(key: _Key, asked: Asked, config: str) -> None:
    baseline = asked.options.get("baseline")
    if config:
        options = load_one(key.add_file(config).decode("utf-8", "surrogateescape"))
        policy: Any = options.get("policy") if isinstance(options, dict) else None
        if isinstance(policy, dict) and (policy.get("python") or policy.get("cel")):
            raise _NoKey(config)
        of_file = options.get("baseline") if isinstance(options, dict) else None
        if isinstance(of_file, str) and not baseline:
            baseline = os.path.join(os.path.dirname(os.path.abspath(config)), os.path.expanduser(of_file))
    if baseline:
        key.add("baseline", str(os.path.exists(baseline)))
        if os.path.exists(baseline):
            key.add_file(baseline)


def _add_input(key: _Key, paths: Iterable[str]) -> None:
    is_rendered = False
    for path in paths:
        path = os.path.expanduser(path)
        matches = [path] if os.path.exists(path) else sorted(glob.glob(path, recursive=True))
        key.add("path", path, str(len(matches)))
        for match in matches:
            if not os.path.isdir(match):
                key.add_file(match)
                continue
            for file in _files_below(match, hidden=False):
                name = os.path.basename(file)
                is_rendered = is_rendered or name in _RENDERED
                if file.endswith(_ENDINGS) or name in _RENDERED:
                    key.add_file(file)
                elif file.endswith(SCRIPT_ENDINGS) or name in SCRIPT_NAMES:
                    key.add(*_states([file]))
    if is_rendered:
        _add_what_programs_read(key, paths)


def _add_what_programs_read(key: _Key, paths: Iterable[str]) -> None:
    """The programs, and the whole repository, whose files need not be YAML: by their state, not their contents."""
    # Here, since most input needs no program.
    import shutil

    for program in _PROGRAMS:
        found = shutil.which(program)
        key.add(program, *(_states([found]) if found else ("",)))
    key.add(
        "environment", *(f"{name}={os.environ[name]}" for name in sorted(os.environ) if name.startswith(_OF_PROGRAMS))
    )
    for root in sorted({_repository(path) for path in paths}):
        for file in _files_below(root):
            if os.path.basename(file) in _RENDERED:
                with open(file, "rb") as stream:
                    content = stream.read()
                is_remote = not file.endswith("Chart.yaml") and any(word in content for word in _REMOTE)
                if is_remote or _leads_outside(root, file, content):
                    raise _NoKey(file)
            key.add(*_states([file]))


def _leads_outside(root: str, file: str, content: bytes) -> bool:
    """Whether a relative path in this file may name something outside of the repository."""
    ways_up = [match.count(b"..") for match in _UP.findall(content)]
    return max(ways_up, default=0) > os.path.relpath(file, root).count(os.sep)


def _repository(path: str) -> str:
    """The folder that has .git. Raises _NoKey outside of a repository: what a program reads has no bound there."""
    folder = os.path.realpath(os.path.expanduser(path))
    while not os.path.exists(os.path.join(folder, ".git")):
        above = os.path.dirname(folder)
        if above == folder:
            raise _NoKey(path)
        folder = above
    return folder


def _files_below(folder: str, *, hidden: bool = True) -> Iterator[str]:
    """And links to folders, in a fixed order. Raises _NoKey if there are too many, OSError for an unreadable folder."""
    number = 0

    def refuse(error: OSError) -> None:
        raise error

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if name not in _NOT_INPUT and (hidden or name[0] != "."))
        number += len(names)
        if number > _MOST_FILES:
            raise _NoKey(folder)
        names += [name for name in folders if os.path.islink(os.path.join(place, name))]
        for name in sorted(name for name in names if hidden or name[0] != "."):
            yield os.path.join(place, name)


def _states(files: Iterable[str]) -> Iterator[str]:
    """A file that changes gets another one: nothing sets the time of the change of the inode back."""
    for file in files:
        found = os.lstat(file)
        if stat.S_ISLNK(found.st_mode):
            yield f"{file} -> {os.readlink(file)}"
            if not os.path.exists(file):
                continue
            found = os.stat(file)
            if not stat.S_ISREG(found.st_mode):
                raise _NoKey(file)
        yield f"{file} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino} {found.st_dev}"
