"""The proof of a two-way sync: both sides listed afresh, and the next common state."""

# Statements are put together from this package's own words; keys and versions are bound, or in tables.
# ruff: noqa: S608

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heavylift.evidence.numbered import latest_number, write_next
from heavylift.evidence.paths import verification_path
from heavylift.evidence.records import MAX_LISTED, Difference, Tally, VerificationRecord, utc_now
from heavylift.evidence.store import EvidenceStore
from heavylift.objects.diff import DECIDED_BY_SQL, EQUAL_SQL, UNEQUAL_SQL
from heavylift.objects.listing import list_to_file
from heavylift.objects.manifest import ManifestRow
from heavylift.objects.requests import TransferRequest
from heavylift.objects.rolling import PROVED_BEFORE
from heavylift.objects.row_files import insert_rows
from heavylift.objects.state_keeping import StateOfSides, keep_state, keep_tree
from heavylift.objects.tree import build_tree, write_tree
from heavylift.objects.two_way.ways import Way, Ways
from heavylift.patterns import selector
from heavylift.platforms.ports import ObjectStore

_AFTER = """
CREATE TABLE after (rel VARCHAR, source_version VARCHAR, target_version VARCHAR, crc32c VARCHAR,
                    method VARCHAR, written VARCHAR)
"""
_PAIRS = f"""
CREATE TABLE pairs AS
SELECT rel, source_version, target_version, crc32c, method, written = 'true' AS written FROM after
WHERE source_version IS NOT NULL AND target_version IS NOT NULL
UNION ALL
SELECT w.rel, w.source_version, w.target_version, coalesce(w.crc32c, b.crc32c),
       CASE WHEN w.source_state = 'same' AND w.target_state = 'same' THEN '{PROVED_BEFORE}' ELSE w.method END,
       coalesce(b.written AND w.target_state = 'same', false)
FROM acts w LEFT JOIN base b ON b.rel = w.rel
WHERE w.act = 'none' AND NOT w.left_alone AND w.source_version IS NOT NULL
"""
# What neither listing before nor this attempt itself has put there was changed by somebody since.
_PROOF = f"""
CREATE TABLE proof AS
SELECT coalesce(s.rel, t.rel) AS rel, coalesce(s.size_bytes, t.size_bytes) AS size_bytes,
       s.version AS source_version, t.version AS target_version, p.crc32c,
       coalesce(p.written, false) AS written,
       CASE WHEN s.rel IS NULL OR t.rel IS NULL THEN NULL
            WHEN p.source_version = s.version AND p.target_version = t.version THEN p.method
            WHEN s.size_bytes = t.size_bytes AND ({EQUAL_SQL}) AND NOT ({UNEQUAL_SQL}) THEN {DECIDED_BY_SQL}
            END AS method,
       (s.version IS DISTINCT FROM w.source_version
         AND (a.rel IS NULL OR s.version IS DISTINCT FROM a.source_version))
       OR (t.version IS DISTINCT FROM w.target_version
         AND (a.rel IS NULL OR t.version IS DISTINCT FROM a.target_version)) AS changed
FROM read_parquet($source) s FULL JOIN read_parquet($target) t ON s.rel = t.rel
LEFT JOIN ways w ON w.rel = coalesce(s.rel, t.rel)
LEFT JOIN after a ON a.rel = coalesce(s.rel, t.rel)
LEFT JOIN pairs p ON p.rel = coalesce(s.rel, t.rel)
"""
# Of what is not equal yet the old pair stays: the next run tells changes from it.
_INVENTORY = """
COPY (
  SELECT rel, source_version, target_version, size_bytes, crc32c, written, true AS proved, false AS damaged
  FROM proof WHERE method IS NOT NULL
  UNION ALL
  SELECT p.rel, b.source_version, b.target_version, p.size_bytes, b.crc32c, b.written, true, false
  FROM proof p JOIN base b ON b.rel = p.rel WHERE p.method IS NULL
  ORDER BY 1
) TO ? (FORMAT parquet, COMPRESSION zstd)
"""


@dataclass(frozen=True)
class After:
    """What an attempt has left under one key; a version that is None is a deleted object."""

    rel: str
    source_version: str | None
    target_version: str | None
    crc32c: str | None = None
    method: str = ""
    written: bool = False


def after_pair(row: ManifestRow) -> After:
    """Return what a copy in either direction has left."""
    proof = row.target_proof if row.target_proof not in {"", "stores_agree"} else "stores_agree"
    moved = row.outcome == "moved"
    return After(row.rel, row.source_version, row.target_version, row.crc32c, proof, moved)


def after_deletion(way: Way) -> After:
    """Return what a deletion has left: nothing on either side."""
    return After(way.rel, None, None)


