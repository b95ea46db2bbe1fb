"""Rounds of faults: nothing lost, nothing wrong, nothing falsely reported.

``HEAVYLIFT_FAULT_ROUNDS`` sets how many rounds are run (default 3), ``HEAVYLIFT_FAULT_SEED`` the first one's
seed; the following rounds have the following seeds, so that any round can be run again by itself.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.objects.fault_rounds import Round, Running
from tests.integration.objects.places import Servers
from tests.integration.objects.round_figures import Figures
from tests.support.longer import first_then_long

ROUNDS = int(os.environ.get("HEAVYLIFT_FAULT_ROUNDS") or 3)
FIRST = int(os.environ.get("HEAVYLIFT_FAULT_SEED") or random.SystemRandom().randrange(10**6))


@pytest.mark.parametrize(
    "seed", first_then_long(range(FIRST, FIRST + ROUNDS)), ids=lambda seed: f"seed-{seed}"
)
async def test_a_round_of_faults(
    servers: Servers,
    new_container: Callable[[], str],
    tmp_path: Path,
    round_figures: Figures,
    seed: int,
) -> None:
    print(f"HEAVYLIFT_FAULT_SEED={seed}")  # shown by pytest when the test fails
    with round_figures.one(seed) as note:
        note(await Running(servers, Round.draw(seed), new_container(), tmp_path).run())
