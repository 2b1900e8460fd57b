# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: play_hosts
short_description: The hosts of a play, or the reason why it would do nothing
version_added: 0.1.0
author:
  - Corporation v3 platform team (@corpv3)
description:
  - For the keyword C(hosts) of a play. Ansible ends with exit code 0 where no host matches, and where no task has the
    given tags. That reads as success. With this lookup the play fails before its first task, and says what is missing.
  - Fails where the group has no host, or C(--limit) leaves none. Listings and C(--syntax-check) need no host.
  - Fails where C(--tags) or C(--skip-tags) names a tag that no playbook of the command line has. Where such a playbook
    includes files dynamically from outside this collection, not all tags can be known, and each one is accepted.
  - Tags that ansible.cfg or C(ANSIBLE_SKIP_TAGS) skips are for all playbooks, and need not be in this one.
options:
  _terms:
    description:
      - The group, or C(localhost), which need not be in the inventory.
    type: list
    elements: str
    required: true
  checkout:
    description:
      - Whether the play needs a checkout of the repository, for what the collection's artifact leaves out.
      - If so, it fails where the collection is installed.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show canaries
  hosts: "{{ lookup('corpv3.service_mesh.play_hosts', 'clusters') }}"
"""

RETURN = r"""
_raw:
  description: The group, as it was given.
  type: list
  elements: str
"""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible import context
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.playbook import Playbook
from ansible.playbook.block import Block
from ansible.playbook.task import Task
from ansible.playbook.task_include import TaskInclude
from ansible.plugins.lookup import LookupBase
from ansible.utils.collection_loader import AnsibleCollectionConfig
from ansible.utils.collection_loader._collection_finder import _get_collection_playbook_path
from ansible.vars.manager import VariableManager
from ansible_collections.corpv3.service_mesh.plugins.module_utils._preflight.play import (
    NEEDS_CHECKOUT,
    unknown_tags,
    without_hosts,
)

_COLLECTION = Path(__file__).resolve().parents[2]
_LISTINGS = ("syntax", "listhosts", "listtasks", "listtags")


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        self.set_options(var_options=variables, direct=kwargs)
        (group,) = terms
        # The artifact has MANIFEST.json in its place.
        if self.get_option("checkout") and not (_COLLECTION / "galaxy.yml").exists():
            raise AnsibleError(NEEDS_CHECKOUT)
        _check_tags(self._loader)
        if group != "localhost" and not any(context.CLIARGS.get(option) for option in _LISTINGS):
            _check_hosts(group, variables or {})
        return [group]


def _check_hosts(group: str, variables: dict[str, Any]) -> None:
    problem = without_hosts(
        group,
        members=variables["groups"].get(group, []),
        # While the keyword is a template, these are all hosts that --limit leaves.
        chosen=variables["ansible_play_hosts_all"],
        limit=variables.get("ansible_limit") or "",
        inventory=", ".join(variables.get("ansible_inventory_sources") or ()),
    )
    if problem:
        raise AnsibleError(problem)


def _check_tags(loader: DataLoader) -> None:
    arguments = context.CLIARGS
    given = {
        "--tags": arguments.get("tags", ()),
        "--skip-tags": set(arguments.get("skip_tags", ())).difference(C.TAGS_SKIP),
    }
    playbooks = arguments.get("args", ())
    for option, tags in given.items():
        # Looking into the playbooks takes time: where only special tags are given, it is not needed.
        if unknown_tags(option, tags, (), playbooks):
            known = _tags_of(playbooks, loader)
            problem = "" if known is None else unknown_tags(option, tags, known, playbooks)
            if problem:
                raise AnsibleError(problem)


@functools.cache
def _tags_of(playbooks: tuple[str, ...], loader: DataLoader) -> frozenset[str] | None:
    """What --list-tags would show for all of them; None where they include what only a run can find."""
    manager = VariableManager(loader=loader)
    default_collection = AnsibleCollectionConfig.default_collection
    found: set[str] = set()
    try:
        for playbook in playbooks:
            path = (_get_collection_playbook_path(playbook) or (None, playbook))[1]
            for play in Playbook.load(path, variable_manager=manager, loader=loader).get_plays():
                found.update(map(str, play.tags))
                for task in _tasks(play.compile()):
                    if _includes_what_is_not_ours(task):
                        return None
                    found.update(map(str, task.tags))
    except AnsibleError:
        # One of several playbooks: its own run reports its errors.
        return None
    finally:
        AnsibleCollectionConfig.default_collection = default_collection
    return None if any("{{" in tag for tag in found) else frozenset(found)


def _tasks(blocks: list[Any]) -> Iterator[Task]:
    for entry in blocks:
        if isinstance(entry, Block):
            yield from _tasks([*entry.block, *entry.rescue, *entry.always])
        else:
            yield entry


def _includes_what_is_not_ours(task: Task) -> bool:
    if not isinstance(task, TaskInclude) or task.statically_loaded:
        return False
    return not Path(task.get_path()).resolve().is_relative_to(_COLLECTION)