async def prove(
    request: TransferRequest,
    evidence: EvidenceStore,
    sides: tuple[ObjectStore, ObjectStore],
    ways: Ways,
    after: list[After],
    state: Mapping[str, Any] | None,
    work: Path,
) -> VerificationRecord:
    """List both sides again, compare them, and keep result and state as evidence.

    What somebody has changed since the run looked is no fault of it; it is counted, and the next run
    takes it. Whatever else differs makes ``passed`` false.
    """
    listed_at = utc_now()
    selected = selector(request.options.include, request.options.exclude)
    places = request.source, request.target
    listings = [
        await list_to_file(store, place.location.prefix, selected, work / f"after-{number}.parquet")
        for number, (store, place) in enumerate(zip(sides, places, strict=True))
    ]
    database = ways.database
    database.execute(_AFTER)
    insert_rows(database, "after", [_texts(each) for each in after])
    database.execute(_PAIRS)
    database.execute(_PROOF, {"source": str(listings[0].path), "target": str(listings[1].path)})
    record = _record(request, ways, listings[0].total, listings[1].total)
    found = _state_of_sides(request, database, work)
    run, dataset = request.run, request.dataset
    number = await latest_number(evidence, lambda n: verification_path(run, dataset, n)) + 1
    tree = await keep_tree(request, evidence, number, found)
    record = record.model_copy(update={"root": found.root, "tree": tree})
    number, _ref = await write_next(evidence, lambda n: verification_path(run, dataset, n), record)
    await keep_state(
        request, evidence, number, found, tree, listed_at=listed_at, slice_=None, before=state, standing=None
    )
    return record


def _record(request: TransferRequest, ways: Ways, source: Tally, target: Tally) -> VerificationRecord:
    database = ways.database
    methods = dict(
        database.execute(
            "SELECT method, count(*) FROM proof WHERE method IS NOT NULL GROUP BY 1 ORDER BY 1"
        ).fetchall()
    )
    equal = database.execute(
        "SELECT count(*), coalesce(sum(size_bytes), 0)::BIGINT FROM proof WHERE method IS NOT NULL"
    ).fetchone() or (0, 0)
    kinds = dict(database.execute(_KINDS).fetchall())
    newer, extra = kinds.pop("newer", 0), kinds.pop("extra", 0)
    failing = sum(kinds.values())
    return VerificationRecord(
        run=request.run,
        dataset=request.dataset,
        source_url=str(request.source.location),
        target_url=str(request.target.location),
        source=source,
        target=target,
        equal=Tally(objects=int(equal[0]), size_bytes=int(equal[1])),
        missing=kinds.get("missing", 0) + kinds.get("missing-on-source", 0),
        different=kinds.get("different", 0),
        extra=extra,
        newer_on_source=newer,
        methods=methods,
        differences=_worst(ways),
        statement=_statement(failing, newer + extra),
        passed=not failing,
    )


_KIND = """
CASE WHEN changed AND source_version IS NULL THEN 'extra' WHEN changed THEN 'newer'
     WHEN target_version IS NULL THEN 'missing' WHEN source_version IS NULL THEN 'missing-on-source'
     ELSE 'different' END
"""
_KINDS = f"SELECT {_KIND} AS kind, count(*) FROM proof WHERE method IS NULL GROUP BY 1 ORDER BY 1"


def _worst(ways: Ways) -> tuple[Difference, ...]:
    rows = ways.database.execute(
        f"SELECT rel, {_KIND} AS kind, coalesce(source_version, 'nothing'),"
        " coalesce(target_version, 'nothing') FROM proof"
        f" WHERE method IS NULL AND NOT changed ORDER BY rel LIMIT {MAX_LISTED}"
    ).fetchall()
    return tuple(
        Difference(key=rel, kind="different" if kind == "different" else "missing", source=one, target=other)
        for rel, kind, one, other in rows
    )


def _statement(failing: int, since: int) -> str:
    if failing:
        return "the two sides are not equal"
    told = "every object was compared, in both directions"
    return f"{told}; {since} changed on either side since, which the next run takes" if since else told


def _state_of_sides(request: TransferRequest, database: Any, work: Path) -> StateOfSides:
    inventory, tree = work / "inventory.parquet", work / "tree.parquet"
    database.execute(_INVENTORY, [str(inventory)])
    nodes = build_tree(inventory, request.options.limits.memory_budget)
    write_tree(tree, nodes)
    total = Tally(objects=nodes[0].objects, size_bytes=nodes[0].size_bytes)
    return StateOfSides(inventory, tree, nodes[0].digest, total)


def _texts(each: After) -> tuple[str | None, ...]:
    written = json.dumps(each.written)
    return each.rel, each.source_version, each.target_version, each.crc32c, each.method or None, written
