"""Splitting a plan between a service and Heavylift's own workers.

The service takes what it can be trusted with; what it would leave behind or might overwrite goes to
the workers, in shards beside the service's own.
"""

from __future__ import annotations

from pathlib import Path

from heavylift.objects.diff import Difference
from heavylift.spec.vocabulary import Via

SERVICE_SHARD = 0
"""The shard that the service moves; the workers' begin at 1."""

PLAIN = {
    Via.STORAGE_TRANSFER_SERVICE: r"[^\r\n]+",
    Via.DATASYNC: r"[^\r\n]+",
    Via.AZCOPY: r"[A-Za-z0-9/._=,+@ -]+",
}
"""Service → keys that it is trusted with; what AzCopy does with others in a list was not tried."""

# A list of keys cannot name a folder (both services' documentation), AzCopy takes a key that ends in /
# for one, and a line break in a key is a row of its own to some readers. Objects of unknown content on
# the target ("compare") must be compared before anybody may write there.
_PLAN_SQL = r"""
CREATE TABLE plan AS
SELECT CASE WHEN ours THEN (1 + dense_rank() OVER (PARTITION BY ours ORDER BY slot) - 1)::INTEGER
            ELSE 0 END AS shard,
       * EXCLUDE (slot, ours)
FROM (
  SELECT *, (row_number() OVER w - 1) // $objects
           + (coalesce(sum(size_bytes) OVER (w ROWS UNBOUNDED PRECEDING), 0) - size_bytes) // $bytes AS slot
  FROM (
    SELECT action = 'compare' OR rel LIKE '%/' OR NOT regexp_full_match(rel, $plain, 's') AS ours,
           rel, action, size_bytes, source_version, source_modified_us, target_version
    FROM diff
    WHERE action IN ('copy', 'replace', 'compare') AND rel NOT IN (SELECT rel FROM refused)
  )
  WINDOW w AS (PARTITION BY ours ORDER BY rel)
)
"""


def write_split_plan(
    difference: Difference, path: Path, via: Via, shard_objects: int, shard_bytes: int, max_shards: int
) -> list[tuple[int, int, int]]:
    """Write the rows to move, by shard and key; return ``(shard, objects, bytes)`` of each.

    Shard 0 is the service's, and missing where nothing is for it. The limits hold for the others,
    and give way where they would need more than ``max_shards``.
    """
    db = difference.database
    todo = difference.tally("copy", "replace", "compare")
    shard_objects = max(shard_objects, -(-2 * todo.objects // max_shards))
    shard_bytes = max(shard_bytes, -(-2 * todo.size_bytes // max_shards))
    values = {"objects": max(1, shard_objects), "bytes": max(1, shard_bytes), "plain": PLAIN[via]}
    db.execute(_PLAN_SQL, values)
    db.execute(
        "COPY (SELECT * FROM plan ORDER BY shard, rel) TO ? (FORMAT parquet, COMPRESSION zstd)", [str(path)]
    )
    rows = db.execute(
        "SELECT shard, count(*), sum(size_bytes)::BIGINT FROM plan GROUP BY shard ORDER BY shard"
    ).fetchall()
    return [(int(a), int(b), int(c)) for a, b, c in rows]
