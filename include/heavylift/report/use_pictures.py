"""What machines use, as SVG: one lane for each resource of each component, over the time that was read."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from heavylift.evidence.utilisation_records import ComponentUse, UseSeries, UtilisationRecord
from heavylift.evidence.wording import use_in_words
from heavylift.report.text import visible
from heavylift.report.timeline import WIDTH

_LEFT, _RIGHT, _TOP, _LANE, _HIGH = 250, 100, 8, 38, 28
_MOST_LANES = 32
_LABEL = 32
"""Signs of a lane's label that have room left of it."""


def draw_use(components: Sequence[ComponentUse], record: UtilisationRecord) -> Markup:
    """Return one lane for each resource, filled up to its share; empty where nothing is known.

    A share fills its lane at 100 %; amounts fill it at their largest value.
    """
    lanes = [(each, one) for each in components for one in each.series if one.line][:_MOST_LANES]
    if not lanes:
        return Markup()
    parts: list[Markup] = []
    for number, (component, one) in enumerate(lanes):
        parts += _lane(component, one, _TOP + number * _LANE, record)
    height = _TOP + len(lanes) * _LANE + 24
    text = Markup('<text x="{}" y="{}" class="{}">{}</text>')
    begin, end = (f"{moment:%Y-%m-%d %H:%M}" for moment in (record.start, record.end))
    parts += [
        text.format(_LEFT, height - 6, "kind", begin),
        text.format(WIDTH - _RIGHT, height - 6, "level", f"{end} UTC"),
    ]
    label = f"Use of {len(lanes)} resources from {begin} to {end}"
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}" class="plot">{}</svg>').format(
        WIDTH, height, label, Markup().join(parts)
    )


def _lane(component: ComponentUse, one: UseSeries, top: int, record: UtilisationRecord) -> list[Markup]:
    floor = top + _HIGH
    full = 1.0 if one.unit == "share" else max(one.largest, 1e-12)
    whole = (record.end - record.start).total_seconds() or 1.0
    first = max(0.0, (one.start - record.start).total_seconds() / whole)
    wide = (WIDTH - _LEFT - _RIGHT) * min(1.0, (one.end - one.start).total_seconds() / whole)
    begin = _LEFT + (WIDTH - _LEFT - _RIGHT) * min(first, 1.0)
    step = wide / len(one.line)

    def up(value: float) -> float:
        return floor - _HIGH * min(value / full, 1.0)

    of = f", {one.use.replace('_', ' ')}"
    short = _short(str(visible(component.name)), _LABEL - len(of))
    text = Markup('<text x="{}" y="{}" class="{}">{}</text>')
    drawn = [
        text.format(_LEFT - 10, top + 17, "lane", short + of),
        Markup('<line x1="{}" x2="{}" y1="{}" y2="{}" class="grid"/>').format(
            _LEFT, WIDTH - _RIGHT, floor, floor
        ),
        text.format(WIDTH - _RIGHT + 8, top + 17, "kind", f"P95 {use_in_words(one.p95, one.unit)}"),
    ]
    for start, values in _runs(one.line):
        left = begin + start * step
        points = [(left + (n + 0.5) * step, up(value)) for n, value in enumerate(values)]
        edge = "L".join(f"{x:.1f} {y:.1f}" for x, y in [(left, points[0][1]), *points])
        last = left + len(values) * step
        outline = f"M{left:.1f} {floor}L{edge}L{last:.1f} {points[-1][1]:.1f}L{last:.1f} {floor}Z"
        drawn.append(Markup('<path d="{}" class="area"/>').format(outline))
        line = f"M{edge}L{last:.1f} {points[-1][1]:.1f}"
        drawn.append(Markup('<path d="{}" class="curve"/>').format(line))
    return drawn


def _short(name: str, most: int) -> str:
    """Return a name without its middle where it is long: names often differ at their ends."""
    if len(name) <= most:
        return name
    end = (most - 1) // 2
    return f"{name[: most - 1 - end]}…{name[-end:]}"


def _runs(line: Sequence[float | None]) -> list[tuple[int, list[float]]]:
    """Return the parts of a line that have values, each with the place at which it begins."""
    found: list[tuple[int, list[float]]] = []
    for number, value in enumerate(line):
        if value is None:
            continue
        if found and found[-1][0] + len(found[-1][1]) == number:
            found[-1][1].append(value)
        else:
            found.append((number, [value]))
    return found
