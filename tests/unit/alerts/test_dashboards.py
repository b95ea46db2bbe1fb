"""Dashboards: every pair of platforms, each line drawn on both, and a text where there is no counterpart."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from heavylift.alerts import azure_boards, cloudwatch_boards, google_boards, grafana
from heavylift.alerts.board_replay import drawn, points
from heavylift.alerts.boards import Kind, Line
from heavylift.alerts.dashboards import READERS, WRITERS, translate_dashboard
from heavylift.alerts.model import Aggregation, Platform
from heavylift.alerts.series import Sample, Series
from heavylift.alerts.translate import Names
from heavylift.errors import SpecError
from tests.support import discovery
from tests.support.boards import BODY, CPU, DRAWN, NAMES, SERVER, chart, math, of_platform, translated
from tests.unit.objects.test_objects_cli import heavylift

PAIRS = list(itertools.permutations(Platform, 2))
HL = "heavylift:"


def test_cloudwatchs_short_forms_are_written_out() -> None:
    board, losses = cloudwatch_boards.read({"widgets": [CPU]})
    [widget] = board.widgets
    rules = [(each.rule, each.label, each.right) for each in widget.lines]
    rows = [(r.metric.name, dict(r.labels), str(r.aggregation), r.period, *more) for r, *more in rules]
    assert losses == []
    assert rows == [
        ("CPUUtilization", {"DBInstanceIdentifier": "orders"}, "avg", 300, "orders", False),
        ("CPUUtilization", {"DBInstanceIdentifier": "orders"}, "max", 60, "", False),
        ("DatabaseConnections", {"DBInstanceIdentifier": "orders"}, "avg", 300, "", True),
    ]
    assert (widget.left_axis.low, widget.left_axis.high, widget.right_axis.low) == (0, 100, 0)
    assert [(each.value, each.label, each.right) for each in widget.marks] == [
        (80, "hot", False), (90, "", True)
    ]  # fmt: skip


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_each_pair_draws_the_same_points_and_lists_the_rest(source: Platform, target: Platform) -> None:
    made = translated(of_platform(source), source, target)
    assert [(each.widget, each.drawn.why) for each in made.lines if not each.equal] == []
    assert all(each.drawn.points > 30 for each in made.lines)
    # Azure has no arithmetic of metrics; nothing else stays behind, whichever way it goes.
    assert {each.rule for each in made.untranslated} == (
        {"Load of each", "Odd"} if target is Platform.AZURE else set()
    )
    lost = len(made.untranslated) + sum(
        each.kind is Kind.TEXT for each in READERS[source](of_platform(source))[0].widgets
    )
    shown = [each for each in READERS[target](made.document)[0].widgets if each.kind is not Kind.TEXT]
    assert len(shown) == made.widgets - lost


@pytest.mark.parametrize("platform", list(Platform))
def test_what_is_read_is_written_as_it_was(platform: Platform) -> None:
    board, losses = READERS[platform](of_platform(platform))
    assert losses == []
    written, _ = WRITERS[platform](dataclasses.replace(board, region="eu-west-1"))
    again, _ = READERS[platform](written)
    assert again == board
    if platform is not Platform.CLOUDWATCH:  # Whose short forms are written out.
        assert written == of_platform(platform)


def test_what_has_no_counterpart_becomes_a_text_and_is_listed_by_widget() -> None:
    made = translated(BODY, Platform.CLOUDWATCH, Platform.PROMETHEUS)
    kinds = [each["type"] for each in made.document["panels"]]
    assert kinds == ["timeseries", "stat", *["timeseries"] * 3, *["text"] * 6]
    told = {each.rule: each.what for each in made.untranslated}
    assert sorted(told) == ["Alarms", "Custom", "Errors", "Explorer", "Search"]
    assert told["Explorer"] == "a widget of the type explorer"
    assert all("was not translated" in each["options"]["content"] for each in made.document["panels"][6:])


def test_a_panel_asks_for_the_window_that_ends_at_each_point() -> None:
    panels = translated(DRAWN, Platform.CLOUDWATCH, Platform.PROMETHEUS).document["panels"]
    first = panels[0]["targets"][0]
    cpu = f'{HL}database_cpu_ratio{{db_instance_identifier="orders"}}'
    assert first["expr"] == f"avg(avg_over_time({cpu}[300s] offset 1ms))"
    assert (first["interval"], first["legendFormat"]) == ("300s", "orders")
    config = panels[0]["fieldConfig"]
    assert (config["defaults"]["max"], config["defaults"]["thresholds"]["steps"][1]["value"]) == (1.0, 0.8)
    assert config["overrides"][0]["matcher"] == {"id": "byFrameRefID", "options": "C"}


def test_googles_are_of_the_published_form_and_say_ratios_and_arithmetic() -> None:
    document = translated(DRAWN, Platform.CLOUDWATCH, Platform.GOOGLE).document
    discovery.load("monitoring.v1").check_value("Dashboard", document, "dashboard")
    widgets = {each["widget"]["title"]: each["widget"] for each in document["mosaicLayout"]["tiles"]}
    queries = {
        title: each["xyChart"]["dataSets"][0]["timeSeriesQuery"]
        for title, each in widgets.items()
        if "xyChart" in each
    }
    # CPU is a share on Google: what makes per cent of it is no plain ratio.
    assert queries.keys() == {"Databases", "Stacked", "Load of each", "Odd"}
    assert "prometheusQuery" in queries["Load of each"]
    plain = math("Plain", "m1 / m2", ("AWS/RDS", "DatabaseConnections"), ("AWS/RDS", "ReplicaLag"))
    made = translated({"widgets": [plain]}, Platform.CLOUDWATCH, Platform.GOOGLE)
    [tile] = made.document["mosaicLayout"]["tiles"]
    assert "timeSeriesFilterRatio" in tile["widget"]["xyChart"]["dataSets"][0]["timeSeriesQuery"]
    assert [each.drawn.why for each in made.lines] == [""]


@pytest.mark.parametrize(
    ("layout", "places"),
    [
        ({"gridLayout": {"columns": "2", "widgets": 3}}, [(0, 0, 12), (12, 0, 12), (0, 6, 12)]),
        ({"rowLayout": {"rows": [1, 2]}}, [(0, 0, 24), (0, 6, 12), (12, 6, 12)]),
        ({"columnLayout": {"columns": [1, 2]}}, [(0, 0, 12), (12, 0, 12), (12, 6, 12)]),
    ],
)
def test_googles_simpler_layouts_have_places(layout: dict[str, Any], places: list[tuple[int, ...]]) -> None:
    def widgets(count: int) -> list[dict[str, Any]]:
        return [{"text": {"content": "x"}}] * count

    layout = copy.deepcopy(layout)
    [(kind, inner)] = layout.items()
    if kind == "gridLayout":
        inner["widgets"] = widgets(inner["widgets"])
    else:
        key = kind.removesuffix("Layout") + "s"
        inner[key] = [{"widgets": widgets(each)} for each in inner[key]]
    discovery.load("monitoring.v1").check_value("Dashboard", layout, "dashboard")
    board, _ = google_boards.read(layout)
    assert [(each.x, each.y, each.width) for each in board.widgets] == places


def test_azures_chart_names_resource_metric_and_aggregation() -> None:
    made = translated({"widgets": [CPU]}, Platform.CLOUDWATCH, Platform.AZURE)
    [resource] = made.document["resources"]
    [part] = resource["properties"]["lenses"][0]["parts"]
    metrics = part["metadata"]["settings"]["content"]["options"]["chart"]["metrics"]
    found = [(each["resourceMetadata"]["id"], each["name"], each["aggregationType"]) for each in metrics]
    assert found == [
        (SERVER, "cpu_percent", 4), (SERVER, "cpu_percent", 3), (SERVER, "active_connections", 4)
    ]  # fmt: skip
    told = " ".join(each.what for each in made.losses)
    assert "the mark at 80" in told
    assert "the axis on the right" in told
    assert "the portal chooses its grain" in told


def test_azures_older_documents_are_read() -> None:
    part = {
        "position": {"x": 0, "y": 0, "colSpan": 6, "rowSpan": 4},
        "metadata": {
            "type": azure_boards.CHART,
            "inputs": [{"name": "options", "value": {"chart": {"title": "CPU", "metrics": [{
                "resourceMetadata": {"id": SERVER}, "name": "cpu_percent", "aggregationType": 4,
                "namespace": "microsoft.dbforpostgresql/flexibleservers"}]}}}],
        },
    }  # fmt: skip
    text = {
        "position": {},
        "metadata": {
            "type": azure_boards.MARKDOWN,
            "settings": {"content": {"settings": {"content": "Hello", "title": "A"}}},
        },
    }
    document = {"properties": {"lenses": {"0": {"order": 0, "parts": {"0": part, "1": text}}}}}
    board, losses = azure_boards.read(document)
    assert losses == []
    assert board.widgets[0].lines[0].rule.metric.unit == "percent"
    assert (board.widgets[1].title, board.widgets[1].text) == ("A", "Hello")


def test_a_line_that_is_drawn_otherwise_is_told() -> None:
    line = cloudwatch_boards.read({"widgets": [CPU]})[0].widgets[0].lines[0]
    other = Line(dataclasses.replace(line.rule, aggregation=Aggregation.MAX))
    renamed = line.rule, {"": 1.0}
    same = drawn((Platform.CLOUDWATCH, line), (Platform.CLOUDWATCH, line), renamed, ())
    assert (same.why, same.series) == ("", 2)
    differing = drawn((Platform.CLOUDWATCH, line), (Platform.CLOUDWATCH, other), renamed, ())
    assert "it is" in differing.why
    sparse = Line(dataclasses.replace(line.rule, period=600))
    assert "has a point" in drawn((Platform.CLOUDWATCH, line), (Platform.CLOUDWATCH, sparse), renamed, ()).why


def test_samples_on_the_edge_of_a_window_are_told_and_are_no_difference() -> None:
    line = cloudwatch_boards.read({"widgets": [CPU]})[0].widgets[0].lines[0]
    series = Series([Sample(each * 60.0, float(each % 7), each * 60.0) for each in range(60)])
    before, after = (points(line, each, series) for each in (Platform.CLOUDWATCH, Platform.GOOGLE))
    assert before != after
    names = NAMES[Platform.GOOGLE]
    made = translate_dashboard(
        {"widgets": [CPU]}, Platform.CLOUDWATCH, Platform.GOOGLE, names, [("minutes", series)]
    )
    assert [each.drawn.why for each in made.lines] == ["", "", ""]
    assert "edge of a window" in made.lines[0].drawn.note


@pytest.mark.parametrize(
    "reader", [cloudwatch_boards.read, google_boards.read, grafana.read, azure_boards.read]
)
@pytest.mark.parametrize(
    "document",
    [None, [], {}, {"widgets": [1]}, {"panels": [[]]}, {"mosaicLayout": {"tiles": [{}]}},
     {"widgets": [{"properties": {}, "x": "a"}], "panels": 3, "mosaicLayout": [], "lenses": [[]]},
     {"widgets": [{"type": "text", "properties": {}}] * 501},
     {"lenses": [{"parts": [{}]}], "columnLayout": {"columns": [{"weight": "-1", "widgets": [{}]}]}},
     {"properties": {"lenses": {"0": {"parts": 1}}}, "rowLayout": {"rows": [{"widgets": 1}]}},
     {"panels": [{"type": "row", "panels": 1}], "gridLayout": {"columns": "x", "widgets": []}}],
)  # fmt: skip
def test_an_odd_dashboard_is_refused(reader: Any, document: Any) -> None:
    with pytest.raises(SpecError, match="HL-9351"):
        reader(document)


@pytest.mark.parametrize(
    ("widget", "what"),
    [
        (chart("x", ["AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", "a", {"stat": "tm99"}]), "tm99"),
        (math("x", "m1 / zz", ("AWS/RDS", "CPUUtilization")), "something else than metrics of this widget"),
        (math("x", "RATE(m1)", ("AWS/RDS", "CPUUtilization")), "the function RATE"),
        (math("x", "1 + 2"), "something else than metrics of this widget"),
        (chart("x", ["AWS/RDS", "CPUUtilization"], view="pie"), "the view pie"),
        (chart("x"), "no metrics"),
    ],
)
def test_what_cannot_be_said_anywhere_is_listed(widget: dict[str, Any], what: str) -> None:
    board, losses = cloudwatch_boards.read({"widgets": [widget]})
    assert [(each.rule, what in each.what) for each in losses] == [("x", True)]
    assert board.widgets[0].kind is Kind.TEXT


def test_cloudwatch_needs_a_region() -> None:
    with pytest.raises(SpecError, match=r"scopes.*HL-9479"):
        translated(of_platform(Platform.GOOGLE), Platform.GOOGLE, Platform.CLOUDWATCH, Names())


def test_the_command_writes_it_keeps_a_record_and_exits_with_what_was_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "body.json", tmp_path / "grafana.json"
    store = tmp_path / "evidence"
    rest = ["--evidence", store.as_uri(), "--json"]
    for widgets, accepted, status in ((BODY["widgets"], (), 1), (BODY["widgets"][:7], ("Errors",), 0)):
        path.write_text(json.dumps({"widgets": widgets}))
        asked = [
            str(path),
            "--source",
            "cloudwatch",
            "--target",
            "prometheus",
            "--out",
            str(out),
            "--overwrite",
        ]
        asked += [part for each in accepted for part in ("--accept", each)]
        found, told, _ = heavylift(capsys, "alerts", "dashboards", "translate", *asked, *rest)
        assert (found, told["dashboard"]["widgets"]) == (status, len(widgets))
        assert all(each["equal"] for each in told["dashboard"]["lines"])
    assert len(json.loads(out.read_text())["panels"]) == 7
    assert len(list(store.rglob("dashboard-1.json"))) == 2
    series = tmp_path / "series.jsonl"
    series.write_text("\n".join(json.dumps({"at": each * 61, "value": each % 9}) for each in range(100)))
    path.write_text(json.dumps(DRAWN))
    asked = [str(path), "--source", "cloudwatch", "--target", "google", "--series", str(series), "--json"]
    found, told, _ = heavylift(capsys, "alerts", "dashboards", "compare", *asked)
    assert (found, told["dashboard"]["failures"]) == (0, [])
