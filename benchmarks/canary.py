"""From a fault to weight 0, and how many requests it cost: our providers, beside the peers' defaults.

    make up && python benchmarks/canary.py [--runs 3] [--kubeconfig .lab/kubeconfig]

Every run is a real one: 100 requests a second through the gateway, a quarter of them to the canary, half of whose
answers turn into 500. Ours is measured; the peers' rows are computed from their documented defaults: they are not
installed here.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.integration.support.canary_lab import PROXIES, Lab, success
from tests.integration.support.canary_records import failed, read

RATE, WEIGHT, ERRORS = 100, 25, 0.5
# Provider, and seconds from round to round.
CONFIGURATIONS = (
    ("envoy", 0.5),
    ("envoy", 1.0),
    ("envoy", 2.0),
    ("prometheus", 1.0),
    ("prometheus", 2.0),
    ("prometheus", 5.0),
)
# Name, seconds from the fault to weight 0 without the lag of scrapes, and where the figure comes from.
PEERS = (
    (
        "Flagger 1.44, docs' example",
        600,
        660,
        "interval 1m, threshold 10: first failing check (<= 1m), then 10 more ticks",
    ),
    ("Flagger 1.44, best case", 10, 20, "interval 10s (its floor), threshold 1"),
    ("Argo Rollouts 1.10, docs' example", 900, 1200, "interval 5m, failureLimit 3: (<= 5m) + 3 x 5m, then at once"),
    ("Argo Rollouts 1.10, default limit", 0, 60, "interval 1m, failureLimit 0: <= 1m"),
)


def measure(lab: Lab, provider: str, interval: float) -> tuple[float, int]:
    """Seconds from the fault to the write of weight 0, and requests that failed."""
    stable, canary = lab.stable, lab.canary
    where: dict[str, Any] = PROXIES if provider == "envoy" else {"url": lab.prometheus}
    metrics = [success()]
    with lab.unhidden(), lab.sightings() as sightings, lab.load(rate=RATE) as load:
        if load.rate < RATE:
            sys.exit(f"This machine does not carry {RATE} requests a second now: measure when it is calm.")
        call = lab.call(
            image_tag=lab.tag(),
            steps=[WEIGHT, 100],
            step_duration="120s",
            interval=f"{interval * 1000:.0f}ms",
            provider=where,
            metrics=metrics,
            drain="1s",
        )
        lab.until(f"{WEIGHT} %", lambda: lab.now().weights[canary] == WEIGHT, 120)
        time.sleep(4 * interval)
        begin = lab.fault(service=lab.service, version=canary, error_rate=ERRORS)
        call.wait()
        lab.fault(clear=True)
    zero = sightings.first({stable: 100, canary: 0}, begin)
    return zero - begin, len(failed(record for record in read(load.output) if record.sent >= begin - 1))


def spread(values: Iterable[float], digits: int) -> str:
    """Median, least and most."""
    found = sorted(values)
    return f"{statistics.median(found):.{digits}f} ({found[0]:.{digits}f} to {found[-1]:.{digits}f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--kubeconfig", type=Path, default=ROOT / ".lab/kubeconfig")
    options = parser.parse_args()
    if not options.kubeconfig.is_file():
        sys.exit(f"There is no kubeconfig at {options.kubeconfig}: bring up a lab with `make up`.")
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(options.kubeconfig, Path(folder))
        print(
            f"{RATE} requests/s, {WEIGHT} % to the canary, {ERRORS:.0%} of its answers 500; scrape every second; "
            f"{options.runs} runs each; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n"
        )
        print("| provider | interval | fault to weight 0, s | failed requests |\n|---|---|---|---|")
        for provider, interval in CONFIGURATIONS:
            lab.settle()
            measured = [measure(lab, provider, interval) for __ in range(options.runs)]
            seconds, lost = (spread((row[column] for row in measured), 2 - 2 * column) for column in (0, 1))
            print(f"| {provider} | {interval:g} s | {seconds} | {lost} |", flush=True)
        lab.settle()
    each = RATE * WEIGHT / 100 * ERRORS
    print("\nComputed, not measured; to each comes the lag of scrapes and of the window (L, about 15 s by default):\n")
    print("| peer | fault to weight 0, s | failed requests | formula |\n|---|---|---|---|")
    for name, least, most, formula in PEERS:
        print(
            f"| {name} | {least} to {most} + L | {each * least:.0f} to {each * most:.0f} + {each:g} x L | {formula} |"
        )


if __name__ == "__main__":
    main()
