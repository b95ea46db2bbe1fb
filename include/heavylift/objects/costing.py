"""From a plan's listings to its estimate: the exact counts, read from the diff's own database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.evidence.base import RECHECK
from heavylift.evidence.estimates import EstimateRecord, SizeClass
from heavylift.evidence.records import Tally
from heavylift.facts.estimate import Workload, estimate
from heavylift.facts.prices import load_prices
from heavylift.locations import SCHEMES
from heavylift.objects.diff import ATTRIBUTES, LIKELY, Difference
from heavylift.objects.listing import LISTED, Listing
from heavylift.objects.looking import number_looked_at
from heavylift.objects.requests import TransferRequest
from heavylift.platforms.ports import StoreTraits
from heavylift.spec.vocabulary import Via

if TYPE_CHECKING:
    import duckdb

SIZE_CLASSES = (16 * 2**10, 2**20, 16 * 2**20, 256 * 2**20, 4 * 2**30)
"""Upper ends of the histogram's classes, bytes; above the last everything is one class."""

_WANTED = """
CREATE OR REPLACE TEMP VIEW wanted AS SELECT rel, size_bytes FROM diff
WHERE action IN ('copy', 'replace', 'compare', 'attributes') AND rel NOT IN (SELECT rel FROM refused)
"""
_HISTOGRAM = """
SELECT len(list_filter($ends, lambda top: top < size_bytes)) AS class, count(*), sum(size_bytes)
FROM wanted GROUP BY class ORDER BY class
"""
# As part_layout.part_size has it, a target that takes so many parts and no more asks for larger ones.
_PARTS = """
SELECT count(*), coalesce(sum(ceil(size_bytes / part)), 0) FROM (
  SELECT size_bytes, least(greatest($wanted, ceil(size_bytes / $max_parts), $min_part), $max_part) AS part
  FROM wanted WHERE size_bytes > $wanted
)
"""
_UNPROVED = """
SELECT coalesce(sum(s.size_bytes), 0) FROM read_parquet($source) s SEMI JOIN wanted USING (rel)
WHERE coalesce({sums}) IS NULL
"""


def platforms_of(request: TransferRequest) -> tuple[str, str]:
    """Return who bills the source and the target."""
    cost = request.options.cost
    return (
        cost.source_platform or SCHEMES[request.source.location.scheme],
        cost.target_platform or SCHEMES[request.target.location.scheme],
    )


def workload_of(
    request: TransferRequest, difference: Difference, source: Listing, target: Listing, traits: StoreTraits
) -> Workload:
    """Return the exact counts of a plan whose refusals are settled.

    :param traits: of the target. Parts that a source's object was made of may be kept, and are in no
        listing: they are not in the counts.
    """
    db = difference.database
    db.execute(_WANTED)
    platforms = platforms_of(request)
    # A service chooses its own part size; S3's usual 8 MiB and Azure's blocks are of the same order.
    sizes = {
        "wanted": request.options.limits.part_size,
        "max_parts": traits.max_parts,
        "min_part": traits.min_part_bytes,
        "max_part": traits.max_part_bytes,
    }
    large, parts = _one_row(db, _PARTS, {**sizes})
    sums = ", ".join(f"s.{algorithm.value}" for algorithm in LISTED)
    (unproved,) = _one_row(db, _UNPROVED.format(sums=sums), {"source": str(source.path)})
    going = difference.tally(*LIKELY)
    return Workload(
        source=platforms[0],
        target=platforms[1],
        listed_source=source.total.objects,
        listed_target=target.total.objects,
        to_move=going,
        to_compare=difference.tally("compare", ATTRIBUTES),
        large=large,
        parts=parts,
        unproved_bytes=unproved,
        sizes=_histogram(db),
        tags=request.options.metadata.tags,
        looked_at=number_looked_at(request, going.objects),
        rechecked=difference.tally(RECHECK).objects,
        proved=_proved(request, going.objects, source.total.objects),
    )


def _proved(request: TransferRequest, moved: int, listed: int) -> int | None:
    if not request.options.verify.all_attributes:
        return None
    return listed if request.options.rolling is None else moved


def estimate_plan(
    request: TransferRequest, difference: Difference, source: Listing, target: Listing, traits: StoreTraits
) -> tuple[Workload, EstimateRecord]:
    """Return the counts of a plan and what it will cost and take.

    :raises SpecError: the file of prices cannot be used.
    """
    workload = workload_of(request, difference, source, target, traits)
    return workload, estimate_workload(request, workload)


def idle_workload(request: TransferRequest, source: Tally, target: Tally) -> Workload:
    """Return the counts of a plan that has nothing to do.

    :param source: what its listing has found; ``target`` likewise.
    """
    platforms = platforms_of(request)
    return Workload(
        source=platforms[0],
        target=platforms[1],
        listed_source=source.objects,
        listed_target=target.objects,
        to_move=Tally(),
        to_compare=Tally(),
        large=0,
        parts=0,
        unproved_bytes=0,
        sizes=(),
        tags=request.options.metadata.tags,
    )


def estimate_workload(request: TransferRequest, workload: Workload) -> EstimateRecord:
    """Return what it will cost and take.

    :raises SpecError: the file of prices cannot be used.
    """
    options = request.options
    return estimate(
        workload,
        load_prices(options.cost.prices),
        via=options.via.value,
        max_bandwidth=options.limits.max_bandwidth if options.via is Via.HEAVYLIFT else None,
        max_cost_usd=options.cost.max_usd,
    )


def _histogram(db: duckdb.DuckDBPyConnection) -> tuple[SizeClass, ...]:
    ends = (*SIZE_CLASSES, None)
    rows = db.execute(_HISTOGRAM, {"ends": list(SIZE_CLASSES)}).fetchall()
    return tuple(
        SizeClass(up_to_bytes=ends[int(number)], objects=int(count), size_bytes=int(total))
        for number, count, total in rows
    )


def _one_row(db: duckdb.DuckDBPyConnection, sql: str, values: dict[str, object]) -> tuple[int, ...]:
    row = db.execute(sql, values).fetchone()
    return tuple(int(value) for value in row) if row else ()
