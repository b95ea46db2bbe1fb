"""The tables of a source database: found, digested, set aside so that nobody reaches them, dropped.

A table is known by its oid, on the server that the plan names: whoever gives another table the name of a
planned one loses nothing by it. Everything blocks; callers run it in a thread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heavylift.decommission import table_sql
from heavylift.errors import ConflictError
from heavylift.evidence.decommission_records import PlannedDatabase, PlannedTable
from heavylift.evidence.wording import enumeration
from heavylift.platforms.postgresql.connect import Session, connect, where
from heavylift.platforms.postgresql.faults import told_as

if TYPE_CHECKING:
    from heavylift.connections import Connection

_LOCK_TIMEOUT = "5s"
_MOST_OF_A_NAME = 63


@dataclass(frozen=True)
class Uses:
    """Who is at a database, by the server's own views.

    :param sessions: in words, nothing of their queries.
    """

    sessions: tuple[str, ...]
    prepared: tuple[str, ...]
    slots: tuple[str, ...]


@dataclass(frozen=True)
class Stand:
    """Where a plan's tables are now: oids by place."""

    open: frozenset[int]
    aside: frozenset[int]
    gone: frozenset[int]


def read_uses(connection: Connection, ignored: Sequence[str]) -> Uses:
    """Look who is connected, what was prepared and which slots there are; changes nothing."""
    with _session(connection, "looking who uses") as session:
        sessions = session.execute(table_sql.SESSIONS, [list(ignored)]).fetchall()
        prepared = session.execute(table_sql.PREPARED).fetchall()
        slots = session.execute(table_sql.SLOTS).fetchall()
    return Uses(
        tuple(f"{count} of {user} ({name})" for user, name, count in sessions),
        tuple(str(row[0]) for row in prepared),
        tuple(str(row[0]) for row in slots),
    )


def survey(database: str, connection: Connection, names: Sequence[str]) -> PlannedDatabase:
    """Find tables by ``schema.table`` and digest each, all as of one moment; changes nothing.

    Names that are not there, or stand for two tables, are left out: the caller counts.
    """
    with _session(connection, "making the plan of") as session:
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        rows = session.execute(table_sql.FIND, [list(names)]).fetchall()
        tables = [_planned(session, row) for row in rows]
        system = _system(session)
        session.execute("COMMIT")
    counted: dict[str, int] = {}
    for table in tables:
        counted[table.full_name] = counted.get(table.full_name, 0) + 1
    sure = tuple(table for table in tables if counted[table.full_name] == 1)
    return PlannedDatabase(
        database=database,
        connection=connection.conn_id,
        where=f"{connection.host}:{connection.port or 5432}/{connection.schema}",
        system=system,
        tables=sure,
    )


def dependents(connection: Connection, oids: Sequence[int]) -> tuple[str, ...]:
    """Return what outside of these tables depends on them: it would keep them from being dropped."""
    with _session(connection, "looking what depends on tables of") as session:
        rows = session.execute(table_sql.DEPENDENTS, {"oids": list(oids)}).fetchall()
    return tuple(str(row[0]) for row in rows)


def counters(connection: Connection, planned: PlannedDatabase) -> dict[int, tuple[int, int]]:
    """Return how often each table was read, and how many rows were written, since the counters began."""
    with _session(connection, "reading the counters of") as session:
        _demand_server(session, planned)
        rows = session.execute(table_sql.COUNTERS, [[each.oid for each in planned.tables]]).fetchall()
    return {oid: (scans, changes) for oid, scans, changes in rows}


def stand_of(connection: Connection, migration: str, planned: PlannedDatabase) -> Stand:
    """Look where the tables are; changes nothing.

    :raises ConflictError: another server, or somebody has moved one elsewhere.
    """
    with _session(connection, "looking at the tables of") as session:
        _demand_server(session, planned)
        return _stand(session, migration, planned)


