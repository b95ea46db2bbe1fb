"""The cutover of the demo's workload under load: requests, writers, and a ledger of what was acknowledged."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from types import TracebackType

from heavylift.connections import Connection, connection_from_env
from heavylift.evidence.records import RunKey
from heavylift.fencing import Side, Writes
from heavylift.spec import MigrationSpec
from heavylift.tables.api import writes_state
from heavylift.tables.postgres.connect import connect
from heavylift.tables.requests import tables_request
from sandbox.examples.fraud_scoring import BUCKET, SOURCE
from sandbox.examples.objects import SeedObject
from sandbox.examples.scoring_model import BODY
from sandbox.examples.uploading import put_all, s3_client
from sandbox.live_requests import Load, OpenLoad
from sandbox.live_writer import AcknowledgedWriter
from sandbox.servers.envoy import LIVE

GOLDEN = "golden/requests.jsonl"
REQUESTS_A_SECOND = 20.0
SIDES = ("source", "target")
WRITERS = 2
WRITER_PAUSE = 0.02
INSERT = """INSERT INTO public.labels (transaction_id, customer_id, is_fraud, amount, reasons)
    SELECT md5('live ' || n)::uuid, 1 + n %% 1000, false, n, ARRAY['live'] FROM (VALUES (%s::bigint)) v (n)
    ON CONFLICT DO NOTHING"""
WRITTEN = "SELECT amount::bigint FROM public.labels WHERE reasons = ARRAY['live'] ORDER BY 1"


@dataclass(frozen=True)
class Tally:
    """What the applications saw, and what the database has."""

    answered: int
    failed: int
    acknowledged: int
    lost: int
    unknown: int
    longest_pause: float

    @property
    def whole(self) -> bool:
        """No request failed, and the database has exactly what was acknowledged."""
        return not (self.failed or self.lost or self.unknown) and bool(self.answered and self.acknowledged)

    def __str__(self) -> str:
        return (
            f"{self.answered:,} requests answered, {self.failed:,} failed; {self.acknowledged:,} rows"
            f" acknowledged, {self.lost:,} lost, {self.unknown:,} doubled or unknown; longest wait of a"
            f" writer {self.longest_pause:.2f} s"
        )


class LiveWorkload:
    """Applications that ask for predictions and write labels through the proxy, until told to stop."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        route = connection_from_env("traffic", env)
        live = connection_from_env(LIVE, env)
        url = f"{route.text('address')}/invocations"
        self._requests = OpenLoad(url, BODY, REQUESTS_A_SECOND, lambda body: b"predictions" in body)
        written = [row for side in SIDES for row in _rows(connection_from_env(f"features_{side}", env))]
        # An earlier demo has written, too.
        self._first = max(written, default=-1) + 1
        self.writer = AcknowledgedWriter(
            lambda: live, INSERT, sessions=WRITERS, begin=self._first, pause=WRITER_PAUSE
        )
        self._loop = asyncio.new_event_loop()
        self._load: Load | None = None
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> LiveWorkload:
        self.writer.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Let the last request be answered and the last row be acknowledged."""
        self.writer.stop()
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._requests.stop)
            self._thread.join()

    def tally(self, side: str) -> Tally:
        """Return what was seen, beside what the database of ``side`` has.

        :param side: ``source`` or ``target``.
        :raises Exception: a writer has broken.
        """
        for error in self.writer.broken:
            raise error
        rows = _rows(connection_from_env(f"features_{side}", self._env))
        written = [row for row in rows if row >= self._first]
        acknowledged = self.writer.acknowledged
        load = self._load or self._requests.load
        return Tally(
            answered=load.answered,
            failed=load.failures.total(),
            acknowledged=len(acknowledged),
            lost=len(set(acknowledged) - set(written)),
            unknown=len(written) - len(set(written) & set(acknowledged)),
            longest_pause=self.writer.longest_pause,
        )

    def _ask(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._load = self._loop.run_until_complete(self._requests.run())
        finally:
            self._loop.close()


def is_on_target(spec: MigrationSpec, env: Mapping[str, str]) -> bool:
    """Tell whether an earlier demo has left the workload on the target."""
    request = tables_request(
        spec,
        spec.databases[0].name,
        RunKey(migration=spec.migration, phase="rollback", run="look"),
        lambda conn_id: connection_from_env(conn_id, env),
    )
    state = asyncio.run(writes_state(request, side=Side.SOURCE))
    return state.writes is Writes.FROZEN


def _rows(connection: Connection) -> list[int]:
    with closing(connect(connection, "ledger")) as session:
        if session.execute("SELECT to_regclass('public.labels')").fetchone() == (None,):
            return []
        return [int(row[0]) for row in session.execute(WRITTEN).fetchall()]


def put_golden_requests(env: Mapping[str, str]) -> str:
    """Put the requests that both scoring servers are asked at once on the source; return their URL."""
    put_all(s3_client(connection_from_env(SOURCE, env)), BUCKET, [SeedObject(GOLDEN, golden_requests)])
    return f"s3://{BUCKET}/{GOLDEN}"


def golden_requests(count: int = 50) -> bytes:
    """Return requests that both scoring servers are asked at once: one JSON document a line."""
    columns = ["amount", "velocity", "distance"]
    numbers = range(count)
    rows = ([round((n * 7919 % 997) / 331 - 1.5, 4), round((n % 13) / 6 - 1, 4), n / count] for n in numbers)
    documents = ({"dataframe_split": {"columns": columns, "data": [row]}} for row in rows)
    return "".join(json.dumps(each) + "\n" for each in documents).encode()
