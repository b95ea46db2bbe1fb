"""Rows on their way into and out of Parquet, by DuckDB alone.

The mover needs DuckDB to compare listings. Arrow would only carry rows to it, and costs 100 MiB of
memory and a third of a second of each process; so rows go through a file of lines instead, which
DuckDB reads at the cost of about a microsecond each.

The file has one line a row and commas between fields; nothing is ever quoted. A text that could
be mistaken is written as ``~`` and its UTF-8 in hex; a missing value is an empty field.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from heavylift.objects.databases import LEAST_MEMORY, be_quiet, open_database

if TYPE_CHECKING:
    import duckdb

TEXT, INTEGER = "VARCHAR", "BIGINT"
Columns = Mapping[str, str]
"""Column name → TEXT or INTEGER. Names are this package's own words, never anybody's input."""

_ODD_BYTES = bytes([*range(0x20), 0x7F]) + b'",~\\'
_MARK = "\ufeff"
_ODD = re.compile(f"[{re.escape(_ODD_BYTES.decode() + _MARK)}]")
_NULL = ""
_LONGEST_LINE = 256 * 1024
_GROUP_ROWS = 20_480
# Level 3, the default, packs keys and digests no tighter, at twice the price; nobody seeks by Bloom filter.
_PACKED = "COMPRESSION zstd, COMPRESSION_LEVEL 1, WRITE_BLOOM_FILTER false"


@contextmanager
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """Lend a connection to this process's small DuckDB database for the length of the block.

    For reading and writing files, and temporary tables; what does not stream has 64 MiB.
    """
    with _shared(os.getpid()).cursor() as cursor:
        be_quiet(cursor)
        yield cursor


@lru_cache(maxsize=1)
def _shared(_process: int) -> duckdb.DuckDBPyConnection:
    # One for all: to open a database costs more than most of what is done with it here. A forked
    # process must not use its parent's.
    return open_database(LEAST_MEMORY, ordered=False)


class RowFile:
    """A file of rows that is being written; memory holds one block of them.

    :param columns: in the order in which each block brings them.
    :param file: where to write what is read from ``path``; None: a file at ``path``.
    """

    def __init__(self, path: Path, columns: Columns, file: BinaryIO | None = None) -> None:
        self.path = path
        self.columns = columns
        self._file = file or path.open("wb")

    def add(self, block: Sequence[Sequence[Any] | None]) -> None:
        """Add rows, given by column; a missing value is None, and so is a column without any.

        A column of integers holds these, or all of them as decimal text.
        """
        count = max(0 if values is None else len(values) for values in block)
        if any(values is not None and len(values) != count for values in block):
            raise ValueError("columns that are not equally long")
        if not count:
            return
        made: dict[int, _Fields] = {id(None): _NULL}
        fields = []
        for values, kind in zip(block, self.columns.values(), strict=True):
            # A version is often a checksum too, and then both columns are the same one.
            if values is not None and id(values) not in made:
                made[id(values)] = _texts(values) if kind == TEXT else _integers(values)
            fields.append(made[id(values)])
        if len(fields) == 1:
            # A line that is empty would be passed over: one column gets an empty one beside it.
            fields.append(_NULL)
        lines = "\n".join(map(",".join, zip(*_together(fields, count), strict=True)))
        self._file.write(f"{lines}\n".encode())

    def close(self) -> None:
        """End the file."""
        self._file.close()

    def __enter__(self) -> RowFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_Fields = Sequence[str] | str
"""The fields of one column, or the one that is in all rows."""


def _together(fields: list[_Fields], count: int) -> Iterator[Iterable[str]]:
    """Yield the fields by column; neighbours that are the same in all rows are made one."""
    for same, columns in groupby(fields, lambda field: isinstance(field, str)):
        if same:
            yield repeat(",".join(cast("Iterator[str]", columns)), count)
        else:
            yield from columns


def _integers(values: Sequence[int | str | None]) -> _Fields:
    if values.count(values[0]) == len(values):
        return _NULL if values[0] is None else str(values[0])
    if None in values:
        return [_NULL if value is None else str(value) for value in values]
    return cast("Sequence[str]", values) if isinstance(values[0], str) else list(map(str, values))


def _texts(values: Sequence[str | None]) -> _Fields:
    """Return fields; whole columns are looked at at once, as most hold nothing odd, or one thing."""
    if values.count(values[0]) == len(values):
        return _text(values[0])
    if all(values):
        texts = cast("Sequence[str]", values)
        together = "".join(texts)
        written = together.encode()
        if len(written.translate(None, _ODD_BYTES)) == len(written) and _MARK not in together:
            return texts
    return [_text(value) for value in values]


def _text(value: str | None) -> str:
    if value is None:
        return _NULL
    return f"~{value.encode().hex()}" if not value or _ODD.search(value) else value


def rows_of(columns: Columns, parameter: str) -> str:
    """Return SQL that reads a row file; its path is bound to ``$parameter``."""
    written = [*columns, "beside"] if len(columns) == 1 else [*columns]
    types = ", ".join(f"'{name}': 'VARCHAR'" for name in written)
    fields = ", ".join(f'{_decoded(name, kind)} AS "{name}"' for name, kind in columns.items())
    return (
        f"(SELECT {fields} FROM read_csv(${parameter}, header = false, auto_detect = false, delim = ',',"
        f" quote = '', escape = '', new_line = '\\n', nullstr = '', columns = {{{types}}},"
        f" buffer_size = 1048576, max_line_size = {_LONGEST_LINE}))"
    )


def _decoded(name: str, kind: str) -> str:
    if kind == INTEGER:
        return f'"{name}"::BIGINT'
    return (
        f'CASE WHEN starts_with("{name}", \'~\') THEN decode(from_hex(substr("{name}", 2))) ELSE "{name}" END'
    )


@dataclass(frozen=True)
class RowsOnDisk:
    """A row file that is closed, whoever wrote it."""

    path: Path
    columns: Columns


def join_to_parquet(rows: RowsOnDisk, earlier: Path, column: str, values: Sequence[int], path: Path) -> None:
    """Write a row file's rows and those of ``earlier`` with one of ``values`` in ``column``, as Parquet."""
    names = ", ".join(f'"{name}"' for name in rows.columns)
    with database() as db:
        db.execute(
            f"COPY (SELECT {names} FROM read_parquet($earlier)"
            f' SEMI JOIN (SELECT unnest($values) AS "{column}") USING ("{column}")'
            f" UNION ALL SELECT {names} FROM {rows_of(rows.columns, 'rows')}) TO '{_quoted(path)}'"
            f" (FORMAT parquet, {_PACKED}, ROW_GROUP_SIZE {_GROUP_ROWS})",
            {"rows": str(rows.path), "earlier": str(earlier), "values": list(values)},
        )


