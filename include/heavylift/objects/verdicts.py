"""Verdicts of a verification: what was found of each object that is not plainly equal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.evidence.records import MAX_LISTED
from heavylift.evidence.records import Difference as DifferenceRecord
from heavylift.objects.diff import Difference
from heavylift.objects.known import create_earlier
from heavylift.objects.manifest import SKIPPED
from heavylift.objects.rolling import PROVED_BEFORE, Recorded, Slice, slice_sql
from heavylift.objects.row_files import insert_rows

if TYPE_CHECKING:
    import duckdb

ATTRIBUTES = "attributes"
"""The kind of a verdict on an object whose bytes arrived and whose attributes did not."""
_BATCH = 10_000
_SCHEMA = """
CREATE TABLE verdict (rel VARCHAR, kind VARCHAR, source VARCHAR, target VARCHAR);
CREATE TABLE proved (rel VARCHAR, method VARCHAR, crc32c VARCHAR);
CREATE TABLE planned (rel VARCHAR, version VARCHAR);
CREATE TABLE accepted (rel VARCHAR);
CREATE TABLE damaged (rel VARCHAR);
CREATE TABLE asked (rel VARCHAR);
CREATE TABLE moved (rel VARCHAR);
CREATE VIEW there AS SELECT rel FROM diff WHERE action NOT IN ('copy', 'extra', 'filtered');
"""

# What the source changed after the plan, and what the spec lets stay behind, is no fault of
# the move; it is counted under its own name instead. The attributes of a newer version are not
# those that were to arrive.
_EXCUSE = """
UPDATE verdict SET kind = 'newer' WHERE kind IN ('missing', 'different')
  AND (SELECT count(*) FROM planned) > 0
  AND NOT EXISTS (SELECT 1 FROM planned p JOIN diff d ON d.rel = p.rel
                  WHERE p.rel = verdict.rel AND p.version = d.source_version);
DELETE FROM verdict WHERE kind = 'attributes' AND rel IN (SELECT rel FROM verdict WHERE kind = 'newer');
UPDATE verdict SET kind = 'newer' WHERE kind = 'attributes' AND (SELECT count(*) FROM planned) > 0
  AND rel IN (SELECT rel FROM rewritten);
UPDATE verdict SET kind = 'accepted' WHERE kind IN ('missing', 'different')
  AND rel IN (SELECT rel FROM accepted);
"""

# Slice -1 of 0 is none: then everything that was proved is trusted.
_TRUST = """
INSERT INTO proved
SELECT rel, $method, NULL FROM diff SEMI JOIN earlier e
  ON e.rel = diff.rel AND e.source_version = diff.source_version
 AND e.target_version = diff.target_version AND e.proved AND NOT e.damaged
WHERE list_contains($actions, action)
  AND {slice} <> $index
"""
_RECORDED = """
SELECT d.rel, e.source_version, e.target_version, e.crc32c, e.proved FROM diff d JOIN earlier e
  ON e.rel = d.rel AND e.source_version = d.source_version AND e.target_version = d.target_version
WHERE list_contains($actions, d.action) AND e.crc32c IS NOT NULL
  AND d.rel NOT IN (SELECT rel FROM proved)
