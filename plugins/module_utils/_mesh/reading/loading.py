# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""From texts to resources. Whatever cannot be read is a finding with its place, never an exception."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, NamedTuple

from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Object
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.finding import Finding, Rule
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.parsed import Parsed
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.parsing import parse
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.templates import is_template, marks_in
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Path, Resource, Source

MAX_BYTES = 64 * 1024 * 1024
# The API server takes no request of more than 3 MiB. A parser of YAML needs six times a line's size.
MAX_LINE = 4 * 1024 * 1024
# Of one file. Each takes some three kilobytes, however small its text is: so many take 300 MB.
MAX_DOCUMENTS = 75_000
MAX_LIST_DEPTH = 5
# Of one code: more are of no use to a reader, and each takes memory.
MAX_FINDINGS = 1_000

_NOT_READ = "Nothing in it is checked, and the API server would refuse it."

SYNTAX = Rule("syntax", "MESH001", "error", "Invalid YAML", _NOT_READ, "Fix the syntax at the reported position.")
DUPLICATE_KEY = Rule(
    "duplicate_key",
    "MESH002",
    "error",
    "Duplicate key in one object",
    "One of the two values is lost. kubectl refuses such a file; other tools silently take the last value.",
    "Remove one of the two.",
)
NO_TEXT = Rule("no_text", "MESH003", "error", "Not UTF-8 text", _NOT_READ, "Save the file as UTF-8, or leave it out.")
TOO_LARGE = Rule(
    "too_large",
    "MESH004",
    "error",
    "Input too large",
    "Nothing in it is checked. The size of a document is limited so that no input can exhaust the memory.",
    "Split the file, or leave out what is not configuration. Write out what aliases stand for.",
)
NUMBER = Rule(
    "number",
    "MESH005",
    "error",
    "Invalid number",
    "The API server refuses it.",
    "Write a valid number, or put the text in quotes.",
)
UNREADABLE = Rule(
    "unreadable", "MESH006", "error", "Unreadable file", _NOT_READ, "Check that the path is correct and readable."
)
RENDERING = Rule(
    "rendering",
    "MESH007",
    "error",
    "Rendering failed",
    "None of the objects that it would produce are checked.",
    "Fix the chart, its values or the kustomization as the message says.",
)
TEMPLATE = Rule(
    "template",
    "MESH008",
    "info",
    "Template that is not rendered",
    "Its objects are not checked: what they will be depends on the values.",
    "Validate what is rendered: give the chart, or the program's output. Or leave the file out.",
)
UNSUPPLIED = Rule(
    "unsupplied",
    "MESH009",
    "warning",
    "Not rendered here",
    "Its objects are not checked: it needs something that the files do not contain.",
    "Supply what the message names, or validate the output of the place that has it.",
)
# With one of these, the input has objects that are not known.
UNKNOWN_CONTENT = (SYNTAX, NO_TEXT, TOO_LARGE, UNREADABLE, RENDERING, TEMPLATE, UNSUPPLIED)
INPUT_RULES = (SYNTAX, DUPLICATE_KEY, NO_TEXT, TOO_LARGE, NUMBER, UNREADABLE, RENDERING, TEMPLATE, UNSUPPLIED)

# Programs on a workstation read these; the API server never gets them.
_CLIENT_SIDE = frozenset(
    {
        "audit.k8s.io",
        "backstage.io",
        "client.authentication.k8s.io",
        "config.k8s.io",
        "eksctl.io",
        "garden.io",
        "k3d.io",
        "k0s.k0sproject.io",
        "kind.x-k8s.io",
        "kubeadm.k8s.io",
        "kubelet.config.k8s.io",
        "kubescheduler.config.k8s.io",
        "kustomize.config.k8s.io",
        "scaffolder.backstage.io",
        "skaffold",
    }
)
_KUBECONFIG = ("v1", "Config")