def to_parquet(rows: RowFile | RowsOnDisk, path: Path) -> None:
    """Write a closed row file as Parquet."""
    with database() as db:
        db.execute(
            f"COPY (SELECT * FROM {rows_of(rows.columns, 'rows')}) TO '{_quoted(path)}'"
            f" (FORMAT parquet, {_PACKED}, ROW_GROUP_SIZE {_GROUP_ROWS})",
            {"rows": str(rows.path)},
        )


def _quoted(path: Path) -> str:
    # DuckDB takes no parameter for the target of a COPY that has one elsewhere.
    return str(path).replace("'", "''")


def insert_rows(db: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Sequence[str | None]]) -> None:
    """Insert rows of text into one of this package's own tables, all at once.

    One statement a row costs DuckDB half a millisecond; a file of them costs that for all.
    """
    if not rows:
        return
    columns = {f"c{number}": TEXT for number in range(len(rows[0]))}
    with tempfile.TemporaryDirectory(prefix="heavylift-rows-") as folder:
        path = Path(folder) / "rows"
        with RowFile(path, columns) as file:
            file.add(list(zip(*rows, strict=True)))
        db.execute(f"INSERT INTO {table} SELECT * FROM {rows_of(columns, 'rows')}", {"rows": str(path)})


def write_rows(path: Path, columns: Columns, block: Sequence[Sequence[Any] | None]) -> None:
    """Write rows, given by column, as one Parquet file."""
    rows = RowFile(path.with_suffix(".rows"), columns)
    try:
        with rows:
            rows.add(block)
        to_parquet(rows, path)
    finally:
        rows.path.unlink()


def read_rows(path: Path, columns: Iterable[str], where: str = "true", *values: Any) -> list[tuple[Any, ...]]:
    """Read columns of a Parquet file as tuples.

    :param where: SQL of this package's own, with a ``?`` for each of ``values``.
    """
    names = ", ".join(f'"{name}"' for name in columns)
    with database() as db:
        return db.execute(
            f"SELECT {names} FROM read_parquet(?) WHERE {where}", [str(path), *values]
        ).fetchall()
