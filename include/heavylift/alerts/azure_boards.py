"""Azure's dashboards of the portal, ``Microsoft.Portal/dashboards``: charts of metrics, and Markdown.

Not workbooks: these have no grid, and nobody publishes their form of a chart of metrics. A dashboard has
places, and its chart names resource, metric and aggregation.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from heavylift.alerts.boards import COLUMNS, RESOURCE, Axis, Board, Kind, Line, Widget, silent
from heavylift.alerts.metrics import TABLE, known
from heavylift.alerts.model import Aggregation, Comparison, Loss, Metric, Platform, Rule
from heavylift.alerts.problems import UntranslatableError, number, text, unreadable, untranslatable, whole

TYPE = "Microsoft.Portal/dashboards"
VERSION = "2020-09-01-preview"
CHART = "Extension/HubsExtension/PartType/MonitorChartPart"
MARKDOWN = "Extension/HubsExtension/PartType/MarkdownPart"
MAX_PARTS = 500
PERIOD = 300
"""Seconds of a point: the portal chooses it by the span of time that is looked at, documents tell none."""
_KINDS = {
    1: Aggregation.SUM,
    2: Aggregation.MIN,
    3: Aggregation.MAX,
    4: Aggregation.AVG,
    7: Aggregation.COUNT,
}
"""The numbers of ``aggregationType``."""
_CHARTS = {2: Kind.LINES, 3: Kind.STACKED}
"""The numbers of ``chartType``: lines, and areas, which the portal puts on one another."""


def read(document: Any) -> tuple[Board, list[Loss]]:
    """Return a dashboard; a part that has no counterpart becomes a text that says so, and is listed.

    :param document: a resource, or a template that holds one.
    :raises SpecError: it is neither.
    """
    resource, properties = _resource(document)
    found: list[Widget] = []
    losses: list[Loss] = []
    notes: list[Loss] = []
    parts = [part for lens in _each(properties.get("lenses")) for part in _each(lens.get("parts"))]
    if len(parts) > MAX_PARTS:
        raise unreadable("Azure's dashboard", f"{len(parts)} parts", f"at most {MAX_PARTS}")
    for index, part in enumerate(parts, 1):
        metadata, place = part.get("metadata"), _place(part.get("position"))
        if not isinstance(metadata, dict):
            raise unreadable("Azure's dashboard", f"part {index}", "a part with metadata")
        chart = _chart_of(metadata)
        title = str(chart.get("title") or f"part {index}")
        try:
            found.append(_widget(metadata, chart, title, place, notes))
        except UntranslatableError as problem:
            losses.append(Loss(title, problem.got, problem.remedy))
            found.append(silent(title, problem.got, place))
    tags = resource.get("tags")
    name = tags.get("hidden-title") if isinstance(tags, dict) else None
    return Board(str(name or resource.get("name") or ""), tuple(found), notes=tuple(notes)), losses


def _resource(document: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    if isinstance(document, dict) and isinstance(document.get("resources"), list):
        named = [each for each in document["resources"] if isinstance(each, dict)]
        boards = [each for each in named if str(each.get("type")).lower() == TYPE.lower()]
        document = boards[0] if len(boards) == 1 else None
    properties = document.get("properties", document) if isinstance(document, dict) else None
    if not isinstance(properties, dict) or "lenses" not in properties:
        raise unreadable("Azure's dashboard", "another document", f"one resource {TYPE} with lenses")
    return document, properties


def _each(found: Any) -> list[dict[str, Any]]:
    """Return lenses or parts: a list, or in older versions a table by numbers."""
    if isinstance(found, dict):
        found = list(found.values())
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise unreadable("Azure's dashboard", "odd lenses or parts", "lists of lenses and parts")
    return found


def _place(position: Any) -> Widget:
    position = position if isinstance(position, dict) else {}
    width = min(COLUMNS, whole("a part's colSpan", position.get("colSpan", 6), 1, 1000))
    x = min(whole("a part's x", position.get("x", 0), 0, 1000), COLUMNS - width)
    y = whole("a part's y", position.get("y", 0), 0, 10_000)
    height = whole("a part's rowSpan", position.get("rowSpan", 4), 1, 1000)
    return Widget(Kind.TEXT, "", x=x, y=y, width=width, height=height)


def _deep(found: Any, *keys: str) -> dict[str, Any]:
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _chart_of(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return a part's chart: what people set lies in settings, else what it was pinned with in inputs."""
    found = _deep(metadata, "settings", "content", "options", "chart")
    inputs = metadata.get("inputs")
    for each in inputs if isinstance(inputs, list) and not found else ():
        if isinstance(each, dict) and each.get("name") == "options":
            found = _deep(each, "value", "chart")
    return found


