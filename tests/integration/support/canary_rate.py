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
# For a service whose requests must all succeed. While a machine stalls, more than 50 requests of a client wait, and
# the service's own circuit breaker refuses the rest. The soak sends 100.
GENTLE = 20.0
# From when a request was due until its answer; beyond it the machine is behind.
LATEST_SECONDS = 0.25
_QUANTILE = 0.95
# Another lab's pods that start, or a compiler, starve a machine for so long.
PATIENCE_SECONDS = 60.0


def carried_load(load: Callable[[float], Load], wanted: float) -> Load:
    """The load of the rate that the machine carries; see carried."""

    def sent(rate: float) -> Sequence[Record]:
        with load(rate) as probe:
            time.sleep(PROBE_SECONDS)
        return read(probe.output)

    return load(carried(wanted, sent))


def carried(wanted: float, sent: Callable[[float], Sequence[Record]], patience: float = PATIENCE_SECONDS) -> float:
    """The wanted rate, or half or a quarter of it: the first at which all requests are answered in time.

    ``sent`` sends at a rate for a moment and returns the records. A rate below the wanted one is a warning, with the
    measurement. The quarter is tried again for ``patience`` seconds. Raises AssertionError if it fails until then.
    """
    if wanted <= TRIFLE:
        return wanted
    deadline = time.monotonic() + patience
    rate, behind = wanted, ""
    while True:
        records = sent(rate)
        if not failed(records) and delay(records) <= LATEST_SECONDS:
            if behind:
                warnings.warn(f"sending {rate:g} requests a second: {behind}", stacklevel=2)
            return rate
        behind = (
            f"at {rate:g} a second, {len(failed(records))} of {len(records)} fail and {_QUANTILE:.0%} are answered "
            f"within {delay(records):.2f} s (load average {os.getloadavg()[0]:.1f})"
        )
        if rate > wanted / 4:
            rate /= 2
        elif time.monotonic() > deadline:
            raise AssertionError(f"The machine cannot carry the load, or the stable side is ill: {behind}.")


def delay(records: Sequence[Record]) -> float:
    """Within how many seconds nearly all were answered, from when they were due."""
    waited = sorted(record.answered - record.due for record in records)
    return waited[int(_QUANTILE * (len(waited) - 1))]
