"""Comparing all chosen tables of two databases."""

from __future__ import annotations

import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from heavylift.evidence.table_records import TableComparison
from heavylift.evidence.wording import counted
from heavylift.tables.model import Table
from heavylift.tables.verify.both import both, stop_both
from heavylift.tables.verify.comparing import Comparer, Tally
from heavylift.tables.verify.differences import Differences
from heavylift.tables.verify.merge import Found
from heavylift.tables.verify.pairing import pair_up
from heavylift.tables.verify.plan import Digest, Key, Plan
from heavylift.tables.verify.sampling import SampleChoice
from heavylift.tables.verify.sessions import stopping
from heavylift.tables.verify.settle import Settling, settle
from heavylift.tables.verify.side import Side
from heavylift.tables.verify.wording import method

Pair = tuple[Table, Table | None]
"""A table on the source, and on the target; None where the target has no such table."""
Tell = Callable[[str], None]


@dataclass(frozen=True)
class CompareOptions:
    """How tables are compared.

    :param sample: compare random ranges of each table only; None: every row.
    :param settling: look at differences again, because both sides are written to; None: they are final.
    :param parallel: tables compared at once.
    :param seed: of the digests; drawn anew for each run unless given.
    :param own_text: both sides are of one product; else values are compared in their canonical form.
    """

    sample: SampleChoice | None = None
    settling: Settling | None = None
    parallel: int = 4
    seed: int = field(default_factory=lambda: secrets.randbits(62))
    own_text: bool = True


def compare_tables(
    pairs: Sequence[Pair],
    source: Side,
    target: Side,
    *,
    options: CompareOptions | None = None,
    stop: threading.Event,
    tell: Tell,
    file: Path,
) -> tuple[list[TableComparison], Differences]:
    """Compare tables inside both databases; changes neither.

    Idempotency: reads only. On failure: nothing is left behind but perhaps an incomplete ``file``.

    :param pairs: the tables, each as both sides have it; partitioned ones by their root.
    :param stop: set it to have running statements cancelled.
    :param tell: takes a line of progress for each table.
    :param file: where the keys of differing rows are written as Parquet; must not exist.
    :return: the comparisons in the order of ``pairs``, and the differences, complete.
    :raises TransientError: told to stop.
    :raises ServerUnavailableError: a session was lost; compare again.
    """
    work = _Work(source, target, options or CompareOptions(), tell, len(pairs))
    with closing(source), closing(target), stopping(stop, source, target), Differences(file) as differences:
        work.choose_digest()
        compared = work.all(pairs, differences)
    return compared, differences