"""
_INVENTORY = """
COPY (
  SELECT d.rel, d.source_version, d.target_version, d.size_bytes, coalesce(p.crc32c, e.crc32c) AS crc32c,
         coalesce(e.source_modified_us, d.source_modified_us) AS source_modified_us,
         coalesce(e.written, false) AS written, true AS proved, false AS damaged
  FROM diff d JOIN proved p ON p.rel = d.rel
  LEFT JOIN earlier e ON e.rel = d.rel AND e.target_version = d.target_version
  UNION ALL
  SELECT d.rel, e.source_version, d.target_version, coalesce(e.size_bytes, d.size_bytes), e.crc32c,
         e.source_modified_us, e.written, e.proved AND v.rel IS NULL, e.damaged OR b.rel IS NOT NULL
  FROM diff d JOIN earlier e ON e.rel = d.rel AND e.target_version = d.target_version
  LEFT JOIN (SELECT DISTINCT rel FROM verdict WHERE kind IN ('different', 'unverifiable')) v ON v.rel = d.rel
  LEFT JOIN (SELECT DISTINCT rel FROM damaged) b ON b.rel = d.rel
  WHERE d.rel NOT IN (SELECT rel FROM proved)
  ORDER BY 1
) TO ? (FORMAT parquet, COMPRESSION zstd)
"""


# Since the attributes were taken that the target has: the next plan compares these.
_REWRITTEN = """
CREATE VIEW rewritten AS
SELECT d.rel FROM diff d JOIN earlier e ON e.rel = d.rel AND e.target_version = d.target_version
WHERE e.source_modified_us <> d.source_modified_us
"""


class Verdicts:
    """Collects verdicts in the diff's own database, so that memory stays bounded."""

    def __init__(self, difference: Difference) -> None:
        self._db: duckdb.DuckDBPyConnection = difference.database
        self._db.execute(_SCHEMA)
        self.methods: Counter[str] = Counter()
        self._waiting: dict[str, list[tuple[str | None, ...]]] = {"proved": [], "verdict": [], "damaged": []}

    def take_plan(self, listing: Path | None, refused: Path | None) -> None:
        """Take in what the plan found on the source and what it refused."""
        if listing:
            self._db.execute("INSERT INTO planned SELECT rel, version FROM read_parquet(?)", [str(listing)])
        if refused:
            self._db.execute("INSERT INTO accepted SELECT rel FROM read_parquet(?)", [str(refused)])

    def take_manifest(self, manifest: Path) -> None:
        """Take in what a shard of this run has moved, and what it left behind, as the spec lets it."""
        for table, outcome in (("moved", "moved"), ("accepted", SKIPPED)):
            self._db.execute(
                f"INSERT INTO {table} SELECT rel FROM read_parquet(?) WHERE outcome = ?",  # noqa: S608 - our words
                [str(manifest), outcome],
            )

    def moved(self) -> int:
        """Return how many objects this run has moved."""
        return self._count("SELECT count(DISTINCT rel) FROM moved")

    def moved_of(self, rels: Sequence[str]) -> list[str]:
        """Return those of ``rels`` that this run has moved."""
        found = self._db.execute(
            "SELECT DISTINCT rel FROM moved WHERE list_contains($rels, rel)", {"rels": list(rels)}
        ).fetchall()
        return [rel for (rel,) in found]

    def drawn(self, most: int) -> list[str]:
        """Return up to ``most`` of the objects that were moved, drawn at random; the same are drawn again."""
        rows = self._db.execute(
            "SELECT DISTINCT rel, sha256(rel) AS turn FROM moved ORDER BY turn LIMIT ?", [most]
        ).fetchall()
        return [row[0] for row in rows]

    def all_moved(self) -> Iterator[str]:
        """Yield the objects that were moved."""
        return self._rels("SELECT DISTINCT rel FROM moved ORDER BY rel")

    def there(self) -> int:
        """Return how many objects both sides have."""
        return self._count("SELECT count(*) FROM there")

    def all_there(self) -> Iterator[str]:
        """Yield the objects that both sides have."""
        return self._rels("SELECT rel FROM there ORDER BY rel")

    def _rels(self, sql: str) -> Iterator[str]:
        cursor = self._db.cursor()
        cursor.execute(sql)
        while rows := cursor.fetchmany(_BATCH):
            yield from (row[0] for row in rows)

    def on_both_sides(self, rels: Sequence[str]) -> list[str]:
        """Return those of ``rels`` that both listings have and the filters let through."""
        insert_rows(self._db, "asked", [(rel,) for rel in rels])
        rows = self._db.execute("SELECT rel FROM there SEMI JOIN asked USING (rel)").fetchall()
        return [rel for (rel,) in rows]

    def listed_versions(self, rel: str) -> tuple[str, str]:
        """Return in which versions the listings have an object; it must be in both."""
        row = self._db.execute(
            "SELECT source_version, target_version FROM diff WHERE rel = ?", [rel]
        ).fetchone()
        return (str(row[0]), str(row[1])) if row else ("", "")

    def take_earlier(self, parquet: list[Path]) -> None:
        """Take in what earlier runs and this one have written, so that it stays known as ours."""
        create_earlier(self._db, parquet)
        self._db.execute(_REWRITTEN)

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

    def trust_earlier(self, slice_: Slice | None, *actions: str) -> None:
        """Count what an earlier verification proved, both versions unchanged, outside of ``slice_``."""
        self._db.execute(
            _TRUST.format(slice=slice_sql("rel")),
            {
                "method": PROVED_BEFORE,
                "actions": list(actions),
                "of": slice_.of if slice_ else 0,
                "index": slice_.index if slice_ else -1,
            },
        )

    def recorded(self, *actions: str) -> dict[str, Recorded]:
        """Return what was recorded of undecided objects that were proved in the versions they have."""
        rows = self._db.execute(_RECORDED, {"actions": list(actions)}).fetchall()
        return {rel: Recorded(*rest) for rel, *rest in rows}

    def undecided(self, *actions: str) -> list[tuple[str, str, str, int]]:
        """Return ``(rel, source version, target version, size)`` of what needs a closer look."""
        return self._db.execute(
            "SELECT rel, source_version, target_version, size_bytes FROM diff"
            " WHERE list_contains($actions, action) AND rel NOT IN (SELECT rel FROM proved) ORDER BY rel",
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
        return self._count("SELECT count(*) FROM verdict WHERE kind = ?", [kind])

    def _count(self, sql: str, values: Sequence[str] = ()) -> int:
        row = self._db.execute(sql, values).fetchone()
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
        if not self._count("SELECT count(*) FROM verdict"):
            return False
        self._db.execute(
            "COPY (FROM verdict ORDER BY rel) TO ? (FORMAT parquet, COMPRESSION zstd)", [str(path)]
        )
        return True

    def rewritten(self) -> int:
        """Return how many equal objects the source has written anew since their attributes were taken."""
        return self._count("SELECT count(*) FROM rewritten SEMI JOIN proved USING (rel)")

    def damaged(self, rel: str) -> None:
        """Note that the target's bytes are no longer those that were proved, under the same version."""
        self._add("damaged", (rel,))

    def write_inventory(self, path: Path) -> None:
        """Write what on the target is Heavylift's business: key, both versions, size, checksum.

        That is what was proved equal now, and older copies of objects that have since changed on
        the source: the next sync may replace those. Beside each stands who wrote it and whether
        it counts as proved; see ``known.COLUMNS``.
        """
        self._db.execute(_INVENTORY, [str(path)])
