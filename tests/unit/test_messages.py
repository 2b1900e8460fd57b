"""What the collection writes can be read at three in the morning."""

from __future__ import annotations

from pathlib import Path

import pytest

from .support import messages

LONGEST = 30


def test_no_sentence_is_longer_than_30_words() -> None:
    found = [*messages.sentences()]
    assert len(found) > 1000
    long = [f"{one.path}:{one.line}: {one.length} words: {one.text}" for one in found if one.length > LONGEST]
    assert long == []


@pytest.mark.parametrize("kind", ["plugins/x.py", "roles/x/templates/problems.txt.j2", "playbooks/x.yml"])
def test_a_long_sentence_is_found_wherever_it_is(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = " ".join(["word"] * 15 + ["{}"] + ["word"] * 15)
    text = {
        ".py": f'"""{long * 2}"""\nraise Failure(f"Short. "\n    f"{long.format("{name}")}. Short.")\n',
        ".j2": f"{{% if {long} %}}\n{long.format('{{ a | b(1, 2) }}')}\n{{% endif %}}\n",
        ".yml": f"- tasks:\n    - fail:\n        msg: >-\n          {long.format('{{ a | b }}')}\n          Short.\n",
    }
    path = tmp_path / kind
    path.parent.mkdir(parents=True)
    path.write_text(text[path.suffix])
    monkeypatch.setattr(messages, "ROOT", tmp_path)
    assert [one.length for one in messages.sentences() if one.length > LONGEST] == [31 if ".yml" not in kind else 32]