_BY_FAULT = {"syntax": SYNTAX, "duplicate": DUPLICATE_KEY, "number": NUMBER, "size": TOO_LARGE}
# Python's re finds the dashes ten times as fast as each line's beginning, so they come first.
_SEPARATOR = re.compile(r"---(?<=^---)(?=[ \t\r\n]|$)", re.MULTILINE)
_SEPARATOR_BYTES = re.compile(_SEPARATOR.pattern.encode(), re.MULTILINE)
# Characters of a file from which on its documents share their strings, which takes a tenth of the time to read it.
_LARGE = 8 * 1024 * 1024
_MOST_SHARED = 10_000
_KEYS = [re.compile(rb"(?:^|[\s{,])[\"']?" + key + rb"[\"']?\s*:") for key in (b"apiVersion", b"kind")]
# An object that ends in the first column, and the next one.
_JSON_STREAM = re.compile(r"^\}[ \t]*\n(?=\{)()", re.MULTILINE)
_RARE = re.compile(r"^(?:%|\.\.\.)", re.MULTILINE)


class Loaded:
    """The resources that were read, and what was wrong with the texts.

    omitted: code -> how many of its findings there are besides the first MAX_FINDINGS.
    with_own_values: what charts made of their templates with their own values only.
    guided: folders with a guide of their own, a README.
    replaced: namespaces of kustomizations that were read as parts of others with another namespace only.
    """

    def __init__(
        self,
        resources: Iterable[Resource] = (),
        findings: Iterable[Finding] = (),
        omitted: Mapping[str, int] | None = None,
    ) -> None:
        self.resources = list(resources)
        self.findings = list(findings)
        self.omitted = Counter(omitted)
        self.with_own_values: set[str] = set()
        self.guided: set[str] = set()
        self.replaced: set[str] = set()
        self._found: Counter[str] = Counter()

    def fault(self, rule: Rule, file: str, message: str, line: int = 1, column: int = 1) -> None:
        self._found[rule.code] += 1
        if self._found[rule.code] > MAX_FINDINGS:
            self.omitted[rule.code] += 1
            return
        no_object = Resource({}, Source(file, line))
        no_object.namespace = ""
        self.findings.append(Finding(rule, no_object, (), message, line=line, column=column))


def load_bytes(data: bytes, file: str, namespace: str, into: Loaded) -> None:
    """Every resource of a file; objects without a namespace get the given one."""
    content = decoded(data, file, into)
    if content is not None:
        load_text(content.text, file, namespace, into, content.rest)


class Content(NamedTuple):
    """The text of a file. rest: the line on which begins what is left out, 0 if it is whole."""

    text: str
    rest: int = 0


def decoded(data: bytes, file: str, into: Loaded) -> Content | None:
    """None if it is not a text, or too large; that is a fault then."""
    if len(data) > MAX_BYTES:
        into.fault(TOO_LARGE, file, f"{len(data)} bytes; the limit is {MAX_BYTES}")
        return None
    if _has_long_line(data):
        into.fault(TOO_LARGE, file, f"a line of more than {MAX_LINE} bytes; the API server takes no such object")
        return None
    rest = 0
    if data.count(b"\n---") > MAX_DOCUMENTS and (
        found := next(islice(_SEPARATOR_BYTES.finditer(data), MAX_DOCUMENTS, None), None)
    ):
        rest = data.count(b"\n", 0, found.start()) + 1
        data = data[: found.start()]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        into.fault(NO_TEXT, file, f"byte {error.start} is not valid UTF-8", line)
        return None
    if "\0" in text:
        into.fault(NO_TEXT, file, "a binary file", text.count("\n", 0, text.index("\0")) + 1)
        return None
    return Content(text, rest)


def _has_long_line(data: bytes) -> bool:
    """Whether some MAX_LINE bytes have no line break: all lines of twice that. JSON may be one line of many objects."""
    if len(data) <= MAX_LINE or data[:256].lstrip()[:1] in (b"{", b"["):
        return False
    return any(data.find(b"\n", place, place + MAX_LINE) < 0 for place in range(0, len(data) - MAX_LINE + 1, MAX_LINE))


def is_manifest(data: bytes) -> bool:
    """Whether a file that was found in a folder is meant for Kubernetes, even if it has faults."""
    return all(key.search(data) for key in _KEYS)


