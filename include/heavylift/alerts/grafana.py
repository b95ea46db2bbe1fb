"""Grafana's dashboards, of panels that ask Prometheus."""

from __future__ import annotations

import re
from typing import Any

from heavylift.alerts.boards import COLUMNS, Board, Kind, Widget, silent
from heavylift.alerts.model import Aggregation, Loss, Rule
from heavylift.alerts.problems import UntranslatableError, text, unreadable, untranslatable, whole
from heavylift.alerts.prometheus import condition
from heavylift.alerts.promql import parse
from heavylift.alerts.promql_write import number, selector

MAX_PANELS = 500
_KINDS = {Kind.LINES: "timeseries", Kind.NUMBER: "stat", Kind.TEXT: "text"}
_UNITS = {"s": "s", "ms": "ms", "us": "µs", "bytes": "bytes", "percent": "percent", "ratio": "percentunit"}
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def read(document: Any) -> tuple[Board, list[Loss]]:
    """Return a dashboard; a panel that has no counterpart becomes a text that says so, and is listed.

    :raises SpecError: it is no dashboard.
    """
    if isinstance(document, dict) and isinstance(document.get("dashboard"), dict):
        document = document["dashboard"]
    panels = document.get("panels") if isinstance(document, dict) else None
    if not isinstance(panels, list) or len(panels) > MAX_PANELS:
        raise unreadable("Grafana's dashboard", "another document", f"panels, at most {MAX_PANELS}")
    found: list[Widget] = []
    losses: list[Loss] = []
    for index, panel in enumerate(panels, 1):
        if not isinstance(panel, dict):
            raise unreadable("Grafana's dashboard", f"panel {index}", "a panel")
        title, place = str(panel.get("title") or f"panel {index}"), _place(panel)
        try:
            found.append(_widget(panel, title, place, losses))
        except UntranslatableError as problem:
            losses.append(Loss(title, problem.got, problem.remedy))
            found.append(silent(title, problem.got, place))
    return Board(str(document.get("title") or ""), tuple(found)), losses


def _place(panel: dict[str, Any]) -> Widget:
    grid = panel.get("gridPos")
    grid = grid if isinstance(grid, dict) else {}
    width = min(COLUMNS, whole("a panel's w", grid.get("w", 12), 1, 1000))
    x = min(whole("a panel's x", grid.get("x", 0), 0, 1000), COLUMNS - width)
    y = whole("a panel's y", grid.get("y", 0), 0, 10_000)
    return Widget(Kind.TEXT, "", (), "", x, y, width, whole("a panel's h", grid.get("h", 6), 1, 1000))


def _widget(panel: dict[str, Any], title: str, place: Widget, losses: list[Loss]) -> Widget:
    where = place.x, place.y, place.width, place.height
    kind = next((kind for kind, name in _KINDS.items() if name == panel.get("type")), None)
    if kind is None:
        raise untranslatable(title, f"a panel of the type {panel.get('type')}")
    if kind is Kind.TEXT:
        options = panel.get("options")
        content = options.get("content", "") if isinstance(options, dict) else ""
        name = str(panel.get("title") or "")
        return Widget(kind, name, (), text("a panel's text", content), *where)
    queries = []
    for target in panel.get("targets") or ():
        expr = target.get("expr") if isinstance(target, dict) else None
        if not isinstance(expr, str):
            raise untranslatable(title, "a query that is not for Prometheus")
        if "$" in expr:
            raise untranslatable(title, "a query with variables", "write them out")
        queries.append(condition(title, parse(f"{expr} > 0"), losses))
    if not queries:
        raise untranslatable(title, "no query")
    return Widget(kind, title, tuple(queries), "", *where)


def write(board: Board) -> dict[str, Any]:
    """Return a dashboard whose source of data is chosen at its top."""
    variable = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"}
    return {
        "title": board.title or "Translated dashboard",
        "schemaVersion": 39,
        "timezone": "utc",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [variable]},
        "panels": [_panel(number, each) for number, each in enumerate(board.widgets, 1)],
    }


def _panel(index: int, widget: Widget) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": index,
        "type": _KINDS[widget.kind],
        "title": widget.title,
        "gridPos": {"x": widget.x, "y": widget.y, "w": widget.width, "h": widget.height},
    }
    if widget.kind is Kind.TEXT:
        return {**made, "options": {"mode": "markdown", "content": widget.text}}
    units = {each.metric.unit for each in widget.queries}
    unit = _UNITS.get(units.pop(), "short") if len(units) == 1 else "short"
    targets = [
        {"refId": _ref(place), "datasource": _SOURCE, "expr": expression(each)}
        for place, each in enumerate(widget.queries)
    ]
    more = {"datasource": _SOURCE, "targets": targets}
    return {**made, **more, "fieldConfig": {"defaults": {"unit": unit}, "overrides": []}}


def _ref(place: int) -> str:
    return chr(ord("A") + place) if place < 26 else f"A{place}"


def expression(query: Rule) -> str:
    """Return what a query asks of Prometheus.

    :raises UntranslatableError: its names are none of Prometheus.
    """
    if not re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", query.metric.name):
        raise untranslatable(query.name, f"the metric's name {query.metric.name}", "name it in --metrics")
    span = f"{selector(query)}[{query.period}s]"
    if query.aggregation is Aggregation.PERCENTILE:
        return f"quantile_over_time({number((query.percentile or 0.0) / 100)}, {span})"
    return f"{query.aggregation}_over_time({span})"
