"""Seeded trials of what a canary must stop, and must not: simulated sides with realistic moods.

Both sides share a slow mood and bursts that slow them and make them fail; each has moods, stalls and a tail
of its own. The target warms up at the begin of each step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from heavylift.cutover.canary.analysis import Judgement, SequentialAnalysis, Verdict, Watched
from heavylift.cutover.canary.limits import Limits
from heavylift.cutover.canary.samples import Crowd, Latencies, Pairs, SideCrowd

BAD = ("wrong model", "2x latency", "1 % errors", "shifted predictions")
STEPS = 6
LIMITS = Limits(steps=STEPS)


@dataclass(frozen=True)
class Target:
    """How the target differs from the source.

    :param slower: factor of its latency.
    :param errors: its own rate of errors in calm times; the source's is 0.001.
    :param differing: rate of requests that it answers differently.
    :param shift: of its predictions, in standard deviations of theirs.
    """

    slower: float = 1.0
    errors: float = 0.001
    differing: float = 0.0002
    shift: float = 0.0


def target_of(kind: str, generator: np.random.Generator) -> Target:
    """Return a target of a kind; a good one is up to 10 % slower or faster."""
    good = Target(slower=float(generator.uniform(0.9, 1.1)))
    if kind == "wrong model":
        return replace(good, differing=float(generator.uniform(0.05, 0.3)), shift=0.5)
    if kind == "2x latency":
        return replace(good, slower=2.0)
    if kind == "1 % errors":
        return replace(good, errors=0.01)
    if kind == "shifted predictions":
        return replace(good, differing=0.95, shift=0.5)
    return good


@dataclass
class Step:
    """What one step's requests do to both sides: arrays over all requests, in the order of time.

    Index 0 is the source, 1 the target.
    """

    moments: np.ndarray
    ok: np.ndarray
    seconds: np.ndarray
    mismatched: np.ndarray
    values: np.ndarray

    @property
    def places(self) -> np.ndarray:
        return self.moments.astype(int)


def step(generator: np.random.Generator, target: Target, *, rate: float, seconds: int) -> Step:
    """Draw one step with ``rate`` requests a second to each side."""
    count = int(rate * seconds)
    moments = np.sort(generator.uniform(0, seconds, count))
    second = moments.astype(int)
    shared = _mood(generator, seconds, 0.15)
    burst = _bursts(generator, seconds)
    ok, durations = np.empty((2, count), bool), np.empty((2, count))
    for side, (slower, errors) in enumerate(((1.0, 0.001), (target.slower, target.errors))):
        drawn = 0.02 * generator.lognormal(0.0, 0.35, count)
        drawn *= np.where(generator.random(count) < 0.02, 3.0, 1.0)
        drawn += 0.02 * np.where(generator.random(count) < 0.002, generator.pareto(1.1, count), 0.0)
        own = _mood(generator, seconds, 0.03) + np.where(generator.random(seconds) < 1 / 200, 1.5, 0.0)
        drawn *= slower * np.exp((shared + own)[second]) * np.where(burst[second], 3.0, 1.0)
        durations[side] = drawn
        ok[side] = generator.random(count) >= np.where(burst[second], 0.2, errors)
    durations[1] *= 1 + 2 * np.exp(-moments / 4)
    values = generator.normal(size=(2, count))
    values[1] += target.shift
    return Step(moments, ok, durations, generator.random(count) < target.differing, values)


def _mood(generator: np.random.Generator, seconds: int, spread: float) -> np.ndarray:
    """Return a mood for each second that changes slowly."""
    mood, made = 0.0, np.empty(seconds)
    for place, kick in enumerate(generator.normal(size=seconds)):
        mood = 0.95 * mood + np.sqrt(1 - 0.95**2) * kick
        made[place] = mood
    return spread * made


def _bursts(generator: np.random.Generator, seconds: int) -> np.ndarray:
    """Return the seconds in which both sides are struck."""
    made = np.zeros(seconds, bool)
    for begin in np.flatnonzero(generator.random(seconds) < 1 / 120):
        made[begin : begin + int(generator.integers(3, 10))] = True
    return made


def as_pairs(drawn: Step) -> Iterator[Pairs]:
    """Yield a step's blocks, each request asked of both sides."""
    known = np.where(drawn.ok.all(axis=0), drawn.mismatched.astype(float), np.nan)
    edges = np.searchsorted(drawn.places, np.arange(drawn.places[-1] + 2))
    for place, (low, high) in enumerate(pairwise(edges)):
        if high > low:
            cut = slice(low, high)
            yield Pairs(
                float(place),
                *(side[cut] for side in drawn.ok),
                *(side[cut] for side in drawn.seconds),
                known[cut],
            )


def as_crowd(drawn: Step, percent: float, generator: np.random.Generator) -> Iterator[Crowd]:
    """Yield a step's blocks, each request asked of one side only, so many of a hundred of the target."""
    to_target = generator.random(len(drawn.moments)) < percent / 100
    edges = np.searchsorted(drawn.places, np.arange(drawn.places[-1] + 2))
    for place, (low, high) in enumerate(pairwise(edges)):
        sides = []
        for side, mine in enumerate((~to_target, to_target)):
            chosen = np.arange(low, high)[mine[low:high]]
            good = chosen[drawn.ok[side, chosen]]
            sides.append(
                SideCrowd(
                    len(chosen),
                    len(chosen) - len(good),
                    Latencies.of(drawn.seconds[side, good]),
                    tuple(drawn.values[side, good].tolist()),
                )
            )
        yield Crowd(float(place), *sides)


def judged_step(
    seed: int, kind: str, *, rate: float = 20.0, seconds: int = 600, live: bool = False, number: int = 0
) -> Judgement:
    """Judge one step of a seeded trial."""
    generator = np.random.default_rng([seed, number])
    target = target_of(kind, np.random.default_rng([seed, 1_000]))
    drawn = step(generator, target, rate=rate, seconds=seconds)
    analysis = SequentialAnalysis(LIMITS, Watched(pairs=not live, live=live), bounds=False)
    blocks = as_crowd(drawn, 20, generator) if live else as_pairs(drawn)
    for block in blocks:
        analysis.feed_block(block)
        if analysis.decided():
            break
    return analysis.verdict()


def whole_canary(seed: int, kind: str, **options: float) -> list[Judgement]:
    """Judge step after step until one is not promoted."""
    made: list[Judgement] = []
    for number in range(STEPS):
        made.append(judged_step(seed, kind, number=number, **options))  # type: ignore[arg-type]
        if made[-1].verdict is not Verdict.PROMOTE:
            break
    return made
