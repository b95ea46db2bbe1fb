"""When each request is due, and which body it carries: fixed before a step begins, by the seed alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from heavylift.load.plan import Arrivals


@dataclass(frozen=True)
class Due:
    """One request: due so many seconds after the step's begin, with the body of this number."""

    at: float
    body: int


def schedule(
    rate: float, seconds: float, bodies: int, arrivals: Arrivals, generator: np.random.Generator
) -> tuple[Due, ...]:
    """Return a step's requests in the order in which they are due.

    Their number is the rate times the seconds, whatever chance decides. Given the number, the moments of a
    Poisson process are as many independent ones, sorted.
    """
    count = max(1, round(rate * seconds))
    moments: Sequence[float]
    if arrivals == "poisson":
        moments = np.sort(generator.uniform(0, seconds, count)).tolist()
    else:
        moments = [number / rate for number in range(count)]
    return tuple(Due(at, body) for at, body in zip(moments, _order(count, bodies, generator), strict=True))


def _order(count: int, bodies: int, generator: np.random.Generator) -> list[int]:
    """Return numbers of bodies: all in random order, again and again, so that each is sent as often."""
    rounds = [generator.permutation(bodies) for _ in range(-(-count // bodies))]
    return [int(each) for each in np.concatenate(rounds)[:count]]
