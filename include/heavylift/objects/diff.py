"""The difference between two listings, and what a transfer does about each object.

Computed by DuckDB out of core: a join of source, target and what Heavylift already knows to
be equal. Keys are compared as bytes; nothing is folded or normalised.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavylift.checksums import Algorithm
from heavylift.evidence.base import RECHECK
from heavylift.evidence.records import Tally, utc_now
from heavylift.objects.databases import open_database
from heavylift.objects.filters import LEFT_OUT_SQL, Filters
from heavylift.objects.known import create_earlier
from heavylift.objects.listing import LISTED, Listing
from heavylift.objects.markers import Markers, markers_of
from heavylift.objects.rolling import slice_sql
from heavylift.objects.row_files import insert_rows

if TYPE_CHECKING:
    import duckdb

    from heavylift.objects.rolling import Slice

ATTRIBUTES = "attributes"
"""The action on an object of equal bytes that the source has written anew since its attributes were taken."""
MOVES = ("copy", "replace", "compare", ATTRIBUTES, RECHECK)
"""The actions by which an object is written, or may be."""
LIKELY = MOVES[:-1]
"""Those by which it probably is: what an estimate counts."""

_CHECKSUMS = [a.value for a in LISTED]

# An S3 multipart ETag depends on the part sizes: two different ones may be the same bytes.
_DECISIVE = [a.value for a in LISTED if a not in {Algorithm.MD5_PARTS, Algorithm.ETAG}]

# An ETag that a listing tells may be an MD5: if it equals the other side's, it is one.
_SAME = [(name, name) for name in _CHECKSUMS] + [
    pair for name in ("md5", "md5_parts") for pair in (("etag", name), (name, "etag"))
]

EQUAL_SQL = " OR ".join(f"s.{one} = t.{other}" for one, other in _SAME)
"""Whether two rows of listings, ``s`` and ``t``, are equal by a checksum that both tell."""
UNEQUAL_SQL = " OR ".join(f"coalesce(s.{name} <> t.{name}, false)" for name in _DECISIVE)
"""Whether a checksum that both tell says that they are not."""
_CASES = " ".join(f"WHEN s.{one} = t.{other} THEN '{other}'" for one, other in _SAME)
DECIDED_BY_SQL = f"CASE {_CASES} END"
"""The checksum by which they are equal; NULL where none says so."""

_ACTION_SQL = """
CASE
  WHEN s.rel IS NULL THEN 'extra'
  WHEN {left_out} THEN 'filtered'
  WHEN t.rel IS NULL THEN 'copy'
  WHEN k.source_version = s.version AND k.target_version = t.version THEN {same}
  WHEN s.size_bytes = t.size_bytes AND ({equal}) AND NOT ({unequal}) THEN {same}
  WHEN k.target_version = t.version THEN 'replace'
  WHEN s.size_bytes <> t.size_bytes OR ({unequal}) THEN 'conflict'
  ELSE 'compare'
END
"""

# A store notes when an object was written, even where the bytes, and so perhaps the version, stayed.
REWRITTEN_SQL = "k.source_version <> s.version OR k.source_modified_us <> s.modified_us"
_REWRITTEN = f"WHEN coalesce({REWRITTEN_SQL}, false) THEN '{ATTRIBUTES}'"
# Only of what was proved in both versions: nobody else's attributes are written over unasked.
_TURN = f"WHEN k.source_version = s.version AND {slice_sql('s.rel')} = $index THEN '{RECHECK}'"

_DIFF_SQL = """
CREATE TABLE diff AS
SELECT coalesce(s.rel, t.rel) AS rel,
       {action} AS action,
       coalesce(s.size_bytes, t.size_bytes) AS size_bytes,
       s.version AS source_version,
       s.modified_us AS source_modified_us,
       t.version AS target_version,
       {decided_by} AS decided_by
FROM read_parquet($source) s
FULL JOIN read_parquet($target) t ON s.rel = t.rel
LEFT JOIN known k ON k.rel = s.rel AND k.target_version = t.version
"""


_NOTHING_KNOWN = """
CREATE VIEW known AS
SELECT NULL::VARCHAR AS rel, NULL::VARCHAR AS source_version, NULL::VARCHAR AS target_version,
       NULL::BIGINT AS source_modified_us WHERE false
"""
# What is known to be damaged is Heavylift's to replace, but is not equal to anything.
_KNOWN = """
CREATE OR REPLACE VIEW known AS
SELECT rel, target_version, CASE WHEN damaged THEN NULL ELSE source_version END AS source_version,
       CASE WHEN damaged THEN NULL ELSE source_modified_us END AS source_modified_us FROM earlier
