"""The replication protocol, as far as a snapshot needs it: who a server is, and slots with a snapshot."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from heavylift.errors import ServerUnavailableError
from heavylift.tables.postgres.connect import conninfo, session_options, where
from heavylift.tables.postgres.faults import told_as
from heavylift.tables.postgres.lsn import lsn_from_text
from heavylift.tables.postgres.stopping import demand_going_on

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn, PGresult

    from heavylift.connections import Connection
    from heavylift.tables.postgres.connect import Session

PATIENCE = 600.0
"""Seconds that a new slot may wait for transactions that were open when it was asked for."""

_BLOCKING = """
SELECT string_agg(format('pid %s (%s, open for %s)', pid, coalesce(nullif(application_name, ''), usename),
    date_trunc('second', clock_timestamp() - xact_start)), ', ')
FROM (SELECT * FROM pg_stat_activity WHERE backend_xid IS NOT NULL ORDER BY xact_start LIMIT 5) a
"""


@dataclass(frozen=True)
class Identity:
    """Which server, in which of its lives, and which database.

    :param ends: where each of its earlier timelines ended: what came after is not in this one.
    """

    system: str
    timeline: int
    database: str
    ends: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Exported:
    """A point in the source's log, and the snapshot that shows the data exactly as of there."""

    consistent: int
    snapshot: str


def identify(connection: Connection) -> Identity:
    """Return who the server is, by the replication protocol: it needs no other right."""
    with replicating(connection, "snapshot") as server:
        (row,) = _run(server, "IDENTIFY_SYSTEM", None, connection)
        timeline, history = int(row[1]), ""
        if timeline > 1:
            ((_file, history),) = _run(server, f"TIMELINE_HISTORY {timeline}", None, connection)
    return Identity(row[0], timeline, row[3], timeline_ends(history))


def timeline_ends(history: str) -> dict[int, int]:
    """Return where each timeline ended that a history file tells of."""
    lines = [line.split() for line in history.splitlines()]
    return {int(words[0]): lsn_from_text(words[1]) for words in lines if words and words[0].isdigit()}


@contextmanager
def exported_snapshot(
    connection: Connection,
    slot: str,
    *,
    temporary: bool = False,
    stop: threading.Event | None = None,
    patience: float = PATIENCE,
) -> Iterator[Exported]:
    """Create a slot and hold its snapshot for the block.

    Whoever reads imports the snapshot within the block. A temporary slot ends with it; any other stays.

    :raises ServerUnavailableError: transactions that were open did not end in time; no slot is left.
    """
    kind = "TEMPORARY " if temporary else ""
    with replicating(connection, "snapshot") as server:
        # PostgreSQL 17 can keep the slot on a standby too, so that it outlives a failover.
        failover = server.server_version >= 170000 and not temporary
        options = "(SNAPSHOT 'export', FAILOVER true)" if failover else "EXPORT_SNAPSHOT"
        command = f'CREATE_REPLICATION_SLOT "{slot}" {kind}LOGICAL pgoutput {options}'
        (row,) = _run(server, command, stop, connection, patience)
        yield Exported(lsn_from_text(row[1]), row[2])


@contextmanager
def replicating(connection: Connection, purpose: str) -> Iterator[PGconn]:
    """Open a connection that speaks the replication protocol, and close it after the block.

    :raises CredentialError: the role lacks REPLICATION, or pg_hba.conf refuses it.
    """
    import psycopg

    with told_as(f"connecting to {where(connection)} for replication", "nothing was touched"):
        session: Session = psycopg.connect(
            **conninfo(connection, purpose),
            options=session_options(),
            replication="database",
            autocommit=True,
        )
    try:
        yield session.pgconn
    finally:
        session.close()


def _run(
    server: PGconn,
    command: str,
    stop: threading.Event | None,
    connection: Connection,
    patience: float = 60.0,
) -> list[list[str]]:
    """Run one command of the protocol and return its rows; it is called off when ``stop`` is set."""
    from psycopg import errors
    from psycopg.pq import ExecStatus

    began = time.monotonic()
    what = f"{command.split(' ', 1)[0]} on {where(connection)}"
    with told_as(what, "nothing was left behind by it"):
        server.send_query(command.encode())
        while server.flush():
            select.select([], [server.socket], [], 1)
        while server.is_busy():
            if stop is not None and stop.is_set():
                _call_off(server)
                demand_going_on(stop)
            if time.monotonic() - began > patience:
                _call_off(server)
                raise _waited(what, connection, patience)
            if select.select([server.socket], [], [], 0.2)[0]:
                server.consume_input()
        results = _results(server)
        for result in results:
            if result.status not in {ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK}:
                raise errors.error_from_result(result)
    return [_row(result, number) for result in results for number in range(result.ntuples)]


def _results(server: PGconn) -> list[PGresult]:
    results = []
    while (result := server.get_result()) is not None:
        results.append(result)
    return results


def _row(result: PGresult, number: int) -> list[str]:
    return [(result.get_value(number, column) or b"").decode() for column in range(result.nfields)]


def _call_off(server: PGconn) -> None:
    """End the command on the server too: the slot that it was making goes with it."""
    server.get_cancel().cancel()
    while server.is_busy():
        if not select.select([server.socket], [], [], 10)[0]:
            return
        server.consume_input()
    _results(server)


def _waited(what: str, connection: Connection, patience: float) -> ServerUnavailableError:
    from heavylift.tables.postgres.connect import connect

    with connect(connection, "snapshot") as session:
        row: Any = session.execute(_BLOCKING).fetchone()
    return ServerUnavailableError(
        what,
        got=f"no answer in {patience:.0f} s; open on the source: {row[0] or 'prepared transactions'}",
        expected="every transaction that was open when the slot was asked for to end",
        state="no slot was left behind; what was copied before stays",
        remedy="end those transactions, or wait until they end, and run this again",
        code="6111",
    )
