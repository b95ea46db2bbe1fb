"""From a series as it was read to what is told of it: quantiles, gaps, a line for the picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from heavylift.evidence.utilisation_records import USES, Gap, UseSeries
from heavylift.utilisation.model import Read, Window

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_GAPS = 10
_LINE = 96


def figures_of(read: Read) -> UseSeries:
    """Return what one series tells."""
    window, points = read.window, read.points
    means = np.array([mean for _, mean, _ in points])
    peaks = [peak for _, _, peak in points if peak is not None]
    gaps, share, expected = gaps_of([at for at, _, _ in points], window)
    quantiles = [round(float(each), 6) for each in np.quantile(means, (0.5, 0.9, 0.95, 0.99))]
    return UseSeries(
        use=read.use,
        unit=read.unit,
        metric=read.metric,
        resolution_seconds=window.step,
        start=utc(window.start),
        end=utc(window.end),
        points=len(points),
        expected=expected,
        gaps=gaps,
        gap_share=round(share, 6),
        mean=round(float(means.mean()), 6),
        p50=quantiles[0],
        p90=quantiles[1],
        p95=quantiles[2],
        p99=quantiles[3],
        largest=round(float(means.max()), 6),
        peak=round(max(peaks), 6) if peaks else None,
        line=line_of(read),
    )


def gaps_of(moments: Sequence[float], window: Window) -> tuple[tuple[Gap, ...], float, int]:
    """Return the longest gaps, the share of all of them, and how many values the time has room for.

    A gap is at least one whole step without a value; of the two ends the first and last step may be cut.
    """
    expected = max(len(moments), int((window.end - window.start) // window.step), 1)
    bounds = [window.start - window.step, *moments, window.end]
    found = []
    for before, after in pairwise(bounds):
        start = before + window.step
        if after - start >= window.step:
            found.append((start, after))
    missing = sum(end - start for start, end in found)
    longest = sorted(sorted(found, key=lambda pair: pair[0] - pair[1])[:MOST_GAPS])
    whole = max(window.end - window.start, float(window.step))
    told = tuple(Gap(start=utc(start), end=utc(end)) for start, end in longest)
    return told, min(1.0, missing / whole), expected


def line_of(read: Read) -> tuple[float | None, ...]:
    """Return at most 96 means over the time, None where there was nothing."""
    window = read.window
    steps = max(1, min(_LINE, round((window.end - window.start) / window.step)))
    wide = (window.end - window.start) / steps
    parts: list[list[float]] = [[] for _ in range(steps)]
    for at, mean, _ in read.points:
        parts[min(steps - 1, max(0, int((at - window.start) / wide)))].append(mean)
    return tuple(round(sum(part) / len(part), 4) if part else None for part in parts)


def parquet_of(reads: Iterable[Read]) -> bytes:
    """Return the values of one component: ``at``, and of each resource its mean and its peak.

    The same values make the same bytes.
    """
    import pyarrow as pa
    from pyarrow import parquet

    rows: dict[float, dict[str, float]] = {}
    for read in reads:
        for at, mean, peak in read.points:
            row = rows.setdefault(at, {})
            row[read.use] = mean
            if peak is not None:
                row[f"{read.use}_peak"] = peak
    names = [column for use in USES for column in (use, f"{use}_peak")]
    moments = sorted(rows)
    columns = {"at": pa.array(moments, pa.float64())}
    columns |= {name: pa.array([rows[at].get(name) for at in moments], pa.float64()) for name in names}
    written = io.BytesIO()
    parquet.write_table(pa.table(columns), written)
    return written.getvalue()


def utc(at: float) -> datetime:
    """Return a moment of seconds since 1970."""
    return datetime.fromtimestamp(at, UTC)