@dataclass
class _Work:
    source: Side
    target: Side
    options: CompareOptions
    tell: Tell
    total: int
    digest: Digest = Digest.HASH
    done: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def choose_digest(self) -> None:
        characters = both(self.source.character, self.target.character, stop_both(self.source, self.target))
        self.digest = Digest.HASH if characters[0] == characters[1] else Digest.MD5

    def all(self, pairs: Sequence[Pair], differences: Differences) -> list[TableComparison]:
        """Compare the tables, the largest first; the first failure ends all."""
        order = sorted(range(len(pairs)), key=lambda at: -pairs[at][0].size_bytes)
        with ThreadPoolExecutor(max(1, self.options.parallel), thread_name_prefix="verify") as pool:
            futures = {at: pool.submit(self.one, *pairs[at], differences) for at in order}
            done, pending = wait(futures.values(), return_when=FIRST_EXCEPTION)
            if pending:
                for future in pending:
                    future.cancel()
                stop_both(self.source, self.target)()
            for future in done:
                future.result()
        return [futures[at].result() for at in range(len(pairs))]

    def one(self, source: Table, target: Table | None, differences: Differences) -> TableComparison:
        """Compare one table."""
        began = time.monotonic()
        if target is None:
            compared = self._absent(source, differences)
        else:
            compared = self._pair(self._plan(source, target), differences)
        compared = compared.model_copy(update={"seconds": round(time.monotonic() - began, 3)})
        with self.lock:
            self.done += 1
            self.tell(_progress(compared, self.done, self.total))
        return compared

    def _plan(self, source: Table, target: Table) -> Plan:
        options = self.options
        return pair_up(source, target, self.digest, options.seed, own_text=options.own_text)

    def _absent(self, source: Table, differences: Differences) -> TableComparison:
        """All rows are missing; their keys, which are all of them, are not written down."""
        rows = self.source.count(source)
        differences.count_only("missing", rows)
        return TableComparison(
            table=str(source.name),
            source_rows=rows,
            target_rows=0,
            equal=0,
            missing=rows,
            columns=len(source.columns),
            other_differences=("the table is not on the target",),
            note="the table is not on the target",
        )

    def _pair(self, plan: Plan, differences: Differences) -> TableComparison:
        comparer = Comparer(self.source, self.target, self.options.sample)
        plan = comparer.cut(plan)
        settling = self.options.settling
        if settling is None:
            tally = comparer.compare(plan, _into(differences, plan))
        else:
            tally = self._settled(plan, comparer, settling, differences)
        return _comparison(plan, tally, self.options)

    def _settled(self, plan: Plan, comparer: Comparer, settling: Settling, differences: Differences) -> Tally:
        """Compare, then settle what differs; only what holds becomes a difference."""
        with _spool() as file:
            with Differences(file) as candidates:
                tally = comparer.compare(plan, _into(candidates, plan))
            tally.counts.clear()
            keys: Iterator[Key] = (tuple(key.values()) for _, _, key in candidates.rows())
            take = _into(differences, plan)
            for row in settle(plan, keys, self.source, self.target, settling):
                for found in row.found:
                    tally.counts[found.kind] += found.count
                    take(found)
                if row.unsettled:
                    tally.counts["unsettled"] += 1
                    differences.add(str(plan.source.name), "unsettled", plan.named(row.key))
        return tally


@contextmanager
def _spool() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="heavylift-verify-") as folder:
        yield Path(folder) / "candidates.parquet"


def _into(differences: Differences, plan: Plan) -> Callable[[Found], None]:
    table = str(plan.source.name)

    def take(found: Found) -> None:
        differences.add(table, found.kind, plan.named(found.key), found.count)

    return take


def _comparison(plan: Plan, tally: Tally, options: CompareOptions) -> TableComparison:
    counts = tally.counts
    unlike = counts["missing"] + counts["different"] + counts["unsettled"]
    others = (*plan.notes, *_counted_apart(tally, options))
    partly = options.sample.statement(plan.buckets) if options.sample else ""
    return TableComparison(
        table=str(plan.source.name),
        source_rows=tally.source_rows,
        target_rows=tally.target_rows,
        equal=max(0, tally.compared - unlike),
        missing=counts["missing"],
        extra=counts["extra"],
        different=counts["different"],
        unsettled=counts["unsettled"],
        not_compared=max(0, tally.source_rows - tally.compared),
        columns=len(plan.fields),
        other_differences=others,
        method=method(plan),
        note="; ".join(filter(None, (*others, partly))),
    )


def _counted_apart(tally: Tally, options: CompareOptions) -> tuple[str, ...]:
    """Tell of rows that no sample would find: both sides were counted whole, while nobody wrote to them."""
    if options.sample is None or options.settling or tally.source_rows == tally.target_rows:
        return ()
    return (f"{counted(tally.source_rows, 'row')} on the source, {tally.target_rows:,} on the target",)


def _progress(compared: TableComparison, done: int, total: int) -> str:
    rows = counted(compared.source_rows, "row")
    verdict = "equal" if compared.is_equal else compared.in_words
    return f"{compared.table}: {rows}: {verdict} ({compared.seconds:.1f} s; {done} of {total} tables)"
