"""A machine that is busy gets less load instead of a test that fails by it."""

from __future__ import annotations

import warnings

import pytest

from ..integration.support.canary_rate import carried
from ..integration.support.canary_records import Record


class Machine:
    """Answers so many requests a second, one after the other, and the rest later or with 503."""

    def __init__(self, capacity: float, refuses: bool = False) -> None:
        self._seconds, self._refuses, self.asked = 1 / capacity, refuses, list[float]()

    def __call__(self, rate: float) -> list[Record]:
        self.asked.append(rate)
        free, records = 0.0, []
        for number in range(int(2 * rate)):
            due = number / rate
            if self._refuses and free > due:
                records.append(Record(due, due, due, 503, ""))
                continue
            free = max(free, due) + self._seconds
            records.append(Record(due, due, free, 200, "order-service/v1/pod"))
        return records


@pytest.mark.parametrize("refuses", [False, True])
@pytest.mark.parametrize(("capacity", "asked"), [(150, [100]), (60, [100, 50]), (30, [100, 50, 25])])
def test_the_rate_is_what_the_machine_carries_and_a_lower_one_is_reported(
    capacity: float, asked: list[float], refuses: bool
) -> None:
    machine = Machine(capacity, refuses)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert carried(100, machine) == asked[-1]
    assert machine.asked == asked
    messages = [str(warning.message).partition(": at ")[0] for warning in caught]
    assert messages == ([f"sending {asked[-1]:g} requests a second"] if len(asked) > 1 else [])


def test_a_machine_that_carries_nothing_cannot_judge_a_canary() -> None:
    with pytest.raises(AssertionError, match=r"at 25 a second, 40 of 50 fail"):
        carried(100, Machine(5, refuses=True), patience=0)


def test_a_machine_that_is_starved_for_a_moment_is_asked_again() -> None:
    busy, free = Machine(5, refuses=True), Machine(30)

    def machine(rate: float) -> list[Record]:
        return busy(rate) if len(busy.asked) < 4 else free(rate)

    with pytest.warns(UserWarning, match="sending 25 requests a second"):
        assert carried(100, machine) == 25
    assert (busy.asked, free.asked) == ([100, 50, 25, 25], [25])


def test_a_trifle_is_not_measured() -> None:
    """Tests send as little while they break things."""
    assert carried(5, Machine(0.1, refuses=True)) == 5
