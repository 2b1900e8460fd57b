"""Bad input: refused in these words, with the cluster as it was."""

from __future__ import annotations

from typing import Any

from .playbooks import RunPlaybook
from .snapshots import Snapshot


def refused(
    run_playbook: RunPlaybook,
    cluster_snapshot: Snapshot,
    variables: dict[str, Any],
    words: list[str],
) -> None:
    before = cluster_snapshot()
    run = run_playbook("site.yml", variables=variables)
    assert run.rc != 0, run.stdout
    for word in words:
        assert word in run.text, run.stdout
    assert run.changed == 0, run.stdout
    assert cluster_snapshot() == before
