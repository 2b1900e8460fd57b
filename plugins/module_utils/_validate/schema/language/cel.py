# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The part of CEL in which CustomResourceDefinitions write their rules (x-kubernetes-validations).

An expression becomes a function of the value that it is about. For anything unknown, ``compiled`` returns None: a rule
that cannot be read is not checked. A rule that fails during evaluation is violated, as in the API server.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.schema.language import go, regex

Variables = dict[str, Any]
Expression = Callable[[Variables], Any]
Rule = Callable[[Any], bool]

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<raw>r\"\"\".*?\"\"\"|r"[^"]*"|r'[^']*')
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:{}.,()\[\]])
    )""",
    re.VERBOSE | re.DOTALL,
)
_RELATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": lambda a, b: a == b and isinstance(a, bool) == isinstance(b, bool),
    "!=": lambda a, b: not (a == b and isinstance(a, bool) == isinstance(b, bool)),
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "in": lambda a, b: a in b,
}
_SUMS: dict[str, Callable[[Any, Any], Any]] = {"+": lambda a, b: a + b, "-": lambda a, b: a - b}
_MACROS = ("all", "exists", "exists_one", "filter")


class CelError(Exception):
    """The expression cannot be parsed or evaluated."""


@cache
def compiled(text: str) -> Rule | None:
    """Whether a value satisfies the rule; None if the rule uses something unknown."""
    try:
        expression = _Parser(text).whole()
    except CelError:
        return None

    def rule(value: Any) -> bool:
        try:
            return expression({"self": value}) is True
        except (CelError, TypeError, ValueError, KeyError, IndexError, AttributeError):
            return False

    return rule


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        place = 0
        text = text.strip()
        while place < len(text):
            found = _TOKEN.match(text, place)
            if not found or not found.lastgroup:
                raise CelError(text[place:])
            self.tokens.append((found.lastgroup, found[found.lastgroup]))
            place = found.end()
        self.at = 0

    def peek(self) -> str:
        kind, text = self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")
        return text if kind in ("sign", "name") else ""

    def take(self, *signs: str) -> str:
        """The next sign if it is one of them, else nothing."""
        found = self.peek()
        if found and found in signs:
            self.at += 1
            return found
        return ""

    def expect(self, sign: str) -> None:
        if not self.take(sign):
            raise CelError(f"{sign} expected")

    def whole(self) -> Expression:
        found = self.ternary()
        if self.at < len(self.tokens):
            raise CelError("more than one expression")
        return found

    def ternary(self) -> Expression:
        condition = self.either()
        if not self.take("?"):
            return condition
        yes = self.ternary()
        self.expect(":")
        no = self.ternary()
        return lambda v: yes(v) if _boolean(condition(v)) else no(v)

    def either(self) -> Expression:
        left = self.both()
        while self.take("||"):
            left = _decided(left, self.both(), True)
        return left

    def both(self) -> Expression:
        left = self.relation()
        while self.take("&&"):
            left = _decided(left, self.relation(), False)
        return left

    def relation(self) -> Expression:
        left = self.sum()
        while sign := self.take(*_RELATIONS):
            left = _binary(_RELATIONS[sign], left, self.sum())
        return left

    def sum(self) -> Expression:
        left = self.unary()
        while sign := self.take(*_SUMS):
            left = _binary(_SUMS[sign], left, self.unary())
        return left

    def unary(self) -> Expression:
        if self.take("!"):
            negated = self.unary()
            return lambda v: not _boolean(negated(v))
        if self.take("-"):
            positive = self.unary()
            return lambda v: -positive(v)
        return self.member()

    def member(self) -> Expression:
        found = self.primary()
        while True:
            if self.take("."):
                found = self.selected(found)
            elif self.take("["):
                found = _binary(lambda a, b: a[b], found, self.ternary())
                self.expect("]")
            else:
                return found

    def selected(self, of: Expression) -> Expression:
        kind, name = self.tokens[self.at]
        if kind != "name":
            raise CelError("a name expected")
        self.at += 1
        if not self.take("("):
            return _field(of, name.removeprefix("__").removesuffix("__"))
        if name in _MACROS:
            return self.macro(name, of)
        return _call(_METHODS, name, [of, *self.arguments()])

    def macro(self, name: str, over: Expression) -> Expression:
        _kind, variable = self.tokens[self.at]
        self.at += 1
        self.expect(",")
        body = self.ternary()
        self.expect(")")

        def hits(variables: Variables) -> list[Any]:
            inner = dict(variables)
            found = []
            for item in over(variables):
                inner[variable] = item
                if _boolean(body(inner)):
                    found.append(item)
            return found

        if name == "filter":
            return hits
        if name == "all":
            return lambda v: len(hits(v)) == len(over(v))
        return (lambda v: bool(hits(v))) if name == "exists" else (lambda v: len(hits(v)) == 1)

    def arguments(self) -> list[Expression]:
        found: list[Expression] = []
        while not self.take(")"):
            found.append(self.ternary())
            if not self.take(","):
                self.expect(")")
                break
        return found

    def primary(self) -> Expression:
        if self.at >= len(self.tokens):
            raise CelError("the expression ends")
        if self.take("("):
            found = self.ternary()
            self.expect(")")
            return found
        if self.take("["):
            return self.items()
        if self.take("{"):
            self.expect("}")
            return _constant({})
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return _constant(float(text) if "." in text else int(text))
        if kind == "raw":
            return _constant(text[1:].strip('"') if '"' in text[:2] else text[2:-1])
        if kind == "text":
            return _constant(re.sub(r"\\(.)", r"\1", text[1:-1]))
        if kind != "name":
            raise CelError(text)
        if text in ("true", "false", "null"):
            return _constant({"true": True, "false": False, "null": None}[text])
        if text == "has":
            return self.presence()
        if self.take("("):
            return _call(_FUNCTIONS, text, self.arguments())
        return lambda v: v[text]

    def items(self) -> Expression:
        parts: list[Expression] = []
        while not self.take("]"):
            parts.append(self.ternary())
            if not self.take(","):
                self.expect("]")
                break
        return lambda v: [part(v) for part in parts]

    def presence(self) -> Expression:
        """``has(a.b[0].c)``: whether the last field exists."""
        self.expect("(")
        of, name = self.primary(), ""
        while sign := self.take(".", "["):
            if name:
                of, name = _field(of, name), ""
            if sign == "[":
                of = _binary(lambda a, b: a[b], of, self.ternary())
                self.expect("]")
            else:
                name = self.tokens[self.at][1].removeprefix("__").removesuffix("__")
                self.at += 1
        self.expect(")")

        def present(variables: Variables) -> bool:
            value = of(variables)
            return isinstance(value, dict) and value.get(name) is not None

        return present


def _constant(value: Any) -> Expression:
    return lambda _variables: value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise CelError("not a boolean")
    return value


def _get(value: Any, name: str) -> Any:
    if not isinstance(value, dict) or value.get(name) is None:
        raise CelError(f"no such field: {name}")
    return value[name]


def _field(of: Expression, name: str) -> Expression:
    return lambda v: _get(of(v), name)


def _binary(function: Callable[[Any, Any], Any], left: Expression, right: Expression) -> Expression:
    return lambda v: function(left(v), right(v))


def _decided(left: Expression, right: Expression, by: bool) -> Expression:
    """``||`` and ``&&``: a side that decides makes up for a failure of the other."""

    def decide(variables: Variables) -> bool:
        try:
            if _boolean(left(variables)) is by:
                return by
        except (CelError, TypeError, ValueError, KeyError, IndexError):
            if _boolean(right(variables)) is by:
                return by
            raise
        return _boolean(right(variables))

    return decide


def _call(known: Mapping[str, Callable[..., Any]], name: str, arguments: list[Expression]) -> Expression:
    if name not in known:
        raise CelError(f"unknown function: {name}")
    function = known[name]
    return lambda v: function(*[argument(v) for argument in arguments])


def _duration(text: str) -> int:
    found = go.duration(text)
    if found is None:
        raise CelError("not a valid duration")
    return found


def _url(text: str) -> go.Url:
    found = go.url(text, True)
    if found is None:
        raise CelError("not a valid URL")
    return found


def _substring(text: str, begin: int, end: int | None = None) -> str:
    stop = len(text) if end is None else end
    if not 0 <= begin <= stop <= len(text):
        raise CelError("index out of range")
    return text[begin:stop]


def _matches(text: str, pattern: str) -> bool:
    expression = regex.compiled(pattern)
    if expression is None:
        raise CelError("not a valid regular expression")
    return expression.search(text) is not None


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "size": len,
    "int": int,
    "duration": _duration,
    "isIP": go.is_address,
    "isURL": lambda text: go.url(text, True) is not None,
    "url": _url,
}
_METHODS: dict[str, Callable[..., Any]] = {
    "contains": lambda text, part: part in text,
    "endsWith": str.endswith,
    "getScheme": lambda found: found.scheme,
    "matches": _matches,
    "size": len,
    "split": lambda text, separator: text.split(separator),
    "startsWith": str.startswith,
    "substring": _substring,
}
