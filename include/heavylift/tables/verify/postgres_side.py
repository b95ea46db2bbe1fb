"""PostgreSQL as one side of a comparison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from psycopg import sql

from heavylift.tables.model import Table
from heavylift.tables.verify.canonical_postgres import key_texts, place, row_digest
from heavylift.tables.verify.plan import Key, Plan, SideName
from heavylift.tables.verify.sessions import Sessions
from heavylift.tables.verify.side import Bucket, Chosen, Row, States

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session

_ORDERED = {
    20: "bigint", 21: "smallint", 23: "integer", 26: "oid", 1082: "date", 1114: "timestamp",
    1184: "timestamptz", 1700: "numeric", 2950: "uuid",
}  # fmt: skip
"""Types whose order is the same everywhere. Texts are not: two servers may sort them by two versions of
one collation, and enums by the order in which their labels were added."""
_SAMPLED_EACH = 30
"""Rows that are drawn for each range: the ranges' sizes then differ by a fifth or so."""
_SAMPLED = 50_000
"""Rows that are drawn at least: they come by the block, and few blocks would tell little."""
_WALKED_BOUNDS = 255
"""Most bounds of a type of varying length: the server walks along them."""


_FETCHED_ROWS = 5_000


@dataclass(frozen=True)
class PostgresSide:
    """One PostgreSQL database. Each question is asked in a session of its own."""

    sessions: Sessions

    @property
    def name(self) -> SideName:
        """Which of the two it is."""
        return self.sessions.name

    def character(self) -> str:
        """Return the encoding in which texts are hashed, and what the hash function makes of one."""
        with self.sessions.lend() as session:
            row = session.execute(
                "SELECT current_setting('server_encoding'), hashtextextended('heavylift' COLLATE \"C\", 7)"
            ).fetchone()
        return f"postgresql {row}"

    def stop(self) -> None:
        """Cancel what runs."""
        self.sessions.stop()

    def close(self) -> None:
        """Close the sessions."""
        self.sessions.close()

    def count(self, table: Table) -> int:
        """Return the number of rows."""
        with self.sessions.lend() as session:
            return _number(session, sql.SQL("SELECT count(*) FROM {}").format(_relation(table)))

    def bounds(self, plan: Plan, ranges: int) -> tuple[str, ...]:
        """Return the percentiles of a sample of blocks, as text, ascending, each once."""
        column = plan.field_of(plan.key[0])
        type_name = _order(plan)
        table = plan.table(self.name)
        if type_name is None or table.row_estimate < 1 or ranges < 2:
            return ()
        if type_name == "numeric":
            ranges = min(ranges, _WALKED_BOUNDS + 1)
        share = min(100.0, 100.0 * max(ranges * _SAMPLED_EACH, _SAMPLED) / table.row_estimate)
        statement = sql.SQL(
            "SELECT unnest(percentile_disc({at}) WITHIN GROUP (ORDER BY {key}))::text"
            " FROM {table} TABLESAMPLE SYSTEM ({share}) REPEATABLE (0)"
        ).format(
            at=sql.Literal([number / ranges for number in range(1, ranges)]),
            key=sql.Identifier(column.column(self.name).name),
            table=_relation(table),
            share=sql.Literal(share),
        )
        with self.sessions.lend() as session:
            found = [text for (text,) in session.execute(statement) if text is not None]
        return tuple(text for text, _ in groupby(found))

    def buckets(self, plan: Plan, among: Chosen | None = None) -> dict[int, Bucket]:
        """Return the buckets that have rows; one pass over the table, or over the ranges of ``among``."""
        # OFFSET 0 keeps the planner from looking into the expression: it would count on as many groups
        # as there are keys, and sort the whole table.
        statement = (_SUMS if plan.key else _KEYLESS_SUMS).format(
            bucket=_bucket(plan, self.name) if plan.key else sql.Literal(plan.slots - 1),
            digest=row_digest(plan, self.name),
            table=_relation(plan.table(self.name)),
            where=_within(self.name, among),
        )
        with self.sessions.lend() as session:
            found = session.execute(statement).fetchall()
        return {int(bucket): Bucket(int(rows), int(digest)) for bucket, rows, digest in found}

    def rows(self, plan: Plan, among: Chosen) -> Iterator[Row]:
        """Yield the rows of some buckets, ordered by the digest of their key, as the server sorts them."""
        form = _KEYED if plan.key else _KEYLESS
        statement = form.format(
            place=place(plan, self.name),
            digest=row_digest(plan, self.name),
            key=sql.SQL(", ").join(key_texts(plan, self.name)),
            table=_relation(plan.table(self.name)),
            where=_within(self.name, among),
        )
        # Far cheaper than COPY here, whose rows a client takes one by one.
        with self.sessions.lend() as session, session.cursor("heavylift_rows") as cursor:
            cursor.itersize = _FETCHED_ROWS
            cursor.execute(statement)
            if plan.key:
                for number, digest, *key in cursor:
                    yield Row(number, tuple(key), digest)
            else:
                for digest, copies in cursor:
                    yield Row(digest, (str(digest),), digest, copies)

    def states(self, plan: Plan, keys: Sequence[Key]) -> States:
        """Look rows up by key; those of a table without a key by reading all of it."""
        found: States = {}
        with self.sessions.lend() as session:
            for digest, count, *key in session.execute(self._lookup(plan, keys)):
                named = tuple(key) if plan.key else (str(digest),)
                found.setdefault(named, Counter())[int(digest)] += int(count)
        return found

    def _lookup(self, plan: Plan, keys: Sequence[Key]) -> sql.Composed:
        table, digest = _relation(plan.table(self.name)), row_digest(plan, self.name)
        if not plan.key:
            wanted = sql.Literal([int(key[0] or 0) for key in keys])
            return sql.SQL(
                "SELECT digest, count(*) FROM (SELECT {digest} AS digest FROM {table} OFFSET 0) AS each"
                " WHERE digest = ANY({wanted}) GROUP BY digest"
            ).format(digest=digest, table=table, wanted=wanted)
        columns = [plan.field_of(name).column(self.name) for name in plan.key]
        names = [sql.Identifier("wanted", f"k{number}") for number in range(len(columns))]
        matches = [
            # The type's name comes from the server, quoted as it must be.
            sql.SQL("{} = {}::{}").format(sql.Identifier(column.name), name, sql.SQL(column.type_name))
            for column, name in zip(columns, names, strict=True)
        ]
        return _BY_KEY.format(
            digest=digest,
            names=sql.SQL(", ").join(names),
            given=sql.SQL(", ").join(sql.Identifier(f"k{number}") for number in range(len(columns))),
            values=sql.SQL(", ").join(
                sql.SQL("{}::text[]").format(sql.Literal(list(each))) for each in zip(*keys, strict=True)
            ),
            table=table,
            matches=sql.SQL(" AND ").join(matches),
        )


