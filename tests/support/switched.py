"""A workload that is switched for real: two databases and two scoring servers behind Envoy, under load.

Rows are written through Envoy's listener, and by sessions of the database's own that nobody leads anywhere;
requests leave at a fixed rate. Every acknowledged row is in a ledger. A switch is a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, LiteralString

from heavylift.connections import Connection, connection_from_env
from heavylift.cutover.world import World, observe
from heavylift.evidence.records import RunKey
from heavylift.fencing import Side
from heavylift.spec.load import load_spec
from heavylift.switching.parts import open_parts
from heavylift.tables import api
from heavylift.tables.requests import TablesRequest, tables_request
from sandbox.examples.scoring_model import BODY
from sandbox.live_requests import Load, OpenLoad
from sandbox.live_writer import AcknowledgedWriter
from sandbox.servers.envoy import APPLICATION, LIVE
from sandbox.stack import Stack
from tests.support.switched_beside import Beside
from tests.support.two_databases import TwoDatabases, run_sql, two_databases

TABLE = "CREATE TABLE entry (id bigint PRIMARY KEY, body text)"
OLD = "INSERT INTO entry SELECT -i, repeat('old ', 8) FROM generate_series(1, 2000) i"
INSERT: LiteralString = (
    "INSERT INTO public.entry VALUES (%s, repeat('acknowledged ', 8)) ON CONFLICT DO NOTHING"
)
GRANT = f"GRANT SELECT, INSERT, UPDATE, DELETE ON entry TO {APPLICATION}"
ALL = "SELECT t::text FROM entry t ORDER BY 1"
DIRECTLY = {Side.SOURCE: 10**9, Side.TARGET: 2 * 10**9}
"""The first row of the sessions that write to a side directly."""
REQUESTS_A_SECOND = 20.0


@dataclass(frozen=True)
class Switched:
    """The workload, all of it on the source; its spec lies beside its evidence."""

    stack: Stack
    databases: TwoDatabases
    spec_file: Path
    env: Mapping[str, str]

    @property
    def live(self) -> Connection:
        """The way to the database through Envoy, as the application goes it."""
        return replace(connection_from_env(LIVE, self.stack.env), schema=self.databases.source.schema)

    @property
    def evidence_url(self) -> str:
        """Where the evidence goes."""
        return self.databases.evidence_url

    def connection(self, conn_id: str) -> Connection:
        """Look a connection up as the processes of a switch do."""
        return connection_from_env(conn_id, self.env)

    def of(self, side: Side) -> Connection:
        """Return one side's database."""
        return self.databases.source if side is Side.SOURCE else self.databases.target

    def world(self) -> World:
        """Look where everything is."""

        async def look() -> World:
            async with open_parts(load_spec(self.spec_file), self._run("cutover"), self.connection) as parts:
                return await observe(parts)

        return asyncio.run(look())

    def ids(self, side: Side) -> list[int]:
        """Return which rows of the ledgers one side has."""
        return [row[0] for row in run_sql(self.of(side), "SELECT id FROM entry WHERE id >= 0 ORDER BY 1")]

    def forward(self) -> TablesRequest:
        """Return the request of the way there."""
        return tables_request(load_spec(self.spec_file), "db", self._run("sync"), self.connection)

    def sync(self) -> None:
        """Carry what the live side has to the other."""

        async def act() -> None:
            await api.sync_tables(await api.live_request(self.forward()))

        asyncio.run(act())

    def differing(self) -> int:
        """Return how many rows only one side has."""
        source, target = (set(run_sql(self.of(side), ALL)) for side in Side)
        return len(source ^ target)

    def _run(self, phase: str) -> RunKey:
        return RunKey(migration=load_spec(self.spec_file).migration, phase=phase, run="look")


@contextmanager
def switched(stack: Stack, folder: Path, beside: Beside | None = None, **cutover: Any) -> Iterator[Switched]:
    """Make the databases and bring everything to the source; drop the databases after.

    :param beside: a stream and a schedule that are switched, too.
    :param cutover: fields of the spec's section, over those of a plain switch.
    """
    evidence = f"file://{folder}/evidence"
    with two_databases(stack.env, evidence) as pair:
        pair.on_source(f"{TABLE}; {OLD}; {GRANT}")
        env = {**stack.env, **{_variable(side): as_json(getattr(pair, side)) for side in Side}}
        spec_file = folder / "spec.yaml"
        spec = _spec(f"m-{pair.source.schema}".replace("_", "-"), evidence, cutover)
        if beside is not None:
            spec, env = beside.with_it(spec), {**env, **stack.env, **beside.env}
        spec_file.write_text(json.dumps(spec))
        made = Switched(stack, pair, spec_file, env)
        if beside is not None:
            beside.begin(spec_file, made.connection)
        asyncio.run(_begin(made))
        pair.on_target(GRANT)
        yield made


