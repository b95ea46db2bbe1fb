"""Comparing two listings or manifests that lie in Parquet files, far larger than memory.

DuckDB joins them slice by slice: both files are cut at the same keys, so that the hash table of
one slice fits the memory and nothing is spilled. Keys are compared as bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavylift.errors import SpecError
from heavylift.objects.databases import open_database

if TYPE_CHECKING:
    import duckdb

SLICE_ROWS = 1_250_000
"""Rows of one side in one slice: its hash table takes some 200 MiB. Longer ones took more time as well."""
MEMORY = 560 * 2**20
_DRAWN = 1_000
"""Of so many rows one is drawn, to find where to cut. Drawn evenly: were they drawn by the block, a
few blocks would decide, and one slice be many times as long as another."""
_COLUMNS = ("rel", "size_bytes", "version")

_SLICE_SQL = """
INSERT INTO difference
SELECT coalesce(s.rel, t.rel),
       CASE WHEN t.rel IS NULL THEN 'missing' WHEN s.rel IS NULL THEN 'extra' ELSE 'changed' END,
       s.size_bytes, t.size_bytes, s.version, t.version
FROM (SELECT rel, size_bytes, version FROM read_parquet($source)
      WHERE ($low IS NULL OR rel >= $low) AND ($high IS NULL OR rel < $high)) s
FULL JOIN (SELECT rel, size_bytes, version FROM read_parquet($target)
      WHERE ($low IS NULL OR rel >= $low) AND ($high IS NULL OR rel < $high)) t ON s.rel = t.rel
WHERE s.rel IS NULL OR t.rel IS NULL OR s.size_bytes <> t.size_bytes OR s.version <> t.version
"""


@dataclass(frozen=True)
class FileDifference:
    """How two files differ, in rows.

    :param changed: the key is in both, with another size or version.
    """

    source: int
    target: int
    equal: int
    missing: int
    extra: int
    changed: int

    @property
    def same(self) -> bool:
        """Whether both name the same objects in the same versions."""
        return not (self.missing or self.extra or self.changed)


def compare_files(source: Path, target: Path, output: Path | None, work: Path) -> FileDifference:
    """Compare two Parquet files with the columns ``rel``, ``size_bytes`` and ``version``.

    Changes neither. Memory stays below 700 MiB, however long they are.

    :param output: where the rows that differ are written, as Parquet; None: nowhere.
    :param work: a folder for what does not fit the memory.
    :raises SpecError: a file is no Parquet, or lacks a column.
    """
    with open_database(MEMORY, work=work, threads=2, ordered=False) as db:
        counts = [_rows(db, path) for path in (source, target)]
        db.execute(
            "CREATE TABLE difference (rel VARCHAR, kind VARCHAR, source_size_bytes BIGINT,"
            " target_size_bytes BIGINT, source_version VARCHAR, target_version VARCHAR)"
        )
        bounds: list[str | None] = [
            None,
            *_cuts(db, source if counts[0] >= counts[1] else target, max(counts)),
            None,
        ]
        for low, high in pairwise(bounds):
            place = {"source": str(source), "target": str(target), "low": low, "high": high}
            db.execute(_SLICE_SQL, place)
        if output is not None:
            db.execute(
                "COPY (FROM difference ORDER BY rel) TO ? (FORMAT parquet, COMPRESSION zstd)", [str(output)]
            )
        return _counted(db, *counts)


def _rows(db: duckdb.DuckDBPyConnection, path: Path) -> int:
    """Return how many rows a file has; from its footer."""
    import duckdb

    try:
        names = [row[0] for row in db.execute("SELECT name FROM parquet_schema(?)", [str(path)]).fetchall()]
        told = db.execute("SELECT num_rows FROM parquet_file_metadata(?)", [str(path)]).fetchone()
    except duckdb.Error as error:
        raise _unusable(path, str(error).split("\n")[0]) from None
    lacking = [name for name in _COLUMNS if name not in names]
    if lacking or told is None:
        raise _unusable(path, f"no column {', '.join(lacking)}")
    return int(told[0])


def _unusable(path: Path, got: str) -> SpecError:
    return SpecError(
        f"reading of {path}",
        got=got,
        expected="a Parquet file with the columns rel, size_bytes and version",
        state="nothing was changed",
        remedy="name a listing (objects list --output) or an inventory of the evidence store",
        code="5034",
    )


def _cuts(db: duckdb.DuckDBPyConnection, path: Path, rows: int) -> list[str]:
    """Return keys at which to cut, in order; out of the file itself."""
    wanted = -(-rows // SLICE_ROWS) - 1
    if wanted < 1:
        return []
    between = _between_groups(db, path)
    return _drawn(db, path, wanted) if between is None else between


def _between_groups(db: duckdb.DuckDBPyConnection, path: Path) -> list[str] | None:
    """Return keys at which a sorted file may be cut without reading a row, and no row group is read twice.

    None where its row groups overlap or do not tell their first and last keys.
    """
    groups: list[tuple[str | None, str | None, int]] = db.execute(
        "SELECT stats_min_value, stats_max_value, row_group_num_rows FROM parquet_metadata(?)"
        " WHERE path_in_schema = 'rel' ORDER BY row_group_id",
        [str(path)],
    ).fetchall()
    cuts: list[str] = []
    last, taken = "", 0
    for first, final, count in groups:
        if first is None or final is None or first < last or count > SLICE_ROWS:
            return None
        if taken + count > SLICE_ROWS:
            cuts.append(first)
            taken = 0
        taken += count
        last = final
    return cuts


def _drawn(db: duckdb.DuckDBPyConnection, path: Path, wanted: int) -> list[str]:
    """Return ``wanted`` keys that cut a file in any order into equal parts, by a sample of its keys."""
    drawn: list[Any] = db.execute(
        "SELECT rel FROM read_parquet($path, file_row_number = true) WHERE file_row_number % $each = 0"
        " ORDER BY rel",
        {"path": str(path), "each": _DRAWN},
    ).fetchall()
    keys = [row[0] for row in drawn]
    if len(keys) <= wanted:
        return sorted(set(keys))
    return sorted({keys[len(keys) * number // (wanted + 1)] for number in range(1, wanted + 1)})


def _counted(db: duckdb.DuckDBPyConnection, source: int, target: int) -> FileDifference:
    found = dict(db.execute("SELECT kind, count(*) FROM difference GROUP BY kind").fetchall())
    missing, extra, changed = (int(found.get(kind, 0)) for kind in ("missing", "extra", "changed"))
    return FileDifference(source, target, source - missing - changed, missing, extra, changed)
