"""Alarms of CloudWatch for tests."""

from __future__ import annotations

from typing import Any

from heavylift.alerts.model import Platform
from heavylift.alerts.translate import Names, Translated, translate


def alarm(**more: Any) -> dict[str, Any]:
    """Return an alarm on the connections of a database, 2 of 3 minutes."""
    return {
        "AlarmName": "crowded",
        "Namespace": "AWS/RDS",
        "MetricName": "DatabaseConnections",
        "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": "orders"}],
        "Statistic": "Average",
        "Period": 60,
        "EvaluationPeriods": 3,
        "DatapointsToAlarm": 2,
        "Threshold": 80.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "missing",
        **more,
    }


def ratio(expression: str, **more: Any) -> dict[str, Any]:
    """Return an alarm on arithmetic of the errors and requests of an endpoint."""
    metrics: list[dict[str, Any]] = [
        {
            "Id": name,
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/SageMaker",
                    "MetricName": metric,
                    "Dimensions": [{"Name": "EndpointName", "Value": "prod"}],
                },
                "Period": 60,
                "Stat": "Sum",
            },
            "ReturnData": False,
        }
        for name, metric in (("m1", "Invocation5XXErrors"), ("m2", "Invocations"))
    ]
    left_out = ("Namespace", "MetricName", "Dimensions", "Statistic", "Period")
    base = {key: each for key, each in alarm().items() if key not in left_out}
    metrics.append({"Id": "e1", "Expression": expression, "ReturnData": True})
    return {**base, "AlarmName": "failing", "Metrics": metrics, "Threshold": 0.05, **more}


def composite(rule: str, **more: Any) -> dict[str, Any]:
    """Return two alarms, ``crowded`` and ``late``, and a third, ``both``, that is made of them."""
    late = alarm(AlarmName="late", MetricName="ReplicaLag", Threshold=30.0, **more)
    both = {"AlarmName": "both", "AlarmRule": rule}
    return {"MetricAlarms": [alarm(**more), late], "CompositeAlarms": [both]}


def only(document: Any, target: Platform, names: Names | None = None, **more: Any) -> Translated:
    """Return the one translation of a document."""
    found = translate(document, Platform.CLOUDWATCH, target, names or Names(), **more)
    assert found.untranslated == []
    [made] = found.translated
    return made
