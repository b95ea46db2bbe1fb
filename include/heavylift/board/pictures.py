"""What the board draws: a pair of bars as SVG, and the numbers of the curves that the browser draws."""

from __future__ import annotations

import json

from markupsafe import Markup

from heavylift.board.moving import LagSeries

_WIDTH, _BAR = 260.0, 9


def draw_pair(before: float | None, after: float | None) -> Markup:
    """Return two bars, source above target, on one scale; the numbers stand beside them in the table."""
    top = max(before or 0.0, after or 0.0) or 1.0
    bar = Markup('<rect x="0" y="{}" width="{:.1f}" height="{}" rx="2" class="{}"/>')
    parts = [
        bar.format(row * (_BAR + 3), max(2.0, _WIDTH * value / top), _BAR, side)
        for row, (side, value) in enumerate((("source", before), ("target", after)))
        if value is not None
    ]
    svg = Markup('<svg viewBox="0 0 {} {}" class="pair" aria-hidden="true" focusable="false">{}</svg>')
    return svg.format(_WIDTH, 2 * _BAR + 3, Markup().join(parts))


def lag_data(series: LagSeries) -> str:
    """Return the points of a curve as JSON: times in seconds, lags in seconds, amounts."""
    times = [round(point.at.timestamp(), 3) for point in series.points]
    seconds = [point.seconds for point in series.points]
    amounts = [point.amount for point in series.points]
    return json.dumps({"name": series.name, "unit": series.unit, "data": [times, seconds, amounts]})
