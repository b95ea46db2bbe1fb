"""Progress of ``heavylift objects copy``: a bar in a terminal, a line now and then anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from heavylift.cli.output import note
from heavylift.objects.progress import Progress
from heavylift.objects.progress_text import human_size, progress_line, rate_text

if TYPE_CHECKING:
    from heavylift.evidence.records import PlanRecord, ShardSummary

Report = Callable[[Progress], None]
LINE_EVERY_SECONDS = 2.0
FIRST_LINE_SECONDS = 1.0


class Display(Protocol):
    """Shows how far the whole copy is."""

    def of_shard(self, shard: ShardSummary) -> Report:
        """Return what takes the progress of one shard."""
        ...


@contextmanager
def progress_display(plan: PlanRecord) -> Iterator[Display]:
    """Show the progress of ``plan`` on standard error for the length of the block."""
    # Only a terminal can move its cursor back; nobody else needs rich, nor the time to import it.
    if plan.shards and sys.stderr.isatty():
        with _bar(plan) as bar:
            yield bar
    else:
        yield Lines(plan)


class Lines:
    """A line for each shard every few seconds, and one at its end."""

    def __init__(self, plan: PlanRecord, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._shards = len(plan.shards)
        self._clock = clock

    def of_shard(self, shard: ShardSummary) -> Report:
        """Return what takes the progress of one shard."""
        told_at: float | None = None

        def report(progress: Progress) -> None:
            nonlocal told_at
            now = self._clock()
            if told_at is None:
                # The first report only says that the shard has begun.
                told_at = now + FIRST_LINE_SECONDS - LINE_EVERY_SECONDS
            if now - told_at < LINE_EVERY_SECONDS and progress.objects_done < progress.objects_total:
                return
            told_at = now
            note(f"shard {shard.index + 1}/{self._shards}: {progress_line(progress)}")

        return report


class Whole:
    """Adds up the shards: rates of those at work, and of the others what they have done or hold.

    :param show: takes the progress of the whole copy.
    """

    def __init__(self, plan: PlanRecord, show: Report) -> None:
        self._objects = sum(shard.objects for shard in plan.shards)
        self._bytes = sum(shard.size_bytes for shard in plan.shards)
        self._show = show
        self._last: dict[int, Progress] = {}

    def of_shard(self, shard: ShardSummary) -> Report:
        """Return what takes the progress of one shard."""

        def report(progress: Progress) -> None:
            self._last[shard.index] = progress
            self._show(self._sum())

        return report

    def _sum(self) -> Progress:
        known = self._last.values()
        busy = [one for one in known if one.objects_done < one.objects_total]
        rates = busy or [*known][-1:]
        limits = [one.concurrency for one in busy if one.concurrency is not None]
        whole = Progress(
            objects_done=sum(one.objects_done for one in known),
            objects_total=self._objects,
            bytes_done=sum(one.bytes_done for one in known),
            bytes_total=self._bytes,
            bytes_per_second=sum(one.bytes_per_second for one in rates),
            objects_per_second=sum(one.objects_per_second for one in rates),
            seconds_left=None,
            throttled=sum(one.throttled for one in known),
            concurrency=sum(limits) if limits else None,
        )
        return replace(whole, seconds_left=_seconds_left(whole))


def _seconds_left(whole: Progress) -> float | None:
    """Return the time for what is left at the present rates: the longer of by bytes and by objects."""
    left = [
        (whole.bytes_total - whole.bytes_done, whole.bytes_per_second),
        (whole.objects_total - whole.objects_done, whole.objects_per_second),
    ]
    if all(amount <= 0 for amount, _ in left):
        return 0.0
    return max((amount / rate for amount, rate in left if amount > 0 and rate > 0), default=None)


@contextmanager
def _bar(plan: PlanRecord) -> Iterator[Display]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.fields[done]}"),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[rate]}"),
    )
    # It refreshes by no thread of its own: processes are forked meanwhile.
    with Bar(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
        task = bar.add_task("", total=1.0, done="", rate="")

        def show(progress: Progress) -> None:
            bar.update(
                task,
                total=float(progress.bytes_total or progress.objects_total or 1),
                completed=float(progress.bytes_done if progress.bytes_total else progress.objects_done),
                done=f"{progress.objects_done:,}/{progress.objects_total:,} objects,"
                f" {human_size(progress.bytes_done)}/{human_size(progress.bytes_total)}",
                rate=rate_text(progress),
                refresh=True,
            )

        yield Whole(plan, show)
