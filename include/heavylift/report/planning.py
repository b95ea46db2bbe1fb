"""A plan as one page: what was decided and why, with its waves and costs as pictures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from heavylift import __version__
from heavylift.assess.picture import graph_of
from heavylift.evidence.assess_records import Finding, Plan
from heavylift.evidence.pricing_words import money
from heavylift.report.dependencies import draw_dependencies
from heavylift.report.mermaid import draw_graph
from heavylift.report.page import environment, style
from heavylift.report.plan_pictures import draw_costs, draw_waves

MOST_COMPONENTS = 200
MOST_WAVES = 24


@dataclass(frozen=True)
class RuleCount:
    """How often one rule was seen, with the first time."""

    count: int
    first: Finding


def render_plan(plan: Plan, digest: str) -> str:
    """Return the page: one HTML file that loads nothing and runs no script."""
    picture = graph_of(plan)
    template = environment().get_template("plan.html")
    return template.render(
        plan=plan,
        digest=digest,
        style=style(),
        timeline=draw_waves(plan.start, plan.waves),
        bars=draw_costs(plan.costs),
        graph=draw_graph(picture),
        drawn=draw_dependencies(picture),
        rules=_rules(plan),
        shown=plan.components[:MOST_COMPONENTS],
        waves=plan.waves[:MOST_WAVES],
        money=money,
        version=__version__,
    )


def _rules(plan: Plan) -> list[RuleCount]:
    order = {"blocker": 0, "warning": 1, "note": 2}
    counts = Counter(finding.rule for finding in plan.findings)
    first: dict[str, Finding] = {}
    for finding in plan.findings:
        first.setdefault(finding.rule, finding)
    found = [RuleCount(counts[rule], finding) for rule, finding in first.items()]
    return sorted(found, key=lambda each: (order[each.first.severity], each.first.rule))
