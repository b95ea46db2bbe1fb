"""Verdicts of a verification: what was found of each object that is not plainly equal."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.evidence.records import MAX_LISTED
from heavylift.evidence.records import Difference as DifferenceRecord
from heavylift.objects.diff import Difference, insert_rows

if TYPE_CHECKING:
    import duckdb

_BATCH = 10_000
_SCHEMA = """
CREATE TABLE verdict (rel VARCHAR, kind VARCHAR, source VARCHAR, target VARCHAR);
CREATE TABLE proved (rel VARCHAR, method VARCHAR, crc32c VARCHAR);
CREATE TABLE planned (rel VARCHAR, version VARCHAR);
CREATE TABLE accepted (rel VARCHAR);
CREATE TABLE earlier (rel VARCHAR, source_version VARCHAR, target_version VARCHAR);
"""

# What the source changed after the plan, and what the spec lets stay behind, is no fault of
# the move; it is counted under its own name instead.
_EXCUSE = """
UPDATE verdict SET kind = 'newer' WHERE kind IN ('missing', 'different')
  AND (SELECT count(*) FROM planned) > 0
  AND NOT EXISTS (SELECT 1 FROM planned p JOIN diff d ON d.rel = p.rel
                  WHERE p.rel = verdict.rel AND p.version = d.source_version);
UPDATE verdict SET kind = 'accepted' WHERE kind IN ('missing', 'different')
  AND rel IN (SELECT rel FROM accepted);
"""


class Verdicts:
    """Collects verdicts in the diff's own database, so that memory stays bounded."""

    def __init__(self, difference: Difference) -> None:
        self._db: duckdb.DuckDBPyConnection = difference.database
        self._db.execute(_SCHEMA)
        self.methods: Counter[str] = Counter()
        self._waiting: dict[str, list[tuple[str | None, ...]]] = {"proved": [], "verdict": []}

    def take_plan(self, listing: Path | None, refused: Path | None) -> None:
        """Take in what the plan found on the source and what it refused."""
        if listing:
            self._db.execute("INSERT INTO planned SELECT rel, version FROM read_parquet(?)", [str(listing)])
        if refused:
            self._db.execute("INSERT INTO accepted SELECT rel FROM read_parquet(?)", [str(refused)])

    def take_earlier(self, parquet: list[Path]) -> None:
        """Take in what earlier runs and this one have written, so that it stays known as ours."""
        for path in parquet:
            self._db.execute(
                "INSERT INTO earlier SELECT rel, source_version, target_version FROM read_parquet(?)",
                [str(path)],
            )

    def judge_listings(self) -> None:
        """Settle what the two listings alone decide."""
        self._db.execute(
            "INSERT INTO verdict SELECT rel, 'missing', source_version, NULL FROM diff WHERE action = 'copy'"
        )
        self._db.execute(
            "INSERT INTO verdict SELECT rel, 'extra', NULL, target_version FROM diff WHERE action = 'extra'"
        )
        self._db.execute(
            "INSERT INTO verdict SELECT rel, 'different', source_version, target_version FROM diff"
            " WHERE action = 'conflict'"
        )

    def accept_listed_equality(self) -> None:
        """Count what the listings' checksums prove equal."""
        self._db.execute(
            "INSERT INTO proved SELECT rel, decided_by, NULL FROM diff WHERE action = 'unchanged'"
        )

    def undecided(self, *actions: str) -> list[tuple[str, str, str, int]]:
        """Return ``(rel, source version, target version, size)`` of what needs a closer look."""
        return self._db.execute(
            "SELECT rel, source_version, target_version, size_bytes FROM diff"
            " WHERE list_contains($actions, action) ORDER BY rel",
            {"actions": list(actions)},
        ).fetchall()

    def equal(self, rel: str, method: str, crc32c: str | None) -> None:
        """Note an object as proved equal."""
        self._add("proved", (rel, method, crc32c))

    def unequal(self, rel: str, kind: str, source: str, target: str) -> None:
        """Note an object that is not equal, and what each side says."""
        self._add("verdict", (rel, kind, source, target))

    def _add(self, table: str, row: tuple[str | None, ...]) -> None:
        self._waiting[table].append(row)
        if len(self._waiting[table]) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        for table, rows in self._waiting.items():
            insert_rows(self._db, table, rows)
            rows.clear()

    def close(self) -> None:
        """Excuse what is no fault of the move; counts are final afterwards."""
        self._flush()
        self._db.execute(_EXCUSE)
        self.methods.update(
            dict(self._db.execute("SELECT method, count(*) FROM proved GROUP BY method").fetchall())
        )

    def count(self, kind: str) -> int:
        """Return how many objects have this verdict."""
        row = self._db.execute("SELECT count(*) FROM verdict WHERE kind = ?", [kind]).fetchone()
        return int(row[0]) if row else 0

    def proved_tally(self) -> tuple[int, int]:
        """Return number and bytes of the objects proved equal."""
        row = self._db.execute(
            "SELECT count(*), coalesce(sum(size_bytes), 0) FROM diff SEMI JOIN proved USING (rel)"
        ).fetchone()
        return (int(row[0]), int(row[1])) if row else (0, 0)

    def worst(self) -> tuple[DifferenceRecord, ...]:
        """Return the first differences, those that fail the verification first."""
        rows = self._db.execute(
            "SELECT rel, kind, coalesce(source, ''), coalesce(target, '') FROM verdict"
            " WHERE kind NOT IN ('newer', 'accepted')"
            " ORDER BY kind = 'extra', rel LIMIT ?",
            [MAX_LISTED],
        ).fetchall()
        return tuple(DifferenceRecord(key=a, kind=b, source=c, target=d) for a, b, c, d in rows)

    def write(self, path: Path) -> bool:
        """Write all verdicts as Parquet; False where there are none."""
        row = self._db.execute("SELECT count(*) FROM verdict").fetchone()
        if not row or not row[0]:
            return False
        self._db.execute(
            "COPY (FROM verdict ORDER BY rel) TO ? (FORMAT parquet, COMPRESSION zstd)", [str(path)]
        )
        return True

    def write_inventory(self, path: Path) -> None:
        """Write what on the target is Heavylift's: key, both versions, size, checksum.

        That is what was proved equal now, and older copies of objects that have since changed on
        the source: the next sync may replace those.
        """
        self._db.execute(
            "COPY (SELECT d.rel, d.source_version, d.target_version, d.size_bytes, p.crc32c"
            " FROM diff d JOIN proved p ON p.rel = d.rel"
            " UNION ALL"
            " SELECT d.rel, max(e.source_version), d.target_version, max(d.size_bytes), NULL"
            " FROM diff d JOIN earlier e ON e.rel = d.rel AND e.target_version = d.target_version"
            " WHERE d.rel NOT IN (SELECT rel FROM proved) GROUP BY d.rel, d.target_version"
            " ORDER BY 1) TO ? (FORMAT parquet, COMPRESSION zstd)",
            [str(path)],
        )
