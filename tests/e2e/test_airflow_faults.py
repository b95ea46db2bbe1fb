"""Airflow's own processes die in the midst of a real cutover: one side, nothing lost, the next click works.

``HEAVYLIFT_AIRFLOW_ROUNDS`` sets how many rounds are run from the seed ``HEAVYLIFT_FAULT_SEED`` (default:
three fixed ones), ``HEAVYLIFT_FAULT_REPORT`` a file that gets a line of JSON a round.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from heavylift.spec import Phase
from tests.e2e.airflow_rounds import ALL, EVERYTHING, FROZEN, WORKER, Round, Running
from tests.e2e.airflow_site import AirflowSite, airflow_site

ROUNDS = int(os.environ.get("HEAVYLIFT_AIRFLOW_ROUNDS") or 0)
FIRST = int(os.environ.get("HEAVYLIFT_FAULT_SEED") or 0)
FIXED = (
    Round(-1, ALL, Phase.CUTOVER, FROZEN, 0.0, 30.0, Phase.ROLLBACK, at_once=False),
    Round(-2, EVERYTHING, Phase.CUTOVER, FROZEN, 0.0, 0.0, Phase.CUTOVER, at_once=False),
    Round(-3, WORKER, Phase.ROLLBACK, FROZEN, 0.0, 0.0, Phase.CUTOVER, at_once=False),
)
DRAWN = [Round.draw(seed) for seed in range(FIRST, FIRST + ROUNDS)] or list(FIXED)


@pytest.fixture(scope="module")
def live() -> Iterator[AirflowSite]:
    """Return Airflow with a workload that it can switch."""
    folder = Path(tempfile.mkdtemp(prefix="heavylift-rounds-"))
    try:
        with airflow_site(folder) as site:
            yield site
    finally:
        shutil.rmtree(folder)


@pytest.mark.long
@pytest.mark.parametrize("drawn", DRAWN, ids=lambda drawn: f"seed{drawn.seed}")
def test_a_round(live: AirflowSite, drawn: Round) -> None:
    print(drawn, flush=True)
    began, running, held = time.monotonic(), Running(live, drawn), False
    try:
        running.run()
        held = True
    except BaseException as error:
        # pytest tells it only when all rounds are over.
        print(f"{type(error).__name__}: {error}", flush=True)
        raise
    finally:
        seconds = round(time.monotonic() - began, 1)
        line = {"seed": drawn.seed, "round": str(drawn), "held": held, "seconds": seconds}
        _note({**line, **running.figures})
        print(running.told(), flush=True)


def _note(line: dict[str, object]) -> None:
    print(json.dumps(line), flush=True)
    if report := os.environ.get("HEAVYLIFT_FAULT_REPORT"):
        with Path(report).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
