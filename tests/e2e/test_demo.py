"""The demo's own promises, apart from the run itself."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import psutil
import pytest
from rich.console import Console

from heavylift.spec import Phase
from sandbox import demo
from sandbox.demo_airflow import AirflowClient, TaskState, in_order
from sandbox.demo_cutover import Tally
from sandbox.demo_follow import RunFollower, steps_of
from sandbox.demo_screen import amounts
from sandbox.stack import Stack


@pytest.mark.parametrize("flags", [[], ["--rollback"]])
def test_a_rollback_follows_the_cutover_only_where_it_is_asked_for(
    flags: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    switched: list[Phase] = []
    tally = Tally(answered=9, failed=0, acknowledged=9, lost=0, unknown=0, longest_pause=1.0)
    made = demo.Demo(Console(quiet=True), demo.Options(False, False, Path("/nowhere"), bool(flags)))

    class Live:
        writer = SimpleNamespace(wait_for=lambda _rows: None)

        def __init__(self, _env: object) -> None: ...
        def __enter__(self) -> Live:
            return self

        def __exit__(self, *_: object) -> None: ...
        def stop(self) -> None: ...
        def tally(self, side: str) -> Tally:
            assert side == ("source" if flags else "target")
            return tally

    def switch(_client: object, _stack: object, phase: Phase, _live: Live) -> bool:
        switched.append(phase)
        return True

    monkeypatch.setattr(demo, "LiveWorkload", Live)
    monkeypatch.setattr(demo, "put_golden_requests", lambda _env: "s3://golden")
    monkeypatch.setattr(made, "_switch_to", switch)
    assert made._switch(cast("AirflowClient", None), cast("Stack", SimpleNamespace(env={})))
    assert switched == [Phase.CUTOVER, *([Phase.ROLLBACK] if flags else [])]
    lost = replace(tally, lost=1)
    monkeypatch.setattr(Live, "tally", lambda *_: lost)
    assert not made._switch(cast("AirflowClient", None), cast("Stack", SimpleNamespace(env={})))


@pytest.mark.parametrize(("on_target", "side"), [(False, "source"), (True, "target")])
def test_after_a_switch_that_failed_rows_are_looked_for_where_writes_are(
    monkeypatch: pytest.MonkeyPatch, on_target: bool, side: str
) -> None:
    made = demo.Demo(Console(quiet=True), demo.Options(False, False, Path("/nowhere")))
    monkeypatch.setattr(demo, "is_on_target", lambda _spec, _env: on_target)
    assert made._side_now(cast("Stack", SimpleNamespace(env={})), passed=False) == side


def test_steps_come_in_the_order_of_the_work_and_groups_stay_together() -> None:
    downstream = {
        "begin": ["db.preflight", "data.plan"],
        "db.verify": ["gate"],
        "data.plan": ["data.copy"],
        "db.preflight": ["db.verify"],
        "gate": [],
        "data.copy": ["gate"],
    }
    assert in_order(downstream) == [
        "begin", "db.preflight", "db.verify", "data.plan", "data.copy", "gate",
    ]  # fmt: skip


def test_a_run_that_is_looked_at_late_is_told_no_rate() -> None:
    tasks = [TaskState("a.plan", -1, "success", 1), TaskState("a.copy", 0, "success", 1)]
    client = FakeAirflow([tasks])
    follower = RunFollower(cast("AirflowClient", client), "m.transfer", "run", sleep=lambda _seconds: None)
    [view] = follower.views()
    assert (view.objects_done, view.seconds) == (3, 5.0)
    assert amounts(view) == "3 of 3 objects, 9 B of 9 B"


def test_mapped_tasks_are_shown_as_one_step_with_the_worst_state() -> None:
    tasks = [
        TaskState("data.copy", 0, "success", 1),
        TaskState("data.copy", 1, "up_for_retry", 1),
        TaskState("data.copy", 2, "running", 2),
        TaskState("data.verify", -1, "none", 0),
    ]
    copy, verify = steps_of(tasks)
    assert (copy.task_id, copy.state, copy.done, copy.total) == ("data.copy", "up_for_retry", 1, 3)
    assert (verify.state, verify.total) == ("none", 1)


def test_steps_stay_where_they_were_when_a_task_is_mapped() -> None:
    before = [TaskState("a.copy", -1, "none", 0), TaskState("a.verify", -1, "none", 0)]
    after = [TaskState("a.verify", -1, "none", 0), TaskState("a.copy", 0, "running", 1)]
    client = FakeAirflow([before, after])
    follower = RunFollower(cast("AirflowClient", client), "m.transfer", "run", sleep=lambda _seconds: None)
    views = list(follower.views())
    assert [[step.task_id for step in view.steps] for view in views] == [["a.copy", "a.verify"]] * 2


class FakeAirflow:
    """Answers with one list of tasks after the other, then says that the run has ended."""

    def __init__(self, answers: list[list[TaskState]]) -> None:
        self._answers = answers

    def order(self, _dag_id: str) -> list[str]:
        return in_order({"a.copy": ["a.verify"], "a.verify": []})

    def run_seconds(self, _dag_id: str, _run_id: str) -> float:
        return 5.0

    def run_state(self, _dag_id: str, _run_id: str) -> str:
        return "running" if len(self._answers) > 1 else "success"

    def tasks(self, _dag_id: str, _run_id: str) -> list[TaskState]:
        return self._answers.pop(0)

    def xcom(self, *_: object) -> list[dict[str, int]]:
        return [{"objects": 3, "size_bytes": 9}]


def commands_naming(folder: Path) -> list[str]:
    """Return the command lines of all processes that name ``folder``."""
    commands = (" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"]))
    return [command for command in commands if str(folder) in command]


# Another Airflow, for a minute. What an interrupt does to servers is in test_sandbox_life.py, too.
@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_no_process(number: signal.Signals, repository: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="heavylift-demo-"))
    folder.chmod(0o711)
    command = [sys.executable, "-m", "sandbox.demo", "--exit", "--state-dir", str(folder)]
    paths = os.pathsep.join(("include", "plugins", "."))
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command,
        cwd=repository,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert any("is ready" in line for line in iter(running.stdout.readline, ""))
        assert commands_naming(folder)
        running.send_signal(number)
        rest = running.stdout.read()
        assert running.wait(timeout=90) == 3, rest
        assert "safe to run the demo again" in rest
    assert [command for command in commands_naming(folder) if "pytest" not in command] == []
    shutil.rmtree(folder)
