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


def only(document: Any, target: Platform, names: Names | None = None, **more: Any) -> Translated:
    """Return the one translation of a document."""
    found = translate(document, Platform.CLOUDWATCH, target, names or Names(), **more)
    assert found.untranslated == []
    [made] = found.translated
    return made
