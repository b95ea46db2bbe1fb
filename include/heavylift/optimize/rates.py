"""The highest rate at which a server holds its objective: first put between two rates, then cut down."""

from __future__ import annotations

import math

GALLOP = 1.6
RESOLUTION = 1.05
"""Between the highest rate that held and the lowest that did not, at the end."""


class RateSearch:
    """Asks for one rate after the other.

    :param first: where it begins; the better the guess, the fewer rates are tried.
    :param floor: below it nobody asks any more: the setting is worse than that, and by how much is not told.
    """

    def __init__(self, first: float, floor: float, ceiling: float = math.inf) -> None:
        self._next: float | None = max(first, floor)
        self._floor = floor
        self._ceiling = ceiling
        self._stride = GALLOP
        self.held: float | None = None
        self.failed: float | None = None
        self.below_floor = False

    @property
    def rate(self) -> float | None:
        """The rate to try next; None where the search has ended."""
        return self._next

    def tell(self, holds: bool) -> None:
        """Tell whether the objective held at the rate asked for."""
        rate = self._next
        if rate is None:
            return
        if holds:
            self.held = max(rate, self.held or 0.0)
        else:
            self.failed = min(rate, self.failed or math.inf)
        self._next = self._following(rate)

    def _following(self, rate: float) -> float | None:
        if self.held is not None and self.failed is not None:
            if self.failed <= self.held * RESOLUTION:
                return None
            return math.sqrt(self.held * self.failed)
        stride, self._stride = self._stride, self._stride * GALLOP
        if self.failed is None:
            return min(rate * stride, self._ceiling) if rate < self._ceiling else None
        if rate <= self._floor:
            self.below_floor = True
            return None
        return max(rate / stride, self._floor)

    @property
    def value(self) -> float:
        """The rate that is taken for the capacity: between the two that enclose it."""
        if self.held is None:
            return self.failed or self._floor
        return math.sqrt(self.held * self.failed) if self.failed else self.held
