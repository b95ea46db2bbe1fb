"""The columns of a table whose files need not agree: one list by name, with one type each.

Column names are data and never reach SQL: inside the engine a column is ``c<index>``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

WIDEST_DECIMAL = 38
"""Digits of the engine's decimals; wider ones are compared as text, never as floats."""


class Kind(StrEnum):
    """What can be computed of a column."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    BOOLEAN = "boolean"
    TEXT = "text"
    CSV = "csv"
    BINARY = "binary"
    TEMPORAL = "temporal"
    NESTED = "nested"
    NOTHING = "nothing"


@dataclass(frozen=True)
class FileColumn:
    """One column of one file. ``name`` is unique in the file: a second ``a`` is ``a (2)``."""

    name: str
    type: pa.DataType


@dataclass(frozen=True)
class FileSchema:
    """What one file's head tells.

    :param rows: None where only reading the file tells.
    """

    key: str
    columns: tuple[FileColumn, ...]
    rows: int | None = None


@dataclass(frozen=True)
class Column:
    """One column of the table.

    :param type: Arrow's name; several joined by ``|`` where files disagree.
    :param cast: the engine's type that all files' values are brought to, None where they agree.
    :param scale: digits after the point of a decimal.
    """

    index: int
    name: str
    type: str
    kind: Kind
    cast: str | None = None
    scale: int = 0

    @property
    def sql(self) -> str:
        """The column's name inside the engine."""
        return f"c{self.index}"


def unique_names(names: Iterable[str]) -> list[str]:
    """Return the names with repeated ones numbered: ``a, a`` becomes ``a, a (2)``."""
    seen: Counter[str] = Counter()
    result: list[str] = []
    taken: set[str] = set()
    for name in names:
        seen[name] += 1
        label = name if seen[name] == 1 else f"{name} ({seen[name]})"
        while label in taken:
            seen[name] += 1
            label = f"{name} ({seen[name]})"
        taken.add(label)
        result.append(label)
    return result


def unify(schemas: Iterable[FileSchema], *, csv: bool = False) -> tuple[Column, ...]:
    """Return the table's columns: the union by name, in order of first appearance."""
    types: dict[str, list[pa.DataType]] = {}
    for schema in schemas:
        for column in schema.columns:
            known = types.setdefault(column.name, [])
            if column.type not in known:
                known.append(column.type)
    return tuple(
        Column(index, name, "text", Kind.CSV) if csv else _column(index, name, found)
        for index, (name, found) in enumerate(types.items())
    )


def _column(index: int, name: str, types: list[pa.DataType]) -> Column:
    label = " | ".join(str(found) for found in types)
    kinds = {kind_of(found) for found in types}
    if len(types) == 1:
        return Column(index, name, label, kinds.pop(), None, _scale(types))
    if kinds == {Kind.INTEGER}:
        return Column(index, name, label, Kind.INTEGER, "HUGEINT")
    if kinds == {Kind.FLOAT}:
        return Column(index, name, label, Kind.FLOAT)
    if kinds <= {Kind.DECIMAL, Kind.INTEGER} and Kind.DECIMAL in kinds:
        return _mixed_decimal(index, name, label, types)
    # Anything else is compared as text: a common supertype might lose digits.
    return Column(index, name, label, Kind.TEXT)


def _mixed_decimal(index: int, name: str, label: str, types: list[pa.DataType]) -> Column:
    scale = _scale(types)
    whole = max(_whole_digits(found) for found in types)
    if whole + scale > WIDEST_DECIMAL:
        return Column(index, name, label, Kind.TEXT)
    return Column(index, name, label, Kind.DECIMAL, f"DECIMAL({WIDEST_DECIMAL}, {scale})", scale)


def _whole_digits(found: pa.DataType) -> int:
    return found.precision - found.scale if hasattr(found, "precision") else 20


def _scale(types: Sequence[pa.DataType]) -> int:
    return max((found.scale for found in types if hasattr(found, "scale")), default=0)


def kind_of(found: pa.DataType) -> Kind:
    """Return what can be computed of values of an Arrow type."""
    import pyarrow as pa
    from pyarrow import types

    if isinstance(found, pa.BaseExtensionType):
        return Kind.TEXT if found.extension_name == "arrow.uuid" else kind_of(found.storage_type)
    if types.is_dictionary(found):
        return kind_of(found.value_type)
    if types.is_decimal(found):
        # A negative scale has no form in the engine's SQL.
        fits = found.precision <= WIDEST_DECIMAL and 0 <= found.scale <= found.precision
        return Kind.DECIMAL if fits else Kind.TEXT
    tests = {
        Kind.BOOLEAN: types.is_boolean,
        Kind.INTEGER: lambda t: types.is_integer(t) or types.is_duration(t),
        Kind.FLOAT: types.is_floating,
        Kind.TEMPORAL: types.is_temporal,
        Kind.TEXT: lambda t: types.is_string(t) or types.is_large_string(t) or types.is_string_view(t),
        Kind.BINARY: _is_binary,
        Kind.NOTHING: types.is_null,
    }
    return next((kind for kind, test in tests.items() if test(found)), Kind.NESTED)


def _is_binary(found: pa.DataType) -> bool:
    from pyarrow import types

    tests = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary, types.is_binary_view)
    return any(test(found) for test in tests)


def holds_wide_decimal(found: pa.DataType) -> bool:
    """Tell whether the engine would turn values of this type, or within it, into floats."""
    from pyarrow import types

    if types.is_decimal(found):
        return bool(found.precision > WIDEST_DECIMAL)
    return any(holds_wide_decimal(found.field(i).type) for i in range(found.num_fields))


def disagreements(schemas: Sequence[FileSchema], columns: Iterable[Column]) -> list[str]:
    """Return, in words, the columns that not all files have, or not with one type."""
    return [text for column in columns if (text := _disagreement(schemas, column))]


def _disagreement(schemas: Sequence[FileSchema], column: Column) -> str:
    counts = Counter(
        str(found.type) for schema in schemas for found in schema.columns if found.name == column.name
    )
    if len(counts) == 1 and counts.total() == len(schemas):
        return ""
    kinds = ", ".join(f"{kind} in {count}" for kind, count in sorted(counts.items()))
    return f"{column.name}: {kinds} of {len(schemas)} files"
