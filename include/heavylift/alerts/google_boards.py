"""Cloud Monitoring's dashboards: reads tiles on a mosaic, and the simpler layouts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from heavylift.alerts import google
from heavylift.alerts.boards import COLUMNS, WHOLE, Axis, Board, Kind, Line, Mark, Widget, reckoned, silent
from heavylift.alerts.google_promql import from_promql
from heavylift.alerts.model import Loss, Platform, Rule
from heavylift.alerts.problems import UntranslatableError, number, text, unreadable, untranslatable, whole
from heavylift.alerts.prometheus import condition
from heavylift.alerts.promql import parse

MAX_TILES = 500
_PLOTS = {"LINE": Kind.LINES, "STACKED_AREA": Kind.STACKED, "PLOT_TYPE_UNSPECIFIED": Kind.LINES}
_HEIGHT = 6
_COMPARED = {"comparison": "COMPARISON_GT", "thresholdValue": 0}
"""A tile asks as a threshold does, but compares nothing."""
Placed = tuple[dict[str, Any], Widget]


def read(document: Any) -> tuple[Board, list[Loss]]:
    """Return a dashboard; a tile that has no counterpart becomes a text that says so, and is listed.

    :raises SpecError: it is no dashboard with a layout.
    """
    found: list[Widget] = []
    losses: list[Loss] = []
    notes: list[Loss] = []
    for index, (widget, place) in enumerate(_placed(document), 1):
        title = str(widget.get("title") or f"tile {index}")
        try:
            found.append(_widget(widget, title, place, notes))
        except UntranslatableError as problem:
            losses.append(Loss(title, problem.got, problem.remedy))
            found.append(silent(title, problem.got, place))
    if document.get("dashboardFilters"):
        notes.append(Loss(WHOLE, "dashboardFilters", "write the filters into the charts"))
    return Board(str(document.get("displayName") or ""), tuple(found), notes=tuple(notes)), losses


def _placed(document: Any) -> list[Placed]:
    """Return the widgets of any layout, each with its place on our grid."""
    kinds = {"mosaicLayout": _mosaic, "gridLayout": _grid, "rowLayout": _rows, "columnLayout": _columns}
    layout = next((key for key in kinds if isinstance(document, dict) and key in document), None)
    inner = document[layout] if layout else None
    if layout is None or not isinstance(inner, dict):
        raise unreadable("Cloud Monitoring's dashboard", "another document", f"one of {', '.join(kinds)}")
    found = list(kinds[layout](inner))
    if len(found) > MAX_TILES:
        raise unreadable("Cloud Monitoring's dashboard", f"{len(found)} tiles", f"at most {MAX_TILES}")
    return found


def _each(layout: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = layout.get(key, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise unreadable("Cloud Monitoring's dashboard", f"odd {key}", f"a list of {key}")
    return found


def _mosaic(layout: dict[str, Any]) -> Iterator[Placed]:
    if "tiles" not in layout:
        raise unreadable("Cloud Monitoring's dashboard", "no tiles", "a mosaicLayout with tiles")
    columns = whole("a dashboard's columns", layout.get("columns", 12), 1, 48)
    for index, tile in enumerate(_each(layout, "tiles"), 1):
        if not isinstance(tile.get("widget"), dict):
            raise unreadable("Cloud Monitoring's dashboard", f"tile {index}", "a tile with a widget")
        yield tile["widget"], _place(tile, columns)


def _place(tile: dict[str, Any], columns: int) -> Widget:
    spans = {name: whole(f"a tile's {name}", tile.get(name, 1), 1, 1000) for name in ("width", "height")}
    at = {name: whole(f"a tile's {name}", tile.get(name, 0), 0, 10_000) for name in ("xPos", "yPos")}
    width = max(1, min(COLUMNS, spans["width"] * COLUMNS // columns))
    x = min(at["xPos"] * COLUMNS // columns, COLUMNS - width)
    return _at(x, at["yPos"], width, spans["height"])


def _at(x: int, y: int, width: int, height: int = _HEIGHT) -> Widget:
    return Widget(Kind.TEXT, "", x=x, y=y, width=width, height=height)


def _grid(layout: dict[str, Any]) -> Iterator[Placed]:
    columns = _int(layout.get("columns") or "2", "a grid's columns")
    width = max(1, COLUMNS // columns)
    for index, widget in enumerate(_each(layout, "widgets")):
        row, column = divmod(index, columns)
        yield widget, _at(min(column * width, COLUMNS - width), row * _HEIGHT, width)


def _rows(layout: dict[str, Any]) -> Iterator[Placed]:
    for index, row in enumerate(_each(layout, "rows")):
        widgets = _each(row, "widgets")
        width = max(1, COLUMNS // max(1, len(widgets)))
        for column, widget in enumerate(widgets):
            yield widget, _at(min(column * width, COLUMNS - width), index * _HEIGHT, width)


def _columns(layout: dict[str, Any]) -> Iterator[Placed]:
    columns = _each(layout, "columns")
    weights = [_int(each.get("weight") or "1", "a column's weight") for each in columns]
    x = 0
    for column, weight in zip(columns, weights, strict=True):
        width = max(1, COLUMNS * weight // sum(weights))
        for index, widget in enumerate(_each(column, "widgets")):
            yield widget, _at(min(x, COLUMNS - width), index * _HEIGHT, width)
        x += width


def _int(given: Any, what: str) -> int:
    """Return a number that Google writes as a text."""
    digits = isinstance(given, str) and given.isascii() and given.isdigit() and len(given) < 5
    return whole(what, int(given) if digits else given, 1, 1000)


def _widget(widget: dict[str, Any], title: str, place: Widget, losses: list[Loss]) -> Widget:
    if isinstance(widget.get("text"), dict):
        name = str(widget.get("title") or "")
        content = text("a tile's text", widget["text"].get("content", ""))
        return dataclasses.replace(place, title=name, text=content)
    if isinstance(widget.get("xyChart"), dict):
        return _chart(widget["xyChart"], title, place, losses)
    if isinstance(widget.get("scorecard"), dict):
        card = widget["scorecard"]
        if card.get("thresholds"):
            losses.append(Loss(title, "the thresholds of a single value", "colour it on the target"))
        line = _line(title, card.get("timeSeriesQuery"))
        return dataclasses.replace(place, kind=Kind.NUMBER, title=title, lines=(line,))
    kind = next((name for name in widget if name not in ("title", "id")), "nothing")
    raise untranslatable(title, f"a widget of the kind {kind}")


def _chart(chart: dict[str, Any], title: str, place: Widget, losses: list[Loss]) -> Widget:
    sets = _each(chart, "dataSets")
    kinds = {str(each.get("plotType") or "LINE") for each in sets}
    if not sets:
        raise untranslatable(title, "no data")
    if len(kinds) > 1 or not kinds <= _PLOTS.keys():
        raise untranslatable(title, f"the plots {', '.join(sorted(kinds))}", "draw lines, or stacked areas")
    if chart.get("timeshiftDuration") not in (None, "0s"):
        raise untranslatable(title, "a comparison with the past")
    lines = []
    for each in sets:
        label = text(title, each.get("legendTemplate") or "")
        if "${" in label:
            losses.append(Loss(title, f"the legend {label}, which names labels", "write the name out"))
            label = ""
        lines.append(
            dataclasses.replace(
                _line(title, each.get("timeSeriesQuery")), label=label, right=each.get("targetAxis") == "Y2"
            )
        )
    marks = tuple(
        Mark(number(title, each.get("value", 0)), text(title, each.get("label") or ""), _is_right(each))
        for each in _each(chart, "thresholds")
    )
    return dataclasses.replace(
        place,
        kind=_PLOTS[kinds.pop()],
        title=title,
        lines=tuple(lines),
        left_axis=_axis(chart.get("yAxis")),
        right_axis=_axis(chart.get("y2Axis")),
        marks=marks,
    )


def _is_right(found: dict[str, Any]) -> bool:
    return found.get("targetAxis") == "Y2"


def _axis(found: Any) -> Axis:
    return Axis(text("an axis", found.get("label") or "")) if isinstance(found, dict) else Axis()


def _line(title: str, query: Any) -> Line:
    if not isinstance(query, dict):
        raise untranslatable(title, "a query that is no filter of one metric")
    if isinstance(query.get("prometheusQuery"), str):
        return _promql(title, query["prometheusQuery"])
    ratio = query.get("timeSeriesFilterRatio")
    if isinstance(ratio, dict):
        return Line(reckoned(_ratio(title, ratio), Platform.GOOGLE))
    return Line(google.threshold(title, {**_asked(title, query.get("timeSeriesFilter")), **_COMPARED}))


def _asked(title: str, given: Any) -> dict[str, Any]:
    if not isinstance(given, dict) or given.get("secondaryAggregation") or given.get("pickTimeSeriesFilter"):
        raise untranslatable(title, "a query that is no filter of one metric")
    return {"filter": given.get("filter"), "aggregations": [given.get("aggregation") or {}]}


def _ratio(title: str, ratio: dict[str, Any]) -> Rule:
    if ratio.get("secondaryAggregation") or ratio.get("pickTimeSeriesFilter"):
        raise untranslatable(title, "a ratio that is aggregated once more")
    above, below = (_asked(title, ratio.get(key)) for key in ("numerator", "denominator"))
    asked = {
        **above,
        **_COMPARED,
        "denominatorFilter": below["filter"],
        "denominatorAggregations": below["aggregations"],
    }
    return google.threshold(title, asked)


def _promql(title: str, query: str) -> Line:
    if "$" in query:
        raise untranslatable(title, "a query with variables", "write them out")
    rule = from_promql(condition(title, parse(f"({query}) > 0"), []))
    return Line(reckoned(rule, Platform.GOOGLE), expression=query)
