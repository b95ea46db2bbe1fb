"""Writes composites for each platform, and tells how what was written is replayed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from heavylift.alerts import azure, cloudwatch, google, prometheus
from heavylift.alerts.comparing import Replay
from heavylift.alerts.composite import Composite, Parts, azure_together, merged, told
from heavylift.alerts.google_promql import in_promql
from heavylift.alerts.model import Loss, Platform, Rule
from heavylift.alerts.problems import untranslatable
from heavylift.alerts.promql_write import expression
from heavylift.alerts.queries.model import AllOf, Check, Node, Not
from heavylift.alerts.replay import Change
from heavylift.alerts.replay import cloudwatch as replay_cloudwatch
from heavylift.alerts.series import Series

Made = tuple[dict[str, Any], Replay, list[Loss]]
MOST_CRITERIA = 5
"""Of a metric alert of Azure."""


def writers(target: Platform, scopes: Sequence[str]) -> list[Callable[[Composite], Made]]:
    """Return the forms that a platform has for a composite, the plainer first."""
    if target is Platform.GOOGLE:
        return [_conditions, _google_promql]
    if target is Platform.AZURE:
        return [lambda composite: _criteria(composite, scopes)]
    return [_composite_alarm] if target is Platform.CLOUDWATCH else [_prometheus]


def _promql(composite: Composite, parts: Sequence[Rule]) -> str:
    texts = {}
    for mine, named in zip(composite.parts, parts, strict=True):
        found = expression(named, alerts=False)
        if found is None:
            raise untranslatable(composite.name, f"{mine.name}, whose state missing data keep")
        texts[mine.name] = f"({found})"
    return _joined(composite.node, texts)


def _joined(node: Node, texts: dict[str, str]) -> str:
    if isinstance(node, Check):
        return texts[node.field]
    if isinstance(node, Not):
        return f"(vector(1) unless on() {_joined(node.inner, texts)})"
    # An alert that fires is a series without labels: whichever of them stands, there is one.
    word = " and on() " if isinstance(node, AllOf) else " or on() "
    return "(" + word.join(_joined(each, texts) for each in node.parts) + ")"


def _prometheus(composite: Composite) -> Made:
    for each in composite.parts:
        prometheus.write(each)  # It refuses names that Prometheus does not take.
    made: dict[str, Any] = {"alert": composite.name, "expr": _promql(composite, composite.parts)}
    if composite.severity:
        made["labels"] = {"severity": composite.severity}
    made["annotations"] = {"summary": (composite.description or composite.name).replace("{{", "{ {")}
    every = composite.every
    return made, lambda series, tail: prometheus.replay(made, every, series, tail), []


def _google_promql(composite: Composite) -> Made:
    parts = [in_promql(each) for each in composite.parts]
    query = _promql(composite, parts)
    condition = {"query": query, "duration": "0s", "evaluationInterval": f"{max(30, composite.every)}s"}
    policy = _policy(composite, "OR", [{"conditionPrometheusQueryLanguage": condition}])
    return policy, lambda series, tail: google.replay(policy, series, tail), []


def _conditions(composite: Composite) -> Made:
    if not composite.plain:
        raise untranslatable(composite.name, "a condition that is not all AND or all OR")
    policies = {each.name: google.write_threshold(each)[0] for each in composite.parts}
    conditions = [each["conditions"][0] for each in policies.values()]
    policy = _policy(composite, composite.plain, conditions)

    def replay(series: Series, tail: float) -> list[Change]:
        parts = {
            name: google.replay({**policy, "conditions": [condition]}, _part(series, name), tail)
            for name, condition in zip(policies, policy["conditions"], strict=True)
        }
        return merged(composite.node, parts)

    return policy, replay, []


def _policy(composite: Composite, combiner: str, conditions: list[dict[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "displayName": composite.name,
        "combiner": combiner,
        "conditions": [{"displayName": composite.name, **each} for each in conditions],
    }
    if composite.description:
        made["documentation"] = {"content": composite.description, "mimeType": "text/markdown"}
    return made


def _part(series: Series, name: str) -> Series:
    if not isinstance(series, Parts):
        raise untranslatable(name, "a series of one metric for an alert of several")
    return series.part(name)


def _criteria(composite: Composite, scopes: Sequence[str]) -> Made:
    first = composite.parts[0]
    same = {(each.period, each.every, each.windows) for each in composite.parts}
    if composite.plain != "AND" or same != {(first.period, first.every, 1)}:
        raise untranslatable(composite.name, "anything but AND of alerts of one window of the same length")
    if len(composite.parts) > MOST_CRITERIA:
        raise untranslatable(composite.name, f"{len(composite.parts)} criteria", f"at most {MOST_CRITERIA}")
    resources = [azure.write(each, scopes)[0] for each in composite.parts]
    criteria = [
        {**each["properties"]["criteria"]["allOf"][0], "name": f"condition{number}"}
        for number, each in enumerate(resources, 1)
    ]
    properties = resources[0]["properties"]
    properties = {
        **properties,
        "description": composite.description,
        "criteria": {**properties["criteria"], "allOf": criteria},
    }
    resource = {**resources[0], "name": composite.name, "properties": properties}

    def replay(series: Series, tail: float) -> list[Change]:
        read = azure.together_of(resource)
        named = zip(composite.parts, read, strict=True)
        parts = {rule.name: _part(series, mine.name) for mine, rule in named}
        return azure_together(read, Parts(read, parts), tail)

    return resource, replay, []


def _composite_alarm(composite: Composite) -> Made:
    written = [cloudwatch.write(each) for each in composite.parts]
    if any('"' in each.name for each in composite.parts):
        raise untranslatable(composite.name, "a name with quotes")
    alarm = {
        "AlarmName": composite.name,
        "AlarmDescription": composite.description,
        "AlarmRule": told(composite.node),
    }
    document = {"MetricAlarms": [made for made, _ in written], "CompositeAlarms": [alarm]}

    def replay(series: Series, tail: float) -> list[Change]:
        read, _ = cloudwatch.read(document["MetricAlarms"])
        parts = {each.name: replay_cloudwatch(each, _part(series, each.name), tail) for each in read}
        return merged(composite.node, parts)

    return document, replay, [loss for _, lost in written for loss in lost]
