"""What is kept of a table's columns: counts and sketches of bounded size that merge to those of the whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from heavylift.monitor.sketches import Sketch, keys_of_numbers, keys_of_texts

if TYPE_CHECKING:
    import pyarrow as pa

MOSTLY = 0.9
"""Share of the values of a CSV column that are numbers, from which on it counts as one of numbers."""
_NUMBER = r"^[-+]?(0|[1-9][0-9]*|[0-9]*\.[0-9]+|[1-9][0-9]*\.|0\.)([eE][-+]?[0-9]{1,3})?$"
_TRUTHS = {b"True": b"true", b"TRUE": b"true", b"False": b"false", b"FALSE": b"false"}
_SECOND = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_DAY = 86400.0

_Plain = TypeVar("_Plain", np.float64, np.int64)


class Kind(StrEnum):
    """What a column's values are compared as."""

    NUMBER = "number"
    CATEGORY = "category"
    TIME = "time"
    OTHER = "other"
    MIXED = "mixed"
    NOTHING = "nothing"


@dataclass
class ColumnSketch:
    """One column. ``rows`` is the sum of nulls and of values of all kinds.

    :param types: Arrow's names of the types that its files gave it.
    :param kinds: of these types; CSV has none, its values tell.
    :param numbers: finite ones; times as seconds.
    :param texts: by digest; of CSV all values, of which ``numbers`` has those that are numbers.
    """

    name: str
    rows: int = 0
    nulls: int = 0
    nan: int = 0
    above: int = 0
    below: int = 0
    others: int = 0
    csv_values: int = 0
    types: set[str] = field(default_factory=set)
    kinds: set[Kind] = field(default_factory=set)
    numbers: Sketch = field(default_factory=Sketch)
    texts: Sketch = field(default_factory=Sketch)

    @property
    def numbers_of_csv(self) -> bool:
        """Whether what came from CSV counts as numbers."""
        return self.numbers.total >= MOSTLY * self.csv_values

    @property
    def kind(self) -> Kind:
        """What the column is compared as."""
        kinds = set(self.kinds)
        if self.csv_values:
            kinds.add(Kind.NUMBER if self.numbers_of_csv else Kind.CATEGORY)
        if not kinds:
            return Kind.NOTHING
        return kinds.pop() if len(kinds) == 1 else Kind.MIXED

    @property
    def unparsed(self) -> int:
        """Values of a CSV column of numbers that are none."""
        if not self.csv_values or self.kind is not Kind.NUMBER:
            return 0
        return max(0, self.csv_values - self.numbers.total)

    @property
    def missing(self) -> int:
        """Rows that have no value to work with."""
        return self.nulls + self.nan + self.unparsed

    def merge(self, other: ColumnSketch) -> None:
        """Count all that another part of the column has."""
        self.rows += other.rows
        self.nulls += other.nulls
        self.nan += other.nan
        self.above += other.above
        self.below += other.below
        self.others += other.others
        self.csv_values += other.csv_values
        self.types |= other.types
        self.kinds |= other.kinds
        self.numbers.merge(other.numbers)
        self.texts.merge(other.texts)

    def take(self, values: pa.Array, *, csv: bool = False) -> None:
        """Count the values of one batch."""
        import pyarrow as pa

        if isinstance(values, pa.ExtensionArray):
            values = values.storage
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if pa.types.is_string_view(values.type):
            values = values.cast(pa.large_string())
        self.rows += len(values)
        self.nulls += values.null_count
        self.types.add("text of CSV" if csv else str(values.type))
        some = values.drop_null() if values.null_count else values
        if csv:
            self._take_csv(some)
        elif not pa.types.is_null(values.type):
            self._take_typed(some)

    def _take_typed(self, some: pa.Array) -> None:
        kind = kind_of(some.type)
        self.kinds.add(kind)
        if kind is Kind.NUMBER:
            self._take_numbers(_floats(some))
        elif kind is Kind.TIME:
            self._take_numbers(seconds_of(some))
        elif kind is Kind.CATEGORY:
            self._take_texts(some)
        else:
            self.others += len(some)

    def _take_csv(self, some: pa.Array) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        self.csv_values += len(some)
        self._take_texts(some)
        numbers = some.filter(pc.match_substring_regex(some, _NUMBER)).cast(pa.float64())
        found = plain(numbers, np.float64)
        # A number beyond the range of floats is none that can be worked with.
        self.numbers.add(keys_of_numbers(found[np.isfinite(found)]))

    def _take_numbers(self, values: NDArray[np.float64]) -> None:
        finite = np.isfinite(values)
        if not finite.all():
            nan = int(np.isnan(values).sum())
            above = int(np.isposinf(values).sum())
            self.nan += nan
            self.above += above
            self.below += int(values.size - finite.sum()) - nan - above
            values = values[finite]
        self.numbers.add(keys_of_numbers(values))

    def _take_texts(self, some: pa.Array) -> None:
        found = some.value_counts()
        keys = keys_of_texts(_bytes(found.field("values")))
        self.texts.add(keys, plain(found.field("counts"), np.int64))


