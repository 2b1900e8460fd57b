"""The runbooks' quick looks, run as they stand; tests/soak/test_runbooks.py runs all there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..support.runbook_pages import Shell, blocks, pages

# What an alert names, or what there is only after a block that changes something.
NEEDED = ("POD", "NODE", "CERT", "OLD", "GATEWAY_TLS", "slot")
MADE = ("restaurant-tls", "backup-by-hand", "list-backups", "restore-")


@pytest.fixture
def shell(kubeconfig: str, tmp_path: Path) -> Shell:
    if not (Path(kubeconfig).parent / "settings.json").is_file():
        pytest.skip("only the lab is known to have what the runbooks' commands ask for")
    return Shell(Path(kubeconfig), tmp_path)


def test_every_look_that_needs_nothing_of_others_ends_well(shell: Shell) -> None:
    words = [*(f"${name}" for name in NEEDED), *MADE]
    # One bash for all, and each once: many pages begin with the same question.
    texts = dict.fromkeys(
        block.text
        for page in pages()
        for block in blocks(page)
        if not block.elsewhere and not block.changes and not any(word in block.text for word in words)
    )
    assert len(texts) > 60
    done = shell.run("\n".join(f"echo '## {number}'\n{text}" for number, text in enumerate(texts)))
    assert done.returncode == 0, done.stdout[-3000:]
