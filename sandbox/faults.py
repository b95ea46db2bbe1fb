"""``./dev faults``: rounds of faults against real servers, as docs/reference/faults.md tells."""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox.paths import REPO

ROUNDS = "tests/integration/objects/test_fault_rounds.py"
SWITCHES = "tests/integration/cutover/test_switch_faults.py::test_a_round"
STREAMED = f"{SWITCHES}_with_a_stream_and_a_schedule"
AIRFLOWS = "tests/e2e/test_airflow_faults.py"
KILLS = "tests/integration/objects/test_kill_parts.py"


def main(arguments: Sequence[str]) -> int:
    """Run the rounds, and kill -9 within one large object if asked to; 1 where a claim did not hold."""
    options = _parser().parse_args(arguments)
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    rounds = options.switch if options.switch is not None else options.rounds
    print(f"{rounds} rounds from seed {seed}", flush=True)
    settings = {"HEAVYLIFT_FAULT_SEED": str(seed)}
    if options.report:
        settings["HEAVYLIFT_FAULT_REPORT"] = str(options.report.absolute())
    if options.switch is not None:
        name, test = _switches(options)
        settings[name] = str(options.switch)
        return _run([test] if options.switch else [], settings)
    settings["HEAVYLIFT_FAULT_ROUNDS"] = str(options.rounds)
    tests = [ROUNDS] if options.rounds else []
    if options.parts:
        settings["HEAVYLIFT_FAULT_PARTS"] = str(options.parts)
        tests.append(KILLS)
    return _run(tests, settings)


def _switches(options: argparse.Namespace) -> tuple[str, str]:
    """Return the variable that says how many rounds, and the test."""
    if options.airflow:
        return "HEAVYLIFT_AIRFLOW_ROUNDS", AIRFLOWS
    if options.with_streams:
        return "HEAVYLIFT_STREAM_ROUNDS", STREAMED
    return "HEAVYLIFT_SWITCH_ROUNDS", SWITCHES


def _run(tests: Sequence[str], settings: dict[str, str]) -> int:
    if not tests:
        print("dev: nothing to run: give --rounds, --parts or --switch", file=sys.stderr)
        return 2
    # The figures are printed at the end, past pytest's capture.
    argv = [sys.executable, "-m", "pytest", "-q", "--capture=no", *tests]
    return 1 if subprocess.run(argv, cwd=REPO, env=os.environ | settings, check=False).returncode else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="how many rounds (default 200)")
    parser.add_argument("--seed", type=int, help="the first round's seed; the others follow (default: any)")
    parser.add_argument(
        "--parts",
        type=int,
        help="also kill -9 a copy of one object of so many parts of 5 MiB; 410 are 2 GiB",
    )
    parser.add_argument(
        "--switch",
        type=int,
        metavar="ROUNDS",
        help="instead, rounds of cutovers and rollbacks that are killed, or whose servers are",
    )
    parser.add_argument(
        "--with-streams",
        action="store_true",
        help="with --switch: a stream with its producer, and a schedule, are switched as well",
    )
    parser.add_argument(
        "--airflow",
        action="store_true",
        help="with --switch: DAGs of a real Airflow switch, and one of its own processes is killed",
    )
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="add each round to FILE as a line of JSON"
    )
    return parser
