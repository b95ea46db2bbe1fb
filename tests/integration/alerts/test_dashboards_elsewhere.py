"""Dashboards where others judge them: CloudWatch's model and moto, and Prometheus' own engine."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws

from heavylift.alerts import cloudwatch_boards
from heavylift.alerts.board_replay import points
from heavylift.alerts.boards import Line
from heavylift.alerts.dashboards import READERS
from heavylift.alerts.formula import Several
from heavylift.alerts.model import Platform
from heavylift.alerts.promql_write import selector
from heavylift.alerts.series import Sample, Series
from sandbox import promtool
from tests.support.boards import DRAWN, of_platform, translated

GRID, LENGTH = 30, 3600
KEY = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


def test_cloudwatch_takes_what_was_written_and_gives_it_back() -> None:
    made = translated(of_platform(Platform.GOOGLE), Platform.GOOGLE, Platform.CLOUDWATCH)
    with mock_aws():
        client = boto3.client("cloudwatch", region_name="eu-west-1", **KEY)
        client.put_dashboard(DashboardName="moved", DashboardBody=json.dumps(made.document))
        body = json.loads(client.get_dashboard(DashboardName="moved")["DashboardBody"])
    board, losses = cloudwatch_boards.read(body)
    assert (losses, board.region) == ([], "eu-west-1")
    assert board == READERS[Platform.CLOUDWATCH](made.document)[0]
    assert sum(len(each.lines) for each in board.widgets) == len(made.lines)


@pytest.mark.long
def test_prometheus_draws_what_our_replay_draws(tmp_path: Path) -> None:
    document = translated(DRAWN, Platform.CLOUDWATCH, Platform.PROMETHEUS).document
    lines = [line for widget in READERS[Platform.PROMETHEUS](document)[0].widgets for line in widget.lines]
    assert len(lines) == 7
    blocks = [block(line, seed) for seed, line in enumerate(lines)]
    judged(tmp_path, blocks, expected=0)
    last = blocks[0]["promql_expr_test"][-1]
    odd = {**last, "exp_samples": [{"labels": "{}", "value": 4711.5}]}
    judged(tmp_path, [{**blocks[0], "promql_expr_test": [odd]}], expected=1)


def block(line: Line, seed: int) -> dict[str, Any]:
    """Return promtool's test of one line: our point at the end of every window, or none."""
    chance = random.Random(seed)
    formula = line.rule.formula
    named = {selector(line.rule): sampled(chance)}
    series: Series = named[selector(line.rule)]
    if formula is not None:
        parts = {key: sampled(chance) for key, _ in formula.terms}
        named = {selector(term): parts[key] for key, term in formula.terms}
        series = Several(formula, parts)
    found = points(line, Platform.PROMETHEUS, series)
    asked = []
    for at in range(line.rule.period, LENGTH, line.rule.period):
        value = found.get(float(at))
        samples = [] if value is None else [{"labels": "{}", "value": value}]
        asked.append({"expr": line.expression, "eval_time": f"{at}s", "exp_samples": samples})
    assert any(each["exp_samples"] for each in asked)
    given = []
    for name, each in named.items():
        values = ["_"] * (LENGTH // GRID)
        for sample in each.samples:
            values[int(sample.at // GRID)] = repr(sample.value)
        given.append({"series": name, "values": " ".join(values)})
    return {"interval": f"{GRID}s", "input_series": given, "promql_expr_test": asked}


def sampled(chance: random.Random) -> Series:
    """Return samples of which some lie on the edges of windows; means of up to ten of them are exact."""
    at = [each for each in range(0, LENGTH, GRID) if chance.random() > 0.4 and each // 600 != 2]
    return Series([Sample(float(each), float(chance.randrange(-3, 9) * 2520), float(each)) for each in at])


def judged(folder: Path, blocks: list[dict[str, Any]], *, expected: int) -> None:
    described = {"rule_files": [], "evaluation_interval": "60s", "tests": blocks}
    (folder / "tests.yml").write_text(yaml.safe_dump(described))
    asked = [str(promtool.find()), "test", "rules", "tests.yml"]
    done = subprocess.run(asked, cwd=folder, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == expected, (done.stdout + done.stderr)[-3000:]
