"""Prometheus' own engine, of promtool, says what our replay says: at every minute of every series."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from heavylift.alerts import adversary, prometheus
from heavylift.alerts.model import Platform
from heavylift.alerts.promql_write import selector
from heavylift.alerts.replay import State
from sandbox import promtool
from tests.support.alarms import alarm, only

GRID = 30
ALARMS = [
    {"TreatMissingData": "ignore", "Statistic": "Maximum", "DatapointsToAlarm": 3},
    {"TreatMissingData": "missing", "Dimensions": [{"Name": "Odd", "Value": 'a"b\\c'}]},
    {
        "TreatMissingData": "breaching",
        "Statistic": "Sum",
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    },
    {"TreatMissingData": "notBreaching", "Period": 300, "EvaluationPeriods": 2, "Statistic": "Minimum"},
    {"TreatMissingData": "missing", "EvaluationPeriods": 1, "DatapointsToAlarm": 1},
]
pytestmark = pytest.mark.long


def block(document: dict[str, Any], series: str, trial: adversary.Trial) -> dict[str, Any]:
    """Return promtool's test of one series: what our replay says, minute by minute."""
    states = prometheus.replay(document, 60, trial.series, 900)
    end = int(trial.series.last + 900 - adversary.START) // 60 * 60
    values = ["_"] * (end // GRID + 1)
    for sample in trial.series.samples:
        place, rest = divmod(sample.at - adversary.START, GRID)
        assert rest == 0
        values[int(place)] = repr(sample.value)
    asked = []
    for at in range(0, end, 60):
        state = [each.state for each in states if each.at <= adversary.START + at][-1]
        asked.append({
            "expr": 'count(ALERTS{alertname="crowded",alertstate="firing"}) or vector(0)',
            "eval_time": f"{at}s",
            "exp_samples": [{"labels": "{}", "value": int(state is State.ALARM)}],
        })  # fmt: skip
    given = [{"series": series, "values": " ".join(values)}]
    return {"interval": f"{GRID}s", "input_series": given, "promql_expr_test": asked}


@pytest.mark.parametrize("changed", ALARMS)
def test_promtool_agrees(tmp_path: Path, changed: dict[str, Any]) -> None:
    made = only(alarm(**changed), Platform.PROMETHEUS, given=[])
    rules = prometheus.file_of([made.document], {"crowded": 60})
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))
    trials = [each for each in adversary.trials(made.rule) if each.name != "points that come late"]
    blocks = [block(made.document, selector(made.target), each) for each in trials]
    assert any(test["exp_samples"][0]["value"] for each in blocks for test in each["promql_expr_test"])
    ask(tmp_path, "check", "rules", "rules.yml", expected=0)
    # A wrong expectation is found: promtool does look.
    for expected, tests in ((0, blocks), (1, [wrong(blocks[0])])):
        described = {"rule_files": ["rules.yml"], "evaluation_interval": "60s", "tests": tests}
        (tmp_path / "tests.yml").write_text(yaml.safe_dump(described))
        ask(tmp_path, "test", "rules", "tests.yml", expected=expected)


def wrong(given: dict[str, Any]) -> dict[str, Any]:
    last = given["promql_expr_test"][-1]
    value = 1 - last["exp_samples"][0]["value"]
    return {**given, "promql_expr_test": [{**last, "exp_samples": [{"labels": "{}", "value": value}]}]}


def ask(folder: Path, *arguments: str, expected: int) -> None:
    done = subprocess.run(
        [str(promtool.find()), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == expected, (done.stdout + done.stderr)[-3000:]
