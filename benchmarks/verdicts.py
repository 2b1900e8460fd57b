"""How often a run decides wrongly, and at which step a bad canary is stopped, on simulated counters.

    nice -n 19 python benchmarks/verdicts.py [--runs 1000] [--only healthy|bad] [--rates 20,200] [--scrapes 15,60]

Nothing is measured here but the decisions: counters are drawn (requests, failures, slow ones and hang-ups, for each
scrape), and the ledger, the tests, the watch and the state machine are those of the module, with a clock that jumps
from scrape to scrape. The metrics are the role's defaults. Requests fail independently of each other, except in the
cells that say otherwise.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / ".ansible/collections"), str(ROOT / "benchmarks")]

from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.measure import Target
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.metric import Metric
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.options import metrics_of, options
from ansible_collections.corpv3.service_mesh.plugins.module_utils._analysis.sides import MetricSide
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.decide import decide
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.decision import (
    Observation,
    Policy,
    Wait,
    Write,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import (
    RouteNames,
    Slot,
    State,
    Step,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.measuring import Watch
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import Phase
from verdicts_mesh import Mesh, Traffic

BACK, PROMOTED, HELD = "back", "promoted", "held"
WEIGHTS = (5, 10, 25, 50, 100)
# Name, seconds of a step and deadline: the role's default steps and those of inventories/production. The deadlines are
# shorter than theirs, 1 h and 4 h, so that the benchmark ends; a run that pauses here might still have shown something.
STEPS = {"30 s": (30.0, 1200.0), "5 m": (300.0, 6000.0)}
ACKNOWLEDGED = 1.0


@dataclass(frozen=True)
class Cell:
    name: str
    rate: float
    stable: Traffic
    canary: Traffic
    steps: str = "30 s"
    scrape: float = 15
    # Whether the promotion is asked of it.
    shown: bool = False


@dataclass(frozen=True)
class End:
    what: str
    step: int
    seconds: float


def defaults() -> tuple[list[Metric], dict]:
    """The role's metrics, as the module reads them."""
    given = yaml.safe_load((ROOT / "roles/canary/defaults/main.yml").read_text(encoding="utf-8"))

    def filled(spec: dict, value: dict) -> dict:
        found = {key: value.get(key, entry.get("default")) for key, entry in spec.items()}
        return {
            key: filled(spec[key]["options"], entry) if isinstance(entry, dict) and "options" in spec[key] else entry
            for key, entry in found.items()
        }

    spec = options()
    params = {
        "provider": {"type": "prometheus"},
        "metrics": [filled(spec["metrics"]["options"], entry) for entry in given["canary_metrics"]],
        "whole_service_guard": filled(spec["whole_service_guard"]["options"], {"max_increase": 1}),
        "since": "1",
    }
    return metrics_of(params), given


METRICS, GIVEN = defaults()
TARGET = Target("orders", "shop", MetricSide("v1", "v1", "orders-v1"), MetricSide("v2", "v2", "orders-v2"))
HISTORY = 300.0


def simulate(cell: Cell, seed: int) -> End:
    """One run. It has ended when it is rolled back, when it is promoted, or when it pauses."""
    mesh = Mesh(cell.rate, cell.scrape, cell.stable, cell.canary, random.Random(seed))  # noqa: S311
    duration, deadline = STEPS[cell.steps]
    mesh.until(HISTORY)
    begin = mesh.now
    state = State(
        run="r", service="orders", where=RouteNames("VirtualService", ("orders",)), phase=Phase.INITIALIZED,
        stable=Slot("v1", "orders", "r:1"), canary=Slot("v2", "orders-v2", "r:2"),
        steps=tuple(Step(weight, duration, capacity=weight) for weight in WEIGHTS),
        started=begin, deadline=begin + deadline, capacity=1,
    )  # fmt: skip
    policy = Policy("bench", drain=30)
    watch = Watch(METRICS, TARGET, mesh, 0.0, GIVEN["canary_min_share"], clock=lambda: mesh.now)
    while True:
        acknowledged = mesh.now - state.step_at >= ACKNOWLEDGED
        if state.gets_traffic:
            watch.enter(state)
            watch.observe(acknowledged)
        seen = Observation(
            mesh.now, state, acknowledged, stable_ready=1, canary_ready=100, stable_wanted=1, canary_wanted=100,
            canary_rolled_out=True, canary_image="r:2", outcome=watch.outcome() if state.gets_traffic else None,
            scrape_interval=watch.scrape_interval,
        )  # fmt: skip
        decision = decide(seen, policy)
        if isinstance(decision, Write):
            state = replace(decision.state, history=())
            mesh.weight = state.weight
            if state.phase == Phase.ROLLING_BACK:
                return End(BACK, state.step, mesh.now - begin)
            if state.phase == Phase.PAUSED:
                return End(HELD, state.step, mesh.now - begin)
            if state.phase != Phase.PROGRESSING:
                return End(PROMOTED, state.step, mesh.now - begin)
            mesh.until(mesh.now + ACKNOWLEDGED)
            continue
        if not isinstance(decision, Wait):
            raise AssertionError(decision)
        # As often as the role looks, or whenever a scrape may have brought something or the wait has ended.
        after = [max(mesh.next_scrape + 0.01, mesh.now + 5 if cell.scrape < 5 else 0)]
        lasts = max(duration, 3 * (watch.scrape_interval or 0))
        ends = (state.step_at + lasts, mesh.now + (decision.left or 0))
        after += [moment + 0.01 for moment in ends if moment > mesh.now]
        mesh.until(min(after))


