"""What changed on either side since both were last equal, and what is done about each change.

Computed by DuckDB out of core: both listings are joined with the last common state, the pairs of
versions that were proved equal. Keys are compared as bytes.
"""

# Statements are put together from this package's own words; keys and versions are bound, or in tables.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from heavylift.evidence.records import MAX_LISTED, Tally
from heavylift.objects.databases import open_database
from heavylift.objects.diff import DECIDED_BY_SQL, EQUAL_SQL, UNEQUAL_SQL
from heavylift.objects.known import is_manifest, tells_origin
from heavylift.objects.listing import Listing
from heavylift.objects.row_files import insert_rows
from heavylift.spec.vocabulary import Conflicts

TO_TARGET, TO_SOURCE = "to-target", "to-source"
DELETE_TARGET, DELETE_SOURCE = "delete-target", "delete-source"
KEEP_BOTH, STOP = "keep-both", "stop"
ACTS = (TO_TARGET, TO_SOURCE, DELETE_TARGET, DELETE_SOURCE, KEEP_BOTH)

_SEEN = """
CREATE TABLE seen (rel VARCHAR, source_version VARCHAR, target_version VARCHAR, crc32c VARCHAR,
                   written BOOLEAN, at_us BIGINT)
"""
# An inventory is what the last comparison found; whatever a manifest adds was written after it.
_FROM_INVENTORY = """
INSERT INTO seen SELECT rel, source_version, target_version, crc32c, written, 0 FROM read_parquet(?)
WHERE proved AND NOT damaged AND source_version IS NOT NULL AND target_version IS NOT NULL
"""
_FROM_MANIFEST = """
INSERT INTO seen SELECT rel, source_version, target_version, crc32c, outcome = 'moved', finished_us
FROM read_parquet(?) WHERE outcome IN ('moved', 'unchanged') AND finished_us > ?
"""
_BASE = """
CREATE TABLE base AS SELECT * EXCLUDE (at_us, turn) FROM (
  SELECT *, row_number() OVER (PARTITION BY rel ORDER BY at_us DESC) AS turn FROM seen) WHERE turn = 1
"""
_STATE = """
CASE WHEN b.rel IS NULL THEN CASE WHEN {side}.rel IS NULL THEN 'none' ELSE 'new' END
     WHEN {side}.rel IS NULL THEN 'gone'
     WHEN {side}.version = b.{name}_version THEN 'same' ELSE 'changed' END
"""
_WAYS = f"""
CREATE TABLE ways AS
SELECT coalesce(s.rel, t.rel) AS rel,
       s.version AS source_version, t.version AS target_version,
       coalesce(s.size_bytes, 0) AS source_size, coalesce(t.size_bytes, 0) AS target_size,
       s.modified_us AS source_us, t.modified_us AS target_us,
       {_STATE.format(side="s", name="source")} AS source_state,
       {_STATE.format(side="t", name="target")} AS target_state,
       CASE WHEN s.rel IS NULL OR t.rel IS NULL THEN NULL
            WHEN s.size_bytes <> t.size_bytes OR ({UNEQUAL_SQL}) THEN false
            WHEN {EQUAL_SQL} THEN true END AS alike,
       {DECIDED_BY_SQL} AS method, NULL::VARCHAR AS crc32c
FROM read_parquet($source) s FULL JOIN read_parquet($target) t ON s.rel = t.rel
LEFT JOIN base b ON b.rel = coalesce(s.rel, t.rel)
"""
_EDITS = "source_state IN ('new', 'changed') AND target_state IN ('new', 'changed')"
_CONFLICT = f"""
CASE WHEN {_EDITS} AND NOT alike
       THEN CASE WHEN source_state = 'new' THEN 'both-created' ELSE 'both-changed' END
     WHEN source_state = 'gone' AND target_state = 'changed' THEN 'deleted-on-source'
     WHEN source_state = 'changed' AND target_state = 'gone' THEN 'deleted-on-target' END
"""
# An edit outlives a deletion, whose time nobody knows, unless a side was named that wins.
_RESOLVED = {
    Conflicts.STOP: "'stop'",
    Conflicts.SOURCE_WINS: "CASE WHEN source_version IS NULL THEN 'delete-target' ELSE 'to-target' END",
    Conflicts.TARGET_WINS: "CASE WHEN target_version IS NULL THEN 'delete-source' ELSE 'to-source' END",
    Conflicts.NEWER_WINS: "CASE WHEN source_version IS NULL OR target_us > source_us THEN 'to-source'"
    " ELSE 'to-target' END",
    Conflicts.KEEP_BOTH: "CASE WHEN source_version IS NULL THEN 'to-source'"
    " WHEN target_version IS NULL THEN 'to-target' ELSE 'keep-both' END",
}
_ACTS = """
CREATE TABLE acts AS
SELECT *, CASE
  WHEN (source_state = 'same' AND target_state = 'same') OR coalesce(alike, false) THEN 'none'
  WHEN left_alone THEN 'none'
  WHEN conflict IS NOT NULL THEN {resolved}
  WHEN source_state = 'gone' THEN 'delete-target'
  WHEN target_state = 'gone' THEN 'delete-source'
  WHEN source_state IN ('new', 'changed') THEN 'to-target'
  ELSE 'to-source' END AS act
FROM (SELECT *, {conflict} AS conflict, rel IN (SELECT rel FROM unsure) AS left_alone FROM ways)
"""
_ROW = (
    "rel, act, conflict, source_version, target_version, source_size, target_size, source_state, target_state"
)


