"""Azure Monitor's rules: metric alerts, and log search alerts where several windows count."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeVar

from heavylift.alerts.metrics import known
from heavylift.alerts.model import Aggregation, Comparison, Loss, Missing, Platform, Rule
from heavylift.alerts.problems import UntranslatableError, number, text, unreadable, untranslatable, whole
from heavylift.alerts.replay import Change, azure_metric, azure_query
from heavylift.alerts.series import Series

T = TypeVar("T")

METRIC = "Microsoft.Insights/metricAlerts"
QUERY = "Microsoft.Insights/scheduledQueryRules"
_ALL = "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria"
_SPANS = {60: "PT1M", 300: "PT5M", 900: "PT15M", 1800: "PT30M", 3600: "PT1H", 21600: "PT6H",
          43200: "PT12H", 86400: "P1D"}  # fmt: skip
_EVERY = {span: name for span, name in _SPANS.items() if span <= 3600}
_ISO = re.compile(r"P(?:(\d{1,3})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,5})M)?)?")
_KINDS = {
    "Average": Aggregation.AVG,
    "Total": Aggregation.SUM,
    "Minimum": Aggregation.MIN,
    "Maximum": Aggregation.MAX,
    "Count": Aggregation.COUNT,
}
_OPERATORS = {
    "GreaterThan": Comparison.GT,
    "GreaterThanOrEqual": Comparison.GE,
    "LessThan": Comparison.LT,
    "LessThanOrEqual": Comparison.LE,
}
_SEVERITIES = ("critical", "error", "warning", "info", "verbose")
MAX_EVALUATIONS = 6
_QUERIED = re.compile(
    r'AzureMetrics \| where MetricName == "(?P<name>[^"\\]+)"'
    r" \| project TimeGenerated, _ResourceId, (?P<column>\w+)"
)


def read(document: Any) -> tuple[list[Rule], list[Loss]]:
    """Return the rules of resources, and what of them has no counterpart anywhere.

    :param document: a resource, a list of them, a template, or an answer that lists them.
    :raises SpecError: it is none of these.
    """
    if isinstance(document, dict):
        document = document.get("resources", document.get("value", [document]))
    if not isinstance(document, list) or not all(
        isinstance(each, dict) and isinstance(each.get("properties"), dict) for each in document
    ):
        raise unreadable("Azure Monitor's rules", "another document", "resources with properties")
    rules: list[Rule] = []
    losses: list[Loss] = []
    for each in document:
        name = text("a rule's name", each.get("name", ""))
        if _is_together(each):
            continue
        try:
            rules.append(rule_of(each))
        except UntranslatableError as problem:
            losses.append(Loss(name, problem.got, problem.remedy))
    return rules, losses


def _is_together(resource: dict[str, Any]) -> bool:
    criteria = resource["properties"].get("criteria")
    found = criteria.get("allOf") if isinstance(criteria, dict) else None
    kind = str(resource.get("type", "")).lower()
    return kind == METRIC.lower() and isinstance(found, list) and len(found) > 1


def together(document: Any) -> tuple[list[tuple[str, list[Rule]]], list[Loss]]:
    """Return the metric alerts of several criteria, each with a rule for each criterion."""
    if isinstance(document, dict):
        document = document.get("resources", document.get("value", [document]))
    found: list[tuple[str, list[Rule]]] = []
    losses: list[Loss] = []
    for each in filter(_is_together, document):
        try:
            found.append((each["name"], together_of(each)))
        except UntranslatableError as problem:
            losses.append(Loss(each["name"], problem.got, problem.remedy))
    return found, losses


def together_of(resource: dict[str, Any]) -> list[Rule]:
    """Return a rule for each criterion of a metric alert.

    :raises UntranslatableError: one has no counterpart.
    """
    properties = resource["properties"]
    return [
        _metric(f"{resource['name']} #{number}", {**properties, "criteria": {"allOf": [each]}})
        for number, each in enumerate(properties["criteria"]["allOf"], 1)
    ]


def rule_of(resource: dict[str, Any]) -> Rule:
    """Return the rule of a resource.

    :raises UntranslatableError: it has no counterpart.
    """
    kind = str(resource.get("type", "")).lower()
    if kind == METRIC.lower():
        return _metric(resource["name"], resource["properties"])
    if kind == QUERY.lower():
        return _query(resource["name"], resource["properties"])
    raise untranslatable(f"the rule {resource.get('name')}", f"a resource of the type {kind}")


def _criterion(what: str, properties: dict[str, Any]) -> dict[str, Any]:
    criteria = properties.get("criteria")
    found = criteria.get("allOf") if isinstance(criteria, dict) else None
    if not isinstance(found, list) or not found or not isinstance(found[0], dict):
        raise unreadable(what, "odd criteria", "criteria with allOf")
    if len(found) > 1:
        raise untranslatable(what, "criteria that must hold together", "write a rule for each")
    return found[0]


def _metric(name: str, properties: dict[str, Any]) -> Rule:
    what = f"the rule {name}"
    each = _criterion(what, properties)
    if each.get("criterionType", "StaticThresholdCriterion") != "StaticThresholdCriterion":
        raise untranslatable(what, "a dynamic threshold", "choose a threshold")
    if properties.get("autoMitigate") is False:
        raise untranslatable(what, "a rule that never resolves (autoMitigate)")
    return Rule(
        name,
        known(
            Platform.AZURE, text(what, each.get("metricNamespace", "")), text(what, each.get("metricName"))
        ),
        _table(what, _KINDS, each.get("timeAggregation")),
        _table(what, _OPERATORS, each.get("operator")),
        number(what, each.get("threshold")),
        period=_seconds(what, properties.get("windowSize")),
        every=_seconds(what, properties.get("evaluationFrequency")),
        missing=Missing.KEEP,
        labels=_dimensions(what, each),
        **_more(properties),
    )


def _query(name: str, properties: dict[str, Any]) -> Rule:
    what = f"the rule {name}"
    each = _criterion(what, properties)
    query = _QUERIED.fullmatch(text(what, each.get("query")))
    if query is None:
        raise untranslatable(what, "a query of its own", "translate it as a query of logs")
    failing = each.get("failingPeriods") or {}
    windows = whole(what, failing.get("numberOfEvaluationPeriods", 1), 1, MAX_EVALUATIONS)
    every = _seconds(what, properties.get("evaluationFrequency"))
    return Rule(
        name,
        known(Platform.AZURE, "", query["name"]),
        _table(what, _KINDS, query["column"]),
        _table(what, _OPERATORS, each.get("operator")),
        number(what, each.get("threshold")),
        period=_seconds(what, properties.get("windowSize")),
        windows=windows,
        needed=whole(what, failing.get("minFailingPeriodsToAlert", 1), 1, windows),
        step=every,
        every=every,
        **_more(properties),
    )


def _more(properties: dict[str, Any]) -> dict[str, Any]:
    severity = properties.get("severity")
    known_ = isinstance(severity, int) and 0 <= severity < len(_SEVERITIES)
    actions = properties.get("actions") or ()
    return {
        "severity": _SEVERITIES[severity] if known_ and severity is not None else "",
        "description": str(properties.get("description") or ""),
        "actions": tuple(map(str, actions)) if isinstance(actions, list) else (str(actions),),
    }


def _dimensions(what: str, each: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    found = []
    for dimension in each.get("dimensions") or ():
        values = dimension.get("values") if isinstance(dimension, dict) else None
        if not isinstance(values, list) or len(values) != 1 or dimension.get("operator") != "Include":
            raise untranslatable(what, "a dimension of several values", "write a rule for each")
        found.append((text(what, dimension.get("name")), text(what, values[0])))
    return tuple(sorted(found))


def _table(what: str, table: dict[str, T], value: Any) -> T:
    if not isinstance(value, str) or value not in table:
        raise unreadable(what, str(value)[:80], f"one of {', '.join(table)}")
    return table[value]


def _seconds(what: str, given: Any) -> int:
    found = _ISO.fullmatch(given) if isinstance(given, str) else None
    days, hours, minutes = (int(each or 0) for each in found.groups()) if found else (0, 0, 0)
    total = days * 86400 + hours * 3600 + minutes * 60
    if not total:
        raise unreadable(what, str(given)[:40], "a time such as PT5M")
    return total


def write(rule: Rule, scopes: Sequence[str]) -> tuple[dict[str, Any], list[Loss]]:
    """Return a rule of Azure Monitor, and what it says differently.

    :param scopes: the resource that it watches.
    :raises UntranslatableError: Azure has no such rule.
    """
    what = f"the alert {rule.name}"
    if rule.formula is not None:
        raise untranslatable(
            what, "arithmetic of several metrics", "record the result as a metric of its own"
        )
    if not scopes:
        raise untranslatable(what, "no resource to watch", "name its id in --metrics, under scopes")
    if rule.aggregation is Aggregation.PERCENTILE:
        raise untranslatable(what, "a percentile of a metric", "record it as a metric of its own")
    if rule.period not in _SPANS:
        raise untranslatable(what, f"windows of {rule.period} s", f"use one of {', '.join(_SPANS.values())}")
    properties = {
        "description": rule.description,
        "severity": _SEVERITIES.index(rule.severity) if rule.severity in _SEVERITIES else 3,
        "enabled": True,
        "scopes": list(scopes),
        "windowSize": _SPANS[rule.period],
        "autoMitigate": True,
    }
    if rule.windows == 1:
        return _metric_of(rule, properties), []
    return _query_of(rule, properties), [
        Loss(rule.name, "it reads metrics in the workspace of logs", "send the resource's metrics there")
    ]


def _metric_of(rule: Rule, properties: dict[str, Any]) -> dict[str, Any]:
    criterion = {
        "criterionType": "StaticThresholdCriterion",
        "name": "condition",
        "metricNamespace": rule.metric.namespace,
        "metricName": rule.metric.name,
        "dimensions": [
            {"name": name, "operator": "Include", "values": [value]} for name, value in rule.labels
        ],
        "operator": _back(_OPERATORS, rule.comparison),
        "threshold": rule.threshold,
        "timeAggregation": _back(_KINDS, rule.aggregation),
        "skipMetricValidation": False,
    }
    more = {
        "evaluationFrequency": _EVERY.get(rule.every, "PT1M"),
        "criteria": {"odata.type": _ALL, "allOf": [criterion]},
        "actions": [],
    }
    return {"type": METRIC, "name": rule.name, "location": "global", "properties": {**properties, **more}}


def _query_of(rule: Rule, properties: dict[str, Any]) -> dict[str, Any]:
    what = f"the alert {rule.name}"
    if rule.windows > MAX_EVALUATIONS or rule.step not in _EVERY:
        raise untranslatable(what, f"{rule.windows} windows every {rule.step} s", "use at most 6")
    if rule.labels:
        raise untranslatable(what, "dimensions, which the workspace of logs does not have")
    if not re.fullmatch(r'[^"\\]+', rule.metric.name):
        raise untranslatable(what, "an odd name of a metric", "name it in --metrics")
    column = _back(_KINDS, rule.aggregation)
    criterion = {
        "query": f'AzureMetrics | where MetricName == "{rule.metric.name}"'
        f" | project TimeGenerated, _ResourceId, {column}",
        # Rows are minutes: their counts add up.
        "timeAggregation": "Total" if column == "Count" else column,
        "metricMeasureColumn": column,
        "operator": _back(_OPERATORS, rule.comparison),
        "threshold": rule.threshold,
        "failingPeriods": {
            "numberOfEvaluationPeriods": rule.windows,
            "minFailingPeriodsToAlert": rule.needed,
        },
    }
    more = {"evaluationFrequency": _EVERY[rule.step], "criteria": {"allOf": [criterion]}}
    where = {"location": "[resourceGroup().location]"}
    return {"type": QUERY, "name": rule.name, **where, "properties": {**properties, **more}}


def _back(table: dict[str, T], kind: T) -> str:
    return next(name for name, each in table.items() if each == kind)


def replay(resource: dict[str, Any], series: Series, tail: float) -> list[Change]:
    """Replay a rule of either kind."""
    rule = rule_of(resource)
    kind = azure_metric if resource["type"] == METRIC else azure_query
    return kind(rule, series, tail)
