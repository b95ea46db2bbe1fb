"""Cloud Monitoring's dashboards: writes tiles on a mosaic."""

from __future__ import annotations

from typing import Any

from heavylift.alerts import google
from heavylift.alerts.boards import COLUMNS, Board, Kind, Mark, Widget
from heavylift.alerts.google_promql import in_promql
from heavylift.alerts.model import Loss, Rule
from heavylift.alerts.problems import UntranslatableError
from heavylift.alerts.promql_write import window


def write(board: Board) -> tuple[dict[str, Any], list[Loss]]:
    """Return a dashboard.

    :raises UntranslatableError: a widget cannot be said there.
    """
    losses: list[Loss] = []
    tiles = [
        {
            "xPos": each.x,
            "yPos": each.y,
            "width": each.width,
            "height": each.height,
            "widget": _shown(each, losses),
        }
        for each in board.widgets
    ]
    document = {
        "displayName": board.title or "Translated dashboard",
        "mosaicLayout": {"columns": COLUMNS, "tiles": tiles},
    }
    return document, losses


def _shown(widget: Widget, losses: list[Loss]) -> dict[str, Any]:
    if widget.kind is Kind.TEXT:
        return {"title": widget.title, "text": {"content": widget.text, "format": "MARKDOWN"}}
    if widget.kind is Kind.NUMBER and len(widget.lines) == 1:
        losses += [
            Loss(widget.title, f"the mark at {each.value:g}", "colour it by hand") for each in widget.marks
        ]
        return {"title": widget.title, "scorecard": {"timeSeriesQuery": _query(widget.lines[0].rule)}}
    if widget.kind is Kind.NUMBER:
        losses.append(Loss(widget.title, "several single values, which become lines", "make a tile of each"))
    plot = "STACKED_AREA" if widget.kind is Kind.STACKED else "LINE"
    chart: dict[str, Any] = {
        "dataSets": [
            {
                "timeSeriesQuery": _query(each.rule),
                "plotType": plot,
                **({"legendTemplate": each.label} if each.label else {}),
                **({"targetAxis": "Y2"} if each.right else {}),
            }
            for each in widget.lines
        ]
    }
    for key, axis in (("yAxis", widget.left_axis), ("y2Axis", widget.right_axis)):
        if axis.label:
            chart[key] = {"label": axis.label, "scale": "LINEAR"}
        if axis.low is not None or axis.high is not None:
            losses.append(Loss(widget.title, "the bounds of an axis", "Google chooses them by the values"))
    if widget.marks:
        chart["thresholds"] = [_threshold(each) for each in widget.marks]
    return {"title": widget.title, "xyChart": chart}


def _threshold(mark: Mark) -> dict[str, Any]:
    made: dict[str, Any] = {"value": mark.value, "label": mark.label}
    return {**made, "targetAxis": "Y2"} if mark.right else made


def _query(rule: Rule) -> dict[str, Any]:
    """Return what a tile asks: a filter or a ratio of two where they say it, else PromQL."""
    try:
        return _by_filter(rule)
    except UntranslatableError:
        return {"prometheusQuery": window(in_promql(rule), 0)}


def _by_filter(rule: Rule) -> dict[str, Any]:
    if rule.formula is None:
        return {"timeSeriesFilter": google.time_series(rule)}
    parts = google.ratio_parts(rule)
    return {"timeSeriesFilterRatio": {"numerator": parts[0], "denominator": parts[1]}}
