"""The pictures of a plan: its waves over time, and the parts of its bill."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from markupsafe import Markup

from heavylift.evidence.assess_records import CostLine, Costs, Wave
from heavylift.evidence.pricing_words import money
from heavylift.report.text import visible
from heavylift.report.timeline import WIDTH, Bar, Lane, draw_lanes

_MOST_DAYS = 100_000
_LEFT, _BAR, _ROW = 180, 18, 34


def draw_waves(start_day: str, waves: Sequence[Wave]) -> Markup:
    """Return the waves over the days of the move, in the middle case; empty where nothing takes time."""
    start = datetime.fromisoformat(start_day).replace(tzinfo=UTC)
    first = waves[0].start_days if waves else 0.0
    ready = Bar("plan", start, start + timedelta(days=min(first, _MOST_DAYS)), "Until the line is there")
    lanes = [Lane("Line ordered", (ready,))] if first else []
    lanes += [
        Lane(
            f"Wave {wave.number}",
            (
                Bar(
                    "copy",
                    start + timedelta(days=wave.start_days),
                    start + timedelta(days=wave.end_days),
                    f"Wave {wave.number}: {wave.components} components",
                ),
            ),
        )
        for wave in waves
        if wave.start_days < wave.end_days < _MOST_DAYS
    ]
    drawn = draw_lanes(lanes)
    return drawn.svg if drawn else Markup()


def draw_costs(costs: Costs) -> Markup:
    """Return a bar for each part of the bill: full to its low end, pale to its high end."""
    lines = [line for line in costs.lines if line.cost.high]
    top = max((line.cost.high or 0.0 for line in lines), default=0.0)
    if not top:
        return Markup()
    rows = Markup().join(_row(line, number, top) for number, line in enumerate(lines))
    return Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="Parts of the bill" class="plot">{}</svg>'
    ).format(WIDTH, len(lines) * _ROW + 8, rows)


def _row(line: CostLine, number: int, top: float) -> Markup:
    y = number * _ROW + 8
    room = WIDTH - _LEFT - 220
    low, high = ((end or 0.0) / top * room for end in (line.cost.low, line.cost.high))
    return Markup(
        '<text x="{}" y="{}" class="lane">{}</text>'
        '<rect x="{}" y="{}" width="{:.2f}" height="{}" class="area"/>'
        '<rect x="{}" y="{}" width="{:.2f}" height="{}" rx="2" class="bar copy"/>'
        '<text x="{:.2f}" y="{}">{}</text>'
    ).format(
        _LEFT - 12, y + 13, visible(line.item),
        _LEFT, y, max(high, 1), _BAR,
        _LEFT, y, low, _BAR,
        _LEFT + max(high, 1) + 10, y + 13, money(line.cost),
    )  # fmt: skip