def set_aside(connection: Connection, migration: str, planned: PlannedDatabase) -> int:
    """Move the tables into schemas that nobody is granted: no query finds them. Idempotent; one transaction.

    :return: how many were moved by this call.
    :raises ConflictError: a table is neither where the plan says, nor set aside.
    :raises ServerUnavailableError: a session held one of them for too long; nothing was moved.
    """
    with _session(connection, "setting aside tables of", commits=True) as session:
        stand = _ours(session, migration, planned)
        for table in _those(planned, stand.open):
            aside = aside_schema(migration, table.schema_name)
            if not session.execute(table_sql.SCHEMA_HAS, [aside]).fetchone():
                _run(session, "CREATE SCHEMA {}", aside)
            _run(session, "ALTER TABLE {}.{} SET SCHEMA {}", table.schema_name, table.name, aside)
        return len(stand.open)


def bring_back(connection: Connection, migration: str, planned: PlannedDatabase) -> int:
    """Move the tables back to where they were. Idempotent; one transaction.

    :return: how many were moved by this call.
    :raises ConflictError: somebody has given a table's name to another one.
    """
    with _session(connection, "bringing back tables of", commits=True) as session:
        stand = _ours(session, migration, planned)
        for table in _those(planned, stand.aside):
            if session.execute(table_sql.NAME_TAKEN, [table.schema_name, table.name]).fetchone():
                raise _conflict(
                    f"bringing back table {table.full_name} of database {planned.database!r}",
                    "another table of this name",
                    "9313",
                    "rename the other table, then restore again",
                )
            aside = aside_schema(migration, table.schema_name)
            _run(session, "ALTER TABLE {}.{} SET SCHEMA {}", aside, table.name, table.schema_name)
        _drop_schemas(session, migration, planned)
        return len(stand.aside)


def demand_unchanged(connection: Connection, migration: str, planned: PlannedDatabase) -> None:
    """Demand that every table holds exactly the rows of the plan.

    :raises ConflictError: one has changed, or is gone.
    """
    with _session(connection, "comparing tables of") as session:
        stand = _ours(session, migration, planned)
        if stand.gone:
            raise _gone(planned, stand)
        _demand_rows(session, migration, planned, stand)


def drop(connection: Connection, migration: str, planned: PlannedDatabase) -> tuple[list[str], list[str]]:
    """Lock the tables, count and digest their rows once more, and drop them: all of them, or none.

    Nothing that depends on them is dropped along. Where all are gone already, nothing is done.

    :return: the tables that this call dropped, and those that were gone.
    :raises ConflictError: a row differs from the plan, or only some of the tables are gone.
    """
    with _session(connection, "dropping tables of", commits=True) as session:
        stand = _ours(session, migration, planned)
        names = [table.full_name for table in planned.tables]
        if len(stand.gone) == len(planned.tables):
            return [], names
        if stand.gone:
            raise _gone(planned, stand)
        places = [_place(migration, table, stand) for table in planned.tables]
        for schema, name in places:
            _run(session, "LOCK TABLE {}.{} IN ACCESS EXCLUSIVE MODE", schema, name)
        _demand_rows(session, migration, planned, stand)
        listed = ", ".join(["{}.{}"] * len(places))
        _run(session, f"DROP TABLE {listed} RESTRICT", *(part for place in places for part in place))
        _drop_schemas(session, migration, planned)
        return names, []


def aside_schema(migration: str, schema: str) -> str:
    """Return the schema in which a migration sets the tables of another one aside."""
    digest = hashlib.sha256(f"{migration}/{schema}".encode()).hexdigest()[:12]
    return f"heavylift_leaving_{digest}"[:_MOST_OF_A_NAME]


def _digest(session: Session, schema: str, name: str) -> tuple[int, str]:
    from psycopg import sql

    query = sql.SQL(table_sql.DIGEST).format(table=sql.Identifier(schema, name))
    row = session.execute(query).fetchone()
    count, one, two = row if row else (0, "0", "0")
    return int(count), hashlib.sha256(f"{count}/{one}/{two}".encode()).hexdigest()


def _planned(session: Session, row: tuple[Any, ...]) -> PlannedTable:
    oid, schema, name, size, scans, changes = row
    count, digest = _digest(session, schema, name)
    return PlannedTable(
        schema_name=schema,
        name=name,
        oid=oid,
        rows=count,
        digest=digest,
        size_bytes=size,
        scans=scans,
        changes=changes,
    )


