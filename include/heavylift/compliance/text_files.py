"""Text without columns, and CSV: each block's records, counted by column."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

from heavylift.compliance.detector import find
from heavylift.compliance.gathering import Gathered

_DELIMITERS = ",;\t|"
_DATA = re.compile(r"\s*[-+]?\d[\d.,:/ -]*\s*")


@dataclass(frozen=True)
class Header:
    """The columns of a CSV file.

    :param size_bytes: of the header line, which is no data; 0 where the file has none.
    """

    names: tuple[str, ...]
    delimiter: str
    size_bytes: int


def header_of(start: bytes) -> Header:
    """Return a CSV file's columns by its first line; ``column 1`` … where that holds data already."""
    plain = start.removeprefix(b"\xef\xbb\xbf")
    line = plain.split(b"\n", 1)[0].rstrip(b"\r")
    text = line.decode("utf-8", "replace")
    delimiter = max(_DELIMITERS, key='"'.join(text.split('"')[::2]).count)
    try:
        names = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    except csv.Error:
        names = [text]
    is_data = any(not name.strip() or _DATA.fullmatch(name) for name in names) or any(
        hit.valid for hit in find(line)
    )
    if is_data or len({name.strip() for name in names}) < len(names):
        numbered = tuple(f"column {index}" for index in range(1, len(names) + 1))
        return Header(numbered, delimiter, len(start) - len(plain))
    return Header(tuple(name.strip() for name in names), delimiter, len(start) - len(plain) + len(line) + 1)


def take_text(gathered: Gathered, data: bytes, unit: str, row: int = 1) -> int:
    """Take in lines without columns; return how many."""
    lines = data.splitlines()
    gathered.take("", lines, unit, row)
    return len(lines)


def take_csv(gathered: Gathered, header: Header, data: bytes, unit: str, row: int = 1) -> int:
    """Take in records of a CSV file; those that do not fit its columns are read as text."""
    import pyarrow as pa
    from pyarrow import csv as arrow

    left: list[bytes] = []

    def reject(found: arrow.InvalidRow) -> str:
        left.append(found.text.encode() if found.text else b"")
        return "skip"

    names = [str(index) for index in range(len(header.names))]
    try:
        table = arrow.read_csv(
            pa.BufferReader(data),
            arrow.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=names),
            arrow.ParseOptions(
                delimiter=header.delimiter, newlines_in_values=True, invalid_row_handler=reject
            ),
            arrow.ConvertOptions(check_utf8=False, column_types=dict.fromkeys(names, pa.binary())),
        )
    except pa.ArrowInvalid:
        # A block may begin or end within quotes: nothing of it is passed over.
        gathered.unparsed += data.count(b"\n") + (not data.endswith(b"\n"))
        return take_text(gathered, data, unit, row)
    for name, column in zip(header.names, table.columns, strict=True):
        gathered.take(name, column.to_pylist(), unit, row)
    if left:
        gathered.unparsed += len(left)
        gathered.take("", left, unit, row + table.num_rows)
    return int(table.num_rows) + len(left)


def is_binary(start: bytes) -> bool:
    """Tell whether an object's first bytes are no text in a form that is read here."""
    return b"\0" in start[:8192]
