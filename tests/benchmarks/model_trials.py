"""How often comparisons are right: ``python -m tests.benchmarks.model_trials [--trials N] [--seed N]``.

``--noisy`` runs the trials of models that answer differently each time; with ``--once`` they are judged by
one run of the target, as they were before it was asked twice. ``--shapes`` runs those of durations of many
shapes.

Each trial trains a model, makes a target of it, and judges that; each is drawn from its own seed. Rates come
with the interval of Clopper and Pearson at 95 %. Ends with 1 where a rate is beyond its goal.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from heavylift.scoring.statistics import mismatch_bound
from tests.support.latency_shapes import SHAPES, shape_passes
from tests.support.model_trials import OTHERS, fast_enough, passes
from tests.support.noisy_trials import NOISES, noisy_passes

LATENCY = ("as fast", 1.0), ("10 % slower at P95", 1.1)


def cases() -> Iterator[tuple[str, bool, Callable[[int], bool]]]:
    """Yield each target's name, whether it should pass, and what tells whether it does."""
    yield "equal", True, partial(passes, variant="equal")
    for each in OTHERS:
        yield each, False, partial(passes, variant=each)
    for name, factor in LATENCY:
        yield f"latency: {name}", factor == 1.0, partial(fast_enough, factor)


def noisy_cases(once: bool) -> Iterator[tuple[str, bool, Callable[[int], bool]]]:
    """Yield the same for each form of noise."""
    for noise in NOISES:
        for each in ("equal", *OTHERS):
            act = partial(noisy_passes, variant=each, noise=noise, once=once)
            yield f"{noise}: {each}", each == "equal", act


def shape_cases() -> Iterator[tuple[str, bool, Callable[[int], bool]]]:
    """Yield the trials of latency for each shape of durations."""
    for shape in SHAPES:
        for name, factor in LATENCY:
            yield f"{shape}: {name}", factor == 1.0, partial(shape_passes, shape, factor)


def main(arguments: list[str]) -> int:
    """Run all trials and print their rates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=300, help="of each kind (default 300)")
    parser.add_argument("--seed", type=int, default=100_000, help="of the first")
    parser.add_argument("--processes", type=int, default=1, help="at once")
    parser.add_argument("--noisy", action="store_true", help="models that answer differently each time")
    parser.add_argument("--once", action="store_true", help="ask noisy targets once")
    parser.add_argument("--shapes", action="store_true", help="durations of many shapes")
    options = parser.parse_args(arguments)
    noisy = noisy_cases(options.once) if options.noisy else cases()
    seeds = range(options.seed, options.seed + options.trials)
    good = True
    print("| target | trials | wrong | rate | at most, at 95 % | goal |\n|---|---|---|---|---|---|")
    with ProcessPoolExecutor(options.processes) as pool:
        for name, should, act in shape_cases() if options.shapes else noisy:
            wrong = sum(found is not should for found in pool.map(act, seeds, chunksize=10))
            goal = 0.01 if name.endswith("equal") else 0.05
            good = good and wrong <= goal * options.trials
            bound = mismatch_bound(wrong, options.trials)
            word = "refused" if should else "passed"
            print(
                f"| {name} | {options.trials} | {wrong} {word} | {wrong / options.trials:.1%} | {bound:.1%}"
                f" | {goal:.0%} |",
                flush=True,
            )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
