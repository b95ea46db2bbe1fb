"""Grafana's dashboards, of panels that ask Prometheus."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from heavylift.alerts.boards import COLUMNS, WHOLE, Axis, Board, Kind, Line, Mark, Widget, reckoned, silent
from heavylift.alerts.model import Loss, Platform
from heavylift.alerts.problems import UntranslatableError, number, text, unreadable, untranslatable, whole
from heavylift.alerts.prometheus import condition
from heavylift.alerts.promql import parse

MAX_PANELS = 500
_KINDS = {"timeseries": Kind.LINES, "stat": Kind.NUMBER, "text": Kind.TEXT}


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
    notes: list[Loss] = []
    for index, panel in enumerate(_flat(panels, notes), 1):
        title, place = str(panel.get("title") or f"panel {index}"), _place(panel)
        try:
            found.append(_widget(panel, title, place, notes))
        except UntranslatableError as problem:
            losses.append(Loss(title, problem.got, problem.remedy))
            found.append(silent(title, problem.got, place))
    if _table(document, "templating").get("list"):
        named = [each for each in document["templating"]["list"] if isinstance(each, dict)]
        kept = [str(each.get("name")) for each in named if each.get("type") != "datasource"]
        notes += [Loss(WHOLE, f"the variable {name}", "make a dashboard for each value") for name in kept]
    return Board(str(document.get("title") or ""), tuple(found), notes=tuple(notes)), losses


def _flat(panels: list[Any], losses: list[Loss]) -> Iterator[dict[str, Any]]:
    """Return all panels, those of rows too; the rows themselves are headings that no other platform has."""
    for index, panel in enumerate(panels, 1):
        if not isinstance(panel, dict):
            raise unreadable("Grafana's dashboard", f"panel {index}", "a panel")
        if panel.get("type") != "row":
            yield panel
            continue
        title = str(panel.get("title") or "")
        losses.append(Loss(title or WHOLE, "a row", "its panels stay; put a text above them"))
        inner = panel.get("panels") or []
        if not isinstance(inner, list) or not all(isinstance(each, dict) for each in inner):
            raise unreadable("Grafana's dashboard", f"the row {title}", "a row of panels")
        yield from inner


def _place(panel: dict[str, Any]) -> Widget:
    grid = panel.get("gridPos")
    grid = grid if isinstance(grid, dict) else {}
    width = min(COLUMNS, whole("a panel's w", grid.get("w", 12), 1, 1000))
    x = min(whole("a panel's x", grid.get("x", 0), 0, 1000), COLUMNS - width)
    y = whole("a panel's y", grid.get("y", 0), 0, 10_000)
    height = whole("a panel's h", grid.get("h", 6), 1, 1000)
    return Widget(Kind.TEXT, "", x=x, y=y, width=width, height=height)


def _widget(panel: dict[str, Any], title: str, place: Widget, losses: list[Loss]) -> Widget:
    kind = _KINDS.get(str(panel.get("type")))
    if kind is None:
        raise untranslatable(title, f"a panel of the type {panel.get('type')}")
    if kind is Kind.TEXT:
        content = _table(panel, "options").get("content", "")
        name = str(panel.get("title") or "")
        return dataclasses.replace(place, title=name, text=text("a panel's text", content))
    if panel.get("transformations"):
        raise untranslatable(title, "transformations", "ask Prometheus for the result itself")
    defaults = _table(_table(panel, "fieldConfig"), "defaults")
    custom = _table(defaults, "custom")
    if kind is Kind.LINES and _table(custom, "stacking").get("mode", "none") != "none":
        kind = Kind.STACKED
    targets = panel.get("targets")
    targets = [each for each in targets if isinstance(each, dict)] if isinstance(targets, list) else []
    looks = _overridden(panel)
    lines = tuple(
        _line(title, each, looks.get(str(each.get("refId")), {}), losses)
        for each in targets
        if not each.get("hide")
    )
    if not lines:
        raise untranslatable(title, "no query")
    left, right = _axes(title, custom, defaults, looks)
    return dataclasses.replace(
        place, kind=kind, title=title, lines=lines, left_axis=left, right_axis=right,
        marks=_marks(title, defaults, custom),
    )  # fmt: skip


def _table(found: dict[str, Any], key: str) -> dict[str, Any]:
    inner = found.get(key)
    return inner if isinstance(inner, dict) else {}


def _overridden(panel: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what is set for single queries, by their refId."""
    found: dict[str, dict[str, Any]] = {}
    for each in _table(panel, "fieldConfig").get("overrides") or ():
        matcher = _table(each, "matcher") if isinstance(each, dict) else {}
        if matcher.get("id") != "byFrameRefID":
            continue
        properties = [one for one in each.get("properties") or () if isinstance(one, dict)]
        found[str(matcher.get("options"))] = {str(one.get("id")): one.get("value") for one in properties}
    return found


def _is_right(looks: dict[str, Any]) -> bool:
    return looks.get("custom.axisPlacement") == "right"


def _line(title: str, target: dict[str, Any], looks: dict[str, Any], losses: list[Loss]) -> Line:
    expr = target.get("expr")
    if not isinstance(expr, str):
        raise untranslatable(title, "a query that is not for Prometheus")
    if "$" in expr:
        raise untranslatable(title, "a query with variables", "write them out")
    rule = reckoned(condition(title, parse(f"({expr}) > 0"), losses), Platform.PROMETHEUS)
    label = text(title, target.get("legendFormat") or "")
    label = "" if label == "__auto" else label
    if "{{" in label:
        losses.append(Loss(title, f"the legend {label}, which names labels", "write the name out"))
        label = ""
    return Line(rule, label, _is_right(looks), expr)


def _axes(
    title: str, custom: dict[str, Any], defaults: dict[str, Any], looks: dict[str, dict[str, Any]]
) -> tuple[Axis, Axis]:
    left = _axis(title, custom.get("axisLabel"), defaults.get("min"), defaults.get("max"))
    right = next((each for each in looks.values() if _is_right(each)), None)
    if right is None:
        return left, Axis()
    return left, _axis(title, right.get("custom.axisLabel"), right.get("min"), right.get("max"))


def _axis(title: str, label: Any, low: Any, high: Any) -> Axis:
    bounds = [None if each is None else number(title, each) for each in (low, high)]
    return Axis(text(title, label or ""), *bounds)


def _marks(title: str, defaults: dict[str, Any], custom: dict[str, Any]) -> tuple[Mark, ...]:
    """Return the thresholds that are drawn as lines; others only colour the values."""
    if "line" not in str(_table(custom, "thresholdsStyle").get("mode", "")):
        return ()
    steps = _table(defaults, "thresholds").get("steps") or ()
    values = [each.get("value") for each in steps if isinstance(each, dict)]
    return tuple(Mark(number(title, each)) for each in values if each is not None)
