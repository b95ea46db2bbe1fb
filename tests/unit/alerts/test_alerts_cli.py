"""``heavylift alerts`` from a shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.alarms import alarm
from tests.unit.objects.test_objects_cli import heavylift


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, dict[str, Any]]:
    status, told, _ = heavylift(capsys, "alerts", *map(str, arguments), "--json")
    return status, told


@pytest.fixture
def alarms(tmp_path: Path) -> Path:
    path = tmp_path / "alarms.json"
    path.write_text(json.dumps({"MetricAlarms": [alarm()], "CompositeAlarms": [{"AlarmName": "both"}]}))
    return path


def test_translated_written_and_kept(
    tmp_path: Path, alarms: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, evidence = tmp_path / "rules.yaml", tmp_path / "evidence"
    asked = [alarms, "--source", "cloudwatch", "--target", "prometheus"]
    kept = ["--out", out, "--evidence", evidence.as_uri()]
    status, told = run(capsys, "translate", *asked, *kept)
    assert (status, told["alerts"]["failures"]) == (
        1,
        ["both: not translated: a composite alarm without AlarmRule"],
    )
    assert "alert: crowded" in out.read_text()
    assert list(evidence.rglob("~alerts/translation-1.json"))
    status, told = run(capsys, "translate", *asked, *kept, "--accept", "both")
    assert (status, told["alerts"]["rules"][0]["equal"]) == (0, True)


def test_a_series_of_the_users_tells_when_each_fires(
    tmp_path: Path, alarms: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    series = tmp_path / "series.jsonl"
    series.write_text(
        "".join(json.dumps({"at": 60 * n + 30, "value": 90 if n > 5 else 10}) + "\n" for n in range(20))
    )
    asked = [alarms, "--source", "cloudwatch", "--target", "google", "--accept", "both", "--series", series]
    status, told = run(capsys, "compare", *asked)
    assert (status, told["alerts"]["rules"][0]["replays"]) == (0, 1)


def test_rules_are_listed(alarms: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, told = run(capsys, "list", alarms, "--source", "cloudwatch")
    assert status == 0
    assert told["rules"][0]["windows"] == "2 of 3, each 60 s"
    assert told["untranslatable"] == [{"rule": "both", "what": "a composite alarm without AlarmRule"}]
