"""Medians, ratios, and the tables for people."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tests.benchmarks.goals import Verdict
from tests.benchmarks.measure import Found, Sample


def table(found: Found, base: str) -> list[dict[str, Any]]:
    """Return medians, and the median of the run-by-run ratios of ``base`` to each tool."""
    return [_row(found, name, base) for name in found.samples]


def _row(found: Found, name: str, base: str) -> dict[str, Any]:
    samples = found.complete(name)
    if not samples:
        return {"tool": name, "no_figure": found.failures.get(name, "it was not run")}
    row: dict[str, Any] = {
        "tool": name,
        "wall_seconds": statistics.median(s.wall_seconds for s in samples),
        "cpu_seconds": statistics.median(s.cpu_seconds for s in samples),
        "peak_mib": statistics.median(s.peak_mib for s in samples),
        "extra": _extra(samples),
        "runs": [asdict(s) for s in samples],
    }
    ours = found.complete(base)
    if ours:
        pairs = list(zip(ours, samples, strict=True))
        row["wall_ratio"] = statistics.median(b.wall_seconds / s.wall_seconds for b, s in pairs)
        row["cpu_ratio"] = statistics.median(b.cpu_seconds / s.cpu_seconds for b, s in pairs)
    return row


def _extra(samples: Sequence[Sample]) -> Mapping[str, float]:
    return {name: statistics.median(s.extra[name] for s in samples) for name in samples[0].extra}


def as_text(rows: Sequence[Mapping[str, Any]], base: str) -> str:
    """Return the table for people; a ratio below 1 means that ``base`` needs less."""
    lines = [f"{'tool':<30}{'wall s':>9}{'cpu s':>9}{'MiB':>7}{f'{base}/tool wall':>22}{'cpu':>7}"]
    for row in rows:
        if "no_figure" in row:
            lines.append(f"{row['tool']:<30} no figure: {row['no_figure'].splitlines()[0]}")
            continue
        ratios = f"{row['wall_ratio']:>22.2f}{row['cpu_ratio']:>7.2f}" if "wall_ratio" in row else ""
        extra = "".join(f"  {name.replace('_', ' ')} {value:g}" for name, value in row["extra"].items())
        lines.append(
            f"{row['tool']:<30}{row['wall_seconds']:>9.2f}{row['cpu_seconds']:>9.2f}"
            f"{row['peak_mib']:>7.0f}{ratios}{extra}"
        )
    return "\n".join(lines)


def goals_as_text(verdicts: Sequence[Verdict], scale: float) -> str:
    """Return one line for each goal, and say where the lane was not run whole."""
    marked = f"  (scaled to {scale:g}: no result, only a trial)" if scale != 1 else ""
    return "\n".join(f"  {verdict.text()}{marked}" for verdict in verdicts)
