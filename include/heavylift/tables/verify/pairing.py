"""Which columns of two tables are compared, and how their lists differ."""

from __future__ import annotations

from heavylift.tables.model import Column, Table
from heavylift.tables.verify.plan import Digest, Field, Plan, Shape

SEPARATOR = "\x1f"
"""Stands between the values in a row's text. No plain value holds it."""

FIRST_OWN_OID = 10_000
"""Types below have the same number on every PostgreSQL server; others are numbered by the server."""

_PLAIN = frozenset(
    {
        16, 17, 20, 21, 23, 26, 27, 28, 114, 142, 600, 601, 602, 603, 604, 628, 650, 700, 701, 718, 774, 790,
        829, 869, 1082, 1083, 1114, 1184, 1186, 1266, 1560, 1562, 1700, 2950, 3220, 3802, 3904, 3906, 3908,
        3910, 3912, 3926, 5069,
    }
)  # fmt: skip
"""Built-in types of numbers, times, addresses, shapes, bits, bytes, JSON (which writes control characters
as escapes), XML (which has none) and ranges of them: see ``pg_type.dat``."""


_JSON = 114


def is_plain(column: Column) -> bool:
    """Tell whether the end of a column's values is seen in a row's text.

    An array is: it is bracketed, with what could be mistaken for a bracket in quotes.
    """
    return column.type_oid in _PLAIN or column.type_name.endswith("[]")


def pair_up(source: Table, target: Table, digest: Digest, seed: int, *, own_text: bool = True) -> Plan:
    """Return the plan that compares all columns that both tables have, in the source's order.

    Columns of different types are compared by their text: the note says that they differ.

    :param own_text: both sides write values alike; else each writes the canonical form.
    """
    theirs = {column.name: column for column in target.columns}
    fields = tuple(
        _field(ours, theirs[ours.name], own_text) for ours in source.columns if ours.name in theirs
    )
    shared = {each.name for each in fields}
    has_key = bool(source.key) and set(source.key) <= shared
    notes = _differences(source, target)
    if source.key and not has_key:
        notes = (*notes, "compared without the key: the target lacks a column of it")
    return Plan(
        source=source,
        target=target,
        fields=fields,
        key=source.key if has_key else (),
        digest=digest,
        seed=seed,
        notes=notes,
    )


def _field(source: Column, target: Column, own_text: bool) -> Field:
    alike = source.type_name == target.type_name
    plain = alike and is_plain(source) and is_plain(target)
    shape = Shape.PLAIN if plain else Shape.RAW
    # What MariaDB calls JSON is a text, and is moved as one.
    return Field(source, target, shape, own_text=own_text or source.type_oid == _JSON)


def _differences(source: Table, target: Table) -> tuple[str, ...]:
    ours = {column.name: column for column in source.columns}
    theirs = {column.name: column for column in target.columns}
    only_ours = [f"column {name} is not on the target" for name in ours if name not in theirs]
    only_theirs = [f"column {name} is only on the target" for name in theirs if name not in ours]
    return (*only_ours, *only_theirs, *_changed(ours, theirs))


def _changed(ours: dict[str, Column], theirs: dict[str, Column]) -> list[str]:
    notes = []
    for name in ours.keys() & theirs.keys():
        mine, other = ours[name], theirs[name]
        if mine.type_name != other.type_name:
            notes.append(f"column {name} is {mine.type_name} on the source, {other.type_name} on the target")
        if mine.generated != other.generated:
            side = "source" if mine.generated else "target"
            notes.append(f"column {name} is generated on the {side} only")
    return sorted(notes)
