"""A plan as one page: what was decided and why, with its waves and costs as pictures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from markupsafe import Markup

from heavylift import __version__
from heavylift.evidence.assess_records import CostLine, Finding, Plan
from heavylift.evidence.pricing_words import money
from heavylift.report.mermaid import draw_graph
from heavylift.report.page import environment, style
from heavylift.report.text import visible
from heavylift.report.timeline import WIDTH, Bar, Lane, draw_lanes

MOST_COMPONENTS = 200
MOST_WAVES = 24
_MOST_DAYS = 100_000
_LEFT, _BAR, _ROW = 180, 18, 34


@dataclass(frozen=True)
class RuleCount:
    """How often one rule was seen, with the first time."""

    count: int
    first: Finding


def render_plan(plan: Plan, digest: str) -> str:
    """Return the page: one HTML file that loads nothing and runs no script."""
    template = environment().get_template("plan.html")
    return template.render(
        plan=plan,
        digest=digest,
        style=style(),
        timeline=draw_waves(plan),
        bars=draw_costs(plan),
        graph=draw_graph(plan),
        rules=_rules(plan),
        shown=plan.components[:MOST_COMPONENTS],
        waves=plan.waves[:MOST_WAVES],
        money=money,
        version=__version__,
    )


def draw_waves(plan: Plan) -> Markup:
    """Return the waves over the days of the move, in the middle case; empty where nothing takes time."""
    start = datetime.fromisoformat(plan.start).replace(tzinfo=UTC)
    first = plan.waves[0].start_days if plan.waves else 0.0
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
        for wave in plan.waves
        if wave.start_days < wave.end_days < _MOST_DAYS
    ]
    drawn = draw_lanes(lanes)
    return drawn.svg if drawn else Markup()


def draw_costs(plan: Plan) -> Markup:
    """Return a bar for each part of the bill: full to its low end, pale to its high end."""
    lines = [line for line in plan.costs.lines if line.cost.high]
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


def _rules(plan: Plan) -> list[RuleCount]:
    order = {"blocker": 0, "warning": 1, "note": 2}
    counts = Counter(finding.rule for finding in plan.findings)
    first: dict[str, Finding] = {}
    for finding in plan.findings:
        first.setdefault(finding.rule, finding)
    found = [RuleCount(counts[rule], finding) for rule, finding in first.items()]
    return sorted(found, key=lambda each: (order[each.first.severity], each.first.rule))
