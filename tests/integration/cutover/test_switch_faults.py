"""Rounds of switches in processes that are killed or stopped, or whose servers die: one side, nothing lost.

``HEAVYLIFT_SWITCH_ROUNDS`` sets how many rounds are run (default 7), ``HEAVYLIFT_STREAM_ROUNDS`` how many
with a stream and a schedule beside (default 2), ``HEAVYLIFT_FAULT_SEED`` the first one's seed,
``HEAVYLIFT_FAULT_REPORT`` a file that gets a line of JSON a round.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sandbox.stack import Stack
from tests.integration.cutover.switch_rounds import KILL, STOP, Round, Running
from tests.support.round_report import run_round
from tests.support.switched import switched
from tests.support.switched_beside import Beside

ROUNDS = int(os.environ.get("HEAVYLIFT_SWITCH_ROUNDS") or 7)
STREAMED = int(os.environ.get("HEAVYLIFT_STREAM_ROUNDS") or 2)
FIRST = int(os.environ.get("HEAVYLIFT_FAULT_SEED") or random.SystemRandom().randrange(10**6))
SUMMED = ("rows", "lost", "refused", "requests", "failed_requests", "records", "records_lost", "seconds")
LARGEST = ("longest_wait", "click_pause", "click_seconds")
HARMLESS = (KILL, STOP)
"""What harms none of the servers that other tests use, too."""


@dataclass
class Figures:
    """What came of the rounds."""

    rounds: list[dict[str, Any]] = field(default_factory=list)

    def note(self, line: dict[str, Any]) -> None:
        """Count a round."""
        self.rounds.append(line)

    def __str__(self) -> str:
        sums = {name: sum(each.get(name, 0) for each in self.rounds) for name in SUMMED}
        largest = {name: max(each.get(name, 0) for each in self.rounds) for name in LARGEST}
        failed = [each["seed"] for each in self.rounds if not each["held"]]
        outcomes = Counter(each.get("outcome") or "none" for each in self.rounds)
        return json.dumps(
            {
                "rounds": len(self.rounds),
                "failed_seeds": failed,
                "struck": outcomes,
                **sums,
                "largest": largest,
            }
        )


@pytest.fixture(scope="module")
def figures() -> Iterator[Figures]:
    made = Figures()
    yield made
    if made.rounds:
        print(f"\nswitch rounds: {made}")


def _one(stack: Stack, folder: Path, drawn: Round, figures: Figures, beside: Beside | None = None) -> None:
    with switched(stack, folder, beside) as workload:
        run_round(drawn, Running(workload, drawn, beside), figures.note)


def test_a_worker_that_is_killed_or_stopped(proxied: Stack, tmp_path: Path, figures: Figures) -> None:
    _one(proxied, tmp_path, Round.draw(FIRST, HARMLESS), figures)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(FIRST, FIRST + ROUNDS), ids=lambda seed: f"seed-{seed}")
def test_a_round(proxied: Stack, tmp_path: Path, seed: int, figures: Figures) -> None:
    _one(proxied, tmp_path, Round.draw(seed), figures)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(FIRST, FIRST + STREAMED), ids=lambda seed: f"seed-{seed}")
def test_a_round_with_a_stream_and_a_schedule(
    proxied: Stack, tmp_path: Path, seed: int, figures: Figures
) -> None:
    beside = Beside(proxied, tmp_path)
    try:
        _one(proxied, tmp_path, Round.draw(seed), figures, beside)
    finally:
        beside.close()
