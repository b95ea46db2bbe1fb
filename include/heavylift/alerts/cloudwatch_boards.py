"""CloudWatch's dashboards: the body that ``GetDashboard`` returns."""

from __future__ import annotations

from typing import Any

from heavylift.alerts.boards import COLUMNS, Board, Kind, Widget, silent
from heavylift.alerts.cloudwatch import aggregation_of
from heavylift.alerts.metrics import known
from heavylift.alerts.model import Comparison, Loss, Platform, Rule
from heavylift.alerts.problems import UntranslatableError, text, unreadable, untranslatable, whole

MAX_WIDGETS = 500
_KINDS = {"timeSeries": Kind.LINES, "singleValue": Kind.NUMBER}


def read(document: Any) -> tuple[Board, list[Loss]]:
    """Return a dashboard; a widget that has no counterpart becomes a text that says so, and is listed.

    :raises SpecError: it is no body of a dashboard.
    """
    widgets = document.get("widgets") if isinstance(document, dict) else None
    if not isinstance(widgets, list) or len(widgets) > MAX_WIDGETS:
        raise unreadable("CloudWatch's dashboard", "another document", f"widgets, at most {MAX_WIDGETS}")
    found: list[Widget] = []
    losses: list[Loss] = []
    for number, each in enumerate(widgets, 1):
        if not isinstance(each, dict) or not isinstance(each.get("properties"), dict):
            raise unreadable("CloudWatch's dashboard", f"widget {number}", "a widget with properties")
        place = _place(each)
        title = str(each["properties"].get("title") or f"widget {number}")
        try:
            found.append(_widget(each, title, place))
        except UntranslatableError as problem:
            losses.append(Loss(title, problem.got, problem.remedy))
            found.append(silent(title, problem.got, place))
    return Board("", tuple(found)), losses


def _place(each: dict[str, Any]) -> Widget:
    spans = {name: whole(f"a widget's {name}", each.get(name, 6), 1, 1000) for name in ("width", "height")}
    at = {name: whole(f"a widget's {name}", each.get(name, 0), 0, 10_000) for name in ("x", "y")}
    width = min(COLUMNS, spans["width"])
    return Widget(Kind.TEXT, "", (), "", min(at["x"], COLUMNS - width), at["y"], width, spans["height"])


def _widget(each: dict[str, Any], title: str, place: Widget) -> Widget:
    properties = each["properties"]
    where = place.x, place.y, place.width, place.height
    if each.get("type") == "text":
        return Widget(Kind.TEXT, "", (), text("a text", properties.get("markdown", "")), *where)
    if each.get("type") != "metric":
        raise untranslatable(title, f"a widget of the type {each.get('type')}")
    view = properties.get("view", "timeSeries")
    if view not in _KINDS:
        raise untranslatable(title, f"the view {view}")
    return Widget(_KINDS[view], title, tuple(_queries(title, properties)), "", *where)


def _queries(title: str, properties: dict[str, Any]) -> list[Rule]:
    rows = properties.get("metrics")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, list) and row for row in rows):
        raise untranslatable(title, "no metrics", "name the metrics in the widget")
    found: list[Rule] = []
    before: list[str] = []
    for row in rows:
        options = row[-1] if isinstance(row[-1], dict) else {}
        parts = _whole_row(title, row[:-1] if row and isinstance(row[-1], dict) else row, before)
        if "expression" in options or len(parts) < 2:
            raise untranslatable(title, "metric math", "record the result as a metric of its own")
        before = parts
        kind, share = aggregation_of(title, options.get("stat", properties.get("stat", "Average")))
        period = whole(title, options.get("period", properties.get("period", 300)))
        labels = tuple(sorted(zip(parts[2::2], parts[3::2], strict=False)))
        metric = known(Platform.CLOUDWATCH, parts[0], parts[1])
        found.append(Rule(title, metric, kind, Comparison.GT, 0.0, period, percentile=share, labels=labels))
    return found


def _whole_row(title: str, row: list[Any], before: list[str]) -> list[str]:
    """Return a row without its short forms: ``.`` is the one above, ``...`` all that stand above there."""
    found: list[str] = []
    for part in row:
        if part == "...":
            found = before[: len(before) - (len(row) - 1)]
        elif part == ".":
            if len(found) >= len(before):
                raise unreadable(f"the widget {title}", "a dot with nothing above it", "a name")
            found.append(before[len(found)])
        else:
            found.append(text(f"the widget {title}", part))
    return found
