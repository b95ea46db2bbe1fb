"""Randomised rounds: an application writes all the time, and everything that can fail does.

``HEAVYLIFT_TABLE_ROUNDS`` sets how many rounds are run (default 2), ``HEAVYLIFT_TABLE_SEED`` the first
one's seed. Each round moves a database under a live writer while the worker is killed, servers crash and
the network is cut, and ends with an independent comparison of ordered dumps.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from heavylift.evidence.table_records import DrainRecord
from tests.support import table_worker
from tests.support.cut_proxy import CutProxy, cut_proxy
from tests.support.live_writer import LEDGER, TABLES, LiveWriter
from tests.support.own_postgres import OwnPostgres
from tests.support.two_databases import run_sql

ROUNDS = int(os.environ.get("HEAVYLIFT_TABLE_ROUNDS") or 2)
SEED = int(os.environ.get("HEAVYLIFT_TABLE_SEED") or 4000)
FAULTS = ("kill", "crash source", "crash target", "cut source", "cut target")
MOST_ATTEMPTS = 60


@dataclass(frozen=True)
class Ring:
    """Two servers with a proxy before each."""

    source: OwnPostgres
    target: OwnPostgres
    to_source: CutProxy
    to_target: CutProxy

    def strike(self, fault: str, worker: subprocess.Popen[str]) -> None:
        """Let one fault happen."""
        if fault == "kill":
            worker.send_signal(signal.SIGKILL)
        elif fault.startswith("crash"):
            server = self.source if fault.endswith("source") else self.target
            server.crash()
            server.start()
        else:
            (self.to_source if fault.endswith("source") else self.to_target).cut()


@pytest.fixture(scope="module")
def ring() -> Iterator[Ring]:
    source, target = OwnPostgres("source"), OwnPostgres("target")
    try:
        with cut_proxy(source.port) as to_source, cut_proxy(target.port) as to_target:
            yield Ring(source, target, to_source, to_target)
    finally:
        source.remove()
        target.remove()


def run_until_done(
    ring: Ring, act: str, name: str, rng: random.Random, faults: list[str], history: list[str]
) -> str:
    """Run an act again and again, each time struck by the next fault, until it is done; return its record."""
    for _ in range(MOST_ATTEMPTS):
        worker = table_worker.start(
            act,
            ring.source.connection(name, ring.to_source.port),
            ring.target.connection(name, ring.to_target.port),
            "m",
            batch_changes=200,
            range_bytes=64 * 1024,
            parallel_ranges=2,
        )
        if faults:
            fault, delay = faults.pop(), rng.uniform(0.5, 3.0)
            history.append(f"{act}: {fault} after {delay:.2f} s")
            with suppress(subprocess.TimeoutExpired):
                worker.wait(delay)
            ring.strike(fault, worker)
        out, err = worker.communicate(timeout=240)
        if worker.returncode == 0:
            return out
        history.append(f"{act}: exit {worker.returncode} {err.strip()[:300]}")
        assert worker.returncode in {table_worker.RETRY, -signal.SIGKILL}, err
    raise AssertionError(f"{act} was never done")


@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
def test_nothing_is_lost_or_doubled_whatever_fails(ring: Ring, seed: int) -> None:
    rng = random.Random(seed)
    name, history = f"round{seed}", []
    for server in (ring.source, ring.target):
        run_sql(server.connection("postgres"), f"CREATE DATABASE {name}")
    source, target = ring.source.connection(name), ring.target.connection(name)
    run_sql(source, LEDGER)
    run_sql(
        source,
        "INSERT INTO account SELECT i, 'o' || i, i, repeat('n', 3000) FROM generate_series(1000, 3000) i",
    )
    faults = [rng.choice(FAULTS) for _ in range(rng.randint(3, 6))]
    try:
        with LiveWriter(source, seed) as writer:
            writer.wait_for(100)
            early = faults[: len(faults) // 2]
            run_until_done(ring, "snapshot", name, rng, early, history)
            for _ in range(2):
                writer.wait_for(writer.commits + 100)
                run_until_done(ring, "sync", name, rng, faults[len(faults) // 2 :], history)
            assert not writer.unexpected, writer.unexpected
        drained = DrainRecord.model_validate_json(run_until_done(ring, "drain", name, rng, [], history))
        assert drained.reached
        for table in TABLES:
            query = f"SELECT t::text FROM {table} t ORDER BY 1"
            assert run_sql(target, query) == run_sql(source, query), table
    except BaseException:
        print(f"seed {seed}:", *history, sep="\n  ")
        raise
