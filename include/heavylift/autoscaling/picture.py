"""Pictures of two runs at one load: lines of text, and SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from heavylift.autoscaling.simulate import Run

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH, _HEIGHT, _LEFT = 720, 220, 44


def text_picture(load: Sequence[float], source: Run, target: Run, columns: int = 72) -> str:
    """Return three lines of bars: the load, and both sides' replicas on one scale."""
    top = max(*source.ready, *target.ready, 1)
    rows = [
        ("load", _line(load, max(*load, 1e-9), columns), f"up to {max(load):g} a minute"),
        ("source", _line(source.ready, top, columns), f"{min(source.ready)} to {max(source.ready)} replicas"),
        ("target", _line(target.ready, top, columns), f"{min(target.ready)} to {max(target.ready)} replicas"),
    ]
    return "\n".join(f"{name:<7}{bars}  {what}" for name, bars, what in rows)


def _line(values: Sequence[float], top: float, columns: int) -> str:
    width = min(columns, len(values))
    made = []
    for column in range(width):
        part = values[column * len(values) // width : max(1, (column + 1) * len(values) // width)]
        # The highest of what one column stands for: a short burst must be seen.
        made.append(_BARS[min(len(_BARS) - 1, round(max(part, default=0.0) / top * (len(_BARS) - 1)))])
    return "".join(made)


def svg_picture(load: Sequence[float], source: Run, target: Run, names: tuple[str, str]) -> str:
    """Return an SVG: the load as an area, both sides' working replicas as lines, axes, a legend."""
    top, most = max(*source.ready, *target.ready, 1), max(*load, 1e-9)
    wide, high = _WIDTH - _LEFT - 10, _HEIGHT - 50
    across = wide / max(1, len(load) - 1)

    def points(values: Sequence[float], scale: float) -> str:
        return " ".join(
            f"{_LEFT + index * across:.1f},{10 + high - value / scale * high:.1f}"
            for index, value in enumerate(values)
        )

    area = f"{_LEFT},{10 + high} {points(load, most)} {_LEFT + wide},{10 + high}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
        f' aria-label="load and replicas of {escape(names[0])} and {escape(names[1])}"'
        ' font-family="sans-serif" font-size="12">',
        f'<polygon points="{area}" fill="#d9dee5"/>',
        f'<polyline points="{points(source.ready, top)}" fill="none" stroke="#1f5fbf" stroke-width="2"/>',
        f'<polyline points="{points(target.ready, top)}" fill="none" stroke="#b3480a" stroke-width="2"'
        ' stroke-dasharray="6 3"/>',
        f'<text x="4" y="20">{top}</text><text x="4" y="{10 + high}">0</text>',
        f'<text x="{_LEFT}" y="{_HEIGHT - 22}">0</text>',
        f'<text x="{_LEFT + wide}" y="{_HEIGHT - 22}" text-anchor="end">{len(load)} minutes</text>',
        f'<text x="{_LEFT}" y="{_HEIGHT - 5}"><tspan fill="#1f5fbf">━ source: {escape(names[0])}</tspan>'
        f'<tspan fill="#b3480a" dx="16">╍ target: {escape(names[1])}</tspan>'
        f'<tspan fill="#5b6470" dx="16">▮ load, up to {most:g} a minute</tspan></text>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"
