"""The sentences that the collection writes: of plugins, of the roles' problems, of tasks that fail or show."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[3]
# What each of them shows a user.
_KEYS = {"msg", "fail_msg", "success_msg"}
# A value that is filled in counts as one word.
_VALUE = "VALUE"
_DOCUMENTS = {"DOCUMENTATION", "EXAMPLES", "RETURN"}
_END = re.compile(r"(?<=[.?!])[\"')]*\s+|\n+")
_STATEMENT = re.compile(r"\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)


class Sentence(NamedTuple):
    path: str
    line: int
    text: str

    @property
    def length(self) -> int:
        """In words: what has a letter or a digit."""
        return sum(bool(re.search(r"\w", word)) for word in self.text.split())


def sentences() -> Iterator[Sentence]:
    for path in sorted((ROOT / "plugins").rglob("*.py")):
        yield from _of_python(path)
    for path in sorted((ROOT / "roles").rglob("problems.txt.j2")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            yield from _split(path, number, _without_jinja(line))
    for path in sorted([*(ROOT / "playbooks").rglob("*.yml"), *(ROOT / "roles").glob("*/tasks/**/*.yml")]):
        yield from _of_tasks(path)


def _of_python(path: Path) -> Iterator[Sentence]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    left_out = {id(node) for part in ast.walk(tree) for node in _documentation(part)}
    # The parts of an f-string are read with it.
    left_out |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if id(node) not in left_out and isinstance(node, (ast.JoinedStr, ast.Constant)):
            yield from _split(path, node.lineno, _text(node))


def _documentation(node: ast.AST) -> Iterator[ast.AST]:
    """Docstrings, and what ansible-doc shows."""
    if isinstance(node, ast.Expr):
        yield node.value
    if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id in _DOCUMENTS for to in node.targets):
        yield node.value


def _text(node: ast.JoinedStr | ast.Constant) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "".join(str(part.value) if isinstance(part, ast.Constant) else _VALUE for part in node.values)


def _of_tasks(path: Path) -> Iterator[Sentence]:
    for key, value, line in _pairs(yaml.compose(path.read_text(encoding="utf-8"))):
        if key in _KEYS:
            yield from _split(path, line, _without_jinja(value))


def _pairs(node: Any) -> Iterator[tuple[str, str, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(value, yaml.ScalarNode):
                yield key.value, value.value, key.start_mark.line + 1
            yield from _pairs(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _pairs(item)


def _without_jinja(text: str) -> str:
    """Branches are sentences of their own."""
    return _EXPRESSION.sub(_VALUE, _STATEMENT.sub("\n", text))


def _split(path: Path, line: int, text: str) -> Iterator[Sentence]:
    for sentence in _END.split(text):
        yield Sentence(str(path.relative_to(ROOT)), line, " ".join(sentence.split()))
