"""The recorded terminal: it lasts as long as it should, and without motion all of it is there."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module("terminal_recording")


def test_long_waits_are_shortened_and_short_ones_can_be_read(recording: Any) -> None:
    shown = recording.times([(0.01, "first"), (0.02, "second"), (600.0, "third"), (1800.0, "fourth")], 90)
    assert shown == sorted(shown)
    assert shown[1] - shown[0] >= recording.STEP
    assert shown[-1] == pytest.approx(90 - recording.END)
    # Twice the wait takes twice the time.
    assert (shown[3] - shown[2]) / (shown[2] - shown[1]) == pytest.approx(2, rel=0.01)


def test_a_quick_command_is_not_slowed_down(recording: Any) -> None:
    assert recording.times([(1.0, "one"), (2.0, "two")], 90) == pytest.approx([1.0, 2.0])


def test_each_line_appears_in_its_turn_and_only_on_a_screen(recording: Any) -> None:
    drawn = recording.animated("run it", [(1.0, "\x1b[32mok\x1b[0m"), (2.0, "x" * 130)], 90)
    assert [float(at) for at in re.findall(r"\.line-\d+\{animation-delay:([\d.]+)s\}", drawn)] == [1.0, 2.0, 2.15]
    assert "@media screen and (prefers-reduced-motion:no-preference){.line{" in drawn
    assert {"line-2", "line-3", "line-4"} <= set(re.findall(r'class="terminal-r\d+ line (line-\d+)"', drawn))


def test_what_a_command_writes_is_recorded(recording: Any) -> None:
    assert [line for _, line in recording.record([sys.executable, "-c", "print('one\\ntwo')"])] == ["one", "two"]