@dataclass(frozen=True, slots=True)
class Way:
    """One object that has to be carried over, deleted or kept twice.

    :param conflict: the kind of conflict; None where only one side changed.
    """

    rel: str
    act: str
    conflict: str | None
    source_version: str | None
    target_version: str | None
    source_size: int
    target_size: int
    source_state: str
    target_state: str

    @property
    def size_bytes(self) -> int:
        """The bytes of what is carried, or of what is deleted."""
        return self.target_size if self.act in {TO_SOURCE, DELETE_TARGET} else self.source_size


class Ways:
    """The three-way comparison, in a DuckDB database of its own; close it after use.

    :param work: a folder for what does not fit the memory; deleted by the caller.
    """

    def __init__(self, work: Path, memory_bytes: int) -> None:
        self.database = open_database(memory_bytes, work=work, ordered=False)
        self.database.execute(_SEEN)
        self.database.execute("CREATE TABLE unsure (rel VARCHAR)")

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def take_base(self, known: Iterable[Path], listed_at: datetime | None) -> int:
        """Take in the last common state, and what was carried over since; return its objects.

        :param known: inventories and manifests.
        :param listed_at: the listing that the inventory is of; older manifests are in it.
        """
        after = int(listed_at.timestamp() * 1e6) if listed_at else 0
        for path in known:
            if tells_origin(path):
                self.database.execute(_FROM_INVENTORY, [str(path)])
            elif is_manifest(path):
                self.database.execute(_FROM_MANIFEST, [str(path), after])
        self.database.execute(_BASE)
        return self._number("SELECT count(*) FROM base")

    def compare(self, source: Listing, target: Listing) -> None:
        """Join both listings with the base; afterwards each key has a state on either side."""
        self.database.execute(_WAYS, {"source": str(source.path), "target": str(target.path)})

    def undecided(self) -> list[str]:
        """Return keys that both sides have changed and whose contents the listings do not decide."""
        found = self.database.execute(
            f"SELECT rel FROM ways WHERE {_EDITS} AND alike IS NULL ORDER BY rel"
        ).fetchall()
        return [rel for (rel,) in found]

    def settle(self, alike: list[tuple[str, str, str | None]], unlike: list[str], unsure: list[str]) -> None:
        """Take in what a look at the undecided has found.

        :param alike: key, method and CRC32C of equal contents.
        :param unsure: changed while they were looked at: left to the next run.
        """
        self.database.execute("CREATE TEMP TABLE looked (rel VARCHAR, method VARCHAR, crc32c VARCHAR)")
        insert_rows(self.database, "looked", alike)
        self.database.execute(
            "UPDATE ways SET alike = true, method = l.method, crc32c = l.crc32c FROM looked l"
            " WHERE l.rel = ways.rel"
        )
        self.database.execute("CREATE TEMP TABLE other (rel VARCHAR)")
        insert_rows(self.database, "other", [(rel,) for rel in unlike])
        self.database.execute("UPDATE ways SET alike = false WHERE rel IN (SELECT rel FROM other)")
        insert_rows(self.database, "unsure", [(rel,) for rel in unsure])

    def decide(self, policy: Conflicts) -> None:
        """Give each key one act, by ``policy`` where both sides changed."""
        self.database.execute(_ACTS.format(resolved=_RESOLVED[policy], conflict=_CONFLICT))

    def changes(self) -> dict[str, int]:
        """Return how many objects changed, appeared or went on either side."""
        found: dict[str, int] = {}
        for side in ("source", "target"):
            rows = self.database.execute(
                f"SELECT {side}_state, count(*) FROM ways WHERE {side}_state IN ('new', 'changed', 'gone')"
                " GROUP BY 1 ORDER BY 1"
            ).fetchall()
            found |= {f"{side}-{state}": int(count) for state, count in rows}
        return found

    def tallies(self) -> dict[str, Tally]:
        """Return number and bytes of the objects of each act."""
        rows = self.database.execute(
            "SELECT act, count(*), sum(CASE WHEN act IN ('to-source', 'delete-target') THEN target_size"
            " ELSE source_size END)::BIGINT FROM acts WHERE act <> 'none' GROUP BY act"
        ).fetchall()
        return {act: Tally(objects=int(count), size_bytes=int(size)) for act, count, size in rows}

    def conflicts(self) -> tuple[list[Way], int]:
        """Return the first conflicts, and the number of all."""
        first = self._rows(f"conflict IS NOT NULL AND act <> 'none' ORDER BY rel LIMIT {MAX_LISTED}")
        count = self._number("SELECT count(*) FROM acts WHERE conflict IS NOT NULL AND act <> 'none'")
        return list(first), count

    def todo(self) -> Iterator[Way]:
        """Yield all objects that have something done to them, in the order of their keys."""
        return self._rows("act <> 'none' ORDER BY rel")

    def write(self, path: Path) -> bool:
        """Write all objects that have something to be done as Parquet; False where there are none."""
        if not self._number("SELECT count(*) FROM acts WHERE act <> 'none'"):
            return False
        self.database.execute(
            f"COPY (SELECT {_ROW} FROM acts WHERE act <> 'none' ORDER BY rel) TO ?"
            " (FORMAT parquet, COMPRESSION zstd)",
            [str(path)],
        )
        return True

    def _rows(self, where: str) -> Iterator[Way]:
        cursor = self.database.cursor()
        cursor.execute(f"SELECT {_ROW} FROM acts WHERE {where}")
        while rows := cursor.fetchmany(1_000):
            yield from (Way(*row) for row in rows)

    def _number(self, sql: str, values: Any = None) -> int:
        row = self.database.execute(sql, values).fetchone()
        return int(row[0]) if row else 0
