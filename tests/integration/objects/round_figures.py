"""Figures of rounds: one line each where HEAVYLIFT_FAULT_REPORT names a file; sums are printed at the end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.integration.objects.fault_rounds import Outcome
from tests.support.round_report import keep_round


@dataclass
class Figures:
    """Sums over rounds.

    :param failed: the seeds of rounds in which a claim did not hold.
    """

    sums: Outcome = field(default_factory=Outcome)
    failed: list[int] = field(default_factory=list)
    rounds: int = 0
    seconds: float = 0.0

    @contextmanager
    def one(self, seed: int) -> Iterator[Callable[[Outcome], None]]:
        """Count one round; it counts as failed unless its outcome is noted."""
        began = time.monotonic()
        self.rounds += 1
        noted: list[Outcome] = []
        try:
            yield noted.append
        finally:
            seconds = time.monotonic() - began
            self.seconds += seconds
            self._keep(seed, noted[0] if noted else None, seconds)

    def _keep(self, seed: int, outcome: Outcome | None, seconds: float) -> None:
        if outcome is None:
            self.failed.append(seed)
        else:
            self.sums.counts.update(outcome.counts)
            self.sums.errors.update(outcome.errors)
            self.sums.faults.update(outcome.faults)
        line = {"seed": seed, "held": outcome is not None, "seconds": round(seconds, 1)}
        keep_round(line | _figures(outcome or Outcome()))

    def publish(self) -> None:
        """Print the sums."""
        line = {"rounds": self.rounds, "failed_seeds": self.failed, "seconds": round(self.seconds, 1)}
        print(f"\nfault rounds: {json.dumps(line | _figures(self.sums))}")


def _figures(outcome: Outcome) -> dict[str, dict[str, int]]:
    return {
        "counts": dict(outcome.counts),
        "errors": dict(sorted(outcome.errors.items())),
        "faults": dict(sorted(outcome.faults.items())),
    }
