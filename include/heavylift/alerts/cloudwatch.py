"""CloudWatch's alarms: ``DescribeAlarms``' answers and ``PutMetricAlarm``'s requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from heavylift.alerts.formula import Formula, Term, checked
from heavylift.alerts.formula import written as written_formula
from heavylift.alerts.metrics import known
from heavylift.alerts.model import Aggregation, Comparison, Loss, Missing, Platform, Rule
from heavylift.alerts.problems import UntranslatableError, number, text, unreadable, untranslatable, whole

T = TypeVar("T")

EXTRA = 2
"""CloudWatch looks further back than the alarm's own periods, how far it does not say. Its documentation's
examples have five windows for three periods."""
MAX_PERIODS = 20
"""Expressions of the target grow with the periods."""

_COMPARISONS = {
    "GreaterThanThreshold": Comparison.GT,
    "GreaterThanOrEqualToThreshold": Comparison.GE,
    "LessThanThreshold": Comparison.LT,
    "LessThanOrEqualToThreshold": Comparison.LE,
}
_MISSING = {
    "breaching": Missing.BAD,
    "notBreaching": Missing.GOOD,
    "ignore": Missing.KEEP,
    "missing": Missing.UNKNOWN,
}
_STATISTICS = {
    "Average": Aggregation.AVG,
    "Sum": Aggregation.SUM,
    "Minimum": Aggregation.MIN,
    "Maximum": Aggregation.MAX,
    "SampleCount": Aggregation.COUNT,
}
_FAST = (10, 20, 30)


def read(document: Any) -> tuple[list[Rule], list[Loss]]:
    """Return the alarms of a document, and what of it has no counterpart anywhere.

    :param document: an answer of ``DescribeAlarms``, a request of ``PutMetricAlarm``, or a list of these.
    :raises SpecError: it is none of them.
    """
    rules: list[Rule] = []
    losses: list[Loss] = []
    for alarm in _alarms(document):
        try:
            rules.append(_rule(alarm))
        except UntranslatableError as problem:
            losses.append(Loss(str(alarm["AlarmName"]), problem.got, problem.remedy))
    return rules, losses


def _alarms(document: Any) -> Iterator[dict[str, Any]]:
    if isinstance(document, list):
        for each in document:
            if not isinstance(each, dict) or not isinstance(each.get("AlarmName"), str):
                raise unreadable("CloudWatch's alarms", "something else in the list", "an alarm")
            yield each
    elif isinstance(document, dict) and isinstance(document.get("AlarmName"), str):
        yield document
    elif (
        isinstance(document, dict)
        and isinstance(document.get("MetricAlarms", []), list)
        and (document.keys() & {"MetricAlarms", "CompositeAlarms"})
    ):
        yield from _alarms(document.get("MetricAlarms") or [])
    else:
        raise unreadable("CloudWatch's alarms", "another document", "AlarmName or MetricAlarms")


def _rule(alarm: dict[str, Any]) -> Rule:
    name = text("an alarm's AlarmName", alarm["AlarmName"])
    what = f"the alarm {name}"
    if alarm.get("ThresholdMetricId") or "Threshold" not in alarm:
        raise untranslatable(what, "a band of anomaly detection", "choose a threshold, and write the rule")
    formula, period_ = None, None
    if isinstance(alarm.get("Metrics"), list) and len(alarm["Metrics"]) > 1:
        formula, period_ = _formula(what, alarm["Metrics"])
        alarm = {**alarm, "Period": period_, "Namespace": "", "MetricName": written_formula(formula.node),
                 "Statistic": "Average"}  # fmt: skip
    elif "Metrics" in alarm:
        alarm = {**alarm, **_single(what, alarm["Metrics"])}
    if "MetricName" not in alarm:
        raise unreadable(what, "no MetricName", "a metric")
    aggregation, percentile = _aggregation(what, alarm)
    period = whole(f"{what}, Period", alarm.get("Period"))
    windows = whole(f"{what}, EvaluationPeriods", alarm.get("EvaluationPeriods"))
    if period not in _FAST and period % 60:
        raise unreadable(what, f"a Period of {period}", "10, 20, 30 or a multiple of 60")
    if windows > MAX_PERIODS:
        raise untranslatable(what, f"{windows} periods", f"use at most {MAX_PERIODS}, each longer")
    if windows * period > 86400:
        raise untranslatable(what, "an alarm over more than a day, which is evaluated once an hour")
    if alarm.get("EvaluateLowSampleCountPercentile") == "ignore":
        raise untranslatable(what, "percentiles that are ignored where there are few samples")
    return Rule(
        name=name,
        metric=known(
            Platform.CLOUDWATCH, text(what, alarm.get("Namespace")), text(what, alarm["MetricName"])
        ),
        aggregation=aggregation,
        percentile=percentile,
        comparison=_named(what, _COMPARISONS, alarm.get("ComparisonOperator")),
        threshold=number(f"{what}, Threshold", alarm["Threshold"]),
        period=period,
        step=period,
        windows=windows,
        needed=whole(f"{what}, DatapointsToAlarm", alarm.get("DatapointsToAlarm", windows), 1, windows),
        extra=EXTRA,
        every=10 if period in _FAST else 60,
        missing=_missing(what, alarm),
        labels=_labels(what, alarm.get("Dimensions") or []),
        description=text(what, alarm.get("AlarmDescription") or ""),
        actions=_actions(alarm),
        formula=formula,
    )


def _formula(what: str, metrics: list[Any]) -> tuple[Formula, int]:
    """Return what an expression of metric math reckons, and the period of all its metrics."""
    terms: dict[str, Term] = {}
    periods: set[int] = set()
    expressions = []
    for each in metrics:
        if not isinstance(each, dict) or not isinstance(each.get("Id"), str):
            raise unreadable(what, "an odd entry of Metrics", "Id, and MetricStat or Expression")
        if "Expression" in each:
            expressions.append(text(what, each["Expression"]))
            continue
        one = _single(what, [each])
        kind = _STATISTICS.get(one.get("Statistic", "")), None
        aggregation, share = kind if kind[0] else aggregation_of(what, one.get("ExtendedStatistic"))
        metric = known(Platform.CLOUDWATCH, text(what, one.get("Namespace")), text(what, one["MetricName"]))
        labels = _labels(what, one.get("Dimensions") or [])
        terms[each["Id"]] = Term(metric, aggregation or Aggregation.AVG, share, labels)
        periods.add(whole(f"{what}, Period", one.get("Period")))
    if len(expressions) != 1 or len(periods) != 1:
        raise untranslatable(what, "several expressions or periods of metric math", "write one of one period")
    return checked(what, expressions[0], terms), periods.pop()


def _missing(what: str, alarm: dict[str, Any]) -> Missing:
    if alarm.get("Namespace") == "AWS/DynamoDB":  # Its alarms ignore missing data whatever is asked for.
        return Missing.KEEP
    return _named(what, _MISSING, alarm.get("TreatMissingData", "missing"))


def _single(what: str, metrics: Any) -> dict[str, Any]:
    if not isinstance(metrics, list) or len(metrics) != 1 or not isinstance(metrics[0], dict):
        raise untranslatable(what, "metric math", "record the result as a metric of its own on the target")
    stat = metrics[0].get("MetricStat")
    if not isinstance(stat, dict) or not isinstance(stat.get("Metric"), dict):
        raise untranslatable(what, "metric math", "record the result as a metric of its own on the target")
    named = "Statistic" if stat.get("Stat") in _STATISTICS else "ExtendedStatistic"
    return {**stat["Metric"], "Period": stat.get("Period"), named: stat.get("Stat")}


def _aggregation(what: str, alarm: dict[str, Any]) -> tuple[Aggregation, float | None]:
    if alarm.get("ExtendedStatistic") is None:
        return _named(what, _STATISTICS, alarm.get("Statistic")), None
    return aggregation_of(what, alarm["ExtendedStatistic"])


def aggregation_of(what: str, statistic: Any) -> tuple[Aggregation, float | None]:
    """Return what a statistic is called here, with the percentile.

    :raises UntranslatableError: it has no counterpart.
    """
    if isinstance(statistic, str) and statistic in _STATISTICS:
        return _STATISTICS[statistic], None
    if isinstance(statistic, str) and statistic.startswith("p") and len(statistic) < 16:
        try:
            share = float(statistic[1:])
        except ValueError:
            share = -1.0
        if 0 <= share <= 100:
            return Aggregation.PERCENTILE, share
    raise untranslatable(what, f"the statistic {statistic}", "use a percentile, such as p99")


def _named(what: str, table: dict[str, T], value: Any) -> T:
    if not isinstance(value, str) or value not in table:
        raise unreadable(what, str(value)[:80], f"one of {', '.join(table)}")
    return table[value]


def _labels(what: str, dimensions: Any) -> tuple[tuple[str, str], ...]:
    try:
        return tuple(sorted((text(what, each["Name"]), text(what, each["Value"])) for each in dimensions))
    except (TypeError, KeyError):
        raise unreadable(what, "odd Dimensions", "a list of Name and Value") from None


def _actions(alarm: dict[str, Any]) -> tuple[str, ...]:
    kinds = ("AlarmActions", "OKActions", "InsufficientDataActions")
    return tuple(f"{kind}: {action}" for kind in kinds for action in alarm.get(kind) or ())


def write(rule: Rule) -> tuple[dict[str, Any], list[Loss]]:
    """Return a request of ``PutMetricAlarm``, and what it says differently.

    :raises UntranslatableError: CloudWatch has no such alarm.
    """
    losses = []
    period, windows, needed = rule.period, rule.windows, rule.needed
    if period not in _FAST and period % 60:
        raise untranslatable(rule.name, f"windows of {period} s", "use a multiple of 60 s")
    if rule.step != period and windows > 1:
        if needed != windows:
            raise untranslatable(rule.name, "some of many windows that overlap", "use windows that touch")
        span = (windows - 1) * rule.step
        windows = needed = 1 + -(-span // period)
        losses.append(
            Loss(rule.name, "windows that overlap become windows that touch", "compare on series of your own")
        )
    statistic = {kind: name for name, kind in _STATISTICS.items()}.get(rule.aggregation)
    made: dict[str, Any] = {
        "AlarmName": rule.name,
        "AlarmDescription": rule.description,
        "Namespace": rule.metric.namespace,
        "MetricName": rule.metric.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in rule.labels],
        "Period": period,
        "EvaluationPeriods": windows,
        "DatapointsToAlarm": needed,
        "Threshold": rule.threshold,
        "ComparisonOperator": {kind: name for name, kind in _COMPARISONS.items()}[rule.comparison],
        "TreatMissingData": {kind: name for name, kind in _MISSING.items()}[rule.missing],
        **({"Statistic": statistic} if statistic else {"ExtendedStatistic": f"p{rule.percentile:g}"}),
    }
    if rule.formula is not None:
        made = {key: each for key, each in made.items() if key not in _OF_ONE}
        made["Metrics"] = _math(rule.formula, period)
    return made, losses


def statistic_of(each: Rule | Term) -> str:
    """Return what a rule's or a term's aggregation is called by CloudWatch."""
    names = {kind: name for name, kind in _STATISTICS.items()}
    return names.get(each.aggregation) or f"p{each.percentile:g}"


def metric_row(each: Rule | Term) -> list[str]:
    """Return a metric as a dashboard's row begins.

    :raises UntranslatableError: its names are none of CloudWatch.
    """
    if not each.metric.namespace:
        raise untranslatable("a widget", f"{each.metric.name} without a namespace", "name it in --metrics")
    found = [each.metric.namespace, each.metric.name]
    for name, value in each.labels:
        found += [name, value]
    if any(part in (".", "...") for part in found):
        raise untranslatable("a widget", "a name of dots, which stands for another there")
    return found


_OF_ONE = frozenset({"Namespace", "MetricName", "Dimensions", "Period", "Statistic", "ExtendedStatistic"})


def _math(formula: Formula, period: int) -> list[dict[str, Any]]:
    if formula.infinite:
        raise untranslatable(
            "a formula", "a division by zero that is infinite", "guard the divisor: x / (y != 0)"
        )
    found: list[dict[str, Any]] = [
        {
            "Id": name,
            "MetricStat": {
                "Metric": {
                    "Namespace": term.metric.namespace,
                    "MetricName": term.metric.name,
                    "Dimensions": [{"Name": key, "Value": value} for key, value in term.labels],
                },
                "Period": period,
                "Stat": statistic_of(term),
            },
            "ReturnData": False,
        }
        for name, term in formula.terms
    ]
    return [*found, {"Id": "result", "Expression": written_formula(formula.node), "ReturnData": True}]
