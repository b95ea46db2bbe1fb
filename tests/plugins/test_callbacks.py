"""A failed task's log ends with what to do, and the audit trail knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heavylift.errors import ConflictError
from heavylift_airflow import callbacks
from heavylift_airflow.callbacks import failure_message, tell_failure, tell_retry
from tests.plugins.test_transfer_operators import plan_task
from tests.plugins.world import World, context_of

ERROR = ConflictError(
    "planning",
    got="a stranger's object",
    expected="none",
    state="nothing was moved",
    remedy="move it away",
    code="5002",
)


class Lines:
    """Takes what would be logged."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def error(self, event: str, *args: object) -> None:
        self.lines.append(event % args)

    warning = info = error


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what the callbacks log."""
    log = Lines()
    monkeypatch.setattr(callbacks, "log", log)
    return log.lines


def failed(world: World, error: BaseException | None = ERROR) -> Any:
    task = plan_task(world)
    return {**context_of(task), "exception": error}


def test_the_log_of_a_failed_task_ends_with_the_five_parts(world: World, lines: list[str]) -> None:
    tell_failure(failed(world))
    assert lines[-1] == str(ERROR)
    # What Airflow's page folds must end before them.
    shown = lines[lines.index("::endgroup::") + 1 :]
    assert [line.split(":")[0] for line in shown[:-2]] == [
        "What failed",
        "Got",
        "Expected",
        "State",
        "To fix",
    ]
    assert shown[-2].startswith("Runbook: ")
    assert all(part in "\n".join(shown[:-2]) for part in (ERROR.what, ERROR.got, ERROR.remedy))


def test_a_failure_is_in_the_audit_trail(world: World, lines: list[str]) -> None:
    tell_failure(failed(world))
    (entry,) = world.trail()
    assert (entry.action, entry.subject) == ("task.failed", "plan")
    assert entry.details["error"]["code"] == "HL-5002"


def test_without_an_evidence_store_the_failure_stays_the_last_word(
    world: World, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_EVIDENCE")
    tell_failure(failed(world))
    assert "could not be noted" in lines[0]
    assert lines[-1] == str(ERROR)


def test_a_broken_spec_does_not_hide_the_failure(world: World, lines: list[str]) -> None:
    context = failed(world)
    Path(world.spec_path).write_text("nonsense")
    tell_failure(context)
    assert lines[-1] == str(ERROR)


def test_a_retry_is_announced(world: World, lines: list[str]) -> None:
    tell_retry(failed(world))
    assert "HL-5002" in lines[-1]
    assert "retry" in lines[-1]


def test_unknown_errors_and_silent_deaths_tell_what_to_do() -> None:
    assert "ZeroDivisionError" in failure_message(ZeroDivisionError("division"))
    for error in (None, ZeroDivisionError()):
        assert "To fix:" in failure_message(error)
        assert "[HL-80" in failure_message(error)
