"""The promises of the evidence store hold on every kind of store, also against other processes."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from heavylift.errors import AlreadyExistsError, NotFoundError
from heavylift.evidence.audit import AuditTrail, list_migrations
from heavylift.evidence.audit_entry import Act
from heavylift.evidence.audit_verify import Damage, verify_trail
from heavylift.evidence.store import PARQUET, EvidenceStore, open_evidence
from heavylift.locations import parse_location
from heavylift.platforms.wiring import open_store
from tests.integration.evidence.conftest import Place

MIB = 1024 * 1024

APPENDER = """
import asyncio, sys
from heavylift.connections import connection_from_env
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import Act
from heavylift.evidence.store import open_evidence

async def main(url, server, writer, count):
    async with open_evidence(url, connection_from_env(server)) as store:
        trail = AuditTrail(store, "m")
        for turn in range(count):
            await trail.append(Act(actor=writer, action="test.turn", details={"turn": turn}))

asyncio.run(main(*sys.argv[1:4], int(sys.argv[4])))
"""


async def test_evidence_is_written_once_and_read_back(place: Place, tmp_path: Path) -> None:
    large = tmp_path / "large.parquet"
    large.write_bytes(os.urandom(MIB) * 20)
    async with open_evidence(place.url, place.connection) as store:
        ref = await store.write_json("m/x/r~3A1/plan.json", {"n": 1})
        assert await store.write_json("m/x/r~3A1/plan.json", {"n": 1}) == ref
        with pytest.raises(AlreadyExistsError):
            await store.write_json("m/x/r~3A1/plan.json", {"n": 2})
        assert await store.read_verified(ref) == b'{"n":1}'
        parted = await store.write_file("m/x/r~3A1/large.parquet", large, PARQUET)
        assert await store.write_file("m/x/r~3A1/large.parquet", large, PARQUET) == parted
        assert await store.ref_of("m/x/r~3A1/large.parquet") == parted
        large.write_bytes(b"other" * MIB * 4)
        with pytest.raises(AlreadyExistsError):
            await store.write_file("m/x/r~3A1/large.parquet", large, PARQUET)
        assert await store.matches(parted)
        assert await store.names("m") == ["m/x/r~3A1/large.parquet", "m/x/r~3A1/plan.json"]
        with pytest.raises(NotFoundError):
            await store.read_json("m/absent.json")


async def test_processes_that_append_at_once_keep_one_whole_chain(place: Place) -> None:
    writers, turns = 3, 6
    env = {**os.environ, **place.env, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    started = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", APPENDER, place.url, place.server, f"writer-{number}", str(turns)),
            env=env,
        )
        for number in range(writers)
    ]
    assert [await process.wait() for process in started] == [0] * writers
    async with open_evidence(place.url, place.connection) as store:
        report = await verify_trail(store, "m")
        entries = [entry async for entry in AuditTrail(store, "m").entries()]
    assert report.intact, report.problems
    assert report.entries == writers * turns
    for number in range(writers):
        mine = [entry.details["turn"] for entry in entries if entry.actor == f"writer-{number}"]
        assert mine == list(range(turns))


async def test_damage_is_found_on_every_store(place: Place) -> None:
    async with open_evidence(place.url, place.connection) as store:
        ref = await store.write_json("m/x/r/result.json", {"moved": 3})
        trail = AuditTrail(store, "m")
        for _ in range(3):
            await trail.append(Act(actor="a", action="shard.copied", evidence=(ref,)))
        assert (await verify_trail(store, "m", expected_head=await trail.head())).intact
        head = await trail.head()
        await _delete(place, "m/x/r/result.json", "m/audit/000000000003.json")
        report = await verify_trail(store, "m", expected_head=head)
    assert {problem.kind for problem in report.problems} == {Damage.UNKNOWN_HEAD, Damage.MISSING_EVIDENCE}


async def test_migrations_are_told_apart_in_every_listing_order(place: Place) -> None:
    names = ["a", "a-2", "a2", "b"]
    async with open_evidence(place.url, place.connection) as store:
        for name in names:
            await _fill(store, name)
        assert await list_migrations(store) == names


async def _fill(store: EvidenceStore, migration: str) -> None:
    for number in range(3):
        await store.write_json(f"{migration}/transfer/r/{number}.json", {})


async def _delete(place: Place, *paths: str) -> None:
    location = parse_location(place.url)
    async with open_store(location, place.connection) as objects:
        for path in paths:
            await objects.delete(location.prefix + path)
