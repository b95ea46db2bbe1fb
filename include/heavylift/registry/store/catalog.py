"""What a tracking store consists of: its tables, keys and references, read from the server's catalog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.errors import NotFoundError
from heavylift.platforms.postgresql.connect import where
from heavylift.registry.uris import URI_COLUMNS, UriMap

if TYPE_CHECKING:
    from psycopg import sql

    from heavylift.connections import Connection
    from heavylift.platforms.postgresql.connect import Session

LEFT_OUT = frozenset({"alembic_version", "alembic_version_auth", "job_locks", "scheduler_leases"})
"""Tables that belong to a server and its schema, not to its history."""

STAGED, STAGED_FROM, STAGED_AT = "heavylift_staged", "heavylift_staged_from", "heavylift_staged_at"
"""Fields of a connection's extra: the schema in which a staged store lies, of what it is, and of when."""

HASHES_RECORDS = 140000
"""From this version on a server can hash records."""

_TEXT = frozenset({"text", "character varying", "character", "json", "jsonb"})

_COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), format_type(a.atttypid, NULL),
    CASE WHEN a.atttypid = 'varchar'::regtype AND a.atttypmod > 0 THEN a.atttypmod - 4 END,
    a.attgenerated <> '', coalesce(array_position(k.conkey, a.attnum), 0), c.reltuples::bigint,
    pg_table_size(c.oid)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
WHERE c.relnamespace = %s::oid AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum
"""
_REFERENCES = """
SELECT DISTINCT c.relname, p.relname FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid
WHERE k.contype = 'f' AND c.relnamespace = %s::oid AND c.oid <> p.oid
"""
_UNIQUE = """
SELECT DISTINCT c.relname, a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
WHERE i.indisunique AND NOT i.indisprimary AND c.relnamespace = %s::oid
    AND a.atttypid IN ('varchar'::regtype, 'text'::regtype)
"""
_SEQUENCES = """
SELECT s.relname, c.relname, a.attname FROM pg_depend d
JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_class c ON c.oid = d.refobjid JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
    AND c.relnamespace = %s::oid
