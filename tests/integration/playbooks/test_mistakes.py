"""Mistakes of users: each is refused on one screen, which names the variable and the remedy, and nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from ..support.playbooks import ROOT, RunPlaybook
from ..support.snapshots import snapshots

MISTAKES = yaml.safe_load((ROOT / "tests/integration/support/mistakes.yml").read_text())
# A terminal's usual height.
SCREEN = 25


def screen(output: str) -> list[str]:
    """What a terminal shows of a refusal: its task and all that follows."""
    lines = output.rstrip("\n").split("\n")
    titles = [number for number, line in enumerate(lines) if line.startswith(("TASK [", "PLAY ["))]
    tasks = [number for number in titles if lines[number].startswith("TASK [")]
    return lines[tasks[-1] if tasks else titles[-1] if titles else 0 :]


@pytest.fixture(scope="module", autouse=True)
def untouched(api: client.ApiClient) -> Iterator[None]:
    """The cluster after all of them is as it was."""
    snapshot = snapshots(api)
    before = snapshot()
    yield
    assert snapshot() == before


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake["name"])
def test_a_mistake(mistake: dict[str, Any], run_playbook: RunPlaybook, tmp_path: Path) -> None:
    run = run_playbook(
        f"{mistake['playbook']}.yml",
        *mistake.get("arguments", []),
        variables=mistake.get("variables"),
        cwd=tmp_path,
    )
    assert run.rc == mistake.get("rc", 2), run.stdout
    shown = screen(run.stdout)
    assert len(shown) <= SCREEN, run.stdout
    for word in mistake["words"]:
        assert word in "\n".join(shown), run.stdout
    assert run.changed == 0, run.stdout
