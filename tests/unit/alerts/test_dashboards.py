"""Dashboards: widgets by their kind, the same metrics, and a text where there is no counterpart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heavylift.alerts import cloudwatch_boards, google_boards, grafana
from heavylift.alerts.boards import Board
from heavylift.alerts.dashboards import TranslatedBoard, translate_dashboard
from heavylift.alerts.model import Platform
from heavylift.alerts.promql import parse
from heavylift.alerts.translate import Names
from heavylift.errors import SpecError, UnsupportedError
from tests.support import discovery
from tests.unit.objects.test_objects_cli import heavylift

CPU = {
    "type": "metric", "x": 0, "y": 0, "width": 12, "height": 6,
    "properties": {
        "metrics": [
            ["AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", "orders"],
            ["...", "stock", {"stat": "Maximum", "period": 60}],
            [".", "DatabaseConnections", ".", "orders"],
        ],
        "period": 300, "stat": "Average", "region": "eu-west-1", "title": "Databases",
    },
}  # fmt: skip
BODY = {
    "widgets": [
        CPU,
        {"type": "metric", "x": 12, "y": 0, "width": 6, "height": 3, "properties": {
            "metrics": [["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "q"]],
            "view": "singleValue", "title": "Queue"}},
        {"type": "text", "x": 0, "y": 7, "width": 3, "height": 3, "properties": {"markdown": "Hello"}},
        {"type": "log", "x": 0, "y": 9, "properties": {"query": "fields @message", "title": "Errors"}},
        {"type": "metric", "properties": {"metrics": [[{"expression": "m1/m2"}]], "title": "Ratio"}},
        {"type": "metric", "properties": {"metrics": [["Custom", "Unheard"]], "title": "Custom"}},
    ]
}  # fmt: skip


def translated(folder: Path, document: Any, source: Platform, target: Platform) -> TranslatedBoard:
    path = folder / "board.json"
    path.write_text(json.dumps(document))
    return translate_dashboard(path, source, target, Names())


def shown(board: Board) -> list[tuple[Any, ...]]:
    return [
        (each.kind, each.title, each.text, each.x, each.y, each.width, each.height,
         [(q.metric, q.aggregation, q.period, q.labels) for q in each.queries])
        for each in board.widgets
    ]  # fmt: skip


def test_cloudwatchs_short_forms_are_written_out() -> None:
    board, losses = cloudwatch_boards.read({"widgets": [CPU]})
    rows = [(q.metric.name, dict(q.labels), str(q.aggregation), q.period) for q in board.widgets[0].queries]
    assert losses == []
    assert rows == [
        ("CPUUtilization", {"DBInstanceIdentifier": "orders"}, "avg", 300),
        ("CPUUtilization", {"DBInstanceIdentifier": "stock"}, "max", 60),
        ("DatabaseConnections", {"DBInstanceIdentifier": "orders"}, "avg", 300),
    ]


def test_widgets_become_panels_and_what_has_no_counterpart_a_text(tmp_path: Path) -> None:
    made = translated(tmp_path, BODY, Platform.CLOUDWATCH, Platform.PROMETHEUS)
    panels = made.document["panels"]
    assert [each["type"] for each in panels] == ["timeseries", "stat", "text", "text", "text", "text"]
    assert sorted(each.rule for each in made.untranslated) == ["Custom", "Errors", "Ratio"]
    assert all("was not translated" in each["options"]["content"] for each in panels[3:])
    for panel in panels[:2]:
        for target in panel["targets"]:
            parse(target["expr"])
    assert panels[0]["targets"][0]["expr"] == (
        'avg_over_time(heavylift:database_cpu_ratio{db_instance_identifier="orders"}[300s])'
    )


@pytest.mark.parametrize("source", [Platform.CLOUDWATCH, Platform.PROMETHEUS])
def test_googles_are_of_the_published_form(tmp_path: Path, source: Platform) -> None:
    document: Any = BODY
    if source is Platform.PROMETHEUS:
        document = translated(tmp_path, BODY, Platform.CLOUDWATCH, source).document
    made = translated(tmp_path, document, source, Platform.GOOGLE)
    discovery.load("monitoring.v1").check_value("Dashboard", made.document, "dashboard")
    kinds = [
        next(key for key in each["widget"] if key != "title")
        for each in made.document["mosaicLayout"]["tiles"]
    ]
    assert kinds[:3] == ["xyChart", "scorecard", "text"]


def test_googles_go_to_grafana_and_back_as_they_were(tmp_path: Path) -> None:
    google = translated(tmp_path, BODY, Platform.CLOUDWATCH, Platform.GOOGLE).document
    there = translated(tmp_path, google, Platform.GOOGLE, Platform.PROMETHEUS)
    back = translated(tmp_path, there.document, Platform.PROMETHEUS, Platform.GOOGLE)
    before, after = (google_boards.read(each)[0] for each in (google, back.document))
    # Labels lose what they are of on the way; all else is as it was.
    for mine, theirs in zip(shown(before), shown(after), strict=True):
        assert mine[:7] == theirs[:7]
        assert [query[:3] for query in mine[7]] == [query[:3] for query in theirs[7]]


def test_what_is_written_for_grafana_is_read_as_it_was(tmp_path: Path) -> None:
    document = translated(tmp_path, BODY, Platform.CLOUDWATCH, Platform.PROMETHEUS).document
    board, losses = grafana.read(document)
    assert losses == []
    assert grafana.write(board) == document


@pytest.mark.parametrize("reader", [cloudwatch_boards.read, google_boards.read, grafana.read])
@pytest.mark.parametrize(
    "document",
    [None, [], {}, {"widgets": [1]}, {"panels": [[]]}, {"mosaicLayout": {"tiles": [{}]}},
     {"widgets": [{"properties": {}, "x": "a"}], "panels": 3, "mosaicLayout": []},
     {"widgets": [{"type": "text", "properties": {}}] * 501}],
)  # fmt: skip
def test_an_odd_dashboard_is_refused(reader: Any, document: Any) -> None:
    with pytest.raises(SpecError, match="HL-9351"):
        reader(document)


def test_a_pair_that_is_not_translated_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="HL-9352"):
        translated(tmp_path, BODY, Platform.CLOUDWATCH, Platform.AZURE)


def test_the_command_writes_it_and_exits_with_what_was_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "body.json", tmp_path / "grafana.json"
    for widgets, status in ((BODY["widgets"], 1), (BODY["widgets"][:3], 0)):
        path.write_text(json.dumps({"widgets": widgets}))
        asked = [str(path), "--source", "cloudwatch", "--target", "prometheus", "--out", str(out)]
        found, told, _ = heavylift(capsys, "alerts", "dashboard", *asked, "--overwrite", "--json")
        assert (found, told["dashboard"]["widgets"]) == (status, len(widgets))
    assert len(json.loads(out.read_text())["panels"]) == 3
