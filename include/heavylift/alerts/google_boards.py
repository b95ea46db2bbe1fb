"""Cloud Monitoring's dashboards, of tiles on a mosaic."""

from __future__ import annotations

from typing import Any

from heavylift.alerts import google
from heavylift.alerts.boards import COLUMNS, Board, Kind, Widget, silent
from heavylift.alerts.model import Loss, Rule
from heavylift.alerts.problems import UntranslatableError, text, unreadable, untranslatable, whole

MAX_TILES = 500


def read(document: Any) -> tuple[Board, list[Loss]]:
    """Return a dashboard; a tile that has no counterpart becomes a text that says so, and is listed.

    :raises SpecError: it is no dashboard with a mosaic.
    """
    layout = document.get("mosaicLayout") if isinstance(document, dict) else None
    tiles = layout.get("tiles") if isinstance(layout, dict) else None
    if not isinstance(tiles, list) or len(tiles) > MAX_TILES:
        raise unreadable("Cloud Monitoring's dashboard", "another document", "a mosaicLayout with tiles")
    columns = whole("a dashboard's columns", document["mosaicLayout"].get("columns", 12), 1, 48)
    found: list[Widget] = []
    losses: list[Loss] = []
    for number, tile in enumerate(tiles, 1):
        widget = tile.get("widget") if isinstance(tile, dict) else None
        if not isinstance(widget, dict):
            raise unreadable("Cloud Monitoring's dashboard", f"tile {number}", "a tile with a widget")
        title, place = str(widget.get("title") or f"tile {number}"), _place(tile, columns)
        try:
            found.append(_widget(widget, title, place))
        except UntranslatableError as problem:
            losses.append(Loss(title, problem.got, problem.remedy))
            found.append(silent(title, problem.got, place))
    return Board(str(document.get("displayName") or ""), tuple(found)), losses


def _place(tile: dict[str, Any], columns: int) -> Widget:
    spans = {name: whole(f"a tile's {name}", tile.get(name, 1), 1, 1000) for name in ("width", "height")}
    at = {name: whole(f"a tile's {name}", tile.get(name, 0), 0, 10_000) for name in ("xPos", "yPos")}
    width = max(1, min(COLUMNS, spans["width"] * COLUMNS // columns))
    x = min(at["xPos"] * COLUMNS // columns, COLUMNS - width)
    return Widget(Kind.TEXT, "", (), "", x, at["yPos"], width, spans["height"])


def _widget(widget: dict[str, Any], title: str, place: Widget) -> Widget:
    where = place.x, place.y, place.width, place.height
    if isinstance(widget.get("text"), dict):
        name = str(widget.get("title") or "")
        content = text("a tile's text", widget["text"].get("content", ""))
        return Widget(Kind.TEXT, name, (), content, *where)
    if isinstance(widget.get("xyChart"), dict):
        sets = widget["xyChart"].get("dataSets") or ()
        queries = tuple(_query(title, each) for each in sets)
        if not queries:
            raise untranslatable(title, "no data")
        return Widget(Kind.LINES, title, queries, "", *where)
    if isinstance(widget.get("scorecard"), dict):
        return Widget(Kind.NUMBER, title, (_query(title, widget["scorecard"]),), "", *where)
    kind = next((name for name in widget if name not in ("title", "id")), "nothing")
    raise untranslatable(title, f"a widget of the kind {kind}")


def _query(title: str, found: Any) -> Rule:
    query = found.get("timeSeriesQuery") if isinstance(found, dict) else None
    given = query.get("timeSeriesFilter") if isinstance(query, dict) else None
    if not isinstance(given, dict) or given.get("secondaryAggregation") or given.get("pickTimeSeriesFilter"):
        raise untranslatable(title, "a query that is no filter of one metric")
    # A tile asks as a threshold does, but compares nothing.
    asked = {"filter": given.get("filter"), "aggregations": [given.get("aggregation") or {}]}
    return google.threshold(title, {**asked, "comparison": "COMPARISON_GT", "thresholdValue": 0})


def write(board: Board) -> dict[str, Any]:
    """Return a dashboard."""
    tiles = [
        {"xPos": each.x, "yPos": each.y, "width": each.width, "height": each.height, "widget": _shown(each)}
        for each in board.widgets
    ]
    return {
        "displayName": board.title or "Translated dashboard",
        "mosaicLayout": {"columns": COLUMNS, "tiles": tiles},
    }


def _shown(widget: Widget) -> dict[str, Any]:
    if widget.kind is Kind.TEXT:
        return {"title": widget.title, "text": {"content": widget.text, "format": "MARKDOWN"}}
    asked = [{"timeSeriesQuery": {"timeSeriesFilter": google.time_series(each)}} for each in widget.queries]
    if widget.kind is Kind.NUMBER and len(asked) == 1:
        return {"title": widget.title, "scorecard": asked[0]}
    return {"title": widget.title, "xyChart": {"dataSets": [{**each, "plotType": "LINE"} for each in asked]}}
