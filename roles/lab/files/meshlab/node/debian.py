"""What goes into an image from this machine's Debian packages: their files, with the libraries that these load."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from .archive import Entry
from .contents import libraries

# Nothing that runs reads these.
UNUSED: tuple[str, ...] = (
    "/usr/share/doc",
    "/usr/share/man",
    "/usr/share/locale",
    "/usr/share/lintian",
    "/usr/share/bash-completion",
)
UNUSED += ("/etc", "/lib/systemd", "/var", "/usr/share/info")
# PostgreSQL compiles queries only where it finds its compiler, which is half of an image.
UNUSED_PARTS = ("/bitcode/", "llvmjit")
# Links on a machine with one /usr; folders in an image, where the files' names begin with them.
FOLDERS = ("/bin", "/sbin", "/lib", "/lib64")
ELF = b"\x7fELF"


def installed(*patterns: str) -> dict[str, str]:
    """Name and version of the installed packages that match one of ``patterns``, as dpkg-query reads these."""
    argv = ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package} ${Version}\n", *patterns]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    lines = (line.split() for line in done.stdout.splitlines())
    return {line[1]: line[2] for line in sorted(lines) if line[0] == "installed"}


def files(packages: Sequence[str]) -> list[Entry]:
    """The packages' files and links, and the libraries of their programs."""
    argv = ["dpkg-query", "--listfiles", *packages]
    listed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    found = {path: entry for path in listed if path.startswith("/") for entry in _entry(Path(path))}
    loaded = [entry.source for entry in found.values() if entry.source and _is_program(entry.source)]
    return [*found.values(), *libraries(loaded)]


def _entry(path: Path) -> Iterator[Entry]:
    """What is at ``path``, unless it is a folder, unused, or was not installed."""
    if str(path) in FOLDERS or str(path).startswith(UNUSED) or any(part in str(path) for part in UNUSED_PARTS):
        return
    inside = str(path).lstrip("/")
    if path.is_symlink():
        yield Entry(inside, link=str(path.readlink()))
    elif path.is_file():
        yield Entry(inside, source=path, mode=stat.S_IMODE(path.stat().st_mode))


def _is_program(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(ELF)) == ELF
