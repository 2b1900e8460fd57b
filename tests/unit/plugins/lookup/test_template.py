# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

from ...support.lookup_template import both_ways


def test_a_template_gives_the_same_without_a_copy_of_every_variable(tmp_path: Path) -> None:
    (tmp_path / "included.j2").write_text("included {{ greeting }}")
    file = tmp_path / "text.j2"
    file.write_text("{{ greeting }} {{ given }} {{ template_path }} {% include 'included.j2' %}\n")
    expected = [f"hello beside {file} included hello\n"]
    found = both_ways(file, {"greeting": "{{ 'hel' ~ 'lo' }}"})
    assert found["usual"] == expected
    assert found["ours"] == expected
    assert found["left"] == ["greeting"]
    assert found["uncopied"] == expected
    assert "was copied" in found["copied"]
