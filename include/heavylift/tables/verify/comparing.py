"""Comparing one table: buckets first, then the rows of those that differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace

from heavylift.tables.model import Table
from heavylift.tables.verify.both import begun, both, stop_both
from heavylift.tables.verify.buckets import (
    BUCKET_ROWS,
    MOST_FINE_BUCKETS,
    chunk_rows,
    chunks,
    differing,
    rows_in,
    slots_for,
    wanted_buckets,
)
from heavylift.tables.verify.differences import Kind
from heavylift.tables.verify.merge import Found, merge
from heavylift.tables.verify.plan import Plan
from heavylift.tables.verify.sampling import SampleChoice
from heavylift.tables.verify.side import Bucket, Chosen, Side

Buckets = dict[int, Bucket]


@dataclass
class Tally:
    """What was counted of one table.

    :param compared: rows of the source that lay in compared buckets: all of them, but for a sample.
    """

    source_rows: int = 0
    target_rows: int = 0
    compared: int = 0
    counts: Counter[Kind] = field(default_factory=Counter)


@dataclass(frozen=True)
class Comparer:
    """Compares tables between two sides.

    :param sample: which buckets to look into; None: all.
    """

    source: Side
    target: Side
    sample: SampleChoice | None = None

    def cut(self, plan: Plan) -> Plan:
        """Return the plan with bounds and slots for the table's size."""
        wanted = wanted_buckets(max(_rows(plan.source), _rows(plan.target)))
        bounds = self.source.bounds(plan, wanted) if plan.key else ()
        return replace(plan, bounds=bounds, slots=slots_for(wanted, len(bounds) + 1))

    def compare(self, plan: Plan, found: Callable[[Found], None]) -> Tally:
        """Compare a table that was cut, and hand over each row that differs."""
        tally = Tally()
        chosen = self._chosen(plan, tally)
        ours, theirs = self._buckets(plan, chosen)
        tally.compared = sum(each.rows for each in ours.values())
        if chosen is None:
            tally.source_rows, tally.target_rows = tally.compared, sum(each.rows for each in theirs.values())
        for fine, buckets, sides in self._narrowed(plan, ours, theirs):
            most = chunk_rows(tally.compared, indexed=bool(fine.bounds))
            for group in chunks(buckets, *sides, most):
                for row in self._rows(fine, Chosen(fine, group)):
                    tally.counts[row.kind] += row.count
                    found(row)
        return tally

    def _chosen(self, plan: Plan, tally: Tally) -> Chosen | None:
        if self.sample is None:
            return None
        tally.source_rows, tally.target_rows = both(
            lambda: self.source.count(plan.source), lambda: self.target.count(plan.target), self._stop
        )
        return Chosen(plan, self.sample.draw(plan.buckets))

    def _buckets(self, plan: Plan, among: Chosen | None) -> tuple[Buckets, Buckets]:
        return both(
            lambda: self.source.buckets(plan, among), lambda: self.target.buckets(plan, among), self._stop
        )

    def _narrowed(
        self, plan: Plan, ours: Buckets, theirs: Buckets
    ) -> Iterator[tuple[Plan, list[int], tuple[Mapping[int, Bucket], Mapping[int, Bucket]]]]:
        """Yield the buckets that differ; where they are large, finer ones within them."""
        buckets = differing(ours, theirs)
        if not buckets:
            return
        large = rows_in(buckets, ours, theirs) // (len(buckets) * BUCKET_ROWS)
        finer = min(large, MOST_FINE_BUCKETS // len(buckets))
        if finer >= 4:
            fine = replace(plan, slots=plan.slots * slots_for(finer, 1))
            ours, theirs = self._buckets(fine, Chosen(plan, buckets))
            plan, buckets = fine, differing(ours, theirs)
        yield plan, buckets, (ours, theirs)

    def _rows(self, plan: Plan, among: Chosen) -> Iterator[Found]:
        ours, theirs = self.source.rows(plan, among), self.target.rows(plan, among)
        with closing(_Streams(ours, theirs)):
            yield from merge(*begun(ours, theirs, self._stop), keyed=bool(plan.key))

    @property
    def _stop(self) -> Callable[[], None]:
        return stop_both(self.source, self.target)


@dataclass(frozen=True)
class _Streams:
    """Closes two streams, and so their sessions, whatever happened between them."""

    source: Iterator[object]
    target: Iterator[object]

    def close(self) -> None:
        for each in (self.source, self.target):
            close = getattr(each, "close", None)
            if close is not None:
                close()


_ROW_BYTES = 100
"""Of a table that was never analysed; what is wrong here costs time, not truth."""


def _rows(table: Table) -> int:
    return table.row_estimate if table.row_estimate > 0 else table.size_bytes // _ROW_BYTES
