"""Reading CSV files as text, exactly: nothing is guessed but the delimiter.

A file has a header; quotes are doubled inside quotes; an empty field without quotes is no
value, ``""`` is empty text. Values stay text, so that ``007`` and ``1.10`` keep their form.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heavylift.datasets.columns import FileColumn, FileSchema, unique_names
from heavylift.errors import IntegrityError, PermanentError

BLOCK_BYTES = 16 * 1024 * 1024
"""Read at a time; also the longest record, quoted line breaks included."""
HEADER_BYTES = 1024 * 1024
_DELIMITERS = ",;\t|"
_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


def stage_csv(url: str, key: str, local: Path, staged: Path) -> FileSchema:
    """Write the CSV file ``local`` as Parquet to ``staged``, all columns text.

    Compression (gzip, zstd) is told by the file's first bytes, for names and headers may lie.

    :param url: the object, for messages.
    :raises IntegrityError: a record has another number of fields than the header, the text is
        not UTF-8, or the compressed data is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rejected: list[Any] = []
    try:
        header = _header(local)
        schema = pa.schema([pa.field(f"c{index}", pa.string()) for index in range(len(header.names))])
        rows = 0
        with pq.ParquetWriter(staged, schema, compression="zstd") as writer:
            if header.has_records:
                rows = _copy(local, schema, header, writer, rejected)
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise _problem(url, error, rejected) from error
    columns = tuple(FileColumn(name, pa.string()) for name in unique_names(header.names))
    return FileSchema(key, columns, rows)


def _copy(local: Path, schema: Any, header: _Header, writer: Any, rejected: list[Any]) -> int:
    import pyarrow.csv

    def reject(row: Any) -> str:
        rejected.append(row)
        return "error"

    reader = pyarrow.csv.open_csv(
        _open(local),
        # Threads would hide the number of a wrong row.
        pyarrow.csv.ReadOptions(
            use_threads=False,
            block_size=BLOCK_BYTES,
            column_names=schema.names,
            skip_rows_after_names=header.records,
        ),
        pyarrow.csv.ParseOptions(
            delimiter=header.delimiter, newlines_in_values=True, invalid_row_handler=reject
        ),
        pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(schema.names, schema.types[0]),
            strings_can_be_null=True,
            null_values=[""],
            quoted_strings_can_be_null=False,
        ),
    )
    rows = 0
    with reader:
        for batch in reader:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def _open(local: Path) -> Any:
    import pyarrow as pa

    with local.open("rb") as file:
        start = file.read(4)
    compression = next((name for magic, name in _MAGIC.items() if start.startswith(magic)), None)
    return pa.input_stream(str(local), compression=compression)


@dataclass(frozen=True)
class _Header:
    """The start of a file.

    :param records: those up to the header and with it; blank lines before it count.
    :param has_records: whether anything follows.
    """

    names: list[str]
    delimiter: str
    records: int
    has_records: bool


def _header(local: Path) -> _Header:
    with _open(local) as stream:
        head = stream.read(HEADER_BYTES)
    # A character may be cut at the end of what was read.
    text = head.decode("utf-8-sig", errors="strict" if len(head) < HEADER_BYTES else "ignore")
    first = text.lstrip("\r\n").splitlines()[:1]
    delimiter = max(_DELIMITERS, key=_outside_quotes("".join(first)).count)
    with io.StringIO(text, newline="") as source:
        for number, names in enumerate(csv.reader(source, delimiter=delimiter, strict=True), 1):
            if names:
                return _Header(names, delimiter, number, bool(source.read().strip("\r\n")))
    return _Header([], delimiter, 0, has_records=False)


def _outside_quotes(line: str) -> str:
    return "".join(line.split('"')[::2])


def _problem(url: str, error: Exception, rejected: list[Any]) -> PermanentError:
    state = "nothing was changed; the check has no result"
    remedy = "mend the file where it is written, or leave it out of the table's path"
    if rejected:
        row = rejected[0]
        return IntegrityError(
            f"reading {url} as CSV",
            got=f"{row.actual_columns} fields in record {row.number}",
            expected=f"{row.expected_columns}, as many as the header has",
            state=state,
            remedy=remedy,
            code="4330",
        )
    if isinstance(error, UnicodeDecodeError) or "UTF8" in str(error):
        return IntegrityError(
            f"reading {url} as CSV",
            got="bytes that are not UTF-8",
            expected="UTF-8 text, with or without a byte order mark",
            state=state,
            remedy=f"{remedy}; Latin-1 and UTF-16 files have to be converted first",
            code="4331",
        )
    return IntegrityError(
        f"reading {url} as CSV",
        # The reader's own text may quote data, so only its kind is told.
        got=_kind_of_trouble(error),
        expected=f"records of at most {BLOCK_BYTES} bytes in a whole, undamaged file",
        state=state,
        remedy=remedy,
        code="4332",
    )


def _kind_of_trouble(error: Exception) -> str:
    text = str(error).lower()
    if "straddling" in text:
        return "a record longer than one block, or a quote that is never closed"
    if any(word in text for word in ("zlib", "gzip", "zstd", "truncated", "decompress")):
        return "damaged compressed data"
    return f"a file that cannot be parsed ({type(error).__name__})"
