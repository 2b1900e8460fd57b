# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every link of the repository's pages leads somewhere: files, headings, and the paths that pages name as code.

    python tools/links.py [page ...]

It needs no network, so it does not ask for other people's pages.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(r"^( *)(```+|~~~+)[^\n]*\n(.*?)^\1\2[ ]*$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)|^ *\[[^\]^]+\]: *(\S+)|(?:src|href)=\"([^\"]+)\"", re.MULTILINE)
HEADING = re.compile(r"^#{1,6} +(.+?)(?: +#+)?$", re.MULTILINE)
ANCHOR = re.compile(r"<a (?:id|name)=\"([^\"]+)\"")
# A word of code that can be a path; NAMES and <names> are for the reader to fill in.
WORD = re.compile(r"(?<![\w~$@./}>{:<-])\.?[\w][\w.-]*(?:/[\w.*-]+)+/?(?![\w<{$/])")
PLACEHOLDER = re.compile(r"(?:^|/)[A-Z][A-Z_]*(?:/|\.|$)(?<!README\.)|\.\.\.")


def main() -> int:
    pages = [Path(name).resolve() for name in sys.argv[1:]] or [ROOT / name for name in sorted(pages_of(files()))]
    problems = [problem for page in pages for problem in problems_of(page)]
    print("\n".join(problems) or f"{len(pages)} pages: every link leads somewhere")
    return bool(problems)


def problems_of(page: Path) -> Iterator[str]:
    text = page.read_text()
    prose = SPAN.sub("", FENCE.sub("", text))
    where = os.path.relpath(page, ROOT)
    for match in LINK.finditer(prose):
        # antsibull-changelog escapes punctuation in addresses, too.
        target = re.sub(r"\\(\W)", r"\1", next(filter(None, match.groups()), ""))
        if not re.match(r"[a-z]+:", target) and (why := wrong(page, unquote(target))):
            yield f"{where}: the link {target} {why}"
    for word in sorted(set(paths_in(text))):
        if not exists(word):
            yield f"{where}: there is no {word} in the repository"


def wrong(page: Path, target: str) -> str:
    """Why the link leads nowhere, empty where it leads somewhere."""
    name, _hash, anchor = target.partition("#")
    path = Path(os.path.normpath(page.parent / name)) if name else page
    known = os.path.relpath(path, ROOT)
    if known not in files() and known not in folders():
        return "leads to no file of the repository"
    if anchor and path.suffix == ".md" and anchor not in anchors(path):
        return f"leads to no heading of {known}"
    return ""


def paths_in(text: str) -> Iterator[str]:
    """Paths from the repository's root: words of code that begin with one of its folders."""
    code = [match[3] for match in FENCE.finditer(text)]
    code += [match[2] for match in SPAN.finditer(FENCE.sub("", text))]
    tops = {name.split("/")[0] for name in files() if "/" in name}
    for piece in code:
        for match in WORD.finditer(piece):
            word = match[0].rstrip("./")
            if word.split("/")[0] in tops and not PLACEHOLDER.search(word):
                yield word


def exists(path: str) -> bool:
    if "*" in path:
        return any(ROOT.glob(path))
    if path in files() or path in folders():
        return True
    # What a command makes. With a slash, too: else git does not take for a folder what has not been made yet.
    asked = ["git", "check-ignore", path, f"{path}/"]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, check=False).returncode == 0


@cache
def anchors(page: Path) -> set[str]:
    """Headings as GitHub names them."""
    text = FENCE.sub("", page.read_text())
    found = set(ANCHOR.findall(text))
    for match in HEADING.finditer(text):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match[1])
        slug = base = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        number = 0
        while slug in found:
            number += 1
            slug = f"{base}-{number}"
        found.add(slug)
    return found


@cache
def files() -> frozenset[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return frozenset(name for name in listed.stdout.splitlines() if (ROOT / name).is_file())


@cache
def folders() -> frozenset[str]:
    return frozenset(str(parent) for name in files() for parent in Path(name).parents)


def pages_of(names: frozenset[str]) -> list[str]:
    return [name for name in names if name.endswith(".md")]


if __name__ == "__main__":
    sys.exit(main())
