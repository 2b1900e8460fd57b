"""The pages use the words of the glossary in CONTRIBUTING.md, and no other words for the same things."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Path or pattern -> allowed number of matches. One line adds a folder, such as "roles/**/*.yml". Only lower a number.
ALLOWED = {
    "README.md": 0,
    "CONTRIBUTING.md": 0,
    "docs/*.md": 0,
    "docs/validation-codes.md": 0,
    "docs/runbooks/*.md": 0,
    "roles/**/*.yml": 0,
    "roles/**/*.j2": 0,
    "roles/**/*.py": 1,
    "roles/**/files/**/*.yaml": 0,
    "roles/**/files/**/*.tpl": 0,
    "roles/**/files/**/*.json": 0,
    "roles/**/files/**/*.sh": 0,
    "roles/**/files/**/*.conf": 0,
    "roles/**/files/**/*.lua": 1,
    "playbooks/**/*.yml": 0,
    "playbooks/**/*.j2": 0,
    "inventories/**/*.yml": 0,
    "molecule/**/*.yml": 0,
    "molecule/**/*.py": 0,
    ".github/**/*.yml": 0,
    "extensions/**/*.yml": 0,
    "meta/*.yml": 0,
    "Makefile": 0,
    "galaxy.yml": 0,
    "plugins/module_utils/README.md": 0,
    "plugins/**/*.py": 0,
    "benchmarks/*.py": 0,
    "tools/**/*.py": 0,
    "tools/*.sh": 0,
    "tests/**/*.py": 0,
    "tests/**/*.sh": 0,
    # The patterns themselves, and what they find.
    "tests/unit/test_words.py": 38,
    "tests/**/README.md": 0,
    "changelogs/**/*.y*ml": 0,
}

# Forbidden pattern -> what to write instead.
PATTERNS = {
    r"\b(?:nobody|somebody|anybody|everybody|whoever)\b": "name the owner, or the role that acts",
    r"\btold\b": "report, log, show",
    r"\btells? of\b": "report",
    r"\b(?:has|have|had|having) to\b": "must",
    r"\b(?:is|are|was|were) to be\b": "must, should",
    r"\b(?:take|takes|taken|taking|took)(?: [\w'-]+){0,5}? back\b": "roll back",
    r"\b(?:go|goes|going|went|gone) back\b": "roll back, return",
    r"\bway back\b": "rollback",
    r"\b(?:carry|carries|carried|carrying)(?: [\w'-]+){0,4}? on\b": "resume, run",
    r"\b(?:go|goes|going|went|gone) on\b": "continue",
    r"\bunder way\b": "in progress",
    r"\bin force\b": "in effect",
    r"\banew\b": "again",
    r"\breckon": "calculate",
    r"(?<!there )\b(?:is|are|was|were) no\b(?! (?:longer|more|less|later|worse|earlier)\b)": "is not a valid",
    r"(?<!there )\b(?:is|are|was|were) none\b": "does not exist, is invalid",
    r"\b(?:is|are|was|were) over\b": "has expired, has passed",
    r"\b(?:lie|lies|lay|lying) (?:on|in|at|beside|below)\b": "is stored in",
    r"\bstands? (?:on|under|above|below|(?:in|at)(?! for))\b": "is in",
    r"\bbelongs? into\b": "belongs in",
    r"\b(?:pass|passes) by\b|\b(?:pass|passes|passed|passing) over\b": "ignore, skip",
    r"\bmend(?:s|ed|ing)?\b": "fix",
    r"\bof before\b": "previous",
    r"\bdoes without\b": "does not need",
}
FENCE = re.compile(r"^( *)(```+|~~~+)[^\n]*\n.*?^\1\2[ ]*$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
TARGET = re.compile(r"\]\([^)]*\)|https?://\S+")
# Pages quote the output of programs unchanged.
QUOTE = re.compile(r'"[^"\n]*(?:\n[^"\n]+)?"')
JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)


def prose_of(path: Path) -> str:
    """The prose of a file: a page without code, quotations and addresses; the strings and comments of a program."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return "\n".join(
            token.string for token in tokenize.generate_tokens(io.StringIO(text).readline) if is_words(token)
        )
    if path.suffix == ".md":
        text = QUOTE.sub('""', TARGET.sub("]", SPAN.sub("``", FENCE.sub("", text))))
    return JINJA.sub("", text)


