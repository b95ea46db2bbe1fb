"""``heavylift alerts queries`` from a shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.log_queries import QUERIES
from tests.unit.alerts.test_alerts_cli import run

PCT = "stats pct(latency, 99) by bin(5m)"


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    path = tmp_path / "definitions.json"
    found = [{"name": "bins", "queryString": QUERIES["bins"]}, {"name": "p99", "queryString": PCT}]
    path.write_text(json.dumps({"queryDefinitions": found}))
    (tmp_path / "names.json").write_text('{"table": "AppLogs_CL"}')
    return path


def test_translated_written_and_kept(
    tmp_path: Path, queries: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, evidence = tmp_path / "out.json", tmp_path / "evidence"
    asked = ["queries", "translate", queries, "--source", "insights", "--target", "kql"]
    asked += ["--names", tmp_path / "names.json", "--out", out, "--evidence", evidence.as_uri()]
    status, told = run(capsys, *asked)
    assert (status, told["queries"]["failures"]) == (1, ["p99: not translated: the function pct"])
    assert [each["name"] for each in json.loads(out.read_text())["queries"]] == ["bins"]
    status, told = run(capsys, *asked, "--accept", "p99")
    assert (status, told["queries"]["queries"][0]["equal"]) == (0, True)
    assert list(evidence.rglob("~alerts/queries-*.json"))


def test_lines_of_the_users_tell_what_is_not_proved(
    tmp_path: Path, queries: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = tmp_path / "lines.jsonl"
    asked = ["queries", "compare", queries, "--source", "insights", "--target", "kql", "--accept", "p99"]
    asked += ["--names", tmp_path / "names.json", "--lines", lines]
    lines.write_text(json.dumps({"at": 0, "message": "nothing"}) + "\n")
    status, told = run(capsys, *asked)
    assert status == 1
    assert "not proved" in told["queries"]["queries"][0]["outcome"]
    found = {"level": "ERROR", "status": 503, "model": "a"}
    lines.write_text(json.dumps({"at": 0, "message": found}) + "\n")
    assert run(capsys, *asked)[0] == 0
    lines.write_text('{"at": "now", "message": 3}\n')
    assert run(capsys, *asked)[0] == 2
