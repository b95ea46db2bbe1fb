"""Metric math, ratios and alerts of alerts fire as their source's do, or are said to differ."""

from __future__ import annotations

from typing import Any

import pytest

from heavylift.alerts import cloudwatch, google
from heavylift.alerts.composite import of_cloudwatch
from heavylift.alerts.formula import Several
from heavylift.alerts.formula_trials import formula_trials
from heavylift.alerts.model import Metric, Platform, Rule
from heavylift.alerts.promql import parse
from heavylift.alerts.promql_eval import Moment, value
from heavylift.alerts.series import Sample, Series
from heavylift.alerts.translate import Names, Translated, translate
from heavylift.errors import SpecError
from tests.support.alarms import composite, only, ratio
from tests.support.longer import first_then_long

SCOPES = Names(scopes=("/subscriptions/x/servers/orders",))


def whole(document: Any, target: Platform, source: Platform = Platform.CLOUDWATCH) -> Translated:
    found = translate(document, source, target, SCOPES)
    return next(each for each in found.translated if each.rule.name == "both")


@pytest.mark.parametrize("missing", first_then_long(["missing", "notBreaching", "breaching", "ignore"]))
@pytest.mark.parametrize(
    "expression", ["m1 / m2", "FILL(m1, 0) / m2", "100 * m1 / m2 - 4.95", "ABS(m1 - m2)"]
)
@pytest.mark.parametrize("target", [Platform.PROMETHEUS, Platform.CLOUDWATCH])
def test_arithmetic_fires_as_its_source_does(target: Platform, expression: str, missing: str) -> None:
    made = only(ratio(expression, TreatMissingData=missing), target)
    assert made.equal, made.outcome
    assert len(made.verdicts) > 20


def test_a_seeded_fault_of_arithmetic_is_found() -> None:
    made = only(ratio("m1 / m2"), Platform.PROMETHEUS)
    assert isinstance(made.rule, Rule)
    assert made.rule.formula is not None
    trials = list(formula_trials(made.rule, made.rule.formula))
    assert any(each.missing for each in trials)
    assert all(isinstance(each.series, Several) for each in trials)
    # Without the guard a division by zero is infinite, which is above every threshold.
    unguarded = {"alert": "failing", "expr": made.document["expr"].replace(" != 0", " != -1")}
    document = {"groups": [{"name": "g", "rules": [unguarded]}]}
    assert translate(document, Platform.PROMETHEUS, Platform.CLOUDWATCH, Names()).untranslated
    assert made.document["expr"].count("!= 0") >= 3


def test_a_moment_is_asked_once_for_what_an_expression_says_again() -> None:
    asked: list[float] = []

    class Counted(Series):
        def window(self, start: float, end: float, now: float) -> list[float]:
            asked.append(now)
            return super().window(start, end, now)

    series = Counted([Sample(at, 2.0, at) for at in (10.0, 20.0)])
    node = parse("sum_over_time(a[1m]) / sum_over_time(a[1m]) + sum_over_time(a[1m])")
    assert value(node, Moment(30.0, series)) == 5.0
    assert asked == [30.0]
    assert value(node, Moment(75.0, series)) == 3.0
    assert asked == [30.0, 75.0]


def test_a_ratio_of_google_is_read_and_written() -> None:
    names = Names(
        metrics={
            "AWS/SageMaker/Invocation5XXErrors": Metric(
                Platform.GOOGLE, "generic_task", "custom/errors", "count"
            ),
            "AWS/SageMaker/Invocations": Metric(Platform.GOOGLE, "generic_task", "custom/reqs", "count"),
        },
        labels={"EndpointName=prod": (("task_id", "prod"),)},
    )
    one = ratio("m1 / m2", EvaluationPeriods=1, DatapointsToAlarm=1, TreatMissingData="ignore")
    [made] = translate(one, Platform.CLOUDWATCH, Platform.GOOGLE, names).translated
    condition = made.document["conditions"][0]["conditionThreshold"]
    assert 'metric.type = "custom/reqs"' in condition["denominatorFilter"]
    assert made.equal, made.outcome
    [again], [] = google.read(made.document)
    assert again.formula is not None
    assert again.formula.ratio is not None


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("IF(m2 > 10, m1 / m2)", "the function IF"),
        ("m1 / m3", "m3 in metric math"),
        ("m1 > m2", "> in metric math"),
        ("FILL(m1, REPEAT)", "the function FILL"),
        ("SUM(METRICS())", "SUM"),
    ],
)
def test_arithmetic_that_is_not_known_is_listed(expression: str, told: str) -> None:
    found = translate(ratio(expression), Platform.CLOUDWATCH, Platform.PROMETHEUS, Names())
    assert found.translated == []
    assert told in found.untranslated[0].what
    azure = translate(ratio("m1 / m2"), Platform.CLOUDWATCH, Platform.AZURE, SCOPES)
    assert azure.translated == []


@pytest.mark.parametrize(
    "rule",
    first_then_long(
        [
            "ALARM(crowded) AND NOT ALARM(late)",
            'ALARM("crowded") AND ALARM("late")',
            "ALARM(arn:aws:cloudwatch:eu-west-1:1:alarm:crowded) OR ALARM(late)",
            "NOT (ALARM(crowded) OR ALARM(late))",
        ]
    ),
)
@pytest.mark.parametrize("target", [Platform.PROMETHEUS, Platform.GOOGLE, Platform.CLOUDWATCH])
def test_a_composite_fires_as_its_source_does(target: Platform, rule: str) -> None:
    made = whole(composite(rule), target)
    assert made.equal, made.outcome
    assert any(each.source for each in made.verdicts)


def test_criteria_of_azure_hold_together_and_cease_later() -> None:
    one = {"EvaluationPeriods": 1, "DatapointsToAlarm": 1, "TreatMissingData": "ignore"}
    made = whole(composite("ALARM(crowded) AND ALARM(late)", **one), Platform.AZURE)
    assert len(made.document["properties"]["criteria"]["allOf"]) == 2
    assert not made.equal
    assert "2 minutes" in made.outcome
    again = whole(made.document, Platform.GOOGLE, Platform.AZURE)
    assert again.document["combiner"] == "AND"
    back = whole({"alertPolicies": [again.document]}, Platform.CLOUDWATCH, Platform.GOOGLE)
    assert back.equal, back.outcome
    assert len(back.document["MetricAlarms"]) == 2


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("ALARM(crowded) AND OK(late)", "the state OK"),
        ("ALARM(crowded) AND ALARM(gone)", "the alarm gone"),
        ("TRUE", "the state TRUE"),
    ],
)
def test_a_composite_that_is_not_known_is_listed(rule: str, told: str) -> None:
    found = translate(composite(rule), Platform.CLOUDWATCH, Platform.PROMETHEUS, Names())
    assert [each.rule.name for each in found.translated] == ["crowded", "late"]
    assert told in found.untranslated[0].what


def test_what_is_no_rule_is_an_error_and_a_kept_state_is_listed() -> None:
    for rule in ("ALARM(", "ALARM(crowded) ALARM(late)", "(" * 99):
        document = composite(rule)
        rules, _ = cloudwatch.read(document)
        with pytest.raises(SpecError, match="HL-9351"):
            of_cloudwatch(document, rules)
    one = {"EvaluationPeriods": 1, "DatapointsToAlarm": 1, "TreatMissingData": "ignore"}
    kept = composite("ALARM(crowded) AND ALARM(late)", **one)
    found = translate(kept, Platform.CLOUDWATCH, Platform.PROMETHEUS, Names())
    assert "whose state missing data keep" in found.untranslated[0].what
