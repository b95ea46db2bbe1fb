"""CloudWatch's dashboards: reads the body that ``GetDashboard`` returns."""

from __future__ import annotations

import dataclasses
from typing import Any

from heavylift.alerts.boards import COLUMNS, WHOLE, Axis, Board, Kind, Line, Mark, Widget, reckoned, silent
from heavylift.alerts.boards import used as used_names
from heavylift.alerts.cloudwatch import aggregation_of
from heavylift.alerts.formula import FUNCTIONS, Term, checked
from heavylift.alerts.metrics import known
from heavylift.alerts.model import Comparison, Loss, Platform, Rule
from heavylift.alerts.problems import UntranslatableError, number, text, unreadable, untranslatable, whole
from heavylift.alerts.promql import parse

MAX_WIDGETS = 500
_KINDS = {"timeSeries": Kind.LINES, "singleValue": Kind.NUMBER}
_REMEDY = "record the result as a metric of its own"
_KEPT = frozenset({"title", "view", "metrics", "period", "stat", "region", "stacked", "yAxis", "annotations"})
_LOOKS = frozenset(
    {"legend", "sparkline", "liveData", "timezone", "setPeriodToTimeRange", "start", "end", "trend"}
)
"""Of a widget's looks, not of what it shows; they are left behind, as docs/reference/alerts.md says."""


def read(document: Any) -> tuple[Board, list[Loss]]:
    """Return a dashboard; a widget that has no counterpart becomes a text that says so, and is listed.

    :raises SpecError: it is no body of a dashboard.
    """
    widgets = document.get("widgets") if isinstance(document, dict) else None
    if not isinstance(widgets, list) or len(widgets) > MAX_WIDGETS:
        raise unreadable("CloudWatch's dashboard", "another document", f"widgets, at most {MAX_WIDGETS}")
    found: list[Widget] = []
    losses: list[Loss] = []
    notes: list[Loss] = []
    if document.get("variables"):
        notes.append(Loss(WHOLE, "variables", "write a dashboard for each of their values"))
    for index, each in enumerate(widgets, 1):
        if not isinstance(each, dict) or not isinstance(each.get("properties"), dict):
            raise unreadable("CloudWatch's dashboard", f"widget {index}", "a widget with properties")
        place = _place(each)
        title = str(each["properties"].get("title") or f"widget {index}")
        try:
            found.append(_widget(each, title, place, notes))
        except UntranslatableError as problem:
            losses.append(Loss(title, problem.got, problem.remedy))
            found.append(silent(title, problem.got, place))
    region = _region(widgets, notes)
    return Board("", tuple(found), region, tuple(notes)), losses


def _region(widgets: list[dict[str, Any]], losses: list[Loss]) -> str:
    regions = {str(each["properties"].get("region") or "") for each in widgets} - {""}
    if len(regions) > 1:
        told = f"metrics of {', '.join(sorted(regions))}, which have the same names on the target"
        losses.append(Loss(WHOLE, told, "name labels that tell them apart in --metrics"))
    return min(regions, default="")


def _place(each: dict[str, Any]) -> Widget:
    spans = {name: whole(f"a widget's {name}", each.get(name, 6), 1, 1000) for name in ("width", "height")}
    at = {name: whole(f"a widget's {name}", each.get(name, 0), 0, 10_000) for name in ("x", "y")}
    width = min(COLUMNS, spans["width"])
    x = min(at["x"], COLUMNS - width)
    return Widget(Kind.TEXT, "", x=x, y=at["y"], width=width, height=spans["height"])


def _widget(each: dict[str, Any], title: str, place: Widget, losses: list[Loss]) -> Widget:
    properties = each["properties"]
    if each.get("type") == "text":
        return dataclasses.replace(place, text=text("a text", properties.get("markdown", "")))
    if each.get("type") != "metric":
        raise untranslatable(title, f"a widget of the type {each.get('type')}")
    view = properties.get("view", "timeSeries")
    if view not in _KINDS:
        raise untranslatable(title, f"the view {view}")
    kind = Kind.STACKED if view == "timeSeries" and properties.get("stacked") is True else _KINDS[view]
    left = sorted(properties.keys() - _KEPT - _LOOKS)
    losses += [Loss(title, f"{name} is left behind", "set it on the target") for name in left]
    axes = properties.get("yAxis")
    axes = axes if isinstance(axes, dict) else {}
    return dataclasses.replace(
        place,
        kind=kind,
        title=title,
        lines=_lines(title, properties),
        left_axis=_axis(title, axes.get("left")),
        right_axis=_axis(title, axes.get("right")),
        marks=_marks(title, properties.get("annotations"), losses),
    )


