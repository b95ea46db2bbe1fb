"""A switch of two real databases under writers, there and back: nothing acknowledged is lost or doubled."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from heavylift.connections import Connection
from heavylift.cutover.api import SwitchFailedError, SwitchRequest, bring_to, rehearse_switch
from heavylift.cutover.finalise import FinalTerms, finalise
from heavylift.cutover.ports import Side
from heavylift.cutover.world import Parts, observe
from heavylift.errors import PermanentError
from heavylift.evidence.records import RunKey
from heavylift.evidence.store import open_evidence
from heavylift.evidence.switch_records import RehearsalRecord, SwitchRecord
from heavylift.switching.databases import TablesDatabase
from heavylift.tables import api
from sandbox.live_writer import AcknowledgedWriter
from sandbox.stack import Stack
from tests.support.memory_switch import Fate, MemoryRoute, SeenRoute
from tests.support.two_databases import TwoDatabases, run_sql, two_databases

SOURCE, TARGET = Side.SOURCE, Side.TARGET
TABLE = "CREATE TABLE entry (id bigint PRIMARY KEY, body text)"
INSERT = "INSERT INTO public.entry VALUES (%s, repeat('acknowledged ', 8)) ON CONFLICT DO NOTHING"
PAUSE = 30.0
"""Seconds: what the machine at hand takes is told by the benchmark, not here."""


@pytest.fixture
def databases(sandbox: Stack, tmp_path: Path) -> Iterator[TwoDatabases]:
    with two_databases(sandbox.env, f"file://{tmp_path}/evidence") as pair:
        pair.on_source(TABLE)
        pair.on_source("INSERT INTO entry SELECT -i, 'old' FROM generate_series(1, 500) i")
        asyncio.run(api.snapshot_tables(pair.request()))
        yield pair


class Workload:
    """A database that is written to through a route, and the acts of its switch."""

    def __init__(self, databases: TwoDatabases) -> None:
        self.databases = databases
        self.route = MemoryRoute()
        self.parts = Parts([TablesDatabase(databases.request())], None, SeenRoute(self.route, Fate()))

    def where(self) -> Connection:
        return self.databases.target if self.route.target_percent == 100 else self.databases.source

    def bring_to(self, side: Side, run: str, pause: float = PAUSE) -> SwitchRecord:
        async def act() -> SwitchRecord:
            async with open_evidence(self.databases.evidence_url, None) as store:
                key = RunKey(migration="shop", phase="cutover", run=run)
                record, _ref = await bring_to(SwitchRequest(store, key, self.parts, "test", pause), side)
                return record

        return asyncio.run(act())

    def rehearse(self) -> RehearsalRecord:
        async def act() -> RehearsalRecord:
            async with open_evidence(self.databases.evidence_url, None) as store:
                key = RunKey(migration="shop", phase="cutover", run="try")
                request = SwitchRequest(store, key, self.parts, "test", PAUSE)
                return (await rehearse_switch(request))[0]

        return asyncio.run(act())

    def finalise(self) -> None:
        async def act() -> None:
            async with open_evidence(self.databases.evidence_url, None) as store:
                key = RunKey(migration="shop", phase="cutover", run="final")
                request = SwitchRequest(store, key, self.parts, "test", PAUSE)
                await finalise(request, FinalTerms(timedelta(days=7), early=True))

        asyncio.run(act())

    def ids(self, side: Side) -> list[int]:
        connection = self.databases.source if side is SOURCE else self.databases.target
        return [row[0] for row in run_sql(connection, "SELECT id FROM entry WHERE id >= 0 ORDER BY 1")]

    def is_at(self, side: Side) -> bool:
        return asyncio.run(observe(self.parts)).settled_at(side)


def test_there_and_back_under_writers(databases: TwoDatabases) -> None:
    workload = Workload(databases)
    with AcknowledgedWriter(workload.where, INSERT) as writer:
        writer.wait_for(200)
        tried = workload.rehearse()
        assert tried.passed, tried.reason
        assert workload.route.target_percent == 0
        writer.wait_for(200)
        there = workload.bring_to(TARGET, "over")
        writer.wait_for(300)
        assert workload.is_at(TARGET)
        again = workload.bring_to(TARGET, "over")
        back = workload.bring_to(SOURCE, "back")
        writer.wait_for(200)
        once_more = workload.bring_to(TARGET, "over-2")
        writer.wait_for(100)
    assert not writer.broken
    assert (there.outcome, again.outcome, back.outcome, once_more.outcome) == (
        "switched", "already", "switched", "switched",
    )  # fmt: skip
    assert [proof.equal for proof in (*there.proofs, *back.proofs, *once_more.proofs)] == [True] * 3
    assert 0 < there.write_pause_seconds < PAUSE
    assert workload.is_at(TARGET)
    assert workload.ids(TARGET) == writer.acknowledged
    assert writer.refused
    workload.finalise()
    slots = "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"
    assert databases.rows(slots) == ([(0,)], [(0,)])
    assert workload.is_at(TARGET)
    with pytest.raises(PermanentError, match="HL-8706"):
        workload.bring_to(SOURCE, "too-late")
    assert workload.is_at(TARGET)


def test_a_pause_that_would_be_too_long_goes_back_by_itself(databases: TwoDatabases) -> None:
    workload = Workload(databases)
    with AcknowledgedWriter(workload.where, INSERT) as writer:
        writer.wait_for(100)
        with pytest.raises(SwitchFailedError, match="HL-8702") as failed:
            workload.bring_to(TARGET, "over", pause=0.01)
        writer.wait_for(100)
    assert failed.value.record.outcome == "returned"
    assert workload.is_at(SOURCE)
    assert workload.ids(SOURCE) == writer.acknowledged


def test_sides_that_differ_are_not_switched(databases: TwoDatabases) -> None:
    workload = Workload(databases)
    databases.on_target("UPDATE entry SET body = 'somebody else' WHERE id = -7")
    with pytest.raises(SwitchFailedError, match="HL-8707") as failed:
        workload.bring_to(TARGET, "over")
    assert failed.value.record.outcome == "returned"
    assert workload.is_at(SOURCE)
    assert not workload.rehearse().passed
