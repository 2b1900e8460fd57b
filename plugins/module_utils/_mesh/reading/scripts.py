# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What scripts and guides beside the files do to the cluster: labels that they give Namespaces."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile

from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.reading.text_files import text_of

SCRIPT_ENDINGS = (".adoc", ".bash", ".md", ".ps1", ".rst", ".sh", ".tf", ".txt", ".yaml", ".yml")
SCRIPT_NAMES = ("Jenkinsfile", "Justfile", "Makefile", "justfile")
# kubectl label namespace shop istio-injection=enabled --overwrite
_COMMAND = re.compile(r"\blabel[ \t]+(?:--?[\w=-]+[ \t]+)*(?:ns|namespaces?)(?:[ \t]+|/)([^\n;|&>`)]+)")
_LABEL = re.compile(r"([\w./-]*istio[\w./-]*)=([\w.-]*)")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
# Options whose value is the next word.
_WITH_VALUE = ("-n", "-l", "--context", "--kubeconfig", "--namespace", "--selector")
_MOST_FILES = 20_000


def scripted_labels(folders: Iterable[str]) -> list[tuple[str, Mapping[str, str]]]:
    """Istio's labels by the name of the Namespace, empty if the command does not name it."""
    found: list[tuple[str, Mapping[str, str]]] = []
    for file in _files(folders):
        text = text_of(file)
        if "istio" in text and "label" in text:
            found += _labels_in(text.replace("\\\n", " "))
    return found


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
