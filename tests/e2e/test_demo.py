"""The demo's own promises, apart from the run itself."""

from __future__ import annotations

import pytest

from sandbox import demo
from sandbox.demo_airflow import TaskState
from sandbox.demo_follow import steps_of


def test_a_rollback_is_refused_by_name_and_starts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main(["--exit", "--rollback"]) == 2
    assert "--rollback is not supported yet" in capsys.readouterr().err


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
