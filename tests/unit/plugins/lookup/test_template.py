# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader, lookup_loader
from ansible.template import Templar, trust_as_template
from ansible.utils.collection_loader import AnsibleCollectionConfig
from ansible_collections.corpv3.service_mesh.plugins.lookup import template


class NeverCopied:
    def __deepcopy__(self, memo: dict[int, Any]) -> NeverCopied:
        raise AssertionError("a variable was copied with all that it holds")


@pytest.fixture(scope="module", autouse=True)
def plugins() -> None:
    if AnsibleCollectionConfig.collection_finder is None:
        init_plugin_loader([])


def made_by(lookup: Any, file: Path, variables: dict[str, Any]) -> Any:
    loader = DataLoader()
    return lookup(loader=loader, templar=Templar(loader, variables=variables)).run(
        [str(file)], variables=variables, template_vars={"given": "beside"}
    )


def usual(**kwargs: Any) -> Any:
    return lookup_loader.get("ansible.builtin.template", **kwargs)


def test_a_template_gives_the_same_without_a_copy_of_every_variable(tmp_path: Path) -> None:
    (tmp_path / "included.j2").write_text("included {{ greeting }}")
    file = tmp_path / "text.j2"
    file.write_text("{{ greeting }} {{ given }} {{ template_path }} {% include 'included.j2' %}\n")
    variables: dict[str, Any] = {"greeting": trust_as_template("{{ 'hel' ~ 'lo' }}")}
    expected = made_by(usual, file, variables)
    assert expected == [f"hello beside {file} included hello\n"]
    assert made_by(template.LookupModule, file, variables) == expected
    assert "given" not in variables

    variables["others"] = NeverCopied()
    assert made_by(template.LookupModule, file, variables) == expected
    with pytest.raises(AssertionError, match="was copied"):
        made_by(usual, file, variables)