"""

_PLAN_SQL = """
CREATE TABLE plan AS
SELECT (dense_rank() OVER (ORDER BY slot) - 1)::INTEGER AS shard, * EXCLUDE slot
FROM (
  SELECT (row_number() OVER w - 1) // $objects
           + (coalesce(sum(size_bytes) OVER (w ROWS UNBOUNDED PRECEDING), 0) - size_bytes) // $bytes AS slot,
         rel, action, size_bytes, source_version, source_modified_us, target_version
  FROM diff
  WHERE action IN ('copy', 'replace', 'compare', 'attributes', 'recheck')
    AND rel NOT IN (SELECT rel FROM refused)
  WINDOW w AS (ORDER BY rel)
)
"""


@dataclass(frozen=True)
class Refused:
    """An object that will not be moved, and why."""

    rel: str
    rule: str
    reason: str


MANY_ROWS = 500_000
"""Rows of both listings together from which on a join is spread over two threads."""


def _same_bytes(attributes: bool, recheck: Slice | None) -> str:
    """Return the SQL that tells what is done with an object whose bytes are equal."""
    cases = [_REWRITTEN] * attributes + [_TURN] * (recheck is not None)
    return f"CASE {' '.join(cases)} ELSE 'unchanged' END" if cases else "'unchanged'"


class Difference:
    """A diff of two listings in a DuckDB database of its own; close it after use.

    :param work: a folder for what does not fit the memory; deleted by the caller.
    :param memory_bytes: most memory that DuckDB may take.
    """

    def __init__(self, work: Path, memory_bytes: int) -> None:
        self._db = open_database(memory_bytes, work=work, ordered=False)
        self._db.execute(_NOTHING_KNOWN)
        self._db.execute("CREATE TABLE refused (rel VARCHAR, rule VARCHAR, reason VARCHAR)")

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def add_known(self, parquet: list[Path]) -> None:
        """Take in manifests: versions that were proved equal, or were written by Heavylift."""
        create_earlier(self._db, parquet)
        self._db.execute(_KNOWN)

    def compare(
        self,
        source: Listing,
        target: Listing,
        filters: Filters | None = None,
        now: datetime | None = None,
        *,
        attributes: bool = False,
        recheck: Slice | None = None,
    ) -> None:
        """Join both listings; afterwards every object has exactly one action.

        :param filters: leave out objects of the source by size and age.
        :param now: the moment from which ages are reckoned.
        :param attributes: tell what the source has written anew with the same bytes from what is unchanged.
        :param recheck: tell apart, too, what was proved before in a slice of the keys.
        """
        # A second thread has buffers of its own, which small listings are not worth.
        if source.total.objects + target.total.objects > MANY_ROWS:
            self._db.execute("SET threads = 2")
        action = _ACTION_SQL.format(
            equal=EQUAL_SQL,
            unequal=UNEQUAL_SQL,
            left_out=LEFT_OUT_SQL,
            same=_same_bytes(attributes, recheck),
        )
        sql = _DIFF_SQL.format(action=action, decided_by=DECIDED_BY_SQL)
        given: dict[str, str | int | None] = {"source": str(source.path), "target": str(target.path)}
        given |= (filters or Filters()).bounds(now or utc_now())
        given |= {"of": recheck.of, "index": recheck.index} if recheck else {}
        self._db.execute(sql, given)

    @property
    def database(self) -> duckdb.DuckDBPyConnection:
        """The database with the table ``diff``, for questions that only one caller has."""
        return self._db

    def tally(self, *actions: str) -> Tally:
        """Return number and bytes of the objects with one of ``actions``, refused ones not counted."""
        row = self._db.execute(
            "SELECT count(*), coalesce(sum(size_bytes), 0) FROM diff"
            " WHERE list_contains($actions, action) AND rel NOT IN (SELECT rel FROM refused)",
            {"actions": list(actions)},
        ).fetchone()
        return _tally(row)

    def refused_tally(self) -> Tally:
        """Return number and bytes of the objects that will not be moved."""
        row = self._db.execute(
            "SELECT count(*), coalesce(sum(size_bytes), 0) FROM diff"
            " WHERE action NOT IN ('extra', 'filtered') AND rel IN (SELECT rel FROM refused)"
        ).fetchone()
        return _tally(row)

    def by_action(self) -> dict[str, Tally]:
        """Return number and bytes of the objects of each action; refused ones are ``refused``."""
        rows = self._db.execute(
            "SELECT CASE WHEN action NOT IN ('extra', 'filtered') AND rel IN (SELECT rel FROM refused)"
            " THEN 'refused' ELSE action END AS done, count(*), coalesce(sum(size_bytes), 0)"
            " FROM diff GROUP BY done ORDER BY done"
        ).fetchall()
        return {str(name): _tally(tally) for name, *tally in rows}

    def keys(self, *actions: str, batch: int = 10_000, refused: bool = True) -> Any:
        """Yield lists of relative keys that have one of ``actions``; without ``refused`` ones if so asked."""
        cursor = self._db.cursor()
        cursor.execute(
            "SELECT rel FROM diff WHERE list_contains($actions, action)"
            " AND ($refused OR rel NOT IN (SELECT rel FROM refused)) ORDER BY rel",
            {"actions": list(actions), "refused": refused},
        )
        while rows := cursor.fetchmany(batch):
            yield [row[0] for row in rows]

    def larger_than(self, size_bytes: int) -> list[tuple[str, int]]:
        """Return keys and sizes of the objects to copy that have more bytes."""
        return self._db.execute(
            "SELECT rel, size_bytes FROM diff WHERE list_contains($actions, action)"
            " AND size_bytes > $size ORDER BY rel",
            {"actions": list(MOVES), "size": size_bytes},
        ).fetchall()

    def drawn(self, most: int, *actions: str) -> list[str]:
        """Return up to ``most`` keys with one of ``actions`` that are not refused, drawn at random.

        The same are drawn again.
        """
        rows = self._db.execute(
            "SELECT rel FROM diff WHERE list_contains($actions, action)"
            " AND rel NOT IN (SELECT rel FROM refused) ORDER BY md5(rel) LIMIT $most",
            {"actions": list(actions), "most": most},
        ).fetchall()
        return [row[0] for row in rows]

    def parents_that_are_objects(self, *, going: bool = False) -> list[str]:
        """Return keys that are also a folder of another key; not both fit a file system.

        :param going: only those that are to be written.
        """
        rows = self._db.execute(
            "WITH live AS (SELECT rel, action IN ('copy', 'replace', 'compare') AS goes FROM diff"
            " WHERE action NOT IN ('extra', 'filtered')),"
            # Folders are few beside keys: their own folders are looked for once each.
            " direct AS (SELECT DISTINCT list_slice(string_split(rel, '/'), 1, -2) AS parts FROM live),"
            " folders AS (SELECT DISTINCT array_to_string(list_slice(parts, 1, n), '/') AS folder FROM"
            " (SELECT parts, unnest(range(1, len(parts) + 1)) AS n FROM direct))"
            " SELECT rel FROM live SEMI JOIN folders ON live.rel = folders.folder"
            " WHERE goes OR NOT $going ORDER BY rel",
            {"going": going},
        ).fetchall()
        return [row[0] for row in rows]

    def markers(self) -> Markers:
        """Return the keys to copy that end in a slash and hold bytes, or lie beside the same without it."""
        return markers_of(
            self._db,
            "SELECT rel, size_bytes, action IN ('copy', 'replace', 'compare') AS goes FROM diff"
            " WHERE action NOT IN ('extra', 'filtered')",
        )

    def refuse(self, refused: list[Refused]) -> None:
        """Take objects out of what will be moved."""
        insert_rows(self._db, "refused", [(r.rel, r.rule, r.reason) for r in refused])

    def refusals(self, limit: int) -> tuple[list[Refused], int]:
        """Return the first ``limit`` refused objects and their whole number."""
        rows = self._db.execute(
            "SELECT DISTINCT ON (rel) rel, rule, reason FROM refused ORDER BY rel LIMIT ?", [limit]
        ).fetchall()
        count = self._db.execute("SELECT count(DISTINCT rel) FROM refused").fetchone()
        return [Refused(*row) for row in rows], int(count[0]) if count else 0

    def write_refused(self, path: Path) -> bool:
        """Write all refused objects as Parquet; False where there are none."""
        if not self.refusals(0)[1]:
            return False
        self._db.execute(
            "COPY (FROM refused ORDER BY rel) TO ? (FORMAT parquet, COMPRESSION zstd)", [str(path)]
        )
        return True

    def write_plan(
        self, path: Path, shard_objects: int, shard_bytes: int, max_shards: int
    ) -> list[tuple[int, int, int]]:
        """Write the rows to move, by shard and key; return ``(shard, objects, bytes)`` of each.

        Shards are ranges of keys, as equal as the limits make them; limits give way where they
        would need more than ``max_shards``.
        """
        todo = self.tally(*MOVES)
        shard_objects = max(1, shard_objects, -(-2 * todo.objects // max_shards))
        shard_bytes = max(1, shard_bytes, -(-2 * todo.size_bytes // max_shards))
        self._db.execute(_PLAN_SQL, {"objects": shard_objects, "bytes": shard_bytes})
        self._db.execute(
            "COPY (SELECT * FROM plan ORDER BY shard, rel) TO ? (FORMAT parquet, COMPRESSION zstd)",
            [str(path)],
        )
        rows = self._db.execute(
            "SELECT shard, count(*), sum(size_bytes)::BIGINT FROM plan GROUP BY shard ORDER BY shard"
        ).fetchall()
        return [(int(a), int(b), int(c)) for a, b, c in rows]

    def adopt_conflicts(self) -> None:
        """Let conflicting objects be replaced, as ``on_conflict: overwrite`` asks."""
        self._db.execute("UPDATE diff SET action = 'replace' WHERE action = 'conflict'")


def without(every: Tally, part: Tally) -> Tally:
    """Return ``every`` less ``part``."""
    return Tally(objects=every.objects - part.objects, size_bytes=every.size_bytes - part.size_bytes)


def _tally(row: Any) -> Tally:
    return Tally(objects=int(row[0]), size_bytes=int(row[1]))