ORDER BY 1
"""


@dataclass(frozen=True)
class StoreColumn:
    """One column.

    :param limit: the longest text that it takes; None where it is no ``varchar(n)``.
    :param generated: computed by the server, so not written.
    """

    name: str
    type_name: str
    is_text: bool
    limit: int | None
    generated: bool


@dataclass(frozen=True)
class StoreTable:
    """One table.

    :param key: the columns of its primary key, in the key's order.
    :param parents: tables that it refers to.
    :param referenced: others refer to it.
    :param unique_texts: text columns whose values must be unique beside the key.
    """

    name: str
    columns: tuple[StoreColumn, ...]
    key: tuple[str, ...]
    row_estimate: int
    size_bytes: int
    parents: frozenset[str] = frozenset()
    referenced: bool = False
    unique_texts: tuple[str, ...] = ()

    @property
    def written(self) -> tuple[StoreColumn, ...]:
        """Return the columns that are written: all but the computed ones."""
        return tuple(column for column in self.columns if not column.generated)

    @property
    def signature(self) -> tuple[object, ...]:
        """Return what must be equal for two sides to hold the same rows."""
        columns = sorted((each.name, each.type_name, each.generated) for each in self.columns)
        return (tuple(columns), self.key)

    def column(self, name: str) -> StoreColumn:
        """Return the column called ``name``; KeyError where there is none."""
        return next((each for each in self.columns if each.name == name), None) or _missing(name)


def _missing(name: str) -> StoreColumn:
    raise KeyError(name)


@dataclass(frozen=True)
class StoreCatalog:
    """A tracking store as its server describes it now.

    :param schema: in which MLflow's tables lie.
    :param version: of MLflow's schema (alembic's revision).
    :param tables: by name, without those of :data:`LEFT_OUT`.
    :param sequences: name, table and column of each sequence that makes ids.
    :param hashes_texts: rows are digested as texts, because this server, or the other side's, cannot hash
        records.
    """

    schema: str
    version: str
    server_version: int
    tables: Mapping[str, StoreTable]
    sequences: tuple[tuple[str, str, str], ...]
    hashes_texts: bool = False

    def relation(self, name: str) -> sql.Identifier:
        """Return a table's or sequence's full name, quoted."""
        from psycopg import sql

        return sql.Identifier(self.schema, name)

    @property
    def size_bytes(self) -> int:
        """What the tables take on disk, without their indexes."""
        return sum(table.size_bytes for table in self.tables.values())


def read_catalog(session: Session, place: str, schema: str | None = None) -> StoreCatalog:
    """Return the store that a database holds.

    :param schema: in which it is looked for; by default in any but that of staged ones.
    :raises NotFoundError: there is none in it.
    """
    found = session.execute(
        "SELECT n.oid, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relname = 'alembic_version' AND c.relkind = 'r' AND EXISTS (SELECT FROM pg_class e"
        " WHERE e.relnamespace = n.oid AND e.relname = 'experiments')"
        " AND CASE WHEN %(schema)s::text IS NULL THEN n.nspname <> 'heavylift_staging'"
        " ELSE n.nspname = %(schema)s END ORDER BY n.nspname <> 'public', n.nspname",
        {"schema": schema},
    ).fetchone()
    if found is None:
        raise NotFoundError(
            f"reading the tracking store in {place}",
            got="a database without MLflow's tables",
            expected="the tables alembic_version and experiments in one schema",
            state="nothing was touched",
            remedy="let a copy make them (--make-tables, or make_tables in the spec) where the database is"
            " empty; or make them with MLflow of the source's version: mlflow db upgrade <database URL>; or"
            " name the right database",
            code="7110",
        )
    oid, name = found
    version = _version(session, str(name))
    return StoreCatalog(
        schema=str(name),
        version=version,
        server_version=session.info.server_version,
        hashes_texts=session.info.server_version < HASHES_RECORDS,
        tables=_tables(session, oid),
        sequences=tuple(
            (str(a), str(b), str(c)) for a, b, c in session.execute(_SEQUENCES, [oid]).fetchall()
        ),
    )


def _version(session: Session, schema: str) -> str:
    from psycopg import sql

    rows = session.execute(
        sql.SQL("SELECT version_num FROM {} ORDER BY 1").format(sql.Identifier(schema, "alembic_version"))
    ).fetchall()
    return ",".join(str(row[0]) for row in rows)


def _tables(session: Session, oid: int) -> dict[str, StoreTable]:
    parents: dict[str, set[str]] = {}
    referenced: set[str] = set()
    for child, parent in session.execute(_REFERENCES, [oid]).fetchall():
        parents.setdefault(child, set()).add(parent)
        referenced.add(parent)
    uniques: dict[str, list[str]] = {}
    for table, column in session.execute(_UNIQUE, [oid]).fetchall():
        uniques.setdefault(table, []).append(column)
    columns: dict[str, list[StoreColumn]] = {}
    keys: dict[str, dict[int, str]] = {}
    sizes: dict[str, tuple[int, int]] = {}
    for table, name, full, plain, limit, generated, place, estimate, size in session.execute(_COLUMNS, [oid]):
        columns.setdefault(table, []).append(StoreColumn(name, full, plain in _TEXT, limit, generated))
        sizes[table] = (estimate, size)
        if place:
            keys.setdefault(table, {})[place] = name
    return {
        name: StoreTable(
            name=name,
            columns=tuple(found),
            key=tuple(column for _place, column in sorted(keys.get(name, {}).items())),
            row_estimate=sizes[name][0],
            size_bytes=sizes[name][1],
            parents=frozenset(parents.get(name, ())),
            referenced=name in referenced,
            unique_texts=tuple(uniques.get(name, ())),
        )
        for name, found in columns.items()
        if name not in LEFT_OUT
    }


def shown(store: Connection) -> str:
    """Return which store a connection means, for messages and records: of a staged one where it came from."""
    place = store.text(STAGED_FROM)
    return f"{store.conn_id} ({place})" if place else where(store)


def in_order(tables: Mapping[str, StoreTable]) -> list[StoreTable]:
    """Return the tables so that each comes after those that it refers to."""
    done: list[StoreTable] = []
    names: set[str] = set()
    left = dict(sorted(tables.items()))
    while left:
        ready = [table for table in left.values() if not (table.parents & set(left)) - {table.name}]
        # References in a circle, which MLflow has none of: their tables come last, as they are.
        for table in ready or list(left.values()):
            done.append(table)
            names.add(table.name)
            del left[table.name]
    return done


def selected(table: StoreTable, uris: UriMap | None) -> list[sql.Composable]:
    """Return the expressions that read a table's written columns, with URIs rewritten.

    :param uris: None reads them as they are.
    """
    from psycopg import sql

    found: list[sql.Composable] = []
    for column in table.written:
        name = sql.Identifier("t", column.name)
        form = URI_COLUMNS.get((table.name, column.name))
        found.append(name if uris is None or form is None else uris.expression(name, form))
    return found
