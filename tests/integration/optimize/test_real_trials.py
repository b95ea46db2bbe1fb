"""Trials with real servers: started, asked over connections, ended, whatever becomes of who asked them."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from heavylift.errors import SpecError
from heavylift.evidence.optimize_records import StudyRecord, TrialRecord
from heavylift.evidence.records import RunKey
from heavylift.optimize.batches import batched
from heavylift.optimize.judging import Objective
from heavylift.optimize.requests import HourlyPrice, Kept, StudyRequest, TrialPlan
from heavylift.optimize.serving import CommandRunner, ServerCommand
from heavylift.optimize.spaces import knobs_of
from heavylift.optimize.studies import run_study
from sandbox import processes
from sandbox.examples.scoring_model import BODY
from sandbox.servers.scoring import trained_model
from tests.support.shell import start

PROGRAM = Path(__file__).resolve().parents[2] / "support" / "planted_scoring.py"
REQUESTS = '{"inputs": [[1, 2]]}\n{"inputs": [[3, 4]]}\n'


def spec(folder: Path, **study: Any) -> Path:
    (folder / "requests.jsonl").write_text(REQUESTS)
    trials = {
        "name": "scoring",
        "requests": f"file://{folder}/requests.jsonl",
        "latency": 100.0,
        "usd_per_hour": 0.36,
        "step": 1,
        "warm_up": 0,
        **study,
    }
    path = folder / "small.yaml"
    document = {
        "apiVersion": "heavylift/v1",
        "migration": "small",
        "owner": "team",
        "source": {"platform": "kubernetes", "connection": "here"},
        "target": {"platform": "kubernetes", "connection": "there"},
        "optimize": {"trials": [trials]},
    }
    path.write_text(yaml.safe_dump(document))
    return path


def command(*more: str) -> list[str]:
    return [sys.executable, str(PROGRAM), "{port}", "{slots}", "{ms}", *more]


def heavylift(*arguments: str) -> tuple[int, dict[str, Any], str]:
    status, output, errors = start([*arguments, "--json"], dict(os.environ)).end()
    return status, json.loads(output), errors


@pytest.mark.long
def test_mlflows_own_server_is_started_with_each_setting_and_the_better_one_chosen(tmp_path: Path) -> None:
    model = str(trained_model())
    path = spec(
        tmp_path, knobs={"model": [model], "rows": [1, 32]}, max_trials=4, repeats=1, first_rate=40.0,
        max_rate=40.0, latency=500.0,
    )  # fmt: skip
    (tmp_path / "requests.jsonl").write_text(BODY)
    arguments = ("optimize", "trials", str(path), "--run", "r1", "--evidence", f"file://{tmp_path}/evidence")
    status, output, errors = heavylift(*arguments)
    assert status == 0, errors
    record = StudyRecord.model_validate(output["trials"][0])
    assert record.best is not None
    # As many requests are borne as may be asked: 32 rows in each make 32 times as many predictions.
    assert record.best.setting == {"model": model, "rows": 32}
    capacity = record.best.capacity.value
    assert 16 * 40 < capacity <= 32 * 40 * 1.001
    assert record.best.usd_per_thousand.value == pytest.approx(0.36 / (capacity * 3.6))
    assert "no-ceiling" in [each.rule for each in record.findings]
    assert not servers_of(model)
    # The same run again takes up what is there, and starts nothing.
    began = time.monotonic()
    status, again, _ = heavylift(*arguments)
    assert status == 0
    assert again["trials"][0]["best"] == output["trials"][0]["best"]
    assert again["trials"][0]["took_seconds"] < min(time.monotonic() - began, record.took_seconds)


def servers_of(text: str) -> list[int]:
    """Return the processes that serve a model: by the variable that names it."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("__pyfunc_model_path__") == text:
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found