def _widget(
    metadata: dict[str, Any], chart: dict[str, Any], title: str, place: Widget, losses: list[Loss]
) -> Widget:
    kind = str(metadata.get("type"))
    if kind == MARKDOWN:
        content = _deep(metadata, "settings", "content")
        content = _deep(content, "settings") or content
        name, told = content.get("title") or "", content.get("content") or ""
        return dataclasses.replace(place, title=text("a title", name), text=text("a text", told))
    if kind != CHART:
        raise untranslatable(title, f"a part of the type {kind}")
    looks = _deep(chart, "visualization")
    drawn = looks.get("chartType", 2)
    if drawn not in _CHARTS:
        raise untranslatable(title, f"a chart of the type {drawn}", "draw lines, or areas")
    if chart.get("grouping"):
        raise untranslatable(title, "a chart that is split by a dimension", "draw a line for each value")
    metrics = chart.get("metrics")
    if not isinstance(metrics, list) or not metrics or not all(isinstance(each, dict) for each in metrics):
        raise untranslatable(title, "no metrics", "name the metrics in the chart")
    filters = _filters(title, chart)
    axis = _deep(looks, "axisVisualization", "y")
    bounds = [None if axis.get(key) is None else number(title, axis[key]) for key in ("min", "max")]
    losses.append(Loss(title, "a grain that the portal chooses", f"points of {PERIOD} s are drawn"))
    return dataclasses.replace(
        place, kind=_CHARTS[drawn], title=title, left_axis=Axis("", *bounds),
        lines=tuple(_line(title, each, filters) for each in metrics),
    )  # fmt: skip


