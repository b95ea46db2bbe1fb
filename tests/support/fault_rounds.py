"""Running an act of a mover again and again, each time struck by the next fault, until it is done."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from tests.support import table_worker

MOST_ATTEMPTS = 60

Worker = subprocess.Popen[str]


def seeds(first: int, rounds: int = 1) -> Iterable[int]:
    """Return the seeds of the rounds that are run: few, unless the environment asks for more."""
    first = int(os.environ.get("HEAVYLIFT_TABLE_SEED") or first)
    return range(first, first + int(os.environ.get("HEAVYLIFT_TABLE_ROUNDS") or rounds))


@dataclass
class Faults:
    """One round's faults, drawn from its seed, and what came of them.

    :param strike: lets one fault happen; it gets the worker that is under way.
    """

    seed: int
    kinds: tuple[str, ...]
    strike: Callable[[str, Worker], None]
    history: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def some(self, least: int, most: int) -> list[str]:
        """Draw some faults."""
        return [self.rng.choice(self.kinds) for _ in range(self.rng.randint(least, most))]

    def until_done(self, act: str, start: Callable[[str], Worker], faults: list[str]) -> str:
        """Run an act until it is done; return the record that it prints.

        :param faults: those that are yet to come; each strikes one attempt.
        """
        for _ in range(MOST_ATTEMPTS):
            worker = start(act)
            if faults:
                fault, delay = faults.pop(), self.rng.uniform(0.5, 3.0)
                self.history.append(f"{act}: {fault} after {delay:.2f} s")
                with suppress(subprocess.TimeoutExpired):
                    worker.wait(delay)
                self.strike(fault, worker)
            out, err = worker.communicate(timeout=240)
            if worker.returncode == 0:
                return out
            self.history.append(f"{act}: exit {worker.returncode} {err.strip()[:300]}")
            assert worker.returncode in {table_worker.RETRY, -signal.SIGKILL}, err
        raise AssertionError(f"{act} was never done")

    def told(self) -> str:
        """Return the seed and what happened, for whoever must repeat it."""
        return "\n  ".join([f"seed {self.seed}:", *self.history])
