"""One moment of the source: a snapshot that several sessions read, and both sides' sessions to work with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.platforms.postgresql.connect import connect

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.platforms.postgresql.connect import Session


@dataclass(frozen=True)
class Moment:
    """A moment of a database that stays readable while the block that made it runs.

    :param session: reads as of the moment, in the thread that made it.
    :param snapshot: under which other sessions read the same.
    """

    connection: Connection
    session: Session
    snapshot: str

    @contextmanager
    def another(self) -> Iterator[Session]:
        """Open a further session at the same moment."""
        session = connect(self.connection, "registry source")
        try:
            session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            # A snapshot's name cannot be a parameter; it is the server's own, of digits and dashes.
            session.execute(f"SET TRANSACTION SNAPSHOT '{self.snapshot}'".encode())
            yield session
        finally:
            session.close()


@contextmanager
def moment_of(connection: Connection, snapshot: str | None = None) -> Iterator[Moment]:
    """Hold a moment of a database.

    :param snapshot: of a moment that somebody else holds; the present one by default.
    """
    session = connect(connection, "registry source")
    try:
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        if snapshot is not None:
            session.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'".encode())
        row = session.execute("SELECT pg_export_snapshot()").fetchone()
        yield Moment(connection, session, str((row or ("",))[0]))
    finally:
        session.close()