def interval(found: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval, in percent."""
    z, share = 1.96, found / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return 100 * max(0, middle - half), 100 * min(1, middle + half)


def part(found: int, of: int) -> str:
    low, high = interval(found, of)
    return f"{100 * found / of:.1f} ({low:.1f} to {high:.1f})"


def cells() -> Iterator[Cell]:
    usual = Traffic()
    healthy = [
        ("no errors, 0.2 % slow", Traffic(errors=0.0)),
        ("0.2 % errors, 0.2 % slow", usual),
        ("1 % errors, 0.5 % slow", Traffic(errors=0.01, slow=0.005)),
    ]
    for steps in STEPS:
        for scrape in (1, 15, 30, 60):
            for rate in (1, 5, 20, 50, 200, 1000):
                for name, traffic in healthy:
                    yield Cell(
                        f"healthy, {name}", rate, traffic, traffic, steps, scrape, rate >= 20 and traffic.errors < 0.01
                    )
    pairs = Traffic(errors=0.01, slow=0.005, cluster=2)
    for rate in (20, 200):
        yield Cell("healthy, 1 % errors in pairs", rate, pairs, pairs)
    bad = [
        ("bad, +1 point of errors", 50, usual, replace(usual, errors=usual.errors + 0.01)),
        ("bad, +1 point of errors of none", 50, replace(usual, errors=0), replace(usual, errors=0.01)),
        ("bad, +5 points of errors", 10, usual, replace(usual, errors=usual.errors + 0.05)),
        ("bad, 15 % unanswered", 50, usual, replace(usual, unanswered=0.15)),
        ("bad, 15 % unanswered", 10, usual, replace(usual, unanswered=0.15)),
        ("bad, 0.5 % slow becomes 1 %", 50, replace(usual, slow=0.005), replace(usual, slow=0.01)),
        ("bad, 0.5 % slow becomes 1 %", 1000, replace(usual, slow=0.005), replace(usual, slow=0.01)),
        ("bad, 1 % slow becomes 2 %", 50, replace(usual, slow=0.01), replace(usual, slow=0.02)),
        ("bad, every answer 5xx", 50, usual, replace(usual, errors=1.0)),
        ("bad, half of the answers 5xx", 50, usual, replace(usual, errors=0.5)),
    ]
    for steps in STEPS:
        for scrape in (1, 15, 30, 60):
            for name, rate, stable, canary in bad:
                yield Cell(name, rate, stable, canary, steps, scrape)


def simulate_all(cell: Cell, runs: int) -> tuple[Cell, list[End], float]:
    begin = time.monotonic()
    # The same seeds in every cell.
    return cell, [simulate(cell, seed) for seed in range(runs)], time.monotonic() - begin


def row(cell: Cell, ends: list[End]) -> str:
    n = len(ends)
    # The machine gives each step three scrapes.
    own = len(WEIGHTS) * max(STEPS[cell.steps][0], 3 * cell.scrape)
    went = {what: sum(end.what == what for end in ends) for what in (BACK, PROMOTED, HELD)}
    soon = sum(end.what == PROMOTED and end.seconds <= 2 * own for end in ends)
    middle = sorted(end.seconds for end in ends)[n // 2]
    head = f"| {cell.name} | {cell.rate:g} | {cell.steps} | {cell.scrape:g} s | "
    if cell.name.startswith("healthy"):
        verdict = went[BACK] <= 0.01 * n and (not cell.shown or soon >= 0.95 * n)
        parts = " | ".join(part(found, n) for found in (went[BACK], went[PROMOTED], soon, went[HELD]))
        return head + f"{parts} | {middle:.0f} | {'yes' if verdict else 'NO'} |"
    stopped: dict[str, int] = {}
    for end in ends:
        if end.what != PROMOTED:
            name = f"{WEIGHTS[end.step]} %{' held' if end.what == HELD else ''}"
            stopped[name] = stopped.get(name, 0) + 1
    where = ", ".join(f"{name}: {100 * found / n:.0f}" for name, found in sorted(stopped.items(), key=lambda e: -e[1]))
    return head + (
        f"{part(n - went[PROMOTED], n)} | {part(went[BACK], n)} | {where} | {middle:.0f} | "
        f"{'yes' if went[PROMOTED] <= 0.01 * n else 'NO'} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", default="", help="a part of the cells' names")
    parser.add_argument("--rates", default="", help="requests a second, with commas between")
    parser.add_argument("--scrapes", default="", help="seconds, with commas between")
    parser.add_argument("--steps", default="", choices=["", *STEPS])
    options = parser.parse_args()
    rates, scrapes = ([float(text) for text in given.split(",") if text] for given in (options.rates, options.scrapes))
    chosen = [
        cell
        for cell in cells()
        if options.only in cell.name
        and (not rates or cell.rate in rates)
        and (not scrapes or cell.scrape in scrapes)
        and options.steps in ("", cell.steps)
    ]
    print(f"{options.runs} runs a cell; percent of the runs, with 95 % intervals\n")
    heads = (
        ("healthy", "rolled back | promoted | within twice the steps' time | paused | median s | holds |"),
        ("bad", "not promoted | rolled back | stopped at, % | median s | holds |"),
    )
    with ProcessPoolExecutor(options.jobs) as pool:
        results = pool.map(simulate_all, chosen, [options.runs] * len(chosen))
        kind = ""
        for cell, ends, seconds in results:
            for name, head in heads:
                if cell.name.startswith(name) and kind != name:
                    kind = name
                    full = f"| canary | requests/s | steps | scrape | {head}"
                    print(f"\n{full}\n|{'---|' * (full.count('|') - 1)}")
            print(row(cell, ends), flush=True)
            print(f"{cell.name} {cell.rate:g}/s {cell.steps} {cell.scrape:g}: {seconds:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
