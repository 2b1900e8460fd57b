"""What goes into an image from this machine: programs with the libraries that they load, and a Python."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable
from pathlib import Path

from .archive import Entry

EXECUTABLE = 0o755
TMP = Entry("tmp", mode=0o1777, folder=True)
LDD = "/usr/bin/ldd"
# What no program of the lab imports, and most of a Python's size.
UNUSED = {"test", "tests", "site-packages", "idlelib", "tkinter", "ensurepip", "lib2to3", "turtledemo", "pydoc_data"}

# Arguments: script, folder for the compiled files, the standard library's path in the image.
COMPILE = """
import importlib, importlib.util, os, py_compile, sys, sysconfig
script, folder, inside = sys.argv[1:]
sys.path.insert(0, os.path.dirname(script))
for name in (os.path.basename(script)[:-3], "encodings.idna", "encodings.latin_1"):
    importlib.import_module(name)
standard = sysconfig.get_path("stdlib")
files = {getattr(module, "__file__", None) or "" for module in sys.modules.values()}
for path in sorted(file for file in files if file.startswith(standard + "/") and file.endswith(".py")):
    name = os.path.relpath(path, standard)
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    cached = importlib.util.cache_from_source(name, optimization="")
    target = os.path.join(folder, cached)
    py_compile.compile(path, target, f"{inside}/{name}", True, -1, mode)
"""


def program(source: Path, path: str) -> Entry:
    """An executable at ``path``."""
    return Entry(path.lstrip("/"), source=source, mode=EXECUTABLE)


def libraries(programs: Iterable[Path]) -> list[Entry]:
    """The shared libraries and the loader of ``programs``, at the paths where the loader looks; none of static ones."""
    # Static programs are reported among the others, and make the exit code 1.
    result = subprocess.run([LDD, *map(str, programs)], capture_output=True, text=True, check=False)
    found = library_paths(result.stdout)
    return [Entry(path.lstrip("/"), source=Path(path).resolve(), mode=EXECUTABLE) for path in sorted(found)]


def library_paths(text: str) -> set[str]:
    """The paths that ldd names. Raises LookupError for a library that this machine has not."""
    missing = re.findall(r"^\s*(\S+) => not found", text, re.MULTILINE)
    if missing:
        raise LookupError(f"library {', '.join(missing)} not found")
    return set(re.findall(r"(?:=> |^\s*)(/\S+) \(0x", text, re.MULTILINE))


def python(target: str = "usr/local") -> list[Entry]:
    """This Python without packages, at ``target``/bin/python3, with its libraries."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    standard = Path(sysconfig.get_path("stdlib"))
    binary = Path(sys.base_prefix) / "bin" / version
    files = [path for path in sorted(standard.rglob("*")) if path.is_file() and _wanted(path.relative_to(standard))]
    # Names differ from one build of Python to the next; the program finds what is beside it in lib.
    entries = [program(binary, f"{target}/bin/{version}"), Entry(f"{target}/bin/python3", link=version)]
    entries += [
        Entry(
            f"{target}/lib/{version}/{path.relative_to(standard)}",
            source=path,
            mode=EXECUTABLE if path.suffix == ".so" else 0o644,
        )
        for path in files
    ]
    return entries + libraries([binary, *(path for path in files if path.suffix == ".so")])


def _wanted(path: Path) -> bool:
    folders = set(path.parts[:-1])
    if folders & UNUSED or any(part.startswith("config-") for part in folders):
        return False
    # Compiled files name the time of their source, so they would not be used, and differ from build to build.
    return "__pycache__" not in folders and path.suffix in (".py", ".so") and not path.name.startswith("_test")


def compiled(script: Path, target: str = "usr/local") -> list[Entry]:
    """Compiled files of the standard modules that ``script`` imports; Python takes them without reading the sources.

    In a container with a read-only root, Python would compile all of them at each start.
    """
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-S", "-E", "-c", COMPILE, str(script), folder, f"/{target}/lib/{version}"]
        # A compiled file depends on the order of sets, and on what its process has compiled before.
        subprocess.run(argv, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "0"})
        made = sorted(Path(folder).rglob("*.pyc"))
        return [Entry(f"{target}/lib/{version}/{path.relative_to(folder)}", content=path.read_bytes()) for path in made]


def packages(names: Iterable[str], target: str) -> list[Entry]:
    """Pure Python packages of this environment, below ``target``; none of those that are not installed."""
    entries = []
    for name in names:
        try:
            files = importlib.metadata.files(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        # Some read their own version from their metadata.
        found = [path for path in files if path.suffix == ".py" or path.name == "METADATA"]
        entries += [Entry(f"{target}/{path}", source=Path(str(path.locate()))) for path in found]
    return entries