async def _begin(made: Switched) -> None:
    run = RunKey(migration=load_spec(made.spec_file).migration, phase="transfer", run="first")
    await api.snapshot_tables(tables_request(load_spec(made.spec_file), "db", run, made.connection))
    await lead_to_source(made)


async def lead_to_source(made: Switched) -> None:
    """Lead requests and writers to the source, wherever somebody else has left them."""
    run = RunKey(migration=load_spec(made.spec_file).migration, phase="transfer", run="first")
    async with open_parts(load_spec(made.spec_file), run, made.connection) as parts:
        for route in (parts.requests, parts.writers):
            if route is not None:
                await route.shift(0, epoch=max(1, (await route.read()).epoch))


def _variable(side: Side) -> str:
    return f"AIRFLOW_CONN_ROUND_{side.value.upper()}"


def as_json(connection: Connection) -> str:
    """Return a connection as the value of its variable."""
    names = ("conn_type", "host", "port", "login", "password", "schema")
    return json.dumps({name: getattr(connection, name) for name in names})


def _spec(migration: str, evidence: str, cutover: dict[str, Any]) -> dict[str, Any]:
    platform = {"platform": "kubernetes", "connection": "evidence"}
    return {
        "apiVersion": "heavylift/v1",
        "migration": migration,
        "owner": "tests",
        "source": platform,
        "target": platform,
        "evidence": {"url": evidence},
        "databases": [
            {
                "name": "db",
                **{
                    side.value: {"engine": "postgresql", "connection": f"round_{side.value}"} for side in Side
                },
            }
        ],
        "cutover": {
            "runbook_owner": "the tests",
            "traffic": {"adapter": "envoy", "connection": "traffic"},
            "writers": {"adapter": "envoy", "connection": "traffic_writes"},
            "max_write_pause": 60,
            "freeze_within": 5,
            "max_lag": 60,
            "rehearsed_within": None,
            "capacity": None,
            **cutover,
        },
    }


class Applications:
    """Writers and requests, from entry to exit; the ledgers and counts stay.

    :param directly: sides that a session of their own writes to past the proxy.
    :param begin: the first row; others may have written those before it.
    """

    def __init__(self, workload: Switched, *directly: Side, begin: int = 0) -> None:
        self._workload, self._begin = workload, begin
        self.through = AcknowledgedWriter(lambda: workload.live, INSERT, sessions=2, begin=begin)
        self.writers = [self.through, *(self._direct(side) for side in directly)]
        address = connection_from_env("traffic", workload.stack.env).text("address")
        self._requests = OpenLoad(
            f"{address}/invocations", BODY, REQUESTS_A_SECOND, lambda body: b"predictions" in body
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def _direct(self, side: Side) -> AcknowledgedWriter:
        # Nobody leads these anywhere: only the fence keeps them from writing.
        where = self._workload.of(side)
        return AcknowledgedWriter(lambda: where, INSERT, sessions=1, begin=DIRECTLY[side] + self._begin)

    def __enter__(self) -> Applications:
        for writer in self.writers:
            writer.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self.writers:
            writer.stop()
        self._loop.call_soon_threadsafe(self._requests.stop)
        self._thread.join()
        self._loop.close()

    @property
    def load(self) -> Load:
        """What became of the requests."""
        return self._requests.load

    @property
    def acknowledged(self) -> list[int]:
        """Every row that any server has acknowledged."""
        return sorted(number for writer in self.writers for number in writer.acknowledged)

    @property
    def broken(self) -> list[BaseException]:
        """What a writer did not expect."""
        return [error for writer in self.writers for error in writer.broken]

    def _ask(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._requests.run())


def environment(workload: Switched) -> dict[str, str]:
    """Return the environment of a process of the workload's switch."""
    return {"PATH": os.environ["PATH"], **workload.env}
