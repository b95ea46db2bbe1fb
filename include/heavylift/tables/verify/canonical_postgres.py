"""A row's text and its digest, as PostgreSQL expressions. The contract is in :mod:`.side`."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from heavylift.tables.model import Column
from heavylift.tables.verify.pairing import SEPARATOR
from heavylift.tables.verify.plan import Digest, Field, Plan, Shape, SideName

_MOST_ARGUMENTS = 90
"""PostgreSQL's functions take 100."""
_KEY_SEED = 0x5DEECE66D
"""The digest of a key is no function of the row's: a table of nothing but a key has both."""

# How one built-in type is written for other engines; types that are not listed write themselves so.
_CANONICAL = {
    16: "({}::int)::text",
    17: "encode({}, 'hex')",
    700: "encode(float8send({}::float8), 'hex')",
    701: "encode(float8send({}), 'hex')",
    1042: "rtrim({}::text, ' ')",
    1082: "to_char({}, 'YYYY-MM-DD')",
    1083: "to_char({}, 'HH24:MI:SS.US')",
    1114: "to_char({}, 'YYYY-MM-DD HH24:MI:SS.US')",
    1184: "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
    1700: "trim_scale({})::text",
    114: "({}::jsonb)::text",
}


def value(column: Column, *, own_text: bool) -> sql.Composable:
    """Return the expression of a column's text, or of what ``concat`` turns into that text."""
    name = sql.Identifier(column.name)
    form = None if own_text else _CANONICAL.get(column.type_oid)
    return sql.SQL(form).format(name) if form else name


def row_text(plan: Plan, side: SideName) -> sql.Composable:
    """Return the expression of a row's text."""
    plain = [_value(each, side) for each in plan.fields if each.shape is Shape.PLAIN]
    raw = [each for each in plan.fields if each.shape is Shape.RAW]
    lengths = [_length(each, plan.digest, side) for each in raw[:-1]]
    texts = [_value(each, side) for each in raw]
    parts = [_null_map(plan, side), *plain, *lengths, *texts]
    if plan.digest is Digest.MD5:
        parts.insert(0, sql.Literal(str(plan.seed)))
    return joined(parts)


def row_digest(plan: Plan, side: SideName) -> sql.Composable:
    """Return the expression of a row's digest, a bigint."""
    text = row_text(plan, side)
    return _md5(text) if plan.digest is Digest.MD5 else _hash(text, plan.seed)


def place(plan: Plan, side: SideName) -> sql.Composable:
    """Return the expression of a row's place: a digest of its key, or of all of it without a key."""
    if not plan.key:
        return row_digest(plan, side)
    fields = [plan.field_of(name) for name in plan.key]
    text = joined([sql.Literal(str(plan.seed)), *(_value(each, side) for each in fields)])
    return _md5(text) if plan.digest is Digest.MD5 else _hash(text, plan.seed ^ _KEY_SEED)


def key_texts(plan: Plan, side: SideName) -> list[sql.Composable]:
    """Return the expressions of the key's columns as text; NULL stays NULL."""
    columns = [(plan.field_of(name).column(side), plan.field_of(name).own_text) for name in plan.key]
    form = sql.SQL("CASE WHEN {} IS NOT NULL THEN pg_catalog.concat({}) END")
    return [form.format(sql.Identifier(c.name), value(c, own_text=own)) for c, own in columns]


def joined(parts: Sequence[sql.Composable]) -> sql.Composable:
    """Join texts by the separator, as many as there are; NULLs are left out."""
    groups: list[sql.Composable] = list(parts)
    while len(groups) > _MOST_ARGUMENTS:
        groups = [_concat(groups[at : at + _MOST_ARGUMENTS]) for at in range(0, len(groups), _MOST_ARGUMENTS)]
    return _concat(groups)


def _concat(parts: Sequence[sql.Composable]) -> sql.Composable:
    return sql.SQL("concat_ws({}, {})").format(sql.Literal(SEPARATOR), sql.SQL(", ").join(parts))


def _value(field: Field, side: SideName) -> sql.Composable:
    return value(field.column(side), own_text=field.own_text)


def _null_map(plan: Plan, side: SideName) -> sql.Composable:
    """Rows without a NULL, which are most, pay for nothing but the question."""
    asked = [sql.SQL("{} IS NULL").format(sql.Identifier(each.column(side).name)) for each in plan.fields]
    if not asked:
        return sql.SQL("''")
    bits = [
        sql.SQL("concat({})").format(sql.SQL(", ").join(asked[at : at + _MOST_ARGUMENTS]))
        for at in range(0, len(asked), _MOST_ARGUMENTS)
    ]
    return sql.SQL("CASE WHEN {} THEN {} ELSE '' END").format(
        sql.SQL(" OR ").join(asked), sql.SQL(" || ").join(bits)
    )


_TEXTS = frozenset({25, 1042, 1043})


def _length(field: Field, digest: Digest, side: SideName) -> sql.Composable:
    """Return a text's length in bytes; that of a stored text is known without reading the text."""
    column, text = field.column(side), _value(field, side)
    if digest is Digest.MD5:
        own = sql.SQL("CASE WHEN {} IS NOT NULL THEN octet_length(convert_to(concat({}), 'UTF8')) END")
        return own.format(sql.Identifier(column.name), text)
    if column.type_oid in _TEXTS:
        return sql.SQL("octet_length({})").format(text)
    form = sql.SQL("CASE WHEN {} IS NOT NULL THEN octet_length(concat({})) END")
    return form.format(sql.Identifier(column.name), text)


def _hash(text: sql.Composable, seed: int) -> sql.Composable:
    # The collation decides what is equal to a hash function; C takes the bytes as they are.
    return sql.SQL('hashtextextended({} COLLATE "C", {})').format(text, sql.Literal(seed))


def _md5(text: sql.Composable) -> sql.Composable:
    form = sql.SQL("('x0' || substr(md5(convert_to({}, 'UTF8')), 1, 15))::bit(64)::bigint")
    return form.format(text)
