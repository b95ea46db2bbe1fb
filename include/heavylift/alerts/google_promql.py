"""What Google's metrics are called in its PromQL, and back."""

from __future__ import annotations

import dataclasses
import re
from typing import TypeVar

from heavylift.alerts.formula import Term
from heavylift.alerts.metrics import TABLE, known
from heavylift.alerts.model import Platform, Rule
from heavylift.alerts.problems import untranslatable

OneMetric = TypeVar("OneMetric", Rule, Term)

DISTRIBUTIONS = frozenset({"aiplatform.googleapis.com/prediction/online/prediction_latencies"})
"""Metrics whose samples are distributions."""
COUNTERS = frozenset(
    {
        "aiplatform.googleapis.com/prediction/online/prediction_count",
        "aiplatform.googleapis.com/prediction/online/error_count",
        "storage.googleapis.com/api/request_count",
    }
)
"""Metrics whose samples are increases; PromQL sees them as counters."""


def in_promql(rule: Rule) -> Rule:
    """Return a rule with the names that its metrics have in Google's PromQL.

    :raises UntranslatableError: one of them is another thing there.
    """
    parts: list[Rule | Term] = [term for _, term in rule.formula.terms] if rule.formula else [rule]
    for each in parts:
        if each.metric.name in DISTRIBUTIONS | COUNTERS:
            raise untranslatable(f"the alert {rule.name}", f"{each.metric.name}, which is no gauge in PromQL")
    if rule.formula is None:
        return _in_promql(rule)
    terms = tuple((name, _in_promql(term)) for name, term in rule.formula.terms)
    return dataclasses.replace(rule, formula=dataclasses.replace(rule.formula, terms=terms))


def _in_promql(each: OneMetric) -> OneMetric:
    labels = (
        *((name.rpartition(".")[2], value) for name, value in each.labels),
        *((("monitored_resource", each.metric.namespace),) if each.metric.namespace else ()),
    )
    metric = dataclasses.replace(each.metric, name=promql_name(each.metric.name))
    return dataclasses.replace(each, metric=metric, labels=labels)


def promql_name(metric: str) -> str:
    """Return what a metric is called in PromQL: its first slash is a colon, all else an underscore."""
    domain, _, path = metric.partition("/")
    return re.sub(r"[^A-Za-z0-9_]", "_", domain) + (f":{re.sub(r'[^A-Za-z0-9_]', '_', path)}" if path else "")


def from_promql(rule: Rule) -> Rule:
    """Return a rule of Google's metrics where they are named as PromQL names them."""
    if rule.formula is None:
        return _from_promql(rule)
    terms = tuple((name, _from_promql(term)) for name, term in rule.formula.terms)
    return dataclasses.replace(rule, formula=dataclasses.replace(rule.formula, terms=terms))


def _from_promql(each: OneMetric) -> OneMetric:
    labels = dict(each.labels)
    namespace = labels.pop("monitored_resource", "")
    name = in_promql_names().get(each.metric.name, each.metric.name)
    return dataclasses.replace(
        each, metric=known(Platform.GOOGLE, namespace, name), labels=tuple(sorted(labels.items()))
    )


def in_promql_names() -> dict[str, str]:
    """Return the metrics that the table knows, by what PromQL calls them."""
    names = [row.names[Platform.GOOGLE][1] for row in TABLE if Platform.GOOGLE in row.names]
    return {promql_name(name): name for name in names}
