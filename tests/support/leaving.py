"""A workload that has moved: objects on both sides, a database that was switched, a way back that is closed.

What stands for time that has passed is evidence with earlier dates; everything else is done for real.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from heavylift.checksums import Algorithm, digest
from heavylift.connections import Connection, connection_from_env
from heavylift.cutover.api import SwitchRequest, bring_to
from heavylift.cutover.finalise import FinalTerms, finalise
from heavylift.decommission.api import (
    LeavingRequest,
    PlanLife,
    give_consent,
    look_unused,
    make_plan,
)
from heavylift.evidence.base import Tally
from heavylift.evidence.decommission_records import UnusedRecord
from heavylift.evidence.numbered import write_next
from heavylift.evidence.paths import verification_path
from heavylift.evidence.records import RunKey, VerificationRecord, utc_now
from heavylift.evidence.run_evidence import Kept
from heavylift.evidence.store import open_evidence
from heavylift.evidence.switch_records import FinalRecord, WorldRecord, switch_path
from heavylift.fencing import Side
from heavylift.platforms.ports import ObjectAttributes, ObjectStore
from heavylift.platforms.wiring import open_store
from heavylift.spec.load import load_spec
from heavylift.spec.model import MigrationSpec
from heavylift.spec.resolve import find_dataset
from heavylift.switching.leaving import leaving_items
from heavylift.switching.parts import open_parts
from heavylift.tables import api as tables
from heavylift.tables.requests import tables_request
from tests.support.two_databases import TwoDatabases

T = TypeVar("T")
OBJECTS = {f"part-{number:02d}.bin": f"content {number} ".encode() * 40 for number in range(12)}
TABLES = (
    "CREATE TABLE customer (id bigint PRIMARY KEY, name text);"
    "CREATE TABLE entry (id bigserial PRIMARY KEY, customer bigint REFERENCES customer, body text);"
    "INSERT INTO customer SELECT i, 'name ' || i FROM generate_series(1, 50) i;"
    "INSERT INTO entry (customer, body) SELECT 1 + i % 50, repeat('row ', 5) FROM generate_series(1, 300) i"
)


@dataclass(frozen=True)
class Leaving:
    """The workload's spec, and what its processes find their connections in."""

    spec_file: Path
    env: Mapping[str, str]
    databases: TwoDatabases | None = None

    @property
    def spec(self) -> MigrationSpec:
        """The spec as it is now."""
        return load_spec(self.spec_file)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a command."""
        return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **self.env}

    def connection(self, conn_id: str) -> Connection:
        """Look a connection up as commands do."""
        return connection_from_env(conn_id, self.env)

    @asynccontextmanager
    async def request(self, run: str = "one", actor: str = "cli:test") -> AsyncIterator[LeavingRequest]:
        """Open the evidence for the block."""
        spec = self.spec
        async with open_evidence(spec.evidence.url) as store:
            key = RunKey(migration=spec.migration, phase="decommission", run=run)
            yield LeavingRequest(store, spec, key, actor, self.connection)

    def act(self, act: Callable[[LeavingRequest], Awaitable[T]], **of: Any) -> T:
        """Do something with a request."""

        async def whole() -> T:
            async with self.request(**of) as request:
                return await act(request)

        return asyncio.run(whole())

    @asynccontextmanager
    async def store(self, dataset: str = "images", side: str = "source") -> AsyncIterator[ObjectStore]:
        """Open one side of a dataset."""
        place = getattr(find_dataset(self.spec, dataset), side)
        connection = None if place.location.scheme == "file" else self.connection(place.connection)
        async with open_store(place.location, connection) as opened:
            yield opened

    def keys(self, side: str = "source") -> list[str]:
        """Return which relative keys one side of the dataset has."""

        async def whole() -> list[str]:
            async with self.store(side=side) as store:
                prefix = store.location.prefix
                return sorted(
                    [
                        each.key.removeprefix(prefix)
                        async for page in store.list_pages(prefix)
                        for each in page
                    ]
                )

        return asyncio.run(whole())

    def put(self, key: str, body: bytes, side: str = "source") -> None:
        """Write an object, whatever is there."""

        async def whole() -> None:
            async with self.store(side=side) as store:
                sums = digest(body, Algorithm.CRC32C, Algorithm.MD5)
                whole_key = store.location.prefix + key
                await store.put(whole_key, body, ObjectAttributes(), sums, create_only=False)

        asyncio.run(whole())

    def fill(self) -> None:
        """Put the objects on both sides, and note that they were verified."""
        for side in ("source", "target"):
            for key, body in OBJECTS.items():
                self.put(key, body, side)
        asyncio.run(self.verified())

    def change(self, **section: Any) -> None:
        """Change fields of the section decommission."""
        spec = json.loads(self.spec_file.read_text())
        spec["decommission"] |= section
        self.spec_file.write_text(json.dumps(spec))

    def look(self, life: PlanLife | None = None, run: str = "one") -> Kept[UnusedRecord]:
        """Look whether anybody uses the source."""

        async def look(request: LeavingRequest) -> Kept[UnusedRecord]:
            aside = life is not None
            # A workload without a database has no routes here, and so nothing that they could tell.
            world = (
                await leaving_items(request.spec, request.run, request.connections, aside=aside)
                if self.databases
                else []
            )
            record, ref = await look_unused(request, world, life)
            return Kept(ref, record)

        return self.act(look, run=run)

    def plan(self, run: str = "one") -> PlanLife:
        """Look, and make a plan."""
        looked = self.look(run=run)
        return self.act(lambda request: make_plan(request, looked), run=run)

    def agree(self, stage: Any, life: PlanLife, who: str = "ann") -> None:
        """Approve one stage of a plan."""
        self.act(lambda request: give_consent(request, stage, life.plan.ref.sha256, who))

    async def verified(self) -> None:
        """Note that the objects were verified, now."""
        spec = self.spec
        run = RunKey(migration=spec.migration, phase="transfer", run="first")
        dataset = find_dataset(spec, "images")
        count = Tally(objects=len(OBJECTS), size_bytes=sum(map(len, OBJECTS.values())))
        record = VerificationRecord(
            run=run,
            dataset="images",
            source_url=dataset.source.url,
            target_url=dataset.target.url,
            source=count,
            target=count,
            equal=count,
            statement="all of them",
            passed=True,
        )
        async with open_evidence(spec.evidence.url) as store:
            await write_next(store, lambda number: verification_path(run, "images", number), record)

    async def switch(self) -> None:
        """Copy the tables, switch to the target, close the way back, and let the soak have passed."""
        spec = self.spec
        run = RunKey(migration=spec.migration, phase="cutover", run="switch")
        if self.databases is not None:
            request = tables_request(spec, "db", run, self.connection)
            await tables.snapshot_tables(request)
            await tables.freeze_writes(request, side=Side.TARGET, epoch=1, within_seconds=20)
        async with (
            open_evidence(spec.evidence.url) as store,
            open_parts(spec, run, self.connection) as parts,
        ):
            switch = SwitchRequest(store, run, parts, "cli:test", 60, freeze_within=20)
            await bring_to(switch, Side.TARGET)
            final, _ref = await finalise(switch, FinalTerms(timedelta(days=7), early=True))
            later = final.model_copy(
                update={"switched_at": utc_now() - timedelta(days=30), "finalised_at": utc_now()}
            )
            await write_next(store, lambda number: switch_path(run, "final", number), later)

    async def finalised(self) -> None:
        """Note that the way back was closed long ago."""
        run = RunKey(migration=self.spec.migration, phase="cutover", run="switch")
        record = FinalRecord(
            run=run,
            epoch=3,
            switched_at=utc_now() - timedelta(days=30),
            soak_seconds=60,
            world=WorldRecord(),
        )
        async with open_evidence(self.spec.evidence.url) as store:
            await write_next(store, lambda number: switch_path(run, "final", number), record)


@contextmanager
def leaving(
    folder: Path,
    env: Mapping[str, str],
    places: tuple[Any, Any],
    databases: TwoDatabases | None = None,
    **section: Any,
) -> Iterator[Leaving]:
    """Make the workload, all of it on the target, and its way back closed.

    :param places: source and target of the dataset, as in a spec.
    :param section: fields of the section decommission.
    """
    spec_file = folder / "spec.yaml"
    env = dict(env)
    if databases is not None:
        databases.on_source(TABLES)
        for side in ("source", "target"):
            env[f"AIRFLOW_CONN_LEAVING_{side.upper()}"] = _as_json(getattr(databases, side))
    spec_file.write_text(json.dumps(_spec(folder, places, section, with_database=databases is not None)))
    made = Leaving(spec_file, env, databases)
    made.fill()
    asyncio.run(made.switch() if databases is not None else made.finalised())
    yield made


def _as_json(connection: Connection) -> str:
    names = ("conn_type", "host", "port", "login", "password", "schema")
    return json.dumps({name: getattr(connection, name) for name in names})


def _spec(
    folder: Path, places: tuple[Any, Any], section: dict[str, Any], *, with_database: bool
) -> dict[str, Any]:
    platform = {"platform": "kubernetes", "connection": "evidence"}
    database = {
        "name": "db",
        **{side: {"engine": "postgresql", "connection": f"leaving_{side}"} for side in ("source", "target")},
    }
    return {
        "apiVersion": "heavylift/v1",
        "migration": f"leaving-{folder.name}".replace("_", "-").lower()[:60].strip("-"),
        "owner": "tests",
        "source": platform,
        "target": platform,
        "evidence": {"url": f"file://{folder}/evidence"},
        "datasets": [{"name": "images", "source": places[0], "target": places[1]}],
        "databases": [database] if with_database else [],
        "cutover": {
            "runbook_owner": "the tests",
            "max_write_pause": 60,
            "rehearsed_within": None,
            "soak": 60,
            **({} if with_database else {"traffic": {"adapter": "envoy", "connection": "traffic"}}),
        },
        "decommission": {"owner": "the tests", "grace": 1, **section},
    }
