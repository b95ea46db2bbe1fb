"""Grafana's dashboards: writes panels that ask Prometheus."""

from __future__ import annotations

from typing import Any

from heavylift.alerts.boards import Axis, Board, Kind, Widget
from heavylift.alerts.model import Loss, Rule
from heavylift.alerts.prometheus import demand_names
from heavylift.alerts.promql_write import window

_TYPES = {Kind.LINES: "timeseries", Kind.STACKED: "timeseries", Kind.NUMBER: "stat", Kind.TEXT: "text"}
_UNITS = {"s": "s", "ms": "ms", "us": "µs", "bytes": "bytes", "percent": "percent", "ratio": "percentunit"}
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def write(board: Board) -> tuple[dict[str, Any], list[Loss]]:
    """Return a dashboard whose source of data is chosen at its top.

    :raises UntranslatableError: a widget cannot be said there.
    """
    variable = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"}
    losses: list[Loss] = []
    document = {
        "title": board.title or "Translated dashboard",
        "schemaVersion": 39,
        "timezone": "utc",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [variable]},
        "panels": [_panel(number, each, losses) for number, each in enumerate(board.widgets, 1)],
    }
    return document, losses


def _panel(index: int, widget: Widget, losses: list[Loss]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": index,
        "type": _TYPES[widget.kind],
        "title": widget.title,
        "gridPos": {"x": widget.x, "y": widget.y, "w": widget.width, "h": widget.height},
    }
    if widget.kind is Kind.TEXT:
        return {**made, "options": {"mode": "markdown", "content": widget.text}}
    targets = [
        {
            "refId": _ref(place),
            "datasource": _SOURCE,
            "expr": expression(each.rule),
            # A point for each window, as the source draws it.
            "interval": f"{each.rule.period}s",
            **({"legendFormat": each.label} if each.label else {}),
        }
        for place, each in enumerate(widget.lines)
    ]
    config = {"defaults": _defaults(widget, losses), "overrides": _overrides(widget)}
    return {**made, "datasource": _SOURCE, "targets": targets, "fieldConfig": config}


def _defaults(widget: Widget, losses: list[Loss]) -> dict[str, Any]:
    units = {each.rule.metric.unit for each in widget.lines}
    custom: dict[str, Any] = {}
    if widget.left_axis.label:
        custom["axisLabel"] = widget.left_axis.label
    if widget.kind is Kind.STACKED:
        custom["stacking"] = {"mode": "normal", "group": "A"}
    made: dict[str, Any] = {"unit": _UNITS.get(units.pop(), "short") if len(units) == 1 else "short"}
    made |= _bounds(widget.left_axis, "", "")
    if widget.marks:
        custom["thresholdsStyle"] = {"mode": "line"}
        steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
        steps += [{"color": "red", "value": each.value} for each in widget.marks]
        made["thresholds"] = {"mode": "absolute", "steps": steps}
        losses += [
            Loss(widget.title, f"the name of the mark {each.label}", "put it into a text")
            for each in widget.marks
            if each.label
        ]
        losses += [
            Loss(widget.title, f"the mark at {each.value:g} of the right axis", "it is drawn by the left one")
            for each in widget.marks
            if each.right
        ]
    return {**made, "custom": custom} if custom else made


def _bounds(axis: Axis, label: str, prefix: str) -> dict[str, Any]:
    told = {label: axis.label or None, f"{prefix}min": axis.low, f"{prefix}max": axis.high}
    return {key: value for key, value in told.items() if key and value is not None}


def _overrides(widget: Widget) -> list[dict[str, Any]]:
    looks = {"custom.axisPlacement": "right", **_bounds(widget.right_axis, "custom.axisLabel", "")}
    properties = [{"id": key, "value": value} for key, value in looks.items()]
    return [
        {"matcher": {"id": "byFrameRefID", "options": _ref(place)}, "properties": properties}
        for place, each in enumerate(widget.lines)
        if each.right
    ]


def _ref(place: int) -> str:
    return chr(ord("A") + place) if place < 26 else f"A{place}"


def expression(rule: Rule) -> str:
    """Return what a line asks of Prometheus: the number of the window that ends at each point.

    :raises UntranslatableError: its names are none of Prometheus.
    """
    demand_names(rule)
    return window(rule, 0)
