# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Files that are written as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError

_ALL_MAY_READ = 0o666


def folder_problem(path: str) -> str:
    """Why no file can be written to the path, empty if one can."""
    if _is_special(path):
        return ""
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        return f"the folder {folder} does not exist. Create it, or name another one."
    if os.path.isdir(path):
        return f"{path} is a folder. Name a file in it."
    return "" if os.access(folder, os.W_OK) else f"the folder {folder} is not writable. Name another one."


def content_of(path: str) -> str | None:
    """None if there is no file. A file that is not text is not one of ours, and its content is empty."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        return ""


@contextlib.contextmanager
def named_file_errors() -> Iterator[None]:
    """A file that the system refuses to read or write becomes a MeshError that names it. Also for a decorator."""
    try:
        yield
    except OSError as error:
        raise MeshError(f"{error.filename}: {error.strerror}") from error


class WriteError(MeshError):
    """Files that were not written; the message names the option, the path and the way out."""


def requested(reports: Mapping[str, str | None]) -> dict[str, str]:
    """Format -> path of option ``reports``, of those that are set. Raises WriteError if one cannot be written."""
    asked = {form: path for form, path in reports.items() if path}
    for form, path in asked.items():
        if problem := folder_problem(path):
            raise WriteError(f"reports.{form}: {problem}")
    return asked


def write_reports(asked: Mapping[str, str], texts: Mapping[str, str]) -> list[dict[str, str]]:
    """Writes the text of each format to its path, all or none. Returns what modules return as ``files``."""
    write_together("reports", {path: texts[form] for form, path in asked.items()})
    return [{"path": os.path.abspath(path), "format": form} for form, path in asked.items()]


def write_together(option: str, texts: Mapping[str, str]) -> None:
    """All of them or none, by their paths; ``option`` asked for them. Raises WriteError.

    Concurrent readers get the old file or the new one. What is not a regular file, such as /dev/stdout or a pipe, is
    written to directly.
    """
    ready: dict[str, str] = {}
    path = ""
    try:
        for path, text in texts.items():
            if _is_special(path):
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
            else:
                ready[path] = _written_beside(os.path.realpath(path), text)
        for path in list(ready):
            os.replace(ready[path], os.path.realpath(path))
            del ready[path]
    except OSError as error:
        raise WriteError(f"{option}: {path}: {error.strerror}. Free some space, or name another place.") from error
    finally:
        for partial in ready.values():
            with contextlib.suppress(OSError):
                os.unlink(partial)


def _written_beside(target: str, text: str) -> str:
    """The path of a file with the text, which only needs to be renamed; no file is left if it cannot be written."""
    # Here, since most callers only read.
    import tempfile

    descriptor, partial = tempfile.mkstemp(dir=os.path.dirname(target), prefix=f".{os.path.basename(target)}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.chmod(partial, _mode_for(target))
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        raise
    return partial


def _is_special(path: str) -> bool:
    """A terminal, a pipe or the like."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def _mode_for(target: str) -> int:
    """The file's own, or what the user's mask leaves for a new one."""
    with contextlib.suppress(OSError):
        return os.stat(target).st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return _ALL_MAY_READ & ~mask
