"""A dashboard of CloudWatch for tests, and what its names are elsewhere."""

from __future__ import annotations

from typing import Any

from heavylift.alerts.dashboards import TranslatedBoard, translate_dashboard
from heavylift.alerts.model import Platform
from heavylift.alerts.translate import Names

SERVER = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/orders"


def chart(title: str, *rows: list[Any], **more: Any) -> dict[str, Any]:
    """Return a widget of metrics."""
    return {
        "type": "metric", "x": 0, "y": 0, "width": 12, "height": 6,
        "properties": {"metrics": list(rows), "period": 300, "region": "eu-west-1", "title": title, **more},
    }  # fmt: skip


def math(title: str, expression: str, *metrics: tuple[str, str], **more: Any) -> dict[str, Any]:
    """Return a widget of metric math over ``m1``, ``m2``."""
    rows = [
        [namespace, name, {"id": f"m{number}", "visible": False, "stat": "Sum", "period": 60}]
        for number, (namespace, name) in enumerate(metrics, 1)
    ]
    return chart(title, [{"expression": expression, "id": "e1", "label": "rate"}], *rows, **more)


RDS = "AWS/RDS"
CPU = chart(
    "Databases",
    [RDS, "CPUUtilization", "DBInstanceIdentifier", "orders", {"label": "orders"}],
    ["...", "orders", {"stat": "Maximum", "period": 60}],
    [".", "DatabaseConnections", ".", "orders", {"yAxis": "right"}],
    stat="Average",
    yAxis={"left": {"min": 0, "max": 100, "label": "%"}, "right": {"min": 0}},
    annotations={"horizontal": [{"value": 80, "label": "hot"}, {"value": 90, "yAxis": "right"}]},
)
QUEUE = chart("Queue", ["AWS/SQS", "ApproximateNumberOfMessagesVisible"], view="singleValue")
STACKED = chart("Stacked", [RDS, "ReplicaLag", {"stat": "Minimum"}], stacked=True)
RATIO = math("Load of each", "m1 / m2", (RDS, "CPUUtilization"), (RDS, "DatabaseConnections"))
MATH = math("Odd", "FILL(m1, 0) + ABS(m2) - 1", (RDS, "CPUUtilization"), (RDS, "DatabaseConnections"))
TEXT = {"type": "text", "x": 0, "y": 7, "width": 3, "height": 3, "properties": {"markdown": "Hello"}}
OTHERS = [
    {"type": "log", "x": 0, "y": 9, "properties": {"query": "fields @message", "title": "Errors"}},
    {"type": "explorer", "properties": {"title": "Explorer"}},
    {"type": "alarm", "properties": {"title": "Alarms", "alarms": ["arn:aws:cloudwatch:x:1:alarm:a"]}},
    chart("Search", [{"expression": "SEARCH('{AWS/EC2}', 'Average', 300)"}]),
    chart("Custom", ["Custom", "Unheard"]),
]
DRAWN = {"widgets": [CPU, QUEUE, STACKED, RATIO, MATH, TEXT]}
BODY = {"widgets": [*DRAWN["widgets"], *OTHERS]}
_ID = ("DBInstanceIdentifier", "db_instance_identifier", "resource.labels.db_instance_identifier")
NAMES = {
    Platform.CLOUDWATCH: Names(scopes=("eu-west-1",)),
    Platform.GOOGLE: Names(),
    # Azure names the server by its id; the others' label is of no use there.
    Platform.AZURE: Names(scopes=(SERVER,), labels={f"{name}=orders": () for name in _ID}),
    Platform.PROMETHEUS: Names(),
}


def translated(
    document: Any, source: Platform, target: Platform, names: Names | None = None
) -> TranslatedBoard:
    """Return the translation of a dashboard."""
    return translate_dashboard(document, source, target, names or NAMES[target])


def of_platform(platform: Platform) -> Any:
    """Return a dashboard of a platform: that of CloudWatch, or what becomes of it there."""
    if platform is Platform.CLOUDWATCH:
        return DRAWN
    return translated(DRAWN, Platform.CLOUDWATCH, platform).document
