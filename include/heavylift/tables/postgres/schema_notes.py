"""Which objects of the schema this stream has made on the target: noted in one transaction with each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from heavylift.errors import HeavyliftError
from heavylift.tables.postgres.faults import is_transient, translated
from heavylift.tables.postgres.state_lock import lock_state

if TYPE_CHECKING:
    import psycopg

    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.postgres.schema_dump import Entry

FINISHED = "finished"
"""The note of a stream all of whose schema is made."""

_DDL = """
CREATE TABLE IF NOT EXISTS heavylift.stream_schema (
    stream text NOT NULL REFERENCES heavylift.stream ON DELETE CASCADE,
    entry text NOT NULL,
    title text NOT NULL,
    made boolean NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (stream, entry)
)
"""

# What the server says where the same thing is there already: schema, relation, object, function,
# a second primary key, a partition that is attached, a column that is an identity.
_THERE = {"42P06", "42P07", "42710", "42723"}
# An index of a partition that was attached to its table goes with the table's own, by whatever name.
_THERE_BY_KIND = {
    ("CONSTRAINT", "42P16"), ("TABLE ATTACH", "42809"), ("SEQUENCE", "55000"), ("INDEX ATTACH", "55000"),
}  # fmt: skip

# Without these the data would be wrong or unprotected; all else is told as a finding where it fails.
_NEEDED = {
    "SCHEMA", "TABLE", "TABLE ATTACH", "SEQUENCE", "SEQUENCE OWNED BY", "DEFAULT", "CONSTRAINT",
    "CHECK CONSTRAINT", "INDEX", "INDEX ATTACH",
}  # fmt: skip

PREAMBLE = (
    "SET check_function_bodies = false; SET xmloption = content; SET client_min_messages = warning;"
    " SET row_security = off; SET search_path = ''"
)


def ensure_notes(session: Session) -> None:
    """Make the table of notes where it is missing; the stream's own tables are there."""
    with session.transaction():
        lock_state(session)
        session.execute(_DDL)


def read_notes(session: Session, stream: str) -> set[str]:
    """Return the digests of what is noted."""
    rows = session.execute("SELECT entry FROM heavylift.stream_schema WHERE stream = %s", [stream]).fetchall()
    return {row[0] for row in rows}


def note(session: Session, stream: str, entry: str, title: str, *, made: bool) -> None:
    """Note one thing, within the caller's transaction.

    :param made: we made it; False where it was there before.
    """
    session.execute(
        "INSERT INTO heavylift.stream_schema (stream, entry, title, made) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        [stream, entry, title, made],
    )


def _noting(session: Session, stream: str, entry: Entry) -> bytes:
    return (
        sql.SQL("INSERT INTO heavylift.stream_schema (stream, entry, title, made) VALUES ({}, {}, {}, true)")
        .format(stream, entry.digest, str(entry)[:500])
        .as_bytes(session)
    )


def unnote(session: Session, stream: str, entry: str) -> None:
    """Take a note away again."""
    session.execute("DELETE FROM heavylift.stream_schema WHERE stream = %s AND entry = %s", [stream, entry])


def make(session: Session, stream: str, entry: Entry) -> HeavyliftError | None:
    """Make one entry and note it, both or neither.

    :return: why it could not be made, where the move can go on without it.
    :raises HeavyliftError: it could not be made and is needed, or the server went away.
    """
    import psycopg

    try:
        # Statements that are sent together are one transaction, and one journey over the network.
        session.execute(entry.statement.encode() + b"\n;" + _noting(session, stream, entry))
    except psycopg.Error as error:
        if _is_there(entry, error):
            note(session, stream, entry.digest, str(entry)[:500], made=False)
            return None
        failure = translated(error, f"making {entry} on the target", "what was made before it stays")
        if _must_stop(entry, error):
            raise failure from error
        return failure
    return None


def _is_there(entry: Entry, error: psycopg.Error) -> bool:
    state = error.sqlstate or ""
    return state in _THERE or (entry.kind, state) in _THERE_BY_KIND


def _must_stop(entry: Entry, error: psycopg.Error) -> bool:
    if is_transient(error) or entry.kind in _NEEDED:
        return True
    # A foreign key to a table that stays behind cannot be; any other that fails is a real breach.
    return entry.kind == "FK CONSTRAINT" and error.sqlstate != "42P01"
