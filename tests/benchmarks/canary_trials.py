"""How often canaries are judged rightly: ``./dev bench canary [--json FILE] [--scale X]``.

Each trial draws two sides from its seed and lets all judges see the same requests. A bad target must be
stopped at the first step; a good one must pass six of them. Stopped means aborted, or not promoted when the
step is over; both are told. Ends with 1 where ours is beyond its goal.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from heavylift.cutover.canary.analysis import SequentialAnalysis, Verdict, Watched
from heavylift.scoring.statistics import mismatch_bound
from tests.support.canary_peers import Told, mann_whitney, measured_before
from tests.support.canary_trials import BAD, LIMITS, STEPS, Step, as_crowd, as_pairs, step, target_of

RATE, SECONDS = 20.0, 600
LIVE_RATE, LIVE_PERCENT = 100.0, 20.0
OURS, LIVE = "heavylift", "heavylift, live only"
MANN_WHITNEY, FIVE, FIRST = "Mann-Whitney", "thresholds, 5 forgiven", "thresholds, none forgiven"
JUDGES = (OURS, LIVE, MANN_WHITNEY, FIVE, FIRST)
MOST_ABORTED_GOOD, LEAST_STOPPED_BAD = 0.02, 0.95


@dataclass
class Outcome:
    """What one judge said of one trial.

    :param aborted: at any step; ``held``: a step ended without a verdict.
    :param samples: to each side until it was aborted or, of a good target, promoted the first time.
    """

    aborted: bool = False
    held: bool = False
    samples: int = 0


Judge = Callable[[Step, np.random.Generator], tuple[bool, bool, int]]
"""From a step to whether it is aborted, held, and after how many requests."""


def _ours(drawn: Step, generator: np.random.Generator, *, live: bool) -> tuple[bool, bool, int]:
    analysis = SequentialAnalysis(LIMITS, Watched(pairs=not live, live=live), bounds=False)
    for block in as_crowd(drawn, LIVE_PERCENT, generator) if live else as_pairs(drawn):
        analysis.feed_block(block)
        if analysis.decided():
            break
    verdict, _ = analysis.decision()
    return verdict is Verdict.ABORT, verdict is Verdict.HOLD, analysis.samples


def _peer(
    act: Callable[[Step], Told], drawn: Step, _generator: np.random.Generator
) -> tuple[bool, bool, int]:
    told = act(drawn)
    return told.stopped, False, told.samples


def judges_of(before: Step) -> dict[str, Judge]:
    """Return the judges of one trial."""
    return {
        OURS: partial(_ours, live=False),
        LIVE: partial(_ours, live=True),
        MANN_WHITNEY: partial(_peer, mann_whitney),
        FIVE: partial(_peer, measured_before(before, 5).step),
        FIRST: partial(_peer, measured_before(before, 0).step),
    }


def trial(kind: str, seed: int) -> dict[str, Outcome]:
    """Let all judges see one target: one step of a bad one, six of a good one."""
    target = target_of(kind, np.random.default_rng([seed, 1000]))
    before = step(np.random.default_rng([seed, 2000]), target, rate=RATE, seconds=SECONDS)
    judges = judges_of(before)
    found = {name: Outcome() for name in judges}
    for number in range(STEPS if kind == "good" else 1):
        paired = step(np.random.default_rng([seed, number]), target, rate=RATE, seconds=SECONDS)
        live = step(np.random.default_rng([seed, number]), target, rate=LIVE_RATE, seconds=SECONDS)
        for name, act in judges.items():
            outcome = found[name]
            if outcome.aborted or outcome.held:
                continue
            drawn = live if name == LIVE else paired
            outcome.aborted, outcome.held, samples = act(drawn, np.random.default_rng([seed, number, 1]))
            outcome.samples = outcome.samples or samples
    return found


@dataclass
class Rates:
    """What came of all trials of a kind for one judge."""

    trials: int = 0
    aborted: int = 0
    held: int = 0
    samples: list[int] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        self.trials += 1
        self.aborted += outcome.aborted
        self.held += outcome.held
        self.samples.append(outcome.samples)

    def document(self, kind: str, judge: str) -> dict[str, Any]:
        stopped = self.aborted + self.held
        missed = self.trials - stopped
        wrong = self.aborted if kind == "good" else missed
        return {
            "target": kind,
            "judge": judge,
            "trials": self.trials,
            "aborted": self.aborted / self.trials,
            "held": self.held / self.trials,
            "wrong": wrong / self.trials,
            "wrong_at_most": mismatch_bound(wrong, self.trials),
            "samples_median": statistics.median(self.samples),
            "samples_p95": float(np.quantile(self.samples, 0.95)),
        }


def measured(trials: int, seed: int, processes: int) -> Iterator[dict[str, Any]]:
    """Yield the figures of each kind of target and each judge."""
    with ProcessPoolExecutor(processes) as pool:
        for kind in ("good", *BAD):
            rates = {name: Rates() for name in JUDGES}
            for found in pool.map(partial(trial, kind), range(seed, seed + trials), chunksize=5):
                for name, outcome in found.items():
                    rates[name].add(outcome)
            yield from (rates[name].document(kind, name) for name in JUDGES)


def main(arguments: list[str]) -> int:
    """Run all trials and print the figures."""
    parser = argparse.ArgumentParser(prog="./dev bench canary", description=__doc__)
    parser.add_argument("--trials", type=int, default=300, help="of each kind (default 300)")
    parser.add_argument("--scale", type=float, default=1.0, help="so many of them, as a share")
    parser.add_argument("--seed", type=int, default=1, help="of the first")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="at once")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")
    options = parser.parse_args(arguments)
    trials = max(2, round(options.trials * options.scale))
    print(
        "| target | judge | aborted | held | wrong | at most, at 95 % | requests: median | P95 |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    rows = []
    for row in measured(trials, options.seed, options.processes):
        rows.append(row)
        print(
            f"| {row['target']} | {row['judge']} | {row['aborted']:.1%} | {row['held']:.1%} |"
            f" {row['wrong']:.1%} | {row['wrong_at_most']:.1%} | {row['samples_median']:,.0f} |"
            f" {row['samples_p95']:,.0f} |",
            flush=True,
        )
    print(f"{trials} trials of each kind, seeds from {options.seed}")
    if options.json:
        options.json.write_text(json.dumps({"trials": trials, "rows": rows}, indent=2) + "\n")
    return 0 if all(_met(row) for row in rows if row["judge"] in {OURS, LIVE}) else 1


def _met(row: dict[str, Any]) -> bool:
    wrong: float = row["wrong"]
    return wrong <= (MOST_ABORTED_GOOD if row["target"] == "good" else 1 - LEAST_STOPPED_BAD)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