_BY_KEY = sql.SQL(
    "SELECT found.digest, 1, {names} FROM unnest({values}) AS wanted({given})"
    ' CROSS JOIN LATERAL (SELECT {digest} AS digest FROM {table} AS "row" WHERE {matches}) AS found'
)
"""The row's columns are looked for in the inner query first, so that none of them is mistaken."""
_SUMS = sql.SQL(
    "SELECT bucket, count(*), sum(digest) FROM"
    " (SELECT {bucket} AS bucket, {digest} AS digest FROM {table}{where} OFFSET 0) AS each GROUP BY bucket"
)
_KEYLESS_SUMS = sql.SQL(
    "SELECT digest & {bucket}, count(*), sum(digest) FROM"
    " (SELECT {digest} AS digest FROM {table}{where} OFFSET 0) AS each GROUP BY 1"
)
_KEYED = sql.SQL("SELECT {place} AS place, {digest} AS digest, {key} FROM {table}{where} ORDER BY place")
_KEYLESS = sql.SQL(
    "SELECT digest, count(*) FROM (SELECT {digest} AS digest{key} FROM {table}{where}) AS each"
    " GROUP BY digest ORDER BY digest"
)


def _relation(table: Table) -> sql.Composable:
    """A table that was inherited from (which partitions are not) is compared without its heirs' rows."""
    name = sql.Identifier(table.name.schema, table.name.name)
    return name if table.partitioned else sql.SQL("ONLY {}").format(name)


def _order(plan: Plan) -> str | None:
    """Return the type of the key's first column where both sides order it alike and NULL is not in it."""
    if not plan.key:
        return None
    field = plan.field_of(plan.key[0])
    source, target = field.source, field.target
    if source.type_oid != target.type_oid or source.nullable or target.nullable:
        return None
    return _ORDERED.get(source.type_oid)


def _bucket(plan: Plan, side: SideName) -> sql.Composable:
    """Return the expression of a row's bucket; see :class:`Plan`."""
    slot = sql.SQL("({} & {})").format(place(plan, side), sql.Literal(plan.slots - 1))
    if not plan.bounds:
        return slot if plan.slots > 1 else sql.SQL("0")
    column = sql.Identifier(plan.field_of(plan.key[0]).column(side).name)
    inside = sql.SQL("width_bucket({}, {}::{}[])").format(
        column, sql.Literal(list(plan.bounds)), sql.SQL(_order(plan) or "text")
    )
    if plan.slots == 1:
        return inside
    return sql.SQL("{} * {} + {}").format(inside, sql.Literal(plan.slots), slot)


def _within(side: SideName, among: Chosen | None) -> sql.Composable:
    """Return the condition for some buckets: ranges, for which there is an index, and the slots in them."""
    if among is None:
        return sql.SQL("")
    plan = among.plan
    conditions: list[sql.Composable] = []
    if plan.bounds:
        ranges = runs({each // plan.slots for each in among.buckets})
        spans = [_span(plan, side, low, high) for low, high in ranges]
        conditions.append(sql.SQL("({})").format(sql.SQL(" OR ").join(spans)))
    if plan.slots > 1:
        wanted = sql.Literal(sorted(among.buckets))
        conditions.append(sql.SQL("{} = ANY({}::bigint[])").format(_bucket(plan, side), wanted))
    if not conditions:
        return sql.SQL("")
    return sql.SQL(" WHERE {}").format(sql.SQL(" AND ").join(conditions))


def _span(plan: Plan, side: SideName, low: int, high: int) -> sql.Composable:
    column = sql.Identifier(plan.field_of(plan.key[0]).column(side).name)
    type_name = sql.SQL(_order(plan) or "text")
    parts = []
    if low > 0:
        parts.append(sql.SQL("{} >= {}::{}").format(column, sql.Literal(plan.bounds[low - 1]), type_name))
    if high < len(plan.bounds):
        parts.append(sql.SQL("{} < {}::{}").format(column, sql.Literal(plan.bounds[high]), type_name))
    return sql.SQL("({})").format(sql.SQL(" AND ").join(parts)) if parts else sql.SQL("true")


def runs(numbers: set[int]) -> list[tuple[int, int]]:
    """Return the runs of adjacent numbers, each as its first and last."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def _number(session: Session, statement: sql.Composed) -> int:
    row = session.execute(statement).fetchone()
    return int(row[0]) if row else 0
