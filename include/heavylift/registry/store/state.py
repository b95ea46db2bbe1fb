"""What the target's database knows of a registry's move: who is at work, what is there, and as of when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.errors import ConflictError, TransientError
from heavylift.platforms.postgresql.connect import connect
from heavylift.registry.store.digests import TableDigest

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.platforms.postgresql.connect import Session

_TABLES = """
CREATE SCHEMA IF NOT EXISTS heavylift;
CREATE TABLE IF NOT EXISTS heavylift.registry_store (
    id text PRIMARY KEY,
    epoch bigint NOT NULL,
    complete boolean NOT NULL DEFAULT false,
    source text NOT NULL,
    uris text NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS heavylift.registry_table (
    id text NOT NULL REFERENCES heavylift.registry_store,
    table_name text NOT NULL,
    row_count bigint NOT NULL,
    first_sum numeric NOT NULL,
    second_sum numeric NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, table_name)
);
"""


@dataclass(frozen=True)
class StoreState:
    """How far a registry's move is.

    :param complete: every table has been copied.
    :param source: which database it comes from.
    :param uris: the map of prefixes that it was begun with.
    :param tables: the digest of each table that is there, as it was written last.
    """

    complete: bool
    source: str
    uris: str
    tables: dict[str, TableDigest]


class Lease:
    """The right to write to the target for one registry; each transaction demands it.

    It is a lock that ends with its session, so that of two runs one is refused at once, and a number that
    only rises, so that a run that lost its session unnoticed commits nothing any more. The number is
    written by :meth:`claim`, before the first row: a run that has nothing to do writes nothing at all.
    """

    def __init__(self, registry: str, session: Session) -> None:
        self.id = registry
        self._session = session
        self._epoch = 0

    def claim(self, source: str, uris: str) -> None:
        """Take the next number, and note where the registry comes from."""
        if not _ready(self._session):
            self._session.execute(_TABLES.encode())
        row = self._session.execute(
            "INSERT INTO heavylift.registry_store AS s (id, epoch, source, uris) VALUES (%s, 1, %s, %s)"
            " ON CONFLICT (id) DO UPDATE SET epoch = s.epoch + 1, source = excluded.source,"
            " uris = excluded.uris RETURNING epoch",
            [self.id, source, uris],
        ).fetchone()
        self._epoch = int((row or (0,))[0])

    def demand(self, session: Session) -> None:
        """Hold the right until the transaction ends.

        :raises ConflictError: a later run has taken it.
        """
        row = session.execute(
            "SELECT epoch FROM heavylift.registry_store WHERE id = %s FOR SHARE", [self.id]
        ).fetchone()
        if row is None or row[0] != self._epoch:
            raise ConflictError(
                f"writing registry {self.id!r}",
                got="a later run that has taken it over",
                expected="one run at a time",
                state="what was committed stays; this transaction is taken back",
                remedy="let the later run go on",
                code="7121",
            )


def read_state(session: Session, registry: str) -> StoreState | None:
    """Return what is noted of a registry; None where nothing is. Changes nothing."""
    present = session.execute("SELECT to_regclass('heavylift.registry_store') IS NOT NULL").fetchone()
    if present != (True,):
        return None
    row = session.execute(
        "SELECT complete, source, uris FROM heavylift.registry_store WHERE id = %s", [registry]
    ).fetchone()
    if row is None:
        return None
    tables = session.execute(
        "SELECT table_name, row_count, first_sum, second_sum FROM heavylift.registry_table WHERE id = %s",
        [registry],
    ).fetchall()
    digests = {
        str(name): TableDigest(int(rows), int(first), int(second)) for name, rows, first, second in tables
    }
    return StoreState(bool(row[0]), str(row[1]), str(row[2]), digests)


def others(session: Session, registry: str) -> tuple[str, ...]:
    """Return the other registries of which something is noted in this database."""
    present = session.execute("SELECT to_regclass('heavylift.registry_store') IS NOT NULL").fetchone()
    if present != (True,):
        return ()
    rows = session.execute("SELECT id FROM heavylift.registry_store WHERE id <> %s ORDER BY 1", [registry])
    return tuple(str(row[0]) for row in rows.fetchall())


@contextmanager
def leased(target: Connection, registry: str) -> Iterator[Lease]:
    """Hold the lease's lock while the block runs; nothing is written yet.

    :raises TransientError: another run is at work.
    """
    with closing(connect(target, "registry lease")) as session:
        lock = f"heavylift registry {registry}"
        taken = session.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [lock]).fetchone()
        if taken != (True,):
            raise TransientError(
                f"taking hold of registry {registry!r}",
                got="another run that is at work on it",
                expected="one run at a time",
                state="this run has changed nothing",
                remedy="wait for the other run, or end it; a run that was killed lets go within two minutes",
                code="7120",
            )
        yield Lease(registry, session)


def _ready(session: Session) -> bool:
    return session.execute("SELECT to_regclass('heavylift.registry_table') IS NOT NULL").fetchone() == (True,)


def note_table(session: Session, lease: Lease, table: str, digest: TableDigest) -> None:
    """Note that a table is there as the digest tells; to be called in the transaction that wrote it."""
    session.execute(
        "INSERT INTO heavylift.registry_table (id, table_name, row_count, first_sum, second_sum)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (id, table_name) DO UPDATE SET"
        " row_count = excluded.row_count, first_sum = excluded.first_sum,"
        " second_sum = excluded.second_sum, written_at = now()",
        [lease.id, table, digest.rows, digest.first, digest.second],
    )


def note_complete(session: Session, lease: Lease) -> None:
    """Note that every table has been copied."""
    session.execute("UPDATE heavylift.registry_store SET complete = true WHERE id = %s", [lease.id])
