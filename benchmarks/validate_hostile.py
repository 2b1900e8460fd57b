# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh-validate on input that is made to cost time or memory: what each takes, and the codes that it is answered with.

    python benchmarks/validate_hostile.py [--mebibytes 64]

Whole processes, once each. Files of the given size are written to a temporary folder, and removed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from validate_measuring import machine, measured, with_compiled_modules

ENTRY = Path(__file__).resolve().with_name("validate_entry.py")
_HEAD = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\n"
_SMALL = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: n%d}\ndata: {a: b}\n"
_ROUTE = (
    "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: n%d, namespace: shop}\n"
    "spec: {hosts: [n%d], http: [{route: [{destination: {host: n%d}}]}]}\n"
)


def inputs(size: int) -> Iterator[tuple[str, str]]:
    """(what it is, the text) for files of up to ``size`` bytes."""
    yield "nested brackets", _HEAD + "spec: " + "[" * (size - 200)
    yield "nested braces", _HEAD + "spec: " + "{a: " * (size // 4 - 50)
    yield "nested blocks", _HEAD + "spec:\n" + "".join(" " * depth + "a:\n" for depth in range(1, 5000))
    yield "aliases of aliases", _HEAD + _aliases(30)
    yield "aliases beside each other", _HEAD + "a: &a [1, 2, 3]\nspec: [" + "*a," * (size // 3 - 50) + "]\n"
    yield "one line", _HEAD + "spec: {hosts: [" + "a" * (size - 200) + "]}\n"
    yield "one line without a kind", "a" * size
    yield "one line of hosts", _HEAD + "spec: {hosts: [" + "a," * (size // 2 - 100) + "]}\n"
    yield "one quoted text with escapes", _HEAD + 'spec: {hosts: ["' + "\\n" * (size // 2 - 100) + '"]}\n'
    yield "small documents", "".join(_SMALL % number for number in range(size // len(_SMALL % 9999999)))
    routes = size // len(_ROUTE % ((9999999,) * 3))
    yield "small VirtualServices", "".join(_ROUTE % (number, number, number) for number in range(routes))
    yield "empty documents", "---\n" * (size // 4)
    yield "duplicate keys", _HEAD + "spec: {" + "a: 1, " * (size // 6 - 50) + "}\n"
    yield "null characters", _HEAD + "\0" * (size - 200)


def _aliases(levels: int) -> str:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{level}: &a{level} [*a{level - 1}, *a{level - 1}]" for level in range(1, levels)]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mebibytes", type=int, default=64)
    parser.add_argument("--only", nargs="+", default=[""], metavar="TEXT", help="inputs whose name contains this")
    parser.add_argument("--write", nargs=2, metavar=("FILE", "NUMBER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    size = given.mebibytes * 1024 * 1024
    if given.write:
        Path(given.write[0]).write_text(next(islice(inputs(size), int(given.write[1]), None))[1])
        return
    names = [name for name, _text in inputs(1024 * 1024)]
    print(machine())
    print(f"{'input':<30} {'MiB':>5} {'CPU s':>7} {'wall s':>7} {'peak MB':>8} answer")
    with tempfile.TemporaryDirectory() as folder:
        environment = with_compiled_modules(f"{folder}/cache")
        file = Path(folder) / "input.yaml"
        file.write_text("")
        _show("an empty file", file, environment)
        for number, name in enumerate(names):
            if not any(text in name for text in given.only):
                continue
            # By another process: a child begins with its parent's largest resident set.
            writer = [sys.executable, __file__, "--mebibytes", str(given.mebibytes), "--write", str(file), str(number)]
            subprocess.run(writer, check=True)
            _show(name, file, environment)
    for path in ("/dev/zero", "/proc/kcore", "/proc"):
        _show(path, Path(path), environment)


def _show(name: str, path: Path, environment: dict[str, str]) -> None:
    size = path.stat().st_size / 1024 / 1024 if path.is_file() and not path.is_relative_to("/proc") else 0
    command = [
        sys.executable,
        str(ENTRY),
        str(path),
        "--no-config",
        "--no-cache",
        "--format",
        "json",
        "--level",
        "never",
    ]
    run = measured(command, environment)
    answer = "refused"
    if run.output:
        found = Counter(item["code"] for item in json.loads(run.output)["findings"])
        answer = ", ".join(f"{code} {number}" for code, number in sorted(found.items())) or "clean"
    print(f"{name:<30} {size:>5.0f} {run.cpu:>7.2f} {run.wall:>7.1f} {run.megabytes:>8.0f} {answer}", flush=True)


if __name__ == "__main__":
    main()
