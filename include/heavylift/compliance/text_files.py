"""Text without columns, CSV and JSON lines: each block's records, counted by column."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from heavylift.compliance.detector import find
from heavylift.compliance.gathering import Gathered

_DELIMITERS = ",;\t|"
_DATA = re.compile(r"\s*[-+]?\d[\d.,:/ -]*\s*")
_MOST_DEPTH = 50
_KEY_OF_DATA = re.compile(r"\d+|[0-9a-fA-F-]{32,36}|.{65,}", re.DOTALL)


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

    def reject(found: Any) -> str:
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


def take_json(gathered: Gathered, data: bytes, unit: str, row: int = 1) -> int:
    """Take in JSON documents, one a line; what is none is read as text."""
    fields: dict[str, list[bytes]] = {}
    left: list[bytes] = []
    lines = data.splitlines()
    for line in lines:
        if not line.strip():
            continue
        try:
            document = json.loads(line)
        except (ValueError, RecursionError):
            left.append(line)
            continue
        if not isinstance(document, dict | list):
            left.append(line)
            continue
        for path, value in leaves(document):
            fields.setdefault(path, []).append(value)
    for path, values in fields.items():
        gathered.take(path, values, unit, row)
    if left:
        gathered.unparsed += len(left)
        gathered.take("", left, unit, row)
    return len(lines)


def take_document(gathered: Gathered, data: bytes, unit: str) -> bool:
    """Take in one JSON document of many lines; tell whether it is one."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return False
    fields: dict[str, list[bytes]] = {}
    for path, value in leaves(document):
        fields.setdefault(path, []).append(value)
    for path, values in fields.items():
        gathered.take(path, values, unit, 1)
    return True


def leaves(document: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield every value with the path to it: fields joined by dots, lists as ``[]``.

    A key that is data itself (a number, an id, an address) is yielded as a value below its parent's path.
    """
    if depth > _MOST_DEPTH:
        yield path, json.dumps(document).encode()
    elif isinstance(document, dict):
        for key, value in document.items():
            name = key
            if _is_data(key):
                name = "*"
                yield f"{path}.(keys)".lstrip("."), key.encode("utf-8", "replace")
            yield from leaves(value, f"{path}.{name}" if path else name, depth + 1)
    elif isinstance(document, list):
        for value in document:
            yield from leaves(value, f"{path}[]", depth + 1)
    elif isinstance(document, str):
        yield path, document.encode("utf-8", "replace")
    elif document is not None and not isinstance(document, bool):
        yield path, str(document).encode()


@lru_cache(maxsize=10_000)
def _is_data(key: str) -> bool:
    """Tell whether a key is a value itself; asked for every key of every document."""
    if _KEY_OF_DATA.fullmatch(key) or "@" in key:
        return True
    return any(hit.valid for hit in find(key.encode("utf-8", "replace")))


def is_binary(start: bytes) -> bool:
    """Tell whether an object's first bytes are no text in a form that is read here."""
    return b"\0" in start[:8192]
