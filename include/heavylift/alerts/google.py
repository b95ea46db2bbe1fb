"""Cloud Monitoring's alerting policies: thresholds, absences, and expressions of PromQL."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from heavylift.alerts import prometheus
from heavylift.alerts.formula import Formula, Term
from heavylift.alerts.google_promql import DISTRIBUTIONS, in_promql
from heavylift.alerts.metrics import known
from heavylift.alerts.model import Aggregation, Comparison, Loss, Metric, Missing, Platform, Rule
from heavylift.alerts.problems import UntranslatableError, number, text, unreadable, untranslatable, whole
from heavylift.alerts.promql import Binary, Selector, seconds
from heavylift.alerts.promql_write import expression
from heavylift.alerts.replay import Change, google_threshold
from heavylift.alerts.series import Series

_ALIGNERS = {
    "ALIGN_MEAN": Aggregation.AVG,
    "ALIGN_SUM": Aggregation.SUM,
    "ALIGN_MIN": Aggregation.MIN,
    "ALIGN_MAX": Aggregation.MAX,
    "ALIGN_COUNT": Aggregation.COUNT,
}
_REDUCERS = {
    Aggregation.AVG: "REDUCE_MEAN",
    Aggregation.SUM: "REDUCE_SUM",
    Aggregation.MIN: "REDUCE_MIN",
    Aggregation.MAX: "REDUCE_MAX",
    Aggregation.COUNT: "REDUCE_SUM",
}
_PERCENTILES = {99.0: "99", 95.0: "95", 50.0: "50", 5.0: "05"}
_MISSING = {
    "EVALUATION_MISSING_DATA_INACTIVE": Missing.GOOD,
    "EVALUATION_MISSING_DATA_ACTIVE": Missing.BAD,
    "EVALUATION_MISSING_DATA_NO_OP": Missing.KEEP,
    "EVALUATION_MISSING_DATA_UNSPECIFIED": Missing.KEEP,
}
_COMPARISONS = {"COMPARISON_GT": Comparison.GT, "COMPARISON_LT": Comparison.LT}
"""The only ones that Google takes for a threshold."""
_SEVERITIES = {"CRITICAL": "critical", "ERROR": "error", "WARNING": "warning"}
_TERM = re.compile(r'\s*([\w.]+(?:\."[^"\\]*")?)\s*=\s*"([^"\\]*)"\s*')
_DURATION = re.compile(r"(\d{1,9})(?:\.0+)?s")
MAX_RETEST = 84600
"""Seconds that alignment period and retest window may span: 23.5 hours."""


def read(document: Any) -> tuple[list[Rule], list[Loss]]:
    """Return the rules of policies, and what of them has no counterpart anywhere.

    :param document: a policy, a list of them, or an answer of ``alertPolicies.list``.
    :raises SpecError: it is none of these.
    """
    policies = document.get("alertPolicies", [document]) if isinstance(document, dict) else document
    if not isinstance(policies, list) or not all(
        isinstance(each, dict) and isinstance(each.get("conditions"), list) for each in policies
    ):
        raise unreadable("Cloud Monitoring's policies", "another document", "policies with conditions")
    rules: list[Rule] = []
    losses: list[Loss] = []
    for policy in policies:
        name = text("a policy's displayName", policy.get("displayName", ""))
        conditions = policy["conditions"]
        if _is_together(policy):
            continue
        for condition in conditions:
            own = name if len(conditions) == 1 else f"{name}: {condition.get('displayName', '')}"
            try:
                rules.append(_rule(own, condition, policy))
            except UntranslatableError as problem:
                losses.append(Loss(own, problem.got, problem.remedy))
    return rules, losses


def _is_together(policy: dict[str, Any]) -> bool:
    return len(policy["conditions"]) > 1 and policy.get("combiner") != "OR"


def together(document: Any) -> tuple[list[tuple[str, list[Rule]]], list[Loss]]:
    """Return the policies whose conditions must hold together, each with a rule for each condition."""
    policies = document.get("alertPolicies", [document]) if isinstance(document, dict) else document
    found: list[tuple[str, list[Rule]]] = []
    losses: list[Loss] = []
    for policy in filter(_is_together, policies):
        name = policy.get("displayName", "")
        if policy.get("combiner") != "AND":
            # With matching resources, each resource is an incident of its own.
            losses.append(Loss(name, f"the combiner {policy.get('combiner')}", "use AND"))
            continue
        try:
            numbered = enumerate(policy["conditions"], 1)
            found.append((name, [_rule(f"{name} #{number}", each, policy) for number, each in numbered]))
        except UntranslatableError as problem:
            losses.append(Loss(name, problem.got, problem.remedy))
    return found, losses


def _rule(name: str, condition: Any, policy: dict[str, Any]) -> Rule:
    if not isinstance(condition, dict):
        raise unreadable(f"the policy {name}", "an odd condition", "a condition")
    documentation = policy.get("documentation") or {}
    more: dict[str, Any] = {
        "severity": _SEVERITIES.get(policy.get("severity", ""), ""),
        "description": str(documentation.get("content", "")) if isinstance(documentation, dict) else "",
        "actions": tuple(map(str, policy.get("notificationChannels") or ())),
    }
    if "conditionThreshold" in condition:
        return dataclasses.replace(threshold(name, condition["conditionThreshold"]), **more)
    if "conditionAbsent" in condition:
        return dataclasses.replace(_absent(name, condition["conditionAbsent"]), **more)
    kind = next((key for key in condition if key.startswith("condition")), "no condition")
    raise untranslatable(f"the policy {name}", f"a condition of the kind {kind}")


def threshold(name: str, found: dict[str, Any]) -> Rule:
    """Return the rule of a condition with a threshold.

    :raises UntranslatableError: it has no counterpart.
    """
    what = f"the policy {name}"
    if found.get("forecastOptions"):
        raise untranslatable(what, "forecastOptions", "choose a threshold")
    if found.get("denominatorFilter"):
        return _ratio(name, found)
    aggregations = found.get("aggregations") or [{}]
    if len(aggregations) != 1:
        raise untranslatable(what, "several aggregations")
    trigger = found.get("trigger") or {}
    if trigger and trigger != {"count": 1}:
        raise untranslatable(what, "a trigger of several series", "write a rule for each")
    aligner = aggregations[0].get("perSeriesAligner", "ALIGN_NONE")
    named = {f"ALIGN_PERCENTILE_{digits}": each for each, digits in _PERCENTILES.items()}
    share = named.get(aligner)
    if share is None and aligner not in _ALIGNERS:
        raise untranslatable(what, f"the aligner {aligner}")
    comparison = found.get("comparison")
    if comparison not in _COMPARISONS:
        raise unreadable(what, str(comparison), "COMPARISON_GT or COMPARISON_LT")
    metric, labels = _filter(what, found.get("filter"))
    retest = _seconds(what, found.get("duration", "0s"))
    missing = found.get("evaluationMissingData", "EVALUATION_MISSING_DATA_UNSPECIFIED")
    if missing not in _MISSING:
        raise unreadable(what, str(missing), f"one of {', '.join(_MISSING)}")
    windows = whole(what, retest / 60 + 1)
    kind = _ALIGNERS.get(aligner, Aggregation.PERCENTILE)
    if metric.name in DISTRIBUTIONS and aligner == "ALIGN_SUM":
        kind = Aggregation.AVG  # Of a distribution; what reduces it makes the mean.
    return Rule(
        name, metric, kind, _COMPARISONS[comparison],
        number(what, found.get("thresholdValue", 0)),
        period=max(60, _seconds(what, aggregations[0].get("alignmentPeriod", "60s"))),
        windows=windows, needed=windows, step=60, missing=_MISSING[missing], percentile=share, labels=labels,
    )  # fmt: skip


def _ratio(name: str, found: dict[str, Any]) -> Rule:
    rest = {key: each for key, each in found.items() if not key.startswith("denominator")}
    above = threshold(name, rest)
    below = threshold(
        name,
        {**rest, "filter": found["denominatorFilter"], "aggregations": found.get("denominatorAggregations")},
    )
    if above.period != below.period:
        raise untranslatable(f"the policy {name}", "a ratio of two alignment periods", "use the same")
    terms = tuple(
        (key, Term(each.metric, each.aggregation, each.percentile, each.labels))
        for key, each in (("m1", above), ("m2", below))
    )
    formula = Formula(terms, Binary("/", Selector("m1"), Selector("m2")))
    metric = Metric(Platform.GOOGLE, "", "m1 / m2")
    return dataclasses.replace(above, metric=metric, labels=(), formula=formula, percentile=None)


def _absent(name: str, found: dict[str, Any]) -> Rule:
    metric, labels = _filter(f"the policy {name}", found.get("filter"))
    span = _seconds(f"the policy {name}", found.get("duration", "300s"))
    return Rule(
        name, metric, Aggregation.COUNT, Comparison.LT, 1.0, period=max(60, span), missing=Missing.BAD,
        labels=labels,
    )  # fmt: skip


def _seconds(what: str, given: Any) -> int:
    found = _DURATION.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise unreadable(what, str(given)[:40], "whole seconds, such as 60s")
    return int(found[1])


def _filter(what: str, given: Any) -> tuple[Metric, tuple[tuple[str, str], ...]]:
    terms: dict[str, str] = {}
    for term in re.split(r"\sAND\s", text(what, given)):
        found = _TERM.fullmatch(term)
        if found is None:
            raise untranslatable(what, f"the filter {term}")
        terms[found[1].replace(".label.", ".labels.")] = found[2]
    if "metric.type" not in terms:
        raise untranslatable(what, "a filter without metric.type")
    metric = known(Platform.GOOGLE, terms.pop("resource.type", ""), terms.pop("metric.type"))
    return metric, tuple(sorted((name.replace('"', ""), value) for name, value in terms.items()))


def write_threshold(rule: Rule) -> tuple[dict[str, Any], list[Loss]]:
    """Return a policy with a threshold, and what it says differently.

    :raises UntranslatableError: Google has no such policy.
    """
    what = f"the alert {rule.name}"
    comparison = {kind: name for name, kind in _COMPARISONS.items()}.get(rule.comparison)
    if comparison is None:
        raise untranslatable(what, f"the comparison {rule.comparison}", "use > or <")
    if rule.needed != rule.windows:
        raise untranslatable(what, f"{rule.needed} of {rule.windows} windows")
    retest = (rule.windows - 1) * rule.step
    if rule.period < 60 or rule.period % 60 or retest % 60:
        raise untranslatable(what, f"windows of {rule.period} s", "use whole minutes")
    if retest + rule.period > MAX_RETEST:
        raise untranslatable(what, f"{retest + rule.period} s of data", f"use at most {MAX_RETEST} s")
    condition: dict[str, Any] = {
        **_asked(rule),
        "comparison": comparison,
        "thresholdValue": rule.threshold,
        "duration": f"{retest}s",
        "trigger": {"count": 1},
    }
    if retest:  # Google takes this control with a retest window only.
        condition["evaluationMissingData"] = {
            Missing.GOOD: "EVALUATION_MISSING_DATA_INACTIVE",
            Missing.BAD: "EVALUATION_MISSING_DATA_ACTIVE",
        }.get(rule.missing, "EVALUATION_MISSING_DATA_NO_OP")
    return _policy(rule, {"conditionThreshold": condition}), []


def _asked(rule: Rule) -> dict[str, Any]:
    """Return what a condition asks: a metric, or one divided by another."""
    if rule.formula is None:
        asked = time_series(rule)
        return {"filter": asked["filter"], "aggregations": [asked["aggregation"]]}
    found = ratio_parts(rule)
    return {
        "filter": found[0]["filter"],
        "aggregations": [found[0]["aggregation"]],
        "denominatorFilter": found[1]["filter"],
        "denominatorAggregations": [found[1]["aggregation"]],
    }


def ratio_parts(rule: Rule) -> list[dict[str, Any]]:
    """Return what numerator and denominator of a ratio ask.

    :raises UntranslatableError: it is something else than one metric divided by another.
    """
    ratio = rule.formula.ratio if rule.formula else None
    if ratio is None or (rule.formula and rule.formula.infinite):
        raise untranslatable(
            f"the alert {rule.name}", "arithmetic that is no plain ratio", "say it in PromQL"
        )
    return [
        time_series(
            dataclasses.replace(
                rule,
                metric=each.metric,
                aggregation=each.aggregation,
                percentile=each.percentile,
                labels=each.labels,
                formula=None,
            )
        )
        for each in ratio
    ]


def time_series(rule: Rule) -> dict[str, Any]:
    """Return a rule's metric and how its windows are aggregated.

    :raises UntranslatableError: Google cannot say that.
    """
    aggregation = {"alignmentPeriod": f"{max(60, rule.period)}s", **_aligned(rule)}
    return {"filter": _filter_of(rule), "aggregation": aggregation}


def _aligned(rule: Rule) -> dict[str, str]:
    what, distribution = f"the alert {rule.name}", rule.metric.name in DISTRIBUTIONS
    if rule.aggregation is Aggregation.PERCENTILE:
        digits = _PERCENTILES.get(rule.percentile or 0.0)
        if digits is None or not distribution:
            raise untranslatable(what, f"percentile {rule.percentile} of {rule.metric.name}")
        return {"perSeriesAligner": f"ALIGN_PERCENTILE_{digits}", "crossSeriesReducer": "REDUCE_MAX"}
    if distribution:
        if rule.aggregation is not Aggregation.AVG:
            raise untranslatable(f"the alert {rule.name}", f"{rule.aggregation} of a distribution")
        return {"perSeriesAligner": "ALIGN_SUM", "crossSeriesReducer": "REDUCE_MEAN"}
    aligner = {kind: name for name, kind in _ALIGNERS.items()}[rule.aggregation]
    return {"perSeriesAligner": aligner, "crossSeriesReducer": _REDUCERS[rule.aggregation]}


def _filter_of(rule: Rule) -> str:
    terms = {"resource.type": rule.metric.namespace, "metric.type": rule.metric.name}
    if not rule.metric.namespace:
        raise untranslatable(rule.name, "a metric without a type of resource", "name it in --metrics")
    for name, value in rule.labels:
        terms[name if "." in name else f"resource.labels.{name}"] = value
    if any('"' in value or "\\" in value for value in terms.values()):
        raise untranslatable(f"the alert {rule.name}", "a label with quotes", "name it in --metrics")
    return " AND ".join(f'{name} = "{value}"' for name, value in terms.items())


def write_promql(rule: Rule) -> tuple[dict[str, Any], list[Loss]]:
    """Return a policy with an expression of PromQL, and what it says differently.

    :raises UntranslatableError: it cannot be said in PromQL, or the metric is another thing there.
    """
    query = expression(in_promql(rule), alerts=False)
    if query is None:
        raise untranslatable(f"the alert {rule.name}", "a state that missing data keep")
    condition = {"query": query, "duration": "0s", "evaluationInterval": f"{max(30, rule.every)}s"}
    return _policy(rule, {"conditionPrometheusQueryLanguage": condition}), []


def _policy(rule: Rule, condition: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "displayName": rule.name,
        "combiner": "OR",
        "conditions": [{"displayName": rule.name, **condition}],
    }
    if rule.description:
        made["documentation"] = {"content": rule.description, "mimeType": "text/markdown"}
    severity = {name: kind for kind, name in _SEVERITIES.items()}.get(rule.severity)
    return {**made, "severity": severity} if severity else made


def replay(policy: dict[str, Any], series: Series, tail: float) -> list[Change]:
    """Replay a policy of one condition.

    :raises UntranslatableError: the condition cannot be evaluated here.
    """
    [condition] = policy["conditions"]
    found = condition.get("conditionPrometheusQueryLanguage")
    if found is None:
        return google_threshold(_rule(policy["displayName"], condition, policy), series, tail)
    held = seconds(found.get("duration", "0s")), 0.0
    every = seconds(found.get("evaluationInterval", "30s"))
    return prometheus.replay_expression(found["query"], held, every, series.in_order(), tail)
