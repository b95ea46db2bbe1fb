"""What Heavylift knows of a dataset's objects, whichever evidence tells it.

Two kinds of Parquet file tell it: manifests (one row for each object that a copy has settled)
and inventories (one row for each object on the target that a verification has found to be
Heavylift's business). Both are read here as the same columns.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.objects.row_files import database

if TYPE_CHECKING:
    import duckdb

COLUMNS = (
    "rel",
    "source_version",
    "target_version",
    "size_bytes",
    "crc32c",
    "written",
    "proved",
    "damaged",
)
"""``written``: a manifest says that Heavylift wrote exactly this version of the target's object.
``proved``: a verification has found this pair of versions equal, and none has since found it
different. ``damaged``: the target's bytes are no longer those that were proved, although its
version is."""

_TABLES = """
CREATE TABLE known_rows (rel VARCHAR, source_version VARCHAR, target_version VARCHAR, size_bytes BIGINT,
                         crc32c VARCHAR, written BOOLEAN, proved BOOLEAN, damaged BOOLEAN)
"""
_FROM_MANIFEST = """
INSERT INTO known_rows
SELECT rel, source_version, target_version, size_bytes, crc32c, outcome = 'moved', false, false
FROM read_parquet(?) WHERE target_version IS NOT NULL AND outcome <> 'skipped'
"""
_INVENTORY_ROWS = """
SELECT rel, source_version, target_version, size_bytes, crc32c, written, proved, damaged
FROM read_parquet(?) WHERE target_version IS NOT NULL
"""
_FROM_INVENTORY = f"INSERT INTO known_rows {_INVENTORY_ROWS}"
_ONLY_INVENTORY = f"CREATE TABLE earlier AS {_INVENTORY_ROWS}"
# Inventories of versions before 0.2 do not say who wrote an object; manifests are asked then.
_FROM_OLD_INVENTORY = """
INSERT INTO known_rows
SELECT rel, source_version, target_version, NULL, NULL, false, false, false
FROM read_parquet(?) WHERE target_version IS NOT NULL
"""
_EARLIER = """
CREATE TABLE earlier AS
SELECT rel, max(source_version) AS source_version, target_version, max(size_bytes) AS size_bytes,
       max(crc32c) AS crc32c, bool_or(written) AS written, bool_or(proved) AS proved,
       bool_or(damaged) AS damaged
FROM known_rows GROUP BY rel, target_version
"""


def create_earlier(database: duckdb.DuckDBPyConnection, parquet: list[Path]) -> None:
    """Make the table ``earlier`` of :data:`COLUMNS` from manifests and inventories.

    Of one key and target version there is one row: a manifest says that it was written, the
    inventory that it is proved or damaged.
    """
    if len(parquet) == 1 and tells_origin(parquet[0]):
        # One inventory has one row a key: by far the most frequent case, and half the work.
        database.execute(_ONLY_INVENTORY, [str(parquet[0])])
        return
    database.execute(_TABLES)
    for path in parquet:
        database.execute(_reader(path), [str(path)])
    database.execute(_EARLIER)
    database.execute("DROP TABLE known_rows")


def tells_origin(path: Path) -> bool:
    """Tell whether an inventory says who wrote each object."""
    return "written" in _columns(path)


def is_manifest(path: Path) -> bool:
    """Tell whether a file is a manifest, and no inventory."""
    return "outcome" in _columns(path)


def _reader(path: Path) -> str:
    names = _columns(path)
    if "outcome" in names:
        return _FROM_MANIFEST
    return _FROM_INVENTORY if "written" in names else _FROM_OLD_INVENTORY


def _columns(path: Path) -> set[str]:
    with database() as db:
        found = db.execute("SELECT name FROM parquet_schema(?)", [str(path)]).fetchall()
    return {name for (name,) in found}
