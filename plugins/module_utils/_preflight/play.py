# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Why a play would do nothing and still end with exit code 0."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.text import shortened

NEEDS_CHECKOUT = (
    "the lab needs a checkout of the collection's repository, since the installed collection leaves out what the lab "
    "is built of: clone the repository, and run make up there."
)
# Ansible gives these a meaning of their own; a playbook need not have them.
_SPECIAL_TAGS = frozenset({"all", "always", "never", "tagged", "untagged"})
# Molecule skips these in every run, whether a scenario has them or not.
_MOLECULE_TAGS = frozenset({"molecule-notest", "molecule-idempotence-notest", "notest"})


def without_hosts(group: str, members: Collection[str], chosen: Collection[str], limit: str, inventory: str) -> str:
    """Why a play of ``group`` has no host; empty where it has one.

    ``members`` are the group's hosts, ``chosen`` all hosts within ``limit``, ``inventory`` is the value of ``-i``.
    """
    if not set(members).isdisjoint(chosen):
        return ""
    if members:
        return (
            f"this play does nothing: --limit {limit} leaves no host of group {group!r}, "
            f"which has {shortened(sorted(members))}. Correct --limit or leave it out."
        )
    return (
        f"this play does nothing: the inventory ({inventory or 'none'}) has no host in group {group!r}. "
        "Name another one with -i, for example -i inventories/staging. "
        "Playbook corpv3.service_mesh.inventory_new writes one."
    )


def unknown_tags(option: str, tags: Iterable[str], known: Collection[str], playbooks: Sequence[str]) -> str:
    """Which ``tags`` of ``option`` the ``playbooks`` do not have, with the nearest that they have; empty if none."""
    accepted = _SPECIAL_TAGS | _MOLECULE_TAGS if option == "--skip-tags" else _SPECIAL_TAGS
    unknown = sorted(set(tags) - set(known) - accepted)
    if not unknown:
        return ""
    have = f"{' and '.join(playbooks)} {'has' if len(playbooks) == 1 else 'have'}"
    named = ", ".join(f"{tag!r}{_nearest(tag, known)}" for tag in unknown)
    return f"{option}: {have} no tag {named}. The option --list-tags shows all tags."


def _nearest(tag: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(tag, known, 3)
    return f" (nearest: {', '.join(found)})" if found else ""
