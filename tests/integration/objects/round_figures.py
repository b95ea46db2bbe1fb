"""Figures of all rounds of a run, printed at its end and kept where HEAVYLIFT_FAULT_REPORT names a file."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.objects.fault_rounds import Outcome


@dataclass
class Figures:
    """Sums over rounds.

    :param failed: the seeds of rounds in which a claim did not hold.
    """

    faults: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    failed: list[int] = field(default_factory=list)
    seconds: float = 0.0

    @contextmanager
    def one(self, seed: int) -> Iterator[Callable[[Outcome], None]]:
        """Count one round; it counts as failed unless its outcome is noted."""
        began = time.monotonic()
        self.counts["rounds"] += 1
        self.failed.append(seed)

        def note(outcome: Outcome) -> None:
            self.failed.remove(seed)
            self.faults.update(outcome.faults)
            self.counts.update(outcome.counts)
            self.errors.update(outcome.errors)

        try:
            yield note
        finally:
            self.seconds += time.monotonic() - began

    def publish(self) -> None:
        """Print the figures, and add them as one line to the report if there is to be one."""
        line = json.dumps(
            {
                "counts": dict(self.counts),
                "errors": dict(sorted(self.errors.items())),
                "faults": dict(sorted(self.faults.items())),
                "failed_seeds": self.failed,
                "seconds": round(self.seconds, 1),
            }
        )
        print(f"\nfault rounds: {line}")
        if report := os.environ.get("HEAVYLIFT_FAULT_REPORT"):
            with Path(report).open("a", encoding="utf-8") as file:
                file.write(line + "\n")
