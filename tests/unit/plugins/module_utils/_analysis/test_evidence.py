# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evidence: its error rates, exactly where that is possible, and by fixed draws where it is not."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.case import upper_share
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.evidence import (
    Block,
    Counts,
    Failing,
    Line,
    Passing,
    log_factor,
)


def binomial(n: int, x: int, p: float) -> float:
    return math.comb(n, x) * p**x * (1 - p) ** (n - x)


def drawn(rng: random.Random, n: int, p: float, fate: int = 1) -> int:
    return fate * sum(rng.random() < p for __ in range(n // fate))


def outcomes(n: int, m: int) -> Iterator[Block]:
    for x in range(n + 1):
        for y in range(m + 1):
            yield Block(Counts(n, x), Counts(m, y))


@pytest.mark.parametrize(
    ("line", "alternative"),
    [
        (Line(0.1), (0.3, 0.0)),
        (Line(0.1), (0.02, 0.0)),
        (Line(0.05, 1), (0.4, 0.1)),
        (Line(0.2, 1), (0.1, 0.1)),
        (Line(0.0, 2), (0.5, 0.05)),
        (Line(0.05, 2), (0.1, 0.1)),
    ],
)
@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 12), (12, 3), (10, 10)])
def test_a_factor_is_expected_to_be_one_at_most_wherever_the_null_hypothesis_holds(
    line: Line, alternative: tuple[float, float], n: int, m: int
) -> None:
    """The whole of the proof's claim, by summing over all outcomes."""
    fails = alternative[0] > line.at(alternative[1])
    for stable in (0.0, 0.01, 0.1, 0.3, 0.6):
        on_line = line.at(stable)
        for canary in (on_line, on_line / 2, 0.0) if fails else (on_line, (on_line + 1) / 2, 1.0):
            expected = sum(
                binomial(n, int(block.canary.bad), canary)
                * binomial(m, int(block.stable.bad), stable)
                * math.exp(log_factor(block, line, *alternative))
                for block in outcomes(n, m)
            )
            assert expected <= 1 + 1e-6


def test_a_factor_grows_where_the_alternative_is_true() -> None:
    for line, (canary, stable) in (
        (Line(0.01), (0.05, 0.0)),
        (Line(0.01, 1), (0.05, 0.01)),
        (Line(0.03, 1), (0.01, 0.01)),
    ):
        expected = Block(Counts(1, canary), Counts(1, stable))
        assert log_factor(expected, line, canary, stable) > 0


@pytest.mark.parametrize(
    ("line", "canary", "stable", "fate"),
    [
        (Line(0.02), 0.02, 0.0, 1),
        (Line(0.01, 1), 0.03, 0.02, 1),
        # Requests that fail in pairs, which the burst of 2 allows for.
        (Line(0.02), 0.02, 0.0, 2),
    ],
)
def test_b6_a_canary_at_the_limit_fails_no_more_often_than_the_rate_allows(
    line: Line, canary: float, stable: float, fate: int
) -> None:
    rng, rate, runs, failed = random.Random(1), 0.1, 300, 0  # noqa: S311
    for __ in range(runs):
        failing = Failing(line, burst=2)
        for __ in range(40):
            failing.add(Block(Counts(40, drawn(rng, 40, canary, fate)), Counts(40, drawn(rng, 40, stable, fate))))
            if failing.log_value >= -math.log(rate):
                failed += 1
                break
    # Three standard deviations above the rate.
    assert failed / runs <= rate + 3 * math.sqrt(rate * (1 - rate) / runs)


def test_a_canary_at_the_limit_passes_no_more_often_than_the_rate_allows() -> None:
    rng, rate, runs = random.Random(2), 0.1, 300  # noqa: S311
    for line, canary, stable in ((Line(0.05), 0.05, 0.0), (Line(0.03, 1), 0.05, 0.02)):
        wrong = 0
        for __ in range(runs):
            passing = Passing(line)
            for __ in range(30):
                passing.add(Block(Counts(40, drawn(rng, 40, canary)), Counts(40, drawn(rng, 40, stable))))
                if passing.log_value >= -math.log(rate):
                    wrong += 1
                    break
        assert wrong / runs <= rate + 3 * math.sqrt(rate * (1 - rate) / runs)


def test_gross_failure_is_found_in_one_measurement_and_after_a_long_good_time() -> None:
    rate = -math.log(0.001)
    for before in (0, 500):
        failing = Failing(Line(0.01), burst=2)
        for __ in range(before):
            failing.add(Block(Counts(100, 0)))
        failing.add(Block(Counts(25, 25)))
        assert failing.log_value > rate


def test_a_few_failures_of_many_requests_do_not_count() -> None:
    failing = Failing(Line(0.01), burst=2)
    for bad in (0, 1, 0, 0, 1, 2, 0):
        failing.add(Block(Counts(100, bad)))
    assert failing.log_value < 0


def test_an_incident_of_both_sides_is_not_the_canary_s() -> None:
    failing = Failing(Line(0.005, 1), burst=2)
    for bad in (0, 0, 30, 30, 30, 0):
        failing.add(Block(Counts(100, bad), Counts(100, bad)))
        assert failing.log_value < 0


def test_a_side_without_requests_proves_nothing() -> None:
    failing, passing = Failing(Line(0.01, 1)), Passing(Line(0.01, 1))
    for block in (Block(Counts(50, 50)), Block(stable=Counts(50, 0))):
        failing.add(block)
        passing.add(block)
    assert (failing.blocks, failing.log_value) == (0, -math.inf)
    assert passing.log_value == pytest.approx(0)


def test_how_many_requests_are_left() -> None:
    target = -math.log(0.1)
    passing = Passing(Line(0.01))
    first = passing.requests_left(target)
    assert first
    passing.add(Block(Counts(round(first) // 2, 0)))
    left = passing.requests_left(target)
    assert left
    assert left == pytest.approx(first / 2, rel=0.2)
    passing.add(Block(Counts(math.ceil(left), 0)))
    assert passing.requests_left(target) == 0
    near = Passing(Line(0.01))
    near.add(Block(Counts(10000, 99)))
    assert near.requests_left(target) is None, "on the limit no number of requests will do"


def test_evidence_continues_where_another_process_left_it() -> None:
    blocks = [Block(Counts(50, bad), Counts(150, 1)) for bad in (0, 2, 1, 9, 7)]
    whole, first = Failing(Line(0.005, 1), 2), Failing(Line(0.005, 1), 2)
    for block in blocks:
        whole.add(block)
    for block in blocks[:2]:
        first.add(block)
    second = Failing(Line(0.005, 1), 2)
    second.load(json.loads(json.dumps(first.dump())))
    for block in blocks[2:]:
        second.add(block)
    assert second.log_value == pytest.approx(whole.log_value, abs=1e-4)
    with pytest.raises(ValueError, match="1 logs instead of 5"):
        second.load({"blocks": 1, "logs": [0], "stable": [0, 0]})


def test_the_bound_of_what_was_before() -> None:
    for n, share, rate in ((50, 0.1, 0.05), (400, 0.01, 0.01)):
        # At the bound, so few bad ones would come at most so often.
        bad = round(n * share)
        bound = upper_share(Counts(n, bad), rate)
        assert sum(binomial(n, x, bound) for x in range(bad + 1)) <= rate
        assert bound < 5 * share
    assert upper_share(Counts(10, 10), 0.01) == pytest.approx(1)