def kind_of(found: pa.DataType) -> Kind:
    """Return what values of an Arrow type are compared as."""
    from pyarrow import types

    if types.is_integer(found) or types.is_floating(found) or types.is_decimal(found):
        return Kind.NUMBER
    if types.is_duration(found):
        return Kind.NUMBER
    if types.is_boolean(found) or _is_text(found):
        return Kind.CATEGORY
    if types.is_timestamp(found) or types.is_date(found) or types.is_time(found):
        return Kind.TIME
    return Kind.OTHER


def _is_text(found: pa.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_string(found) or types.is_large_string(found) or types.is_string_view(found))


def _floats(values: pa.Array) -> NDArray[np.float64]:
    import pyarrow as pa

    if pa.types.is_duration(values.type):
        scale = _SECOND[values.type.unit]
        return _floats(values.cast(pa.int64())) * scale
    made = values if pa.types.is_float64(values.type) else values.cast(pa.float64(), safe=False)
    return plain(made, np.float64)


def plain(values: pa.Array, kind: type[_Plain]) -> NDArray[_Plain]:
    """Return an array without nulls, whose values are of this type, without a copy.

    Arrow's own way imports pandas where it is installed, which takes a second.
    """
    if not len(values):
        return np.empty(0, dtype=kind)
    return np.frombuffer(values.buffers()[1], dtype=kind)[values.offset : values.offset + len(values)]


def seconds_of(values: pa.Array) -> NDArray[np.float64]:
    """Return times as seconds; through the stored numbers, for no other unit holds all of them."""
    import pyarrow as pa

    found = values.type
    if pa.types.is_date(found):
        narrow = pa.types.is_date32(found)
        stored = values.cast(pa.int32() if narrow else pa.int64())
        return _floats(stored) * (_DAY if narrow else 1e-3)
    narrow = pa.types.is_time32(found)
    return _floats(values.cast(pa.int32() if narrow else pa.int64())) * _SECOND[found.unit]


def _bytes(values: pa.Array) -> Iterable[bytes]:
    import pyarrow as pa

    if pa.types.is_boolean(values.type):
        return [b"true" if value else b"false" for value in values.to_pylist()]
    wide = pa.types.is_large_string(values.type)
    texts = values.cast(pa.large_binary() if wide else pa.binary()).to_pylist()
    return [_TRUTHS.get(text, text) for text in texts]


@dataclass
class TableProfile:
    """One side's table.

    :param url: of the place, or the path of a profile in the evidence store.
    :param digest: of the names, sizes and versions of the files that were read.
    :param left_out: objects that are no table by their names.
    """

    url: str
    files: int = 0
    size_bytes: int = 0
    rows: int = 0
    digest: str = ""
    left_out: int = 0
    columns: dict[str, ColumnSketch] = field(default_factory=dict)

    def take(self, names: Iterable[str], arrays: Iterable[Any], rows: int, *, csv: bool) -> None:
        """Count one batch; a column that other files have and this one lacks is null in these rows."""
        for name, values in zip(names, arrays, strict=True):
            self.columns.setdefault(name, ColumnSketch(name)).take(values, csv=csv)
        self.rows += rows

    def close(self) -> None:
        """Count rows of files without a column as its nulls; once, when all files were read."""
        for column in self.columns.values():
            column.nulls += self.rows - column.rows
            column.rows = self.rows

    def merge(self, other: TableProfile) -> None:
        """Count all that another part of the table has; both before :meth:`close`."""
        self.files += other.files
        self.size_bytes += other.size_bytes
        self.rows += other.rows
        self.left_out += other.left_out
        for name, column in other.columns.items():
            self.columns.setdefault(name, ColumnSketch(name)).merge(column)