def _axis(title: str, found: Any) -> Axis:
    if not isinstance(found, dict):
        return Axis()
    low, high = (None if found.get(key) is None else number(title, found[key]) for key in ("min", "max"))
    return Axis(text(title, found.get("label") or ""), low, high)


def _marks(title: str, annotations: Any, losses: list[Loss]) -> tuple[Mark, ...]:
    if not isinstance(annotations, dict):
        return ()
    losses += [
        Loss(title, f"{kind} annotations", "mark them on the target by hand")
        for kind in sorted(annotations.keys() - {"horizontal"})
    ]
    found = []
    for each in annotations.get("horizontal") or ():
        if not isinstance(each, dict) or each.get("value") is None:
            losses.append(Loss(title, "a band of two horizontal annotations", "mark it by two lines"))
            continue
        right = each.get("yAxis") == "right"
        found.append(Mark(number(title, each["value"]), text(title, each.get("label") or ""), right))
    return tuple(found)


def _lines(title: str, properties: dict[str, Any]) -> tuple[Line, ...]:
    rows = properties.get("metrics")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, list) and row for row in rows):
        raise untranslatable(title, "no metrics", "name the metrics in the widget")
    terms: dict[str, Rule] = {}
    drawn: list[tuple[Any, dict[str, Any]]] = []
    before: list[str] = []
    for row in rows:
        options = row[-1] if isinstance(row[-1], dict) else {}
        parts = _whole_row(title, row[:-1] if options or isinstance(row[-1], dict) else row, before)
        if "expression" in options:
            drawn.append((text(title, options["expression"]), options))
            continue
        if len(parts) < 2:
            raise untranslatable(title, "a metric without a name", "name namespace and metric")
        before = parts
        rule = _rule(title, parts, options, properties)
        if isinstance(options.get("id"), str):
            terms[options["id"]] = rule
        drawn.append((rule, options))
    # An expression may stand before what it names.
    return tuple(
        Line(
            each if isinstance(each, Rule) else _math(title, each, terms, options),
            text(title, options.get("label") or ""),
            options.get("yAxis") == "right",
        )
        for each, options in drawn
        if options.get("visible") is not False
    )


def _rule(title: str, parts: list[str], options: dict[str, Any], properties: dict[str, Any]) -> Rule:
    kind, share = aggregation_of(title, options.get("stat", properties.get("stat", "Average")))
    period = whole(title, options.get("period", properties.get("period", 300)))
    if len(parts) % 2:
        raise unreadable(f"the widget {title}", "a dimension without a value", "names and values in pairs")
    labels = tuple(sorted(zip(parts[2::2], parts[3::2], strict=True)))
    metric = known(Platform.CLOUDWATCH, parts[0], parts[1])
    return Rule(title, metric, kind, Comparison.GT, 0.0, period, percentile=share, labels=labels)


def _math(title: str, expression: str, rules: dict[str, Rule], options: dict[str, Any]) -> Rule:
    """Return a rule of metric math over metrics of one period, which are named by their ids."""
    if any(sign in expression for sign in "\"'$"):
        raise untranslatable(title, "metric math that searches", _REMEDY)
    names = used_names(parse(expression, FUNCTIONS))
    if not names or not names <= rules.keys():
        raise untranslatable(title, "metric math of something else than metrics of this widget", _REMEDY)
    periods = {rules[name].period for name in names}
    if len(periods) > 1 or options.get("period", min(periods)) not in periods:
        raise untranslatable(title, "metric math over several periods", "use one period")
    terms = {
        name: Term(each.metric, each.aggregation, each.percentile, each.labels)
        for name, each in rules.items()
        if name in names
    }
    formula = checked(title, expression, terms)
    first = rules[min(names)]
    return reckoned(dataclasses.replace(first, formula=formula), Platform.CLOUDWATCH)


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