def _filters(title: str, chart: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    found = []
    for each in _deep(chart, "filterCollection").get("filters") or ():
        values = each.get("values") if isinstance(each, dict) else None
        if not isinstance(values, list) or len(values) != 1 or each.get("operator", 0) != 0:
            raise untranslatable(title, "a filter of several values", "draw a line for each")
        found.append((text(title, each.get("key")), text(title, values[0])))
    return tuple(found)


def _line(title: str, found: dict[str, Any], filters: tuple[tuple[str, str], ...]) -> Line:
    kind = _KINDS.get(found.get("aggregationType", 4))
    if kind is None:
        raise untranslatable(title, f"the aggregation {found.get('aggregationType')}")
    metric = _known(text(title, found.get("namespace") or ""), text(title, found.get("name")))
    labels = ((RESOURCE, text(title, _deep(found, "resourceMetadata").get("id"))), *filters)
    shown = text(title, _deep(found, "metricVisualization").get("displayName") or "")
    rule = Rule(title, metric, kind, Comparison.GT, 0.0, PERIOD, labels=tuple(sorted(labels)))
    return Line(rule, "" if shown == metric.name else shown)


def _known(namespace: str, name: str) -> Metric:
    """Return a metric; the portal writes namespaces in small letters."""
    for row in TABLE:
        found = row.names.get(Platform.AZURE)
        if found is not None and (found[0].lower(), found[1]) == (namespace.lower(), name):
            return Metric(Platform.AZURE, *found)
    return known(Platform.AZURE, namespace, name)


def write(board: Board) -> tuple[dict[str, Any], list[Loss]]:
    """Return a template that holds the dashboard.

    :raises UntranslatableError: a widget cannot be said there.
    """
    losses: list[Loss] = []
    title = board.title or "Translated dashboard"
    resource = {
        "type": TYPE,
        "apiVersion": VERSION,
        "name": re.sub(r"[^A-Za-z0-9-]+", "-", title).strip("-")[:60] or "translated-dashboard",
        "location": "[resourceGroup().location]",
        "tags": {"hidden-title": title},
        "properties": {"lenses": [{"order": 0, "parts": [_part(each, losses) for each in board.widgets]}]},
    }
    schema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
    return {"$schema": schema, "contentVersion": "1.0.0.0", "resources": [resource]}, losses


def _part(widget: Widget, losses: list[Loss]) -> dict[str, Any]:
    position = {"x": widget.x, "y": widget.y, "colSpan": widget.width, "rowSpan": widget.height}
    if widget.kind is Kind.TEXT:
        content = {"content": widget.text, "title": widget.title, "subtitle": "", "markdownSource": 1}
        settings: dict[str, Any] = {"content": content}
        return {"position": position, "metadata": {"inputs": [], "type": MARKDOWN, "settings": settings}}
    inputs = [{"name": name, "isOptional": True} for name in ("options", "sharedTimeRange")]
    settings = {"content": {"options": {"chart": _chart(widget, losses)}}}
    return {"position": position, "metadata": {"inputs": inputs, "type": CHART, "settings": settings}}


def _chart(widget: Widget, losses: list[Loss]) -> dict[str, Any]:
    _tell(widget, losses)
    filters = {_dimensions(each.rule) for each in widget.lines}
    if len(filters) > 1:
        raise untranslatable(
            widget.title, "lines with different dimensions, which a chart filters together", "split it"
        )
    bounds = {"min": widget.left_axis.low, "max": widget.left_axis.high}
    axis = {
        "isVisible": True,
        "axisType": 1,
        **{key: bound for key, bound in bounds.items() if bound is not None},
    }
    made: dict[str, Any] = {
        "title": widget.title,
        "titleKind": 2,
        "metrics": [_metric(widget, each) for each in widget.lines],
        "visualization": {
            "chartType": 3 if widget.kind is Kind.STACKED else 2,
            "axisVisualization": {"x": {"isVisible": True, "axisType": 2}, "y": axis},
        },
    }
    if filters != {()}:
        made["filterCollection"] = {
            "filters": [{"key": name, "operator": 0, "values": [value]} for name, value in min(filters)]
        }
    return made


def _tell(widget: Widget, losses: list[Loss]) -> None:
    """List what a chart of the portal does not have."""
    told = [(f"the mark at {each.value:g}", "put it into a text") for each in widget.marks]
    if widget.kind is Kind.NUMBER:
        told.append(("a single value, which becomes a line", "read its end"))
    if any(each.right for each in widget.lines):
        told.append(("the axis on the right", "split the chart"))
    if widget.left_axis.label:
        told.append((f"the axis' name {widget.left_axis.label}", "put it into the title"))
    periods = ", ".join(f"{each} s" for each in sorted({each.rule.period for each in widget.lines}))
    told.append((f"points of {periods}: the portal chooses its grain", "choose it on the dashboard"))
    losses += [Loss(widget.title, what, remedy) for what, remedy in told]


def _dimensions(rule: Rule) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in rule.labels if name != RESOURCE)


def _metric(widget: Widget, line: Line) -> dict[str, Any]:
    rule = line.rule
    if rule.formula is not None:
        raise untranslatable(widget.title, "arithmetic of several metrics", "record the result as a metric")
    kind = next((key for key, each in _KINDS.items() if each is rule.aggregation), None)
    if kind is None:
        raise untranslatable(widget.title, "a percentile of a metric", "record it as a metric of its own")
    resource = dict(rule.labels).get(RESOURCE)
    if not resource:
        remedy = "name its id in --metrics: one under scopes, or a label `resource` for each label"
        raise untranslatable(widget.title, "no resource to watch", remedy)
    return {
        "resourceMetadata": {"id": resource},
        "name": rule.metric.name,
        "namespace": rule.metric.namespace,
        "aggregationType": kind,
        "metricVisualization": {"displayName": line.label or rule.metric.name},
    }
