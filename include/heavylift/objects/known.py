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
    "source_modified_us",
    "written",
    "proved",
    "damaged",
)
"""``source_modified_us``: when the source's object was written, by the listing before its attributes were
taken to the target, or compared; what a listing tells later is news. NULL where nobody noted it.
``written``: a manifest says that Heavylift wrote exactly this version of the target's object.
``proved``: a verification has found this pair of versions equal, and none has since found it
different. ``damaged``: the target's bytes are no longer those that were proved, although its
version is."""

_TABLES = """
CREATE TABLE known_rows (rel VARCHAR, source_version VARCHAR, target_version VARCHAR, size_bytes BIGINT,
                         crc32c VARCHAR, source_modified_us BIGINT, written BOOLEAN, proved BOOLEAN,
                         damaged BOOLEAN, at_us BIGINT)
"""
_FROM_MANIFEST = """
INSERT INTO known_rows
SELECT rel, source_version, target_version, size_bytes, crc32c, {modified}, outcome = 'moved', false, false,
       {at}
FROM read_parquet(?) WHERE target_version IS NOT NULL AND outcome <> 'skipped'
"""
_INVENTORY_ROWS = """
SELECT rel, source_version, target_version, size_bytes, crc32c, {modified}::BIGINT AS source_modified_us,
       written, proved, damaged, 0 AS at_us
FROM read_parquet(?) WHERE target_version IS NOT NULL
"""
_FROM_INVENTORY = f"INSERT INTO known_rows {_INVENTORY_ROWS}"
_ONLY_INVENTORY = f"CREATE TABLE earlier AS {_INVENTORY_ROWS}"
# Inventories of versions before 0.2 do not say who wrote an object; manifests are asked then.
_FROM_OLD_INVENTORY = """
INSERT INTO known_rows
SELECT rel, source_version, target_version, NULL, NULL, NULL, false, false, false, 0
FROM read_parquet(?) WHERE target_version IS NOT NULL
"""
# Of two versions of the source that led to one of the target, what was seen last counts.
_EARLIER = """
CREATE TABLE earlier AS
SELECT rel, arg_max(source_version, at_us) AS source_version, target_version, max(size_bytes) AS size_bytes,
       max(crc32c) AS crc32c, arg_max(source_modified_us, at_us) AS source_modified_us,
       bool_or(written) AS written, bool_or(proved) AS proved,
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
        database.execute(_filled(_ONLY_INVENTORY, _columns(parquet[0])), [str(parquet[0])])
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
        return _filled(_FROM_MANIFEST, names)
    return _filled(_FROM_INVENTORY, names) if "written" in names else _FROM_OLD_INVENTORY


def _filled(sql: str, names: set[str]) -> str:
    """Return SQL that passes over columns which files of earlier versions lack."""
    modified = "source_modified_us" if "source_modified_us" in names else "NULL"
    return sql.format(modified=modified, at="coalesce(finished_us, 0)" if "finished_us" in names else "1")


def _columns(path: Path) -> set[str]:
    with database() as db:
        found = db.execute("SELECT name FROM parquet_schema(?)", [str(path)]).fetchall()
    return {name for (name,) in found}
