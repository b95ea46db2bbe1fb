"""Airflow's own processes die in the midst of a real cutover: one side, nothing lost, the next click works.

``HEAVYLIFT_AIRFLOW_ROUNDS`` sets how many rounds are run from the seed ``HEAVYLIFT_FAULT_SEED`` (default:
three fixed ones), ``HEAVYLIFT_FAULT_REPORT`` a file that gets a line of JSON a round.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from heavylift.spec import Phase
from tests.e2e.airflow_rounds import ALL, EVERYTHING, FROZEN, WORKER, Round, Running
from tests.e2e.airflow_site import AirflowSite, airflow_site
from tests.support.round_report import run_round

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
    run_round(drawn, Running(live, drawn), lambda line: print(json.dumps(line), flush=True))
