"""Alarms for other platforms: equal where replay says so, of the published form, and honest where not."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from hypothesis import given, settings
from hypothesis import strategies as some

from heavylift.alerts import adversary, azure, cloudwatch, google, prometheus
from heavylift.alerts.model import Missing, Platform, Rule
from heavylift.alerts.replay import State
from heavylift.alerts.translate import Names, translate
from tests.support import discovery
from tests.support.alarms import alarm, only

TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


@pytest.mark.parametrize("treatment", TREATMENTS)
def test_an_alarm_of_prometheus_is_equal_missing_data_included(treatment: str) -> None:
    made = only(alarm(TreatMissingData=treatment), Platform.PROMETHEUS)
    assert made.equal, made.outcome
    assert sum(each.missing for each in made.verdicts) > 20
    assert any(each.source for each in made.verdicts if each.missing)


def test_a_rule_that_forgets_the_older_windows_is_found_to_differ() -> None:
    made = only(alarm(TreatMissingData="notBreaching"), Platform.PROMETHEUS)
    plain = dataclasses.replace(made.target, extra=0)
    document, _ = prometheus.write(plain)
    trial = next(each for each in adversary.trials(made.rule) if each.name.startswith("every order"))
    assert prometheus.replay(document, 60, trial.series, 600) != prometheus.replay(
        made.document, 60, trial.series, 600
    )


def test_a_threshold_of_google_is_used_where_it_is_equal_and_promql_where_only_that_is() -> None:
    one = only(alarm(EvaluationPeriods=1, DatapointsToAlarm=1, TreatMissingData="ignore"), Platform.GOOGLE)
    assert one.equal
    assert "conditionThreshold" in one.document["conditions"][0]
    some_of = only(alarm(), Platform.GOOGLE)
    assert some_of.equal
    assert "conditionPrometheusQueryLanguage" in some_of.document["conditions"][0]


def test_what_differs_where_data_are_missing_is_never_called_equal() -> None:
    made = only(alarm(DatapointsToAlarm=3, TreatMissingData="ignore"), Platform.GOOGLE)
    assert not made.equal
    assert "only where data are missing" in made.outcome


def test_azure_ceases_later_and_the_outcome_says_by_how_much() -> None:
    document = alarm(EvaluationPeriods=1, DatapointsToAlarm=1, TreatMissingData="notBreaching")
    trials = [each for each in adversary.trials(_rule(document)) if each.name == "bad and good again"]
    made = only(document, Platform.AZURE, Names(scopes=("/subscriptions/s",)), given=trials)
    assert not made.equal
    assert "differs by up to 2 minutes" in made.outcome


def test_units_are_converted() -> None:
    document = alarm(
        Namespace="AWS/SageMaker", MetricName="ModelLatency", ExtendedStatistic="p99", Threshold=200_000,
        DatapointsToAlarm=3, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    del document["Statistic"]
    there = only(document, Platform.GOOGLE).document["conditions"][0]["conditionThreshold"]
    assert there["thresholdValue"] == 200
    assert there["aggregations"][0]["perSeriesAligner"] == "ALIGN_PERCENTILE_99"
    assert "> bool 0.2 " in only(document, Platform.PROMETHEUS).document["expr"]
    share = alarm(MetricName="CPUUtilization", Threshold=80)
    assert only(share, Platform.GOOGLE).target.threshold == 0.8


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"EvaluationPeriods": 1, "DatapointsToAlarm": 1, "TreatMissingData": "ignore"},
        {"DatapointsToAlarm": 3, "TreatMissingData": "ignore"},
    ],
)
def test_policies_are_of_googles_published_form(changed: dict[str, Any]) -> None:
    policy = only(alarm(**changed), Platform.GOOGLE, given=[]).document
    document = discovery.load("monitoring.v3")
    document.check_value("AlertPolicy", policy, "policy")
    with pytest.raises(discovery.BadRequestError):
        document.check_value("AlertPolicy", {**policy, "wrong": 1}, "policy")


def test_policies_obey_what_googles_description_demands() -> None:
    """Of the control for missing data: with a retest window only. Of comparisons: > and < only."""
    for document in (alarm(EvaluationPeriods=1, DatapointsToAlarm=1), alarm(DatapointsToAlarm=3)):
        policy, _ = google.write_threshold(_google(document))
        condition = policy["conditions"][0]["conditionThreshold"]
        assert ("evaluationMissingData" in condition) == (condition["duration"] != "0s")
    equal = alarm(ComparisonOperator="GreaterThanOrEqualToThreshold", DatapointsToAlarm=3)
    assert "conditionPrometheusQueryLanguage" in only(equal, Platform.GOOGLE).document["conditions"][0]


def _google(document: dict[str, Any]) -> Rule:
    return only(document, Platform.GOOGLE, given=[]).target


def _rule(document: dict[str, Any]) -> Rule:
    [rule], _ = cloudwatch.read(document)
    return rule


RULES = some.builds(
    alarm,
    Period=some.sampled_from([10, 60, 300]),
    EvaluationPeriods=some.just(4),
    DatapointsToAlarm=some.integers(1, 4),
    Threshold=some.floats(-1e18, 1e18, allow_nan=False),
    ComparisonOperator=some.sampled_from(["GreaterThanThreshold", "LessThanOrEqualToThreshold"]),
    TreatMissingData=some.sampled_from(TREATMENTS),
    AlarmName=some.text("ab{}\"'\\ $\n", min_size=1, max_size=8),
    AlarmDescription=some.text(max_size=30),
)


@given(RULES)
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read_again_as_it_was(document: dict[str, Any]) -> None:
    rule = _rule(document)
    written, losses = cloudwatch.write(rule)
    assert (_rule(json.loads(json.dumps(written))), losses) == (rule, [])
    shape = _SESSION.get_service_model("cloudwatch").operation_model("PutMetricAlarm").input_shape
    assert not ParamValidator().validate(written, shape).has_errors()
    there = only(document, Platform.PROMETHEUS, given=[]).target
    made, _ = prometheus.write(there)
    again, lost = prometheus.read(prometheus.file_of([made], {rule.name: rule.every}))
    # A name that Prometheus would take for a template has no note: then the rule is listed, not misread.
    assert again == [there] or ("{{" in json.dumps(document) and lost)


_SESSION = botocore.session.Session()


def test_a_note_that_says_something_else_than_the_expression_is_not_believed() -> None:
    made = only(alarm(), Platform.PROMETHEUS, given=[])
    document = dict(made.document, expr=made.document["expr"].replace("bool 80", "bool 90"))
    rules, lost = prometheus.read(prometheus.file_of([document], {"crowded": 60}))
    assert rules == []
    assert [each.rule for each in lost] == ["crowded"]


def test_rules_of_prometheus_go_to_google_and_cloudwatch() -> None:
    document = {
        "groups": [
            {"name": "g", "interval": "1m", "rules": [
                {"alert": "lag", "expr": "max(max_over_time(pg_replication_lag_seconds[1m])) > 30",
                 "for": "4m", "labels": {"severity": "critical"}},
                {"alert": "gone", "expr": "absent_over_time(pg_replication_lag_seconds[5m])"},
                {"alert": "rate", "expr": "rate(errors_total[5m]) > 1"},
                {"record": "a", "expr": "b"},
            ]}
        ]
    }  # fmt: skip
    found = translate(document, Platform.PROMETHEUS, Platform.GOOGLE, Names())
    assert [each.rule.name for each in found.translated] == ["lag", "gone"]
    assert [each.rule for each in found.untranslated] == ["rate", "a"]
    lag = found.translated[0]
    assert lag.equal, lag.outcome
    assert lag.document["severity"] == "CRITICAL"
    assert lag.document["conditions"][0]["conditionThreshold"]["duration"] == "240s"
    there = translate(document, Platform.PROMETHEUS, Platform.CLOUDWATCH, Names()).translated[0].document
    assert (there["EvaluationPeriods"], there["MetricName"]) == (5, "ReplicaLag")


def test_rules_of_azure_are_read() -> None:
    written, _ = azure.write(
        dataclasses.replace(_rule(alarm(Dimensions=[])), period=300, step=300, every=300, extra=0), ["/s"]
    )
    [rule], lost = azure.read({"value": [written]})
    assert (rule.windows, rule.needed, rule.period, lost) == (3, 2, 300, [])
    assert rule.missing is Missing.GOOD
    assert azure.replay(written, adversary.series(rule, "ooxxxooo"), 600)[-1].state is State.OK
