"""Randomised rounds: an application writes all the time, and everything that can fail does.

``HEAVYLIFT_TABLE_ROUNDS`` sets how many rounds are run (default 1), ``HEAVYLIFT_TABLE_SEED`` the first
one's seed, ``HEAVYLIFT_NAMIDIFF`` a second comparer, for the tables with a key. Each round moves a database
under a live writer while the worker is killed, servers crash and the network is cut, and ends with an
independent comparison of ordered dumps. In two of three rounds the application gives a table another column
meanwhile; in every other one it goes on writing on the target, and everything flows back under further
faults.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from heavylift.evidence.table_records import DrainRecord, SyncRecord
from tests.support import namidiff, table_worker
from tests.support.cut_proxy import CutProxy, cut_proxy
from tests.support.fault_rounds import Faults, seeds
from tests.support.live_writer import LEDGER, TABLES, LiveWriter
from tests.support.own_postgres import OwnPostgres
from tests.support.two_databases import run_sql

FAULTS = ("kill", "crash source", "crash target", "cut source", "cut target")
KEYED = {
    "account": (("id",), ("owner", "balance", "note", "at")),
    "entry": (("account", "number"), ("amount", "body")),
}
NEW_COLUMN = "ALTER TABLE account ADD COLUMN added int NOT NULL DEFAULT 7"


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


@dataclass
class Round:
    """One database that moves under faults."""

    ring: Ring
    seed: int
    faults: Faults

    def __post_init__(self) -> None:
        self.name = f"round{self.seed}"
        self.source = self.ring.source.connection(self.name)
        self.target = self.ring.target.connection(self.name)

    def act(self, act: str, faults: list[str]) -> str:
        return self.faults.until_done(act, self.start, faults)

    def start(self, act: str) -> subprocess.Popen[str]:
        return table_worker.start(
            act,
            self.ring.source.connection(self.name, self.ring.to_source.port),
            self.ring.target.connection(self.name, self.ring.to_target.port),
            "m",
            batch_changes=200,
            range_bytes=64 * 1024,
            parallel_ranges=2,
        )

    def begin(self) -> None:
        for server in (self.ring.source, self.ring.target):
            run_sql(server.connection("postgres"), f"CREATE DATABASE {self.name}")
        run_sql(self.source, LEDGER)
        run_sql(
            self.source,
            "INSERT INTO account SELECT i, 'o' || i, i, repeat('n', 3000) FROM generate_series(1000, 3000) i",
        )

    def forth(self, ddl: str | None) -> None:
        """Move everything while the application writes and, in some rounds, changes its own table."""
        faults = self.faults.some(3, 6)
        with LiveWriter(self.source, self.seed) as writer:
            writer.wait_for(100)
            early = faults[: len(faults) // 2]
            self.act("snapshot", early)
            for number in range(2):
                writer.wait_for(writer.commits + 50)
                if ddl and number == 0:
                    run_sql(self.source, ddl)
                writer.wait_for(writer.commits + 50)
                self.act("sync", faults[len(faults) // 2 :])
            assert not writer.unexpected, writer.unexpected
        assert DrainRecord.model_validate_json(self.act("drain", [])).reached
        self.compare()

    def back(self) -> None:
        """Let the application write on the target, and everything flow back."""
        self.act("reverse", [])
        with LiveWriter(self.target, self.seed + 1) as writer:
            for _ in range(2):
                writer.wait_for(writer.commits + 150)
                self.act("sync back", self.faults.some(1, 2))
            assert not writer.unexpected, writer.unexpected
        assert DrainRecord.model_validate_json(self.act("drain back", self.faults.some(0, 1))).reached
        self.compare()
        # What came back is not sent forth again.
        assert SyncRecord.model_validate_json(self.act("sync", [])).changes == 0
        self.compare()

    def compare(self) -> None:
        for table in TABLES:
            query = f"SELECT t::text FROM {table} t ORDER BY 1"
            assert run_sql(self.target, query) == run_sql(self.source, query), table
        if namidiff.PROGRAM:
            for table, (key, columns) in KEYED.items():
                assert namidiff.differences(self.source, self.target, table, key, columns) == []


@pytest.mark.long
@pytest.mark.parametrize("seed", seeds(4000))
def test_nothing_is_lost_or_doubled_whatever_fails(ring: Ring, seed: int) -> None:
    made = Round(ring, seed, Faults(seed, FAULTS, ring.strike))
    try:
        made.begin()
        made.forth(NEW_COLUMN if seed % 3 else None)
        if seed % 2 == 0:
            made.back()
    except BaseException:
        print(made.faults.told())
        raise