def test_a_killed_command_takes_its_server_with_it_and_is_gone_on_with(tmp_path: Path) -> None:
    pid_file = tmp_path / "server.pid"
    knobs = {"slots": [1, 4], "ms": [10]}
    path = spec(tmp_path, knobs=knobs, server={"command": command(str(pid_file))}, max_trials=4, repeats=1)
    evidence = tmp_path / "evidence"
    arguments = ["optimize", "trials", str(path), "--run", "r1", "--evidence", f"file://{evidence}", "--json"]
    running = start(arguments, dict(os.environ))
    first = evidence / "small/optimize/r1/~optimize/trials/scoring/trial-1.json"
    deadline = time.monotonic() + 120
    # The second server is up: the first trial is kept, and the file was written once more.
    while not (first.exists() and pid_file.exists() and pid_file.stat().st_mtime > first.stat().st_mtime):
        assert running.status is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    server = processes.Ident.of(int(pid_file.read_text()))
    assert server is not None
    os.kill(running.pid, signal.SIGKILL)
    running.process.join()
    assert not processes.wait_gone([server], 60)
    kept = first.read_bytes()
    status, output, errors = heavylift(*arguments[:-1])
    assert status == 0, errors
    assert first.read_bytes() == kept
    record = StudyRecord.model_validate(output["trials"][0])
    # Which of them is the better one a busy machine may well get wrong.
    assert (record.settings, record.tried) == (2, 2)
    assert record.best is not None


async def test_a_server_that_ends_or_does_not_answer_is_told_with_what_it_wrote(tmp_path: Path) -> None:
    kept = Kept(RunKey(migration="m", phase="optimize", run="r"), "scoring", f"file://{tmp_path}")
    space = knobs_of({"how": ("print('no model here'); raise SystemExit(3)", "input()")})
    started = ServerCommand((sys.executable, "-c", "{how}"), ready_seconds=5.0)
    objective, plan = Objective(0.95, 100.0), TrialPlan(most_trials=3, repeats=1, timeout_seconds=0.2)
    request = StudyRequest(kept, space, objective, HourlyPrice(1.0), plan, "x", repr(started))
    runner = CommandRunner(started, [b'{"inputs": [[1]]}'], objective, plan)
    with pytest.raises(Exception, match="HL-9259"):
        await run_study(request, runner)
    text = (tmp_path / "m/optimize/r/~optimize/trials/scoring/trial-1.json").read_text()
    trial = TrialRecord.model_validate_json(text)
    assert "it ended with" in trial.failed
    assert trial.censored


def test_marks_that_are_no_knobs_and_knobs_that_turn_nothing_are_refused() -> None:
    space = knobs_of({"slots": (1, 2), "rows": (1,)})
    ServerCommand(("serve", "{slots}", "{port}")).check(space)
    for wrong in (("serve", "{slots}", "{other}"), ("serve", "{port}"), ()):
        with pytest.raises(SpecError, match="HL-9260"):
            ServerCommand(tuple(wrong)).check(space)


def test_requests_are_put_together_from_the_recorded_rows() -> None:
    split = b'{"dataframe_split": {"columns": ["a"], "index": [7], "data": [[1], [2], [3]]}}'
    made = [json.loads(body) for body in batched([split], 2)]
    assert [each["dataframe_split"]["data"] for each in made] == [[[1], [2]], [[3], [1]]]
    assert "index" not in made[0]["dataframe_split"]
    made = [json.loads(body) for body in batched([b'{"inputs": [[1]]}', b'{"inputs": [[2]]}'], 3)]
    assert made == [{"inputs": [[1], [2], [1]]}]
    for wrong in (
        [b"[1]"],
        [b'{"inputs": 3}'],
        [b'{"inputs": []}'],
        [b'{"inputs": [1]}', b'{"instances": [1]}'],
    ):
        with pytest.raises(SpecError, match="HL-9261"):
            batched(wrong, 2)


@pytest.mark.long
def test_a_planted_best_setting_is_found_among_real_servers(tmp_path: Path) -> None:
    # What a server bears is slots / ms; 60 ms fit twice into the limit, and 135 ms hardly once.
    knobs = {"slots": [1, 2, 4, 8], "ms": [60, 90, 135], "rows": [1, 4]}
    prices = {"1": 0.10, "2": 0.11, "4": 0.12, "8": 0.50}
    path = spec(
        tmp_path, knobs=knobs, server={"command": command()}, max_trials=14, repeats=1, latency=180.0,
        usd_per_hour=None, price_knob="slots", prices=prices,
    )  # fmt: skip
    document = yaml.safe_load(path.read_text())
    del document["optimize"]["trials"][0]["usd_per_hour"]
    path.write_text(yaml.safe_dump(document))
    evidence = f"file://{tmp_path}/evidence"
    status, output, errors = heavylift("optimize", "trials", str(path), "--run", "r", "--evidence", evidence)
    assert status == 0, errors
    record = StudyRecord.model_validate(output["trials"][0])
    assert record.best is not None
    assert record.best.setting == {"slots": 4, "ms": 60, "rows": 4}
    assert record.settings == 24
    assert record.tried < 24
