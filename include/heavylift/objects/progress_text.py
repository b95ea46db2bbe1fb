"""Progress and sizes in words, for logs and terminals."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heavylift.objects.progress import Progress


def progress_line(progress: Progress) -> str:
    """Return one line: done, total, rate, time left, and whether the stores ask for less."""
    return (
        f"copied {progress.objects_done:,} of {progress.objects_total:,} objects,"
        f" {human_size(progress.bytes_done)} of {human_size(progress.bytes_total)},"
        f" {rate_text(progress)}"
    )


def rate_text(progress: Progress) -> str:
    """Return the second half of the line: rate, time left, throttling."""
    parts = [f"{human_size(progress.bytes_per_second)}/s"]
    if progress.objects_per_second >= 1:
        parts.append(f"{progress.objects_per_second:,.0f} objects/s")
    if progress.seconds_left is not None:
        parts.append(f"{human_duration(progress.seconds_left)} left")
    if progress.throttled:
        at_once = "" if progress.concurrency is None else f" (now at {progress.concurrency} requests at once)"
        parts.append(f"throttled {progress.throttled:,} times{at_once}")
    return ", ".join(parts)


def human_size(size_bytes: float) -> str:
    """Return bytes for people: ``1.4 GiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size_bytes < 1024:
            return f"{size_bytes:.0f} B" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:,.1f} TiB"


def human_duration(seconds: float) -> str:
    """Return seconds for people: ``2h 01m``, ``1m 15s``, ``9s``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02d}m" if hours else f"{minutes}m {rest:02d}s" if minutes else f"{rest}s"
