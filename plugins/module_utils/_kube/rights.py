# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What an account must be allowed to do: queried from the API server, and reported in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol


class Right(NamedTuple):
    """One thing to be allowed. ``namespace``: empty for all. ``name``: the one object that is meant, empty for any."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""


class Account(Protocol):
    """Who we are to the API server. Safe to use from several threads."""

    def may(self, verb: str, group: str, resource: str, namespace: str = "", name: str = "") -> bool:
        """Whether we may do that, everywhere or in a namespace."""

    def account(self) -> str:
        """Our name."""


def expanded(entries: Iterable[Mapping[str, Any]]) -> list[Right]:
    """Every combination that the entries name: verbs, group, resources, namespaces and names, as in an option."""
    return list(
        dict.fromkeys(
            Right(verb, entry["group"] or "", resource, namespace, name)
            for entry in entries
            for namespace in entry["namespaces"] or [""]
            for resource in entry["resources"]
            for name in entry["names"] or [""]
            for verb in entry["verbs"]
        )
    )


def missing(account: Account, rights: Sequence[Right]) -> list[Right]:
    """Those that the account lacks. Raises ApiFailure where the API server does not answer."""
    if not rights:
        return []
    with ThreadPoolExecutor(8) as pool:
        allowed = pool.map(lambda right: account.may(*right), rights)
        return [right for right, may in zip(rights, allowed, strict=True) if not may]


def summary(lacking: Iterable[Right]) -> list[dict[str, Any]]:
    """The same, with all verbs of a resource in one entry."""
    verbs: dict[tuple[str, str, str, str], list[str]] = {}
    for right in lacking:
        verbs.setdefault((right.group, right.resource, right.namespace, right.name), []).append(right.verb)
    return [
        {"group": group, "resource": resource, "namespace": namespace, "name": name, "verbs": names}
        for (group, resource, namespace, name), names in verbs.items()
    ]


def described(lacking: Iterable[Right]) -> list[str]:
    """In words: the resources of one place for which the same verbs are lacking, with these verbs."""
    resources: dict[tuple[str, str], list[str]] = {}
    for entry in summary(lacking):
        resource = ".".join(filter(None, (entry["resource"], entry["group"])))
        what = " ".join(filter(None, (resource, entry["name"])))
        place = f"in namespace {entry['namespace']}" if entry["namespace"] else "in all namespaces"
        resources.setdefault((", ".join(entry["verbs"]), place), []).append(what)
    return [f"{verbs}: {', '.join(names)} {place}" for (verbs, place), names in resources.items()]


def listed(lacking: Iterable[Right]) -> str:
    """The same, each line on its own; begins with a line break."""
    return "".join(f"\n- {line}" for line in described(lacking))


def problem(account: Account, rights: Sequence[Right], purpose: str, manifest: str, in_one_line: bool = False) -> str:
    """What the account lacks for the purpose and where the Role for it stands; empty where it lacks nothing."""
    lacking = missing(account, rights)
    if not lacking:
        return ""
    text = f" {'; '.join(described(lacking))}" if in_one_line else listed(lacking)
    return f"the account {account.account()} may not {purpose}. {manifest} grants what it lacks:{text}"
