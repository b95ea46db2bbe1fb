"""Prometheus' own engine, of promtool, says what our replay says: at every minute of every series."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from heavylift.alerts import adversary, prometheus
from heavylift.alerts.composite import Composite, Parts, composite_trials
from heavylift.alerts.formula import Several
from heavylift.alerts.formula_trials import formula_trials
from heavylift.alerts.model import Platform, Rule
from heavylift.alerts.promql_write import selector
from heavylift.alerts.replay import State
from heavylift.alerts.series import Series
from heavylift.alerts.translate import Names, translate
from sandbox import promtool
from tests.support.alarms import alarm, composite, only, ratio

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
HARDEST = {"all terms zero", "a gap of 2 in one term", "random windows 1", "random windows 2"}
"""Promtool takes a minute for each ten of such series."""
pytestmark = pytest.mark.long


def block(document: dict[str, Any], series: Mapping[str, Series], trial: adversary.Trial) -> dict[str, Any]:
    """Return promtool's test of one series: what our replay says, minute by minute."""
    states = prometheus.replay(document, 60, trial.series, 900)
    end = int(trial.series.last + 900 - adversary.START) // 60 * 60
    given = []
    for name, each in series.items():
        values = ["_"] * (end // GRID + 1)
        for sample in each.samples:
            place, rest = divmod(sample.at - adversary.START, GRID)
            assert rest == 0
            values[int(place)] = repr(sample.value)
        given.append({"series": name, "values": " ".join(values)})
    asked = []
    for at in range(0, end, 60):
        state = [each.state for each in states if each.at <= adversary.START + at][-1]
        asked.append({
            "expr": f'count(ALERTS{{alertname="{document["alert"]}",alertstate="firing"}}) or vector(0)',
            "eval_time": f"{at}s",
            "exp_samples": [{"labels": "{}", "value": int(state is State.ALARM)}],
        })  # fmt: skip
    return {"interval": f"{GRID}s", "input_series": given, "promql_expr_test": asked}


@pytest.mark.parametrize("changed", ALARMS)
def test_promtool_agrees(tmp_path: Path, changed: dict[str, Any]) -> None:
    made = only(alarm(**changed), Platform.PROMETHEUS, given=[])
    rules = prometheus.file_of([made.document], {"crowded": 60})
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))
    trials = [each for each in adversary.trials(made.rule) if each.name != "points that come late"]
    assert isinstance(made.target, Rule)
    blocks = [block(made.document, {selector(made.target): each.series}, each) for each in trials]
    judged(tmp_path, blocks)


@pytest.mark.parametrize(
    ("expression", "missing"), [("m1 / m2", "missing"), ("100 * FILL(m1, 0) / m2 - 1", "breaching")]
)
def test_promtool_agrees_on_arithmetic(tmp_path: Path, expression: str, missing: str) -> None:
    made = only(ratio(expression, TreatMissingData=missing), Platform.PROMETHEUS)
    rule, there = made.rule, made.target
    assert isinstance(rule, Rule)
    assert isinstance(there, Rule)
    assert rule.formula is not None
    assert there.formula is not None
    rules = prometheus.file_of([made.document], {"failing": 60})
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))
    names = {key: selector(term) for key, term in there.formula.terms}
    blocks = []
    for trial in (each for each in formula_trials(rule, rule.formula) if each.name in HARDEST):
        assert isinstance(trial.series, Several)
        series = {names[key]: each for key, each in trial.series.parts.items()}
        told = trial.series.retold(there.formula, dict.fromkeys(names, 1.0))
        blocks.append(block(made.document, series, adversary.Trial(trial.name, told, trial.missing)))
    judged(tmp_path, blocks)


@pytest.mark.parametrize("rule", ["ALARM(crowded) AND ALARM(late)", "ALARM(late) AND NOT ALARM(crowded)"])
def test_promtool_agrees_on_composites(tmp_path: Path, rule: str) -> None:
    found = translate(composite(rule), Platform.CLOUDWATCH, Platform.PROMETHEUS, Names()).translated
    made = next(each for each in found if each.rule.name == "both")
    assert isinstance(made.rule, Composite)
    assert isinstance(made.target, Composite)
    rules = prometheus.file_of([made.document], {"both": 60})
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))
    blocks = []
    for trial in (each for each in composite_trials(made.rule) if each.name in HARDEST):
        assert isinstance(trial.series, Parts)
        parts = Parts(made.target.parts, trial.series.parts)
        series = {selector(each): parts.parts[each.name] for each in made.target.parts}
        blocks.append(block(made.document, series, adversary.Trial(trial.name, parts, trial.missing)))
    judged(tmp_path, blocks)


def judged(tmp_path: Path, blocks: list[dict[str, Any]]) -> None:
    """Have promtool say what our replay says, and find what it does not say."""
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
