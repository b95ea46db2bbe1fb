"""What PostgreSQL's fences are made of: a note for each side, a function that refuses, and triggers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from heavylift.fencing import Side, Writes
from heavylift.tables.fences.port import FenceNote
from heavylift.tables.model import TableName
from heavylift.tables.postgres.catalog import read_catalog
from heavylift.tables.postgres.state import read_tables
from heavylift.tables.postgres.state_lock import lock_state

if TYPE_CHECKING:
    from heavylift.tables.fences.port import Fenced
    from heavylift.tables.postgres.connect import Session

# Ordinary triggers do not fire for who writes as replication does: our own sessions where their role may
# (and a subscription's workers); else these say so by a setting.
_DDL = """
CREATE SCHEMA IF NOT EXISTS heavylift;
CREATE TABLE IF NOT EXISTS heavylift.fence (
    migration text NOT NULL,
    database text NOT NULL,
    side text NOT NULL,
    epoch bigint NOT NULL DEFAULT 0,
    writes text NOT NULL DEFAULT 'open',
    opened_epoch bigint,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (migration, database, side)
);
CREATE OR REPLACE FUNCTION heavylift.refuse_write() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog AS $refuse$
BEGIN
    IF current_setting('heavylift.applying', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'writes to %.% are frozen: Heavylift migration %, % of database %, epoch %',
            TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_ARGV[0], TG_ARGV[2], TG_ARGV[1], TG_ARGV[3]
        USING ERRCODE = '25006', HINT = 'The database is being switched to its other side: write there once'
            ' it is open. heavylift tables writes tells how both sides stand.';
END
$refuse$;
"""

_TREE = """
SELECT DISTINCT n.nspname, c.relname, c.oid
FROM unnest(%s::oid[]) r(oid)
CROSS JOIN LATERAL (SELECT r.oid AS relid UNION SELECT relid FROM pg_partition_tree(r.oid::regclass)) t
JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') ORDER BY 1, 2
"""

_TRIGGERS = """
SELECT n.nspname, c.relname, t.tgenabled IN ('O', 'A')
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE t.tgname = %s
"""

# Every mode that SHARE ROW EXCLUSIVE waits for. A prepared transaction has no session.
_HOLDERS = """
SELECT DISTINCT l.pid, a.application_name, a.usename, a.state,
    extract(epoch FROM clock_timestamp() - a.xact_start)::int
FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'relation' AND l.granted AND l.relation = ANY(%s::oid[])
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.pid IS DISTINCT FROM pg_backend_pid() AND l.mode = ANY(%s)
ORDER BY 5 DESC NULLS LAST, 1
"""
_WRITERS = [
    "RowExclusiveLock", "ShareUpdateExclusiveLock", "ShareLock", "ShareRowExclusiveLock", "ExclusiveLock",
    "AccessExclusiveLock",
]  # fmt: skip


@dataclass(frozen=True)
class Relations:
    """The relations of the moved tables, partitions and their parents among them, and their numbers."""

    oids: dict[TableName, int]

    @property
    def names(self) -> tuple[TableName, ...]:
        """Return them in order of name."""
        return tuple(self.oids)


def ensure_fences(session: Session) -> None:
    """Make the note's table and the function where they are missing; needs CREATE on the database."""
    # Another role may have made them.
    if has_fences(session):
        return
    with session.transaction():
        # Two that begin at once would both try to create.
        lock_state(session)
        session.execute(_DDL)


def has_fences(session: Session) -> bool:
    """Tell whether there may be a note."""
    row = session.execute(
        "SELECT to_regclass('heavylift.fence') IS NOT NULL"
        " AND to_regprocedure('heavylift.refuse_write()') IS NOT NULL"
    ).fetchone()
    return bool(row and row[0])


def read_note(session: Session, fenced: Fenced, *, hold: bool = False) -> FenceNote:
    """Return what is noted of a side.

    :param hold: within the caller's transaction, make the note where it is missing and keep others from it.
    """
    key = [fenced.migration, fenced.database, fenced.side.value]
    if hold:
        session.execute(
            "INSERT INTO heavylift.fence (migration, database, side) VALUES (%s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            key,
        )
        session.execute(
            "SELECT FROM heavylift.fence WHERE migration = %s AND database = %s AND side = %s FOR UPDATE", key
        )
    row = session.execute(
        "SELECT epoch, writes, opened_epoch FROM heavylift.fence"
        " WHERE migration = %s AND database = %s AND side = %s",
        key,
    ).fetchone()
    return FenceNote(row[0], Writes(row[1]), row[2]) if row else FenceNote(0, Writes.OPEN, None)


def write_note(session: Session, fenced: Fenced, epoch: int, writes: Writes) -> None:
    """Note how a side stands now, within the transaction that makes it so."""
    session.execute(
        "UPDATE heavylift.fence SET epoch = %s, writes = %s, changed_at = clock_timestamp(),"
        " opened_epoch = CASE WHEN %s THEN %s ELSE opened_epoch END"
        " WHERE migration = %s AND database = %s AND side = %s",
        [
            epoch, writes.value, writes is Writes.OPEN, epoch,
            fenced.migration, fenced.database, fenced.side.value,
        ],
    )  # fmt: skip


def erase_note(session: Session, fenced: Fenced) -> None:
    """Forget a side and its epochs."""
    session.execute(
        "DELETE FROM heavylift.fence WHERE migration = %s AND database = %s AND side = %s",
        [fenced.migration, fenced.database, fenced.side.value],
    )


def relations_of(session: Session, fenced: Fenced) -> Relations:
    """Return the relations to fence: what the patterns choose on the source, what was moved on the target."""
    if fenced.side is Side.SOURCE:
        tables = read_catalog(session, fenced.options.tables, fenced.options.exclude)
    else:
        known = moved(session, fenced)
        tables = tuple(table for table in read_catalog(session, ("*.*",)) if table.name in known)
    rows = session.execute(_TREE, [[table.oid for table in tables]]).fetchall()
    return Relations({TableName(row[0], row[1]): int(row[2]) for row in rows})


def moved(session: Session, fenced: Fenced) -> set[TableName]:
    """Return the tables that the forward stream has brought to this database, the target."""
    row = session.execute("SELECT to_regclass('heavylift.stream_table') IS NOT NULL").fetchone()
    return set(read_tables(session, fenced.stream)) if row and row[0] else set()


def triggers_on(session: Session, fenced: Fenced) -> dict[TableName, bool]:
    """Return the relations that have this fence's trigger, and whether it is on."""
    rows = session.execute(_TRIGGERS, [fenced.trigger]).fetchall()
    return {TableName(row[0], row[1]): bool(row[2]) for row in rows}


def holders(session: Session, relations: Relations) -> list[str]:
    """Return in words who holds the relations; never what they ask."""
    note = session.execute("SELECT to_regclass('heavylift.fence')::oid").fetchone()
    oids = [*relations.oids.values(), *([note[0]] if note and note[0] else [])]
    rows = session.execute(_HOLDERS, [oids, _WRITERS]).fetchall()
    return [_in_words(*row) for row in rows]


def _in_words(
    pid: int | None, application: str | None, user: str | None, state: str | None, seconds: int | None
) -> str:
    if pid is None:
        return "a prepared transaction (pg_prepared_xacts)"
    since = f", for {seconds} s" if seconds is not None else ""
    return f"pid {pid} (application {application or '-'!r}, user {user or '-'}, {state or 'no state'}{since})"


def lock(names: Iterable[TableName]) -> sql.Composed:
    """Return the statement that waits for every writer and lets no new one begin; readers go on."""
    listed = sql.SQL(", ").join([sql.SQL("ONLY {}").format(_name(name)) for name in names])
    return sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(listed)


def create(fenced: Fenced, names: Iterable[TableName], epoch: int) -> sql.Composed:
    """Return the statements that put the trigger on relations."""
    values = (fenced.migration, fenced.database, fenced.side.value, str(epoch))
    arguments = sql.SQL(", ").join([sql.Literal(value) for value in values])
    return sql.SQL("; ").join(
        [
            sql.SQL(
                "CREATE TRIGGER {} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {}"
                " FOR EACH STATEMENT EXECUTE FUNCTION heavylift.refuse_write({})"
            ).format(sql.Identifier(fenced.trigger), _name(name), arguments)
            for name in names
        ]
    )


def switch(fenced: Fenced, names: Iterable[TableName], *, on: bool) -> sql.Composed:
    """Return the statements that switch the trigger on or off where it is; readers go on."""
    word = sql.SQL("ENABLE" if on else "DISABLE")
    return sql.SQL("; ").join(
        [
            sql.SQL("ALTER TABLE ONLY {} {} TRIGGER {}").format(
                _name(name), word, sql.Identifier(fenced.trigger)
            )
            for name in names
        ]
    )


def remove(fenced: Fenced, names: Iterable[TableName]) -> sql.Composed:
    """Return the statements that take the trigger away; they wait for readers, too."""
    return sql.SQL("; ").join(
        [
            sql.SQL("DROP TRIGGER IF EXISTS {} ON {}").format(sql.Identifier(fenced.trigger), _name(name))
            for name in names
        ]
    )


def _name(name: TableName) -> sql.Identifier:
    return sql.Identifier(name.schema, name.name)
