"""Progress of ``heavylift objects copy``: a bar in a terminal, a line now and then anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from heavylift.cli.output import note
from heavylift.objects.progress_text import human_size, progress_line, rate_text

if TYPE_CHECKING:
    from heavylift.evidence.records import PlanRecord, ShardSummary
    from heavylift.objects.progress import Progress

Report = Callable[["Progress"], None]
LINE_EVERY_SECONDS = 2.0


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
        told_at = float("-inf")

        def report(progress: Progress) -> None:
            nonlocal told_at
            now = self._clock()
            if now - told_at < LINE_EVERY_SECONDS and progress.objects_done < progress.objects_total:
                return
            told_at = now
            note(f"shard {shard.index + 1}/{self._shards}: {progress_line(progress)}")

        return report


class Whole:
    """Adds up the shards: what came before counts as done, what comes later as left.

    :param show: takes the progress of the whole copy.
    """

    def __init__(self, plan: PlanRecord, show: Report) -> None:
        self._shards = plan.shards
        self._show = show

    def of_shard(self, shard: ShardSummary) -> Report:
        """Return what takes the progress of one shard."""
        before = [other for other in self._shards if other.index < shard.index]
        objects, size_bytes = sum(s.objects for s in before), sum(s.size_bytes for s in before)
        all_objects, all_bytes = (
            sum(s.objects for s in self._shards),
            sum(s.size_bytes for s in self._shards),
        )

        def report(progress: Progress) -> None:
            whole = replace(
                progress,
                objects_done=objects + progress.objects_done,
                objects_total=all_objects,
                bytes_done=size_bytes + progress.bytes_done,
                bytes_total=all_bytes,
            )
            self._show(replace(whole, seconds_left=_scaled(progress, whole)))

        return report


def _scaled(shard: Progress, whole: Progress) -> float | None:
    """Return the time left for the whole copy, were the other shards like what is left of this one."""
    if shard.seconds_left is None:
        return None
    left = shard.bytes_total - shard.bytes_done, whole.bytes_total - whole.bytes_done
    if left[0] <= 0:
        left = shard.objects_total - shard.objects_done, whole.objects_total - whole.objects_done
    if left[0] <= 0:
        return 0.0 if left[1] <= 0 else None
    return shard.seconds_left * left[1] / left[0]


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
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0, done="", rate="")

        def show(progress: Progress) -> None:
            bar.update(
                task,
                total=float(progress.bytes_total or progress.objects_total or 1),
                completed=float(progress.bytes_done if progress.bytes_total else progress.objects_done),
                done=f"{progress.objects_done:,}/{progress.objects_total:,} objects,"
                f" {human_size(progress.bytes_done)}/{human_size(progress.bytes_total)}",
                rate=rate_text(progress),
            )

        yield Whole(plan, show)
