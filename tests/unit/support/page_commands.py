"""The commands of the pages: lines of blocks for a shell, and code in a sentence that begins with a program."""

from __future__ import annotations

import itertools
import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
# The site shows the comment that each begins with.
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
# In a sentence, these are something to type; the others are a mention.
OURS = {
    *(
        "ansible-doc",
        "ansible-galaxy",
        "ansible-inventory",
        "ansible-navigator",
        "ansible-playbook",
        "ansible-rulebook",
    ),
    *("make", "mesh-validate", "molecule", "pip", "pytest", "python"),
}
PROGRAMS = OURS | {
    *(
        "antsibull-changelog",
        "argocd",
        "curl",
        "docker",
        "flux",
        "gh",
        "git",
        "go",
        "helm",
        "istioctl",
        "kind",
        "kubectl",
    ),
    *("openssl", "podman", "pre-commit", "seq", "skopeo", "source", "systemctl", "tar"),
}
_FENCE = re.compile(r"^( *)(```+|~~~+)(\w*)[^\n]*\n(.*?)^\1\2[ ]*$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?<=\n\n)(?: {4}[^\n]*\n)+")
_SPAN = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_SHELLS = {"bash", "sh", "shell", "console"}
# Before a program: a prompt, the environment's variables.
_BEFORE = re.compile(r"\$|export|sudo|\w+=.*", re.DOTALL)


@dataclass(frozen=True)
class Command:
    """One command as its page has it, in one line."""

    page: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.page}: {self.text}"

    @property
    def words(self) -> list[str]:
        """As a shell splits them, without the environment's variables, and up to a pipe or a redirection."""
        return _words(self.text)


def commands() -> list[Command]:
    """Each once for each page, in the order of the pages."""
    pages = {page: page.read_text() for page in PAGES} | {page: _comment(page.read_text()) for page in PLAYBOOKS}
    found = {Command(str(page.relative_to(ROOT)), text): None for page in pages for text in commands_in(pages[page])}
    return list(found)


def _comment(playbook: str) -> str:
    """The lines of code in it, as a block. What follows a command there is set apart by blanks."""
    lines = re.findall(r"^#   (.*?)(?: {3,}[^'\"]*)?$", playbook.partition("\n- ")[0], re.MULTILINE)
    return "\n".join(["```", *lines, "```"])


def commands_in(text: str) -> Iterator[str]:
    prose = text
    for fence in _FENCE.finditer(text):
        if fence[3] in _SHELLS:
            yield from _lines(fence[4], every=True)
        elif not fence[3]:
            yield from _lines(fence[4], every=False)
        prose = prose.replace(fence[0], "")
    for block in _INDENTED.finditer(prose):
        yield from _lines(block[0], every=False)
        prose = prose.replace(block[0], "")
    for span in _SPAN.finditer(prose):
        code = " ".join(span[2].split())
        if code.startswith("playbooks/") and " " in code:
            code = f"ansible-playbook {code}"
        # "..." and "…" shorten what another place has in full.
        if " " in code and _program(code) in OURS and "..." not in code and "…" not in code:
            yield code


def _lines(block: str, *, every: bool) -> Iterator[str]:
    """The commands of a block; without ``every``, lines that begin with no program are its output."""
    whole = re.sub(r"\\\n\s*", "", textwrap.dedent(block))
    for line in _joined(whole.splitlines()):
        if line and not line.startswith("#") and (every or _program(line) in PROGRAMS):
            yield line


def _joined(lines: list[str]) -> Iterator[str]:
    """Lines without comments, those of an open quotation joined."""
    begun = ""
    for line in lines:
        text = f"{begun}\n{line}" if begun else line
        bare = re.sub(r"(?:^|\s+)#\s.*$", "", text, flags=re.MULTILINE)
        try:
            shlex.split(bare)
        except ValueError:
            begun = text
            continue
        begun = ""
        yield bare.strip()
    if begun:
        yield begun.strip()


def _program(text: str) -> str:
    return next(iter(_words(text)), "")


def _words(text: str) -> list[str]:
    split = shlex.shlex(text, posix=True, punctuation_chars="|>&;()")
    split.whitespace_split = True
    try:
        bare = [*itertools.dropwhile(_BEFORE.fullmatch, split)]
    except ValueError:  # prose with an apostrophe
        return []
    return [*itertools.takewhile(lambda word: word[:1] not in tuple("|>&;"), bare)]
