"""What this machine carries now: a test that sends load measures it before it judges a canary by the answers.

On a machine that other work starves, the stable side itself answers late or with errors, and the canary is blamed.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Sequence

from .canary_load import Load
from .canary_records import Record, failed, read

PROBE_SECONDS = 2.0
# So little is not a burden, and some tests send it while they break things.
TRIFLE = 10.0
# From when a request was due until its answer; beyond it the machine is behind.
LATEST_SECONDS = 0.25
_QUANTILE = 0.95


def carried_load(load: Callable[[float], Load], wanted: float) -> Load:
    """The load of the rate that the machine carries; see carried."""

    def sent(rate: float) -> Sequence[Record]:
        with load(rate) as probe:
            time.sleep(PROBE_SECONDS)
        return read(probe.output)

    return load(carried(wanted, sent))


def carried(wanted: float, sent: Callable[[float], Sequence[Record]]) -> float:
    """The wanted rate, or the half or the quarter of it: the first at which everything is answered, and in time.

    ``sent`` sends at a rate for a moment and gives the records. A lower rate than the wanted one is a warning,
    with what was measured. Raises AssertionError where not even the quarter is carried.
    """
    if wanted <= TRIFLE:
        return wanted
    behind = ""
    for rate in (wanted, wanted / 2, wanted / 4):
        records = sent(rate)
        if not failed(records) and delay(records) <= LATEST_SECONDS:
            if behind:
                warnings.warn(f"sending {rate:g} requests a second: {behind}", stacklevel=2)
            return rate
        behind = (
            f"at {rate:g} a second, {len(failed(records))} of {len(records)} fail and {_QUANTILE:.0%} are answered "
            f"within {delay(records):.2f} s (load average {os.getloadavg()[0]:.1f})"
        )
    raise AssertionError(f"The machine carries no load, or the stable side is ill: {behind}.")


def delay(records: Sequence[Record]) -> float:
    """Within how many seconds nearly all were answered, from when they were due."""
    waited = sorted(record.answered - record.due for record in records)
    return waited[int(_QUANTILE * (len(waited) - 1))]