def load_text(text: str, file: str, namespace: str, into: Loaded, rest: int = 0) -> None:
    """``rest``: as in Content."""
    has_template = False
    known: dict[str, str] | None = {} if len(text) > _LARGE else None
    for number, (line, document) in enumerate(documents(text)):
        if number == MAX_DOCUMENTS:
            rest = line
            break
        parsed = parse(document)
        if known is not None:
            parsed.value = _sharing(parsed.value, known)
        if is_template(document, parsed):
            if not has_template:
                into.fault(TEMPLATE, file, f"the file has {marks_in(document)} where YAML has values", line)
            has_template = True
            continue
        for problem in parsed.problems:
            into.fault(_BY_FAULT[problem.fault], file, problem.message, line + problem.line - 1, problem.column)
        _add(parsed, Source(file, line, document), namespace, into)
    if rest:
        into.fault(TOO_LARGE, file, f"more than {MAX_DOCUMENTS} documents; the others are not read", rest)


def _sharing(value: Any, known: dict[str, str]) -> Any:
    """The value with one object for equal strings: a fifth of the memory of thousands of documents."""
    if isinstance(value, dict):
        return {known.setdefault(key, key): _sharing(item, known) for key, item in value.items()}
    if isinstance(value, list):
        return [_sharing(item, known) for item in value]
    if isinstance(value, str):
        # Beyond the frequent ones, the table itself would need more than it saves.
        return known.get(value, value) if len(known) > _MOST_SHARED else known.setdefault(value, value)
    return value


def documents(text: str) -> Iterator[tuple[int, str]]:
    """Each document with the line on which it begins. Lines and columns in it are those of the text."""
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    if text.startswith("{") and _JSON_STREAM.search(text):
        yield from _json_documents(text)
        return
    begin, line, indent = 0, 1, ""
    # Not as a list: a file may have millions of separators.
    for found in chain(_SEPARATOR.finditer(text), (None,)):
        end = found.start() if found else len(text)
        document = indent + text[begin:end]
        if not document.isspace() and document and not _only_directives(document):
            yield line, document
        if found:
            line += text.count("\n", begin, end)
            begin = found.end()
            # Text after a separator keeps its column.
            indent = "" if text.startswith("\n", begin) else "   "


def _json_documents(text: str) -> Iterator[tuple[int, str]]:
    """One JSON object after the other, as kubectl takes them."""
    begin, line = 0, 1
    for found in chain(_JSON_STREAM.finditer(text), (None,)):
        end = found.start(1) if found else len(text)
        yield line, text[begin:end]
        line += text.count("\n", begin, end)
        begin = end


def _only_directives(document: str) -> bool:
    return bool(_RARE.match(document)) and all(
        line.startswith(("%", "#")) or not line.strip() for line in document.splitlines()
    )


def _add(parsed: Parsed, source: Source, namespace: str, into: Loaded) -> None:
    for path, obj in _objects(parsed.value, (), 0):
        into.resources.append(Resource(obj, source._replace(prefix=path) if path else source, namespace))


def _objects(value: object, path: Path, depth: int) -> Iterator[tuple[Path, Object]]:
    """The objects of a document: itself, or the items of a List. A document without a kind is not configuration."""
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str) or "apiVersion" not in value:
        return
    # Clients print a list of typed objects with an empty kind.
    is_list = value["kind"].endswith("List") or not value["kind"]
    if is_list and isinstance(value.get("items"), list) and depth < MAX_LIST_DEPTH:
        kind = value["kind"].removesuffix("List")
        for index, item in enumerate(value["items"]):
            if isinstance(item, dict) and kind and "kind" not in item:
                # The answer of `kubectl get --raw`: the items lack the kind, which only the list has.
                item = {"apiVersion": value["apiVersion"], "kind": kind, **item}
            yield from _objects(item, (*path, "items", index), depth + 1)
    elif not _is_client_side(str(value["apiVersion"]), value["kind"]):
        yield path, value


def _is_client_side(api_version: str, kind: str) -> bool:
    return api_version.partition("/")[0] in _CLIENT_SIDE or (api_version, kind) == _KUBECONFIG
