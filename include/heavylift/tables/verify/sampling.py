"""Comparing a random part of a table, and what that proves."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class SampleChoice:
    """How many buckets of each table are compared, which, and how sure one wants to be.

    :param buckets: drawn from each table; one with no more than these is compared whole.
    :param seed: the same seed draws the same buckets of the same cut.
    """

    buckets: int = 100
    seed: int = 0
    confidence: float = 0.95

    def draw(self, total: int) -> list[int]:
        """Return the numbers of the drawn buckets, in order."""
        if total <= self.buckets:
            return list(range(total))
        # Nothing secret depends on the draw, and it must be repeatable.
        return sorted(random.Random(self.seed).sample(range(total), self.buckets))  # noqa: S311

    def bound(self, total: int) -> float:
        """Return below which share of buckets differences lie, with the confidence, if none was found.

        With no differing bucket in a random sample of n, that share is below
        ``1 - (1 - confidence)^(1/n)`` (the exact binomial bound).
        """
        drawn = min(self.buckets, total)
        return 0.0 if drawn >= total else 1 - (1 - self.confidence) ** (1 / drawn)

    def statement(self, total: int) -> str:
        """Return what is proved of one table in which no difference was found."""
        if total <= self.buckets:
            return "every row was compared"
        return (
            f"all rows were counted, and those of {self.buckets} of {total:,} ranges drawn at random"
            f" (seed {self.seed}) compared: fewer than {self.bound(total):.3%} of the ranges hold a"
            f" difference, with {self.confidence:.0%} confidence"
        )
