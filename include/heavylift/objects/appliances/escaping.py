"""Which keys of a dataset need an escaped name on a device, found in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.objects.appliances.names import ESCAPED, name_problem
from heavylift.objects.row_files import insert_rows
from heavylift.spec.appliances import FileNames

if TYPE_CHECKING:
    import duckdb

_BATCH = 10_000
_SURE_BYTES = 200

# Plain names that every file system holds; only the other keys are looked at one by one.
_PLAIN = r"[A-Za-z0-9=,+@-][A-Za-z0-9._=,+@-]{0,99}(/[A-Za-z0-9=,+@-][A-Za-z0-9._=,+@-]{0,99})*"
_WINDOWS_DOUBT = r"(?i)(^|/)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|/|$)|\.(/|$)"

# Keys that are also a folder of another key: no file system holds both.
PARENTS = """
SELECT rel FROM object SEMI JOIN (
  SELECT DISTINCT array_to_string(list_slice(parts, 1, n), '/') AS folder FROM
    (SELECT string_split(rel, '/') AS parts, unnest(range(1, len(parts))) AS n FROM object)
) folders ON object.rel = folders.folder
"""

# Keys of which a leading part is written differently elsewhere only in upper and lower case.
_CASES = """
INSERT INTO escaped
WITH parts AS (
  SELECT rel, array_to_string(list_slice(names, 1, n), '/') AS part FROM
    (SELECT rel, string_split(rel, '/') AS names, unnest(range(1, len(names) + 1)) AS n FROM object)
), clashing AS (SELECT lower(part) AS low FROM parts GROUP BY 1 HAVING count(DISTINCT part) > 1)
SELECT DISTINCT rel FROM parts WHERE lower(part) IN (SELECT low FROM clashing)
"""


def mark_escaped(db: duckdb.DuckDBPyConnection, names: FileNames, max_path_bytes: int) -> None:
    """Add the column ``stored_path`` to the table ``object``."""
    db.execute("CREATE TABLE escaped (rel VARCHAR)")
    _escape_odd_keys(db, names, max_path_bytes)
    db.execute(f"INSERT INTO escaped {PARENTS}")
    if names is FileNames.WINDOWS:
        db.execute(_CASES)
    db.execute("ALTER TABLE object ADD COLUMN stored_path VARCHAR")
    db.execute(
        "UPDATE object SET stored_path = CASE WHEN rel IN (SELECT rel FROM escaped)"
        " THEN ? || '/' || substr(sha256(rel), 1, 2) || '/' || sha256(rel) ELSE rel END",
        [ESCAPED],
    )


def _escape_odd_keys(db: duckdb.DuckDBPyConnection, names: FileNames, max_path_bytes: int) -> None:
    cursor = db.cursor()
    cursor.execute(
        "SELECT rel FROM object WHERE NOT (regexp_full_match(rel, ?) AND strlen(rel) <= ?)"
        " OR (? AND regexp_matches(rel, ?))",
        [_PLAIN, min(_SURE_BYTES, max_path_bytes), names is FileNames.WINDOWS, _WINDOWS_DOUBT],
    )
    while rows := cursor.fetchmany(_BATCH):
        odd: list[tuple[str | None, ...]] = [
            (rel,) for (rel,) in rows if name_problem(rel, names, max_path_bytes)
        ]
        insert_rows(db, "escaped", odd)
