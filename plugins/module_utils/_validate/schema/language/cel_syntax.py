# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether a text is a CEL expression, whatever its names mean: the filters of access logs are in CEL."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<text>[rR]?[bB]?[rR]?(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<number>0x[0-9a-fA-F]+u?|(?:\d+\.\d+|\.\d+|\d+)(?:[eE][+-]?\d+)?u?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*|`[A-Za-z0-9_.\-/ ]+`)
    |(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])""",
    re.VERBOSE | re.DOTALL,
)
_RELATIONS = ("==", "!=", "<=", ">=", "<", ">", "in")
_OPERATORS = ("+", "-", "*", "/", "%")
_RESERVED = frozenset(
    (
        *("as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package"),
        *("namespace", "return", "var", "void", "while"),
    )
)
_DEEPEST = 100


class _Wrong(Exception):
    pass


def error(text: str) -> str:
    """Where the text stops being an expression; empty if it is one."""
    try:
        reader = _Reader(text)
        reader.expression()
        if reader.at < len(reader.tokens):
            raise _Wrong(f"{reader.tokens[reader.at][1]!r} is unexpected")
    except _Wrong as wrong:
        return str(wrong)
    return ""


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        self.at = 0
        self.depth = 0
        place = 0
        while place < len(text):
            found = _TOKEN.match(text, place)
            if not found or not found.lastgroup:
                raise _Wrong(f"{text[place : place + 10]!r} is not a valid token")
            if found.lastgroup != "space":
                self.tokens.append((found.lastgroup, found[0]))
            place = found.end()

    def next_is(self, *signs: str) -> bool:
        if self.at < len(self.tokens):
            kind, text = self.tokens[self.at]
            return kind in ("sign", "name") and text in signs
        return False

    def take(self, *signs: str) -> bool:
        found = self.next_is(*signs)
        self.at += found
        return found

    def expect(self, sign: str) -> None:
        if not self.take(sign):
            shown = self.tokens[self.at][1] if self.at < len(self.tokens) else "the end"
            raise _Wrong(f"expected {sign!r}, found {shown!r}")

    def expression(self) -> None:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _Wrong("it is nested too deeply")
        self.operands()
        if self.take("?"):
            self.operands()
            self.expect(":")
            self.expression()
        self.depth -= 1

    def operands(self) -> None:
        self.unary()
        while self.take("&&", "||", *_RELATIONS, *_OPERATORS):
            self.unary()

    def unary(self) -> None:
        if self.take("!"):
            while self.take("!"):
                pass
        elif self.take("-"):
            while self.take("-"):
                pass
        self.primary()
        while True:
            if self.take("."):
                self.take("?")
                self.name()
                if self.take("("):
                    self.rest(")")
                elif self.take("{"):
                    self.pairs()
            elif self.take("["):
                self.take("?")
                self.expression()
                self.expect("]")
            else:
                return

    def name(self) -> None:
        kind, text = self.tokens[self.at] if self.at < len(self.tokens) else ("", "the end")
        if kind != "name" or text in _RESERVED or text in ("in", "true", "false", "null"):
            raise _Wrong(f"expected a name, found {text!r}")
        self.at += 1

    def primary(self) -> None:
        if self.take("("):
            self.expression()
            self.expect(")")
        elif self.take("["):
            self.rest("]", optional=True)
        elif self.take("{"):
            self.pairs()
        elif self.at < len(self.tokens) and self.tokens[self.at][0] in ("text", "number"):
            self.at += 1
        elif not self.take("true", "false", "null"):
            self.take(".")
            self.name()
            if self.take("("):
                self.rest(")")
            elif self.take("{"):
                self.pairs()

    def rest(self, end: str, optional: bool = False) -> None:
        while not self.take(end):
            if optional:
                self.take("?")
            self.expression()
            if not self.take(","):
                self.expect(end)
                return

    def pairs(self) -> None:
        while not self.take("}"):
            self.take("?")
            self.expression()
            self.expect(":")
            self.expression()
            if not self.take(","):
                self.expect("}")
                return
