"""Figures of what is watched, in Prometheus' text format."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from heavylift.evidence.monitor_records import MonitorPoint

_WRONG = re.compile(r"[^a-zA-Z0-9_]")


def exposition(points: Iterable[MonitorPoint]) -> str:
    """Return the points as gauges ``heavylift_monitor_<kind>_<figure>``, with a verdict and a moment each."""
    families: dict[str, list[str]] = {}
    for point in points:
        labels = ",".join(
            f'{name}="{_escaped(value)}"'
            for name, value in (("migration", point.migration), ("watch", point.watch), ("side", point.side))
        )
        figures = {
            **point.figures,
            "alarm": float(point.verdict == "alarm"),
            "unsure": float(point.verdict == "unsure"),
            "measured_at_seconds": point.measured_at.timestamp(),
        }
        for name, value in figures.items():
            family = f"heavylift_monitor_{point.kind}_{_WRONG.sub('_', name)}"
            families.setdefault(family, []).append(f"{family}{{{labels}}} {_number(value)}")
    lines = []
    for family, samples in sorted(families.items()):
        lines += [f"# TYPE {family} gauge", *samples]
    return "".join(f"{line}\n" for line in lines)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    if math.isfinite(value):
        return repr(float(value))
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
