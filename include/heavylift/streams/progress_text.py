"""A mirror's progress in one line, the same in a terminal and in a task's log."""

from __future__ import annotations

from datetime import timedelta

from heavylift.evidence.wording import duration, size
from heavylift.streams.ports import StreamProgress


def progress_line(progress: StreamProgress) -> str:
    """Return one line: done, total, rate, time left, and how old the last record is."""
    left = "" if progress.seconds_left is None else f", {_span(progress.seconds_left)} left"
    lag = "" if progress.lag_seconds is None else f", last record {_span(progress.lag_seconds)} old"
    return (
        f"{progress.act}: {progress.records_done:,} of {progress.records_total:,} records"
        f" ({size(progress.bytes_done)}), {progress.records_per_second:,.0f}/s{left}{lag}"
    )


def _span(seconds: float) -> str:
    return duration(timedelta(seconds=seconds))
