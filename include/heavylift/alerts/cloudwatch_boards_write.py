"""CloudWatch's dashboards: writes the body that ``PutDashboard`` takes."""

from __future__ import annotations

from typing import Any

from heavylift.alerts.boards import Axis, Board, Kind, Line, Widget, with_ids
from heavylift.alerts.cloudwatch import metric_row, statistic_of
from heavylift.alerts.formula import Term
from heavylift.alerts.formula import written as written_formula
from heavylift.alerts.model import Loss, Rule
from heavylift.alerts.problems import untranslatable
from heavylift.errors import SpecError

MOST_METRICS = 500
"""In a widget, as CloudWatch says."""
_HIGH_RESOLUTION = frozenset({1, 5, 10, 30})


def write(board: Board) -> tuple[dict[str, Any], list[Loss]]:
    """Return the body of a dashboard.

    :raises SpecError: nobody names the region that its metrics are in.
    :raises UntranslatableError: a widget cannot be said there.
    """
    if not board.region and any(each.lines for each in board.widgets):
        raise SpecError(
            "writing a dashboard of CloudWatch",
            got="no region, which each of its charts must name",
            expected="the region that the target's metrics are in",
            state="nothing was written",
            remedy='name it in the file of --metrics: "scopes": ["eu-west-1"]',
            code="9479",
        )
    return {"widgets": [_shown(each, board.region) for each in board.widgets]}, []


def _shown(widget: Widget, region: str) -> dict[str, Any]:
    place = {"x": widget.x, "y": widget.y, "width": widget.width, "height": widget.height}
    if widget.kind is Kind.TEXT:
        return {"type": "text", **place, "properties": {"markdown": widget.text}}
    properties: dict[str, Any] = {
        "title": widget.title,
        "view": "singleValue" if widget.kind is Kind.NUMBER else "timeSeries",
        "region": region,
        "metrics": _rows(widget),
    }
    if widget.kind is Kind.STACKED:
        properties["stacked"] = True
    axes = {"left": _axis(widget.left_axis), "right": _axis(widget.right_axis)}
    axes = {side: found for side, found in axes.items() if found}
    if axes:
        properties["yAxis"] = axes
    if widget.marks:
        properties["annotations"] = {
            "horizontal": [
                {
                    "value": each.value,
                    **({"label": each.label} if each.label else {}),
                    **({"yAxis": "right"} if each.right else {}),
                }
                for each in widget.marks
            ]
        }
    return {"type": "metric", **place, "properties": properties}


def _axis(axis: Axis) -> dict[str, Any]:
    told = {"label": axis.label or None, "min": axis.low, "max": axis.high}
    return {key: value for key, value in told.items() if value is not None}


def _rows(widget: Widget) -> list[list[Any]]:
    rows: list[list[Any]] = []
    for index, line in enumerate(widget.lines):
        if line.rule.formula is None:
            rows.append(_row(line.rule, line.rule.period, _looks(line)))
            continue
        if line.rule.formula.infinite:
            raise untranslatable(
                widget.title, "a division by zero that is infinite", "guard the divisor: x / (y != 0)"
            )
        formula = with_ids(line.rule.formula, f"q{index}")
        told = {"expression": written_formula(formula.node), "id": f"e{index}", "period": line.rule.period}
        rows.append([{**told, **_looks(line)}])
        rows += [_row(term, line.rule.period, {"id": name, "visible": False}) for name, term in formula.terms]
    if len(rows) > MOST_METRICS:
        raise untranslatable(widget.title, f"{len(rows)} metrics", f"show at most {MOST_METRICS}")
    return rows


def _looks(line: Line) -> dict[str, Any]:
    return {
        **({"label": line.label} if line.label else {}),
        **({"yAxis": "right"} if line.right else {}),
    }


def _row(each: Rule | Term, period: int, more: dict[str, Any]) -> list[Any]:
    if period not in _HIGH_RESOLUTION and period % 60:
        raise untranslatable("a widget", f"a period of {period} s", "use a multiple of 60 s")
    return [*metric_row(each), {"stat": statistic_of(each), "period": period, **more}]
