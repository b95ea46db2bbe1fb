"""A switch in a process of its own, as a worker of Airflow would run it; it can be killed.

``python -m tests.support.switch_worker SPEC SIDE RUN``: each step is a line on standard error as it ends; the
record is one line of JSON on standard output, of a switch that failed too. Exit status 0 done, 3 failed.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from heavylift.connections import connection_from_env
from heavylift.errors import HeavyliftError
from tests.support.isolated import REPOSITORY

FAILED = 3
BEGUN = "begun"
"""The first line on standard error: everything is imported."""


def start(spec: Path, side: str, run: str, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start the worker."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.switch_worker", str(spec), side, run],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={**environment, "PYTHONPATH": f"{REPOSITORY}/include:{REPOSITORY}"},
    )


async def _bring(spec_file: str, side: str, run: str) -> int:
    from heavylift.cutover.api import SwitchFailedError, SwitchRequest, bring_to
    from heavylift.evidence.records import RunKey
    from heavylift.evidence.store import open_evidence
    from heavylift.fencing import Side
    from heavylift.spec.load import load_spec
    from heavylift.spec.registry_phase import spec_for
    from heavylift.spec.vocabulary import Phase
    from heavylift.switching.parts import cutover_of, open_parts

    goal = Side(side)
    spec = spec_for(load_spec(spec_file), Phase.CUTOVER)
    key = RunKey(migration=spec.migration, phase="cutover" if goal is Side.TARGET else "rollback", run=run)
    cutover = cutover_of(spec)
    _tell(BEGUN)
    async with (
        open_evidence(spec.evidence.url, None) as store,
        open_parts(spec, key, connection_from_env) as parts,
    ):
        asked = SwitchRequest(
            store, key, parts, "worker", cutover.max_write_pause, freeze_within=cutover.freeze_within
        )
        try:
            record, _ref = await bring_to(asked, goal, _tell)
        except SwitchFailedError as failed:
            print(failed.record.model_dump_json(), flush=True)
            return _failed(failed.error)
        except HeavyliftError as error:
            print(json.dumps({"outcome": "error"}), flush=True)
            return _failed(error)
    print(record.model_dump_json(), flush=True)
    return 0


def _failed(error: HeavyliftError) -> int:
    _tell(f"{type(error).__name__} {error.code}: {error}")
    return FAILED


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(asyncio.run(_bring(*sys.argv[1:])))