def _demand_rows(session: Session, migration: str, planned: PlannedDatabase, stand: Stand) -> None:
    changed = []
    for table in planned.tables:
        count, digest = _digest(session, *_place(migration, table, stand))
        if (count, digest) != (table.rows, table.digest):
            changed.append(f"{table.full_name} ({count:,} rows; {table.rows:,} planned)")
    if changed:
        raise _conflict(
            f"deleting tables of database {planned.database!r}",
            f"rows that are not those of the plan: {enumeration(changed, 5)}",
            "9314",
            "find who still writes to the source; then make a new plan and have it approved",
        )


def _place(migration: str, table: PlannedTable, stand: Stand) -> tuple[str, str]:
    aside = table.oid in stand.aside
    return (aside_schema(migration, table.schema_name) if aside else table.schema_name), table.name


def _stand(session: Session, migration: str, planned: PlannedDatabase) -> Stand:
    rows = session.execute(table_sql.WHERE_NOW, [[each.oid for each in planned.tables]]).fetchall()
    now = {oid: (schema, name) for oid, schema, name in rows}
    opened, aside, gone = set(), set(), set()
    for table in planned.tables:
        place = now.get(table.oid)
        if place is None:
            gone.add(table.oid)
        elif place == (table.schema_name, table.name):
            opened.add(table.oid)
        elif place == (aside_schema(migration, table.schema_name), table.name):
            aside.add(table.oid)
        else:
            raise _conflict(
                f"looking for table {table.full_name} of database {planned.database!r}",
                f"it at {'.'.join(place)}, where somebody has moved it",
                "9315",
                "move it back, or make a new plan",
            )
    return Stand(frozenset(opened), frozenset(aside), frozenset(gone))


def _ours(session: Session, migration: str, planned: PlannedDatabase) -> Stand:
    _demand_server(session, planned)
    return _stand(session, migration, planned)


def _demand_server(session: Session, planned: PlannedDatabase) -> None:
    system = _system(session)
    if system != planned.system:
        raise _conflict(
            f"finding database {planned.database!r} of the plan",
            f"another server or database behind connection {planned.connection!r}",
            "9316",
            "correct the connection; a server that was restored from a backup needs a new plan",
        )


def _system(session: Session) -> str:
    row = session.execute(table_sql.WHICH_SERVER).fetchone()
    return str(row[0]) if row else ""


def _those(planned: PlannedDatabase, oids: frozenset[int]) -> Iterator[PlannedTable]:
    return (table for table in planned.tables if table.oid in oids)


def _drop_schemas(session: Session, migration: str, planned: PlannedDatabase) -> None:
    for schema in sorted({table.schema_name for table in planned.tables}):
        aside = aside_schema(migration, schema)
        if session.execute(table_sql.SCHEMA_HAS, [aside]).fetchone():
            _run(session, "DROP SCHEMA {} RESTRICT", aside)


def _run(session: Session, statement: str, *names: str) -> None:
    from psycopg import sql

    session.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@contextmanager
def _session(connection: Connection, act: str, *, commits: bool = False) -> Iterator[Session]:
    """Open a session; with ``commits`` the block is one transaction, undone where it fails."""
    with (
        connect(connection, "decommission") as session,
        told_as(f"{act} {where(connection)}", "nothing was changed by this attempt"),
    ):
        if not commits:
            yield session
            return
        with session.transaction():
            session.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'".encode())
            yield session


def _gone(planned: PlannedDatabase, stand: Stand) -> ConflictError:
    names = [table.full_name for table in _those(planned, stand.gone)]
    return _conflict(
        f"deleting tables of database {planned.database!r}",
        f"tables that somebody else has dropped: {enumeration(names, 5)}",
        "9317",
        "find who did; then make a new plan for what is left",
    )


def _conflict(what: str, got: str, code: str, remedy: str) -> ConflictError:
    return ConflictError(
        what,
        got=got,
        expected="the tables as the plan lists them",
        state="no table was changed by this attempt",
        remedy=remedy,
        code=code,
    )
