# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What scripts and guides beside the files do: they label Namespaces, and delete files again."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import combinations, product, takewhile

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.text_files import text_of

SCRIPT_ENDINGS = (".adoc", ".bash", ".md", ".ps1", ".rst", ".sh", ".tf", ".txt", ".yaml", ".yml")
SCRIPT_NAMES = ("Jenkinsfile", "Justfile", "Makefile", "justfile")
# kubectl label namespace shop istio-injection=enabled --overwrite
_COMMAND = re.compile(r"\blabel[ \t]+(?:-[\w=-]+[ \t]+)*(?:ns|namespaces?)(?:[ \t]+|/)([^\n;|&>`)]+)")
_LABEL = re.compile(r"([\w./-]*istio[\w./-]*)=([\w.-]*)")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
# Options whose value is the next word.
_WITH_VALUE = ("-n", "-l", "--context", "--kubeconfig", "--namespace", "--selector")
_MOST_FILES = 5_000
# The verbs of kubectl and the files that they are for, which may be on the next line of a text.
_STEP = re.compile(r"\b(apply|create|delete|replace)\b|(?:-f|--filename)[\s=]+([\w./-]+\.(?:ya?ml|json))")


def scripted_labels(folders: Iterable[str]) -> list[tuple[str, Mapping[str, str]]]:
    """Istio's labels by the name of the Namespace, empty if the command does not name it."""
    found: list[tuple[str, Mapping[str, str]]] = []
    for file in _files(folders):
        text = text_of(file)
        if "istio" in text and "label" in text:
            found += _labels_in(text.replace("\\\n", " "))
    return found


def never_together(folders: Iterable[str], files: Collection[str]) -> set[tuple[str, str]]:
    """Pairs of the files of which every guide that applies both deletes one before it applies the other one."""
    apart: set[tuple[str, str]] = set()
    together: set[tuple[str, str]] = set()
    by_name: dict[str, list[str]] = defaultdict(list)
    for file in files:
        by_name[os.path.basename(file)].append(file)
    for guide in _files(folders):
        text = text_of(guide)
        if "delete" not in text:
            continue
        for pair, overlap in _overlaps(_lifetimes(text, os.path.dirname(guide), by_name)):
            (together if overlap else apart).add(pair)
    return apart - together


def _lifetimes(text: str, folder: str, by_name: Mapping[str, Sequence[str]]) -> dict[str, list[range]]:
    """Of each file: from the step that applies it to the one that deletes it."""
    found: dict[str, list[range]] = defaultdict(list)
    is_deleted = False
    last = len(text)
    for step in _STEP.finditer(text):
        if step[1]:
            is_deleted = step[1] == "delete"
        elif file := _file_named(step[2], folder, by_name):
            begin = step.start()
            if not is_deleted:
                found[file].append(range(begin, last))
            elif file in found:
                found[file] = [range(life.start, min(life.stop, begin)) for life in found[file]]
    return found


def _file_named(name: str, folder: str, by_name: Mapping[str, Sequence[str]]) -> str:
    """The file of the input that a guide in the folder means; empty if it may be several."""
    found = by_name.get(os.path.basename(name), ())
    exact = os.path.relpath(os.path.join(folder, name))
    if exact in found:
        return exact
    ending = "/" + name.lstrip("./")
    matching = [file for file in found if f"/{file}".endswith(ending)]
    return matching[0] if len(matching) == 1 else ""


def _overlaps(lifetimes: Mapping[str, Sequence[range]]) -> Iterator[tuple[tuple[str, str], bool]]:
    for one, other in combinations(sorted(lifetimes), 2):
        pairs = product(lifetimes[one], lifetimes[other])
        yield (one, other), any(mine.start < their.stop and their.start < mine.stop for mine, their in pairs)


def _files(folders: Iterable[str]) -> Iterator[str]:
    number = 0
    for folder in folders:
        for place, below, names in os.walk(folder):
            below[:] = sorted(name for name in below if not name.startswith("."))
            for name in sorted(name for name in names if not name.startswith(".")):
                if name.endswith(SCRIPT_ENDINGS) or name in SCRIPT_NAMES:
                    number += 1
                    if number > _MOST_FILES:
                        return
                    yield os.path.join(place, name)


def _labels_in(text: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    for command in _COMMAND.finditer(text):
        words = [word.strip("\"'") for word in command[1].split()]
        labels = {label[1]: label[2] for word in words if (label := _LABEL.fullmatch(word))}
        for name in _names(words) if labels else ():
            yield name, labels


def _names(words: list[str]) -> list[str]:
    """What comes before the labels. A variable may be any name."""
    found = []
    previous = ""
    for word in takewhile(lambda word: "=" not in word, words):
        if previous not in _WITH_VALUE and _NAME.fullmatch(word):
            found.append(word)
        previous = word
    return found or [""]
