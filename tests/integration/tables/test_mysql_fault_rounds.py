"""Randomised rounds of moves from MariaDB: an application writes all the time, and everything that can fails.

``HEAVYLIFT_TABLE_ROUNDS`` sets how many rounds are run of each pair (default 1), ``HEAVYLIFT_TABLE_SEED`` the
first one's seed. A worker is killed, servers are restarted and the network is cut while a database moves, and
between two MariaDB servers also while it flows back. Each round ends with an independent comparison: the dump
program's rows of both sides in order, or what both drivers make of them.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

import pytest

from heavylift.connections import Connection
from heavylift.evidence.table_records import DrainRecord, SyncRecord
from sandbox.stack import Stack
from tests.support import table_worker
from tests.support.cut_proxy import CutProxy, cut_proxy
from tests.support.fault_rounds import Faults, Worker, seeds
from tests.support.mysql_faults import FILL, restart
from tests.support.mysql_to_postgres import MysqlToPostgres, mysql_to_postgres
from tests.support.mysql_twin import MysqlTwin
from tests.support.mysql_writer import LEDGER, TABLES, MysqlWriter
from tests.support.own_postgres import OwnPostgres

FAULTS = ("kill", "restart source", "restart target", "cut source", "cut target")


@dataclass
class Round:
    """One database that moves under faults.

    :param products: of source and target.
    :param restarts: restart the source's server, and the target's.
    """

    databases: MysqlTwin | MysqlToPostgres
    products: tuple[str, str]
    restarts: tuple[Callable[[], None], Callable[[], None]]
    proxies: tuple[CutProxy, CutProxy]

    def strike(self, fault: str, worker: Worker) -> None:
        """Let one fault happen."""
        number = int(fault.endswith("target"))
        if fault == "kill":
            worker.kill()
        elif fault.startswith("cut"):
            self.proxies[number].cut()
        else:
            self.restarts[number]()

    def start(self, act: str) -> subprocess.Popen[str]:
        """Start an act, with the proxies before both servers."""
        source, target = (
            replace(each, port=proxy.port)
            for each, proxy in zip((self.databases.source, self.databases.target), self.proxies, strict=True)
        )
        return table_worker.start(
            act,
            source,
            target,
            f"m-{self.databases.schema}",
            products=self.products,
            batch_changes=200,
            range_bytes=16384,
            parallel_ranges=2,
        )

    def forth(self, faults: Faults) -> None:
        """Move everything while the application writes."""
        self.databases.on_source(*LEDGER, FILL.replace("6000", "2000"), "ANALYZE TABLE account")
        coming = faults.some(3, 4)
        with MysqlWriter(self.databases, seed=faults.seed) as writer:
            writer.wait_for(25)
            faults.until_done("snapshot", self.start, coming[:2])
            later = coming[2:]
            while later:
                writer.wait_for(writer.commits + 25)
                faults.until_done("sync", self.start, [later.pop()])
        drained = faults.until_done("drain", self.start, [])
        assert DrainRecord.model_validate_json(drained).reached

    def back(self, faults: Faults, twin: MysqlTwin) -> None:
        """Let the application write on the target, and everything flow back."""
        faults.until_done("reverse", self.start, [])
        with MysqlWriter(twin.flipped_session(), seed=faults.seed + 1) as writer:
            for fault in faults.some(1, 2):
                writer.wait_for(writer.commits + 25)
                faults.until_done("sync back", self.start, [fault])
        drained = faults.until_done("drain back", self.start, faults.some(0, 1))
        assert DrainRecord.model_validate_json(drained).reached
        # What came back is not sent forth again.
        assert SyncRecord.model_validate_json(faults.until_done("sync", self.start, [])).changes == 0


@pytest.fixture
def proxied() -> Iterator[Callable[[Connection], CutProxy]]:
    with ExitStack() as stack:
        yield lambda connection: stack.enter_context(cut_proxy(connection.port or 3306))


@pytest.mark.long
@pytest.mark.parametrize("seed", seeds(6000))
def test_mariadb_to_its_own_kind_and_back(
    sandbox: Stack, twin: MysqlTwin, proxied: Callable[[Connection], CutProxy], seed: int
) -> None:
    made = Round(
        twin,
        ("mariadb", "mariadb"),
        (lambda: restart(sandbox, twin), lambda: restart(sandbox, twin.flipped(), "mysql_target")),
        (proxied(twin.source), proxied(twin.target)),
    )
    faults = Faults(seed, FAULTS, made.strike)
    try:
        made.forth(faults)
        twin.assert_equal(*TABLES)
        made.back(faults, twin)
        twin.assert_equal(*TABLES)
    except BaseException:
        print(faults.told())
        raise


@pytest.mark.long
@pytest.mark.parametrize("seed", seeds(7000))
def test_mariadb_to_postgresql(sandbox: Stack, proxied: Callable[[Connection], CutProxy], seed: int) -> None:
    sandbox.ensure("mysql_source")
    server = OwnPostgres("mysql-rounds")

    def crash() -> None:
        server.crash()
        server.start()

    try:
        with mysql_to_postgres(sandbox.env, server.connection("postgres")) as databases:
            made = Round(
                databases,
                ("mariadb", "postgresql"),
                (lambda: restart(sandbox, databases), crash),
                (proxied(databases.source), proxied(databases.target)),
            )
            faults = Faults(seed, FAULTS, made.strike)
            try:
                made.forth(faults)
                for table in TABLES:
                    databases.assert_equal(table)
            except BaseException:
                print(faults.told())
                raise
    finally:
        server.remove()
