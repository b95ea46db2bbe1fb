"""Documents that nobody would write: refused with a message, at once, and never half read."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from heavylift.alerts.documents import read_document, save
from heavylift.alerts.model import Platform
from heavylift.alerts.promql import parse
from heavylift.alerts.series import read_series
from heavylift.alerts.translate import READERS, Names, translate
from heavylift.errors import ConflictError, HeavyliftError, SpecError
from tests.support.alarms import alarm, only


@pytest.mark.parametrize("platform", list(Platform))
@pytest.mark.parametrize("document", [None, 7, "x", [1], {}, [[[]]], {"groups": 1}, {"MetricAlarms": {}}])
def test_another_document_is_refused(platform: Platform, document: Any) -> None:
    if document == [[[]]] or document != []:
        with pytest.raises(SpecError):
            READERS[platform](document)


@pytest.mark.parametrize(
    "changed",
    [
        {"Threshold": float("nan")}, {"Threshold": float("inf")}, {"Threshold": 10**400},
        {"Threshold": 1e300},
        {"Threshold": "1"},
        {"Period": 0}, {"Period": -60}, {"Period": 61}, {"Period": 60.5}, {"EvaluationPeriods": True},
        {"DatapointsToAlarm": 4}, {"ComparisonOperator": "GreaterThanUpperThreshold"}, {"Statistic": ["Sum"]},
        {"Dimensions": [{"Name": "a"}]}, {"Namespace": None}, {"TreatMissingData": "maybe"},
    ],
)  # fmt: skip
def test_an_odd_alarm_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="HL-9351"):
        READERS[Platform.CLOUDWATCH](alarm(**changed))


@pytest.mark.parametrize(
    "changed",
    [
        {"EvaluationPeriods": 100}, {"ThresholdMetricId": "ad1"}, {"ExtendedStatistic": "tm99"},
        {"Metrics": [{"Id": "e", "Expression": "a/b"}, {"Id": "a"}]}, {"MetricName": "Unheard"},
        {"Period": 86400, "EvaluationPeriods": 2, "DatapointsToAlarm": 2},
    ],
)  # fmt: skip
def test_an_alarm_without_counterpart_is_listed_and_the_others_go_on(changed: dict[str, Any]) -> None:
    both = [alarm(AlarmName="odd", **changed), alarm()]
    found = translate(both, Platform.CLOUDWATCH, Platform.PROMETHEUS, Names(), given=[])
    assert [each.rule.name for each in found.translated] == ["crowded"]
    assert [each.rule for each in found.untranslated] == ["odd"]


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 5000 + "1" + ")" * 5000, "1" + "+1" * 5000, "-" * 5000 + "1", "sum(" * 500, "a{", 'a{b="',
        "a[5m",
        f"a[{'9' * 50}s]", "a[1m:30s]", 'a{b=~"(a+)+$"}', "sum by (x) (a)",
        "histogram_quantile(0.9, a)", "1 2", "", "\x00", "a" * 200_000, 'a{b="\\q"}', "a and on (x) b",
    ],
)  # fmt: skip
def test_an_expression_is_refused_and_soon(expression: str) -> None:
    begun = time.process_time()
    with pytest.raises(HeavyliftError, match=r"HL-935[12]"):
        parse(expression)
    assert time.process_time() - begun < 30


@pytest.mark.parametrize(
    "line",
    ["[", "[]", '{"at": 1}', '{"at": NaN, "value": 1}', '{"at": 1, "value": Infinity}', "[" * 100_000,
     '{"at": 5, "value": 1, "arrived": 4}', '{"at": 1e300, "value": 1}', ""],
)  # fmt: skip
def test_a_series_with_an_odd_line_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "series.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(SpecError):
        read_series(path)


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "a: [", "\x00", "!!python/object/apply:os.system [x]"])
def test_a_file_that_is_neither_json_nor_yaml_is_refused(tmp_path: Path, text: str) -> None:
    for name in ("a.json", "a.yaml"):
        (tmp_path / name).write_text(text)
        with pytest.raises(SpecError):
            read_document(tmp_path / name)


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    save("a", path, overwrite=False)
    save("a", path, overwrite=False)
    with pytest.raises(ConflictError):
        save("b", path, overwrite=False)
    assert path.read_text() == "a"
    save("b", path, overwrite=True)
    assert path.read_text() == "b"


def test_a_rule_that_counts_a_billion_samples_is_not_called_equal() -> None:
    changed = {"Statistic": "SampleCount", "Threshold": 1e9, "ComparisonOperator": "LessThanThreshold"}
    made = only(alarm(**changed), Platform.PROMETHEUS)
    assert not made.equal
    assert made.outcome == "not replayed: no series can try it"
