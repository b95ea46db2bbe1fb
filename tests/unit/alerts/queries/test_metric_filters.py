"""Metric filters become metrics of logs, by which alarms on them are translated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from heavylift.alerts.queries.model import Language
from heavylift.alerts.queries.tokens import UnsaidError
from heavylift.alerts.queries.translate import beside, read, translate
from heavylift.alerts.queries.trials import trial_lines
from tests.support.alarms import alarm
from tests.support.log_queries import WHERE
from tests.unit.alerts.test_alerts_cli import run


@pytest.mark.parametrize(
    "text",
    [
        '{ ($.level = "ERROR") && ($.status >= 500 || $.kind = "time*") }',
        '{ $.level != "DEBUG" && $.req.id = %^a+$% }',
        '"out of memory" -retry',
        "?timeout ?refused",
    ],
)
def test_a_pattern_finds_the_same_lines(text: str) -> None:
    query = read(Language.FILTER, text)
    lines = trial_lines(query)
    for target in (Language.KQL, Language.INSIGHTS):
        made = translate(query, Language.FILTER, target, WHERE[target])
        ran = beside((Language.FILTER, query), (target, made), WHERE[target], lines)
        assert ran.source_rows
        assert ran.why == "", made.text


@pytest.mark.parametrize("text", ["[ip, user, status]", "{ $.a IS NULL }", "?a b", '-"a b"'])
def test_what_no_other_language_says_is_refused(text: str) -> None:
    with pytest.raises(UnsaidError):
        read(Language.FILTER, text)


def test_an_alarm_on_a_metric_filter_is_translated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made: dict[str, Any] = {"metricName": "Errors", "metricNamespace": "Serving", "metricValue": "1"}
    filters = [
        {"filterName": "errors", "filterPattern": '{ $.level = "ERROR" }', "metricTransformations": [made]}
    ]
    (tmp_path / "filters.json").write_text(json.dumps({"metricFilters": filters}))
    (tmp_path / "where.json").write_text(json.dumps({"selector": '{app="serving"}'}))
    out, names = tmp_path / "loki.yaml", tmp_path / "names.json"
    asked = ["queries", "metrics", tmp_path / "filters.json", "--target", "logql", "--out", out]
    asked += ["--metrics-out", names, "--names", tmp_path / "where.json"]
    status, told = run(capsys, *asked, "--evidence", (tmp_path / "evidence").as_uri())
    assert (status, told["queries"]["passed"]) == (0, True)
    [rule] = yaml.safe_load(out.read_text())["groups"][0]["rules"]
    assert rule["record"] == "serving_errors"
    assert "offset 1ms" in rule["expr"]
    watched = alarm(Namespace="Serving", MetricName="Errors", Dimensions=[], Statistic="Sum")
    (tmp_path / "alarms.json").write_text(json.dumps({"MetricAlarms": [watched]}))
    files = [tmp_path / "alarms.json", "--source", "cloudwatch", "--target", "prometheus", "--metrics", names]
    status, told = run(capsys, "translate", *files, "--out", tmp_path / "rules.yaml", "--dry-run")
    assert (status, told["alerts"]["failures"]) == (0, [])
    assert "sum_over_time(serving_errors[60s]" in told["alerts"]["rules"][0]["document"]["expr"]
