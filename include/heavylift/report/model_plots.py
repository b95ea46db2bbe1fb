"""Plots of models and endpoints as SVG: answers against answers, latency curves, latency over rates."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from markupsafe import Markup

from heavylift.evidence.baseline_records import EndpointBaseline
from heavylift.evidence.model_records import ComparedLatency
from heavylift.report.timeline import WIDTH

_LEFT, _RIGHT, _TOP, _PLOT = 96, 24, 12, 240
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
_SHARES = (0.5, 0.9, 0.95, 0.99, 0.999)


def draw_parity(points: Sequence[tuple[float, float]]) -> Markup:
    """Return the scatter of answers: on the line both sides say the same."""
    values = [value for pair in points for value in pair]
    low, high = min(values), max(values)
    span = (high - low) or max(abs(high), 1.0)

    def across(value: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (value - low) / span

    def up(value: float) -> float:
        return _TOP + _PLOT * (1 - (value - low) / span)

    dot = Markup('<circle cx="{:.2f}" cy="{:.2f}" r="2.6" class="dot"/>')
    line = Markup('<path d="M{:.2f} {:.2f}L{:.2f} {:.2f}" class="same"/>').format(
        across(low), up(low), across(low + span), up(low + span)
    )
    ticks = [low + span * share for share in _TICKS]
    parts = [
        *_grid(ticks, up),
        *_along(ticks, across),
        line,
        *(dot.format(across(x), up(y)) for x, y in points),
    ]
    apart = max(abs(x - y) for x, y in points)
    label = (
        f"Answers of the target over those of the source, {len(points)} of them; at most {apart:.3g} apart"
    )
    return _svg(label, parts)


def draw_latency(latency: ComparedLatency) -> Markup:
    """Return both sides' latency over the share of requests, the slow ones spread out."""
    top = max(max(source, target) for _share, source, target in latency.curve) or 1.0
    last = _slow(latency.curve[-1][0])

    def across(share: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * _slow(share) / last

    def up(value: float) -> float:
        return _TOP + _PLOT * (1 - value / top)

    path = Markup('<path d="M{}" class="{}"/>')
    curves = [
        path.format(
            "L".join(f"{across(point[0]):.2f} {up(point[side]):.2f}" for point in latency.curve), name
        )
        for side, name in ((1, "curve source"), (2, "curve target"))
    ]
    shares = [share for share in _SHARES if share <= latency.curve[-1][0]]
    text = Markup('<text x="{:.2f}" y="{}" class="tick">{}</text>')
    names = [text.format(across(share), _TOP + _PLOT + 20, f"{share * 100:g} %") for share in shares]
    levels = _grid([top * share for share in _TICKS], up, " ms")
    source, target = (latency.quantiles[latency.judged][side] for side in (0, 1))
    label = f"Latency by share of requests; {latency.judged}: source {source:.3g} ms, target {target:.3g} ms"
    return _svg(label, [*levels, *names, *curves])


_DRAWN = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))


def draw_rates(baseline: EndpointBaseline) -> Markup:
    """Return an endpoint's latency over the rates that it was asked at; empty where nothing was answered."""
    steps = [step for step in baseline.steps if step.answered]
    if not steps:
        return Markup()
    lines = {
        name: [(n, each.ms) for n, step in enumerate(steps) for each in step.quantiles if each.quantile == at]
        for name, at in _DRAWN
    }
    top = max(value for points in lines.values() for _, value in points) or 1.0

    def across(position: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (position + 0.5) / len(steps)

    def up(value: float) -> float:
        return _TOP + _PLOT * (1 - value / top)

    path = Markup('<path d="M{}" class="curve {}"/>')
    dot = Markup('<circle cx="{:.2f}" cy="{:.2f}" r="3.2" class="dot"/>')
    name = Markup('<text x="{:.2f}" y="{:.2f}" class="level">{}</text>')
    tick = Markup('<text x="{:.2f}" y="{}" class="tick">{}</text>')
    parts = _grid([top * share for share in _TICKS], up, " ms")
    for n, step in enumerate(steps):
        rate = f"{step.rate:g}/s" + ("" if step.sustained else " not sustained")
        parts.append(tick.format(across(n), _TOP + _PLOT + 20, rate))
    for title, points in lines.items():
        drawn = [(across(n), up(value)) for n, value in points]
        parts.append(path.format("L".join(f"{x:.2f} {y:.2f}" for x, y in drawn), title))
        parts += [dot.format(x, y) for x, y in drawn]
        parts.append(name.format(drawn[-1][0] + 40, drawn[-1][1] + 4, title.upper()))
    label = f"Latency of {baseline.connection} over requests a second, {len(steps)} rates: P50, P95, P99"
    return _svg(label, parts)


def _slow(share: float) -> float:
    """Stretch the slow end: each further nine of 0.999… takes as much room."""
    return -math.log10(max(1 - share, 1e-6))


def _grid(values: Sequence[float], up: Callable[[float], float], unit: str = "") -> list[Markup]:
    line = Markup('<line x1="{}" x2="{}" y1="{:.2f}" y2="{:.2f}" class="grid"/>')
    text = Markup('<text x="{}" y="{:.2f}" class="level">{}</text>')
    drawn = []
    for value in values:
        y = up(value)
        drawn += [
            line.format(_LEFT, WIDTH - _RIGHT, y, y),
            text.format(_LEFT - 10, y + 4, f"{value:.3g}{unit}"),
        ]
    return drawn


def _along(values: Sequence[float], across: Callable[[float], float]) -> list[Markup]:
    text = Markup('<text x="{:.2f}" y="{}" class="tick">{}</text>')
    return [text.format(across(value), _TOP + _PLOT + 20, f"{value:.3g}") for value in values]


def _svg(label: str, parts: Sequence[Markup]) -> Markup:
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}" class="plot">{}</svg>').format(
        WIDTH, _TOP + _PLOT + 30, label, Markup().join(parts)
    )
