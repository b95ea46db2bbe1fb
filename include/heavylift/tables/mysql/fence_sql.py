"""What the fences of MySQL and MariaDB are made of: a note for a side, and three triggers for a table."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from heavylift.fencing import Side, Writes
from heavylift.tables.fences.port import FenceNote
from heavylift.tables.model import TableName
from heavylift.tables.mysql.catalog import read_names
from heavylift.tables.mysql.connect import ask, execute, one, quoted, text_literal
from heavylift.tables.mysql.faults import number_of

if TYPE_CHECKING:
    from heavylift.tables.fences.port import Fenced
    from heavylift.tables.mysql.connect import Session

ACTS = {"i": "INSERT", "u": "UPDATE", "d": "DELETE"}
"""What a table's three triggers refuse, by the last letter of their names."""
_MESSAGE = 128
"""Characters that MESSAGE_TEXT holds."""
_DENIED = (1227, 1142, 1044)
_DDL = (
    "CREATE DATABASE IF NOT EXISTS heavylift CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    """CREATE TABLE IF NOT EXISTS heavylift.fence (
    fence varchar(64) NOT NULL PRIMARY KEY,
    migration varchar(255) NOT NULL,
    database_name varchar(255) NOT NULL,
    side varchar(16) NOT NULL,
    epoch bigint NOT NULL DEFAULT 0,
    writes varchar(16) NOT NULL DEFAULT 'open',
    opened_epoch bigint,
    said varchar(128),
    changed_at datetime(6) NOT NULL) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin""",
)


def ensure_fences(session: Session) -> None:
    """Make the note's table where it is missing; needs CREATE on the database ``heavylift``."""
    if not has_fences(session):
        for statement in _DDL:
            execute(session, statement)


def has_fences(session: Session) -> bool:
    """Tell whether there may be a note."""
    query = (
        "SELECT COUNT(*) FROM information_schema.tables"
        " WHERE table_schema = 'heavylift' AND table_name = 'fence'"
    )
    return bool(one(session, query))


def read_note(session: Session, fenced: Fenced) -> FenceNote:
    """Return what is noted of a side."""
    query = "SELECT epoch, writes, opened_epoch FROM heavylift.fence WHERE fence = %s"
    for epoch, writes, opened in ask(session, query, [fenced.trigger]):
        return FenceNote(int(epoch), Writes(writes), opened)
    return FenceNote(0, Writes.OPEN, None)


def raise_epoch(session: Session, fenced: Fenced, epoch: int) -> FenceNote:
    """Return what was noted of a side, and note the epoch where it is the highest."""
    before = read_note(session, fenced)
    if before.epoch < epoch:
        execute(
            session,
            "INSERT INTO heavylift.fence (fence, migration, database_name, side, epoch, changed_at)"
            " VALUES (%s, %s, %s, %s, %s, UTC_TIMESTAMP(6)) ON DUPLICATE KEY UPDATE epoch = VALUES(epoch)",
            [fenced.trigger, fenced.migration, fenced.database, fenced.side.value, epoch],
        )
    return before


def write_note(session: Session, fenced: Fenced, epoch: int, writes: Writes) -> None:
    """Note how a side stands: what makes it so, for the triggers look at it.

    It waits for every transaction that they have looked for, up to the session's own limit.
    """
    said = (
        f"frozen by Heavylift: epoch {epoch}, {fenced.side.value} of database {fenced.database},"
        f" migration {fenced.migration}"
    )
    frozen = writes is Writes.FROZEN
    execute(
        session,
        "UPDATE heavylift.fence SET writes = %s, opened_epoch = COALESCE(%s, opened_epoch), said = %s,"
        " changed_at = UTC_TIMESTAMP(6) WHERE fence = %s",
        [writes.value, None if frozen else epoch, said[:_MESSAGE] if frozen else None, fenced.trigger],
    )


def erase_note(session: Session, fenced: Fenced) -> None:
    """Forget a side and its epochs."""
    execute(session, "DELETE FROM heavylift.fence WHERE fence = %s", [fenced.trigger])


def names_of(session: Session, fenced: Fenced) -> tuple[TableName, ...]:
    """Return the tables to fence: what the patterns choose on the source, what was moved on the target."""
    if fenced.side is Side.SOURCE:
        options = fenced.options
        return read_names(session, options.tables, options.exclude, database=fenced.connection.schema)
    query = (
        "SELECT COUNT(*) FROM information_schema.tables"
        " WHERE table_schema = 'heavylift' AND table_name = 'stream_table'"
    )
    if not one(session, query):
        return ()
    rows = ask(
        session,
        "SELECT s.schema_name, s.table_name FROM heavylift.stream_table s WHERE s.stream = %s",
        [fenced.stream],
    )
    there = set(read_names(session, ("*.*",)))
    return tuple(sorted(name for name in (TableName(*row) for row in rows) if name in there))


def triggers_on(session: Session, fenced: Fenced) -> dict[TableName, set[str]]:
    """Return the tables that have triggers of this fence, and which."""
    rows = ask(
        session,
        "SELECT event_object_schema, event_object_table, trigger_name FROM information_schema.triggers"
        " WHERE LEFT(trigger_name, %s) = %s",
        [len(fenced.trigger), fenced.trigger],
    )
    found: dict[TableName, set[str]] = {}
    for schema, table, trigger in rows:
        found.setdefault(TableName(schema, table), set()).add(str(trigger)[-1])
    return found


def trigger_name(fenced: Fenced, table: TableName, act: str) -> str:
    """Return the name of one trigger: they are unique within a database, not within a table."""
    return f"{fenced.trigger}_{hashlib.sha256(str(table).encode()).hexdigest()[:8]}_{act}"


def create(fenced: Fenced, table: TableName, act: str) -> str:
    """Return the statement that makes a trigger.

    It reads the note as it is now, whatever the transaction's snapshot shows, and keeps it so to the
    transaction's end.
    """
    return (
        f"CREATE TRIGGER {quoted(table.schema, trigger_name(fenced, table, act))} BEFORE {ACTS[act]}"
        f" ON {quoted(table.schema, table.name)} FOR EACH ROW BEGIN"
        " DECLARE heavylift_said varchar(128);"
        " IF @heavylift_applying IS NULL THEN"
        " SELECT MAX(said) INTO heavylift_said FROM heavylift.fence"
        f" WHERE fence = {text_literal(fenced.trigger)} LOCK IN SHARE MODE;"
        " IF heavylift_said IS NOT NULL THEN"
        " SIGNAL SQLSTATE '25006' SET MYSQL_ERRNO = 1792, MESSAGE_TEXT = heavylift_said;"
        " END IF; END IF; END"
    )


def drop(fenced: Fenced, table: TableName, act: str) -> str:
    """Return the statement that takes a trigger away."""
    return f"DROP TRIGGER IF EXISTS {quoted(table.schema, trigger_name(fenced, table, act))}"


def lock(names: Iterable[TableName]) -> str:
    """Return the statement that waits for every transaction at the tables, and lets no new one begin.

    The notes are among them: under the lock nothing else can be written.
    """
    tables = [TableName("heavylift", "fence"), *names]
    return "LOCK TABLES " + ", ".join(f"{quoted(name.schema, name.name)} WRITE" for name in tables)


def holders(session: Session) -> list[str]:
    """Return in words who has a transaction open; never what it asks."""
    import pymysql

    try:
        rows = ask(
            session,
            "SELECT p.id, p.user, p.command, p.time FROM information_schema.innodb_trx t"
            " JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id"
            " WHERE p.id <> CONNECTION_ID() ORDER BY t.trx_started",
        )
    except pymysql.MySQLError as error:
        if number_of(error) not in _DENIED:
            raise
        return ["open transactions (which ones, this account may not see: it lacks PROCESS)"]
    return [f"connection {row[0]} (user {row[1]}, {row[2]} for {row[3]} s)" for row in rows]