def is_words(token: tokenize.TokenInfo) -> bool:
    return tokenize.tok_name[token.type] in {"COMMENT", "STRING", "FSTRING_MIDDLE"}


def bad_words(text: str) -> Iterator[str]:
    """Each match with the word to use. Matches may span lines, also those of a comment."""
    flat = re.sub(r"\s+(?:#\s+)?", " ", text)
    for pattern, better in PATTERNS.items():
        for match in re.finditer(pattern, flat, re.IGNORECASE):
            around = flat[max(match.start() - 30, 0) : match.end() + 30]
            yield f"{match[0]!r} (rather: {better}) in ...{around}..."


def files_of(where: str) -> list[Path]:
    """The files of one line, without those that have a line of their own."""
    found = {str(path.relative_to(ROOT)): path for path in ROOT.glob(where) if path.is_file()}
    return [path for name, path in sorted(found.items()) if name == where or name not in ALLOWED]


@pytest.mark.parametrize(("where", "allowed"), [*ALLOWED.items()])
def test_the_words_are_those_of_the_glossary(where: str, allowed: int) -> None:
    files = files_of(where)
    assert files, "the line names files that do not exist"
    found = [f"{path.relative_to(ROOT)}: {word}" for path in files for word in bad_words(prose_of(path))]
    assert len(found) <= allowed, "\n".join(found)


def test_writers_and_readers_have_the_same_words() -> None:
    """CONTRIBUTING has them for writers, the glossary for readers."""
    writers, readers = (
        {
            row[0].split(",")[0].strip(): row[1].strip()
            for row in re.findall(r"^\| ([^|]+) \| ([^|]+) \|", text, re.MULTILINE)
        }
        for text in ((ROOT / "CONTRIBUTING.md").read_text(), (ROOT / "docs/glossary.md").read_text())
    )
    both = writers.keys() & readers.keys() - {"word"}
    assert len(both) > 7
    assert {word: readers[word] for word in both} == {word: writers[word] for word in both}


@pytest.mark.parametrize(
    "text",
    [
        "Nobody measures it",
        "the user is told",
        "istiod tells of it",
        "it has to be open",
        "a node that is to be replaced",
        "the run was taken all the way\n  back",
        "traffic goes back",
        "the way back is barred",
        "a run that nobody may carry\n# on",
        "the old pods go on",
        "while a run is under way",
        "the policy is in force",
        "it connects anew",
        "the month that it reckons",
        "010 is no number",
        "numbers that are none",
        "its deadline is over",
        "the key lies on a volume",
        "what stands in the log",
        "it belongs into a vault",
        "files are passed over",
        "the fault is mended",
        "the inventory of before",
        "a chart that does without it",
    ],
)
def test_a_pattern_finds_what_it_is_for(text: str) -> None:
    assert [*bad_words(text)]


@pytest.mark.parametrize(
    "text",
    [
        "There is no controller, and where there is none the run is no longer measured.",
        "The chart stands in for the real one. Pods stand in for others. Roll the canary back.",
        "Arguments are passed by position, and the back end takes traffic.",
    ],
)
def test_a_pattern_leaves_english_alone(text: str) -> None:
    assert [*bad_words(text)] == []


def test_code_quotations_and_addresses_are_left_out(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        '`told` "is told to\nend" [a](https://told.example.com/told)\n\n```\nnobody\n```\n{{ told }} told\n'
    )
    assert len([*bad_words(prose_of(page))]) == 1
    program = tmp_path / "program.py"
    program.write_text('def told():\n    """Nobody."""\n    return "told"  # anew\n')
    assert len([*bad_words(prose_of(program))]) == 3
