"""What happens when a task fails: its log ends with what to do, and the audit trail knows."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from heavylift.aio import run
from heavylift.errors import HeavyliftError, PermanentError, TransientError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift_airflow.context import TaskFrame

log = logging.getLogger(__name__)


def tell_failure(context: Context) -> None:
    """End the log of a task that failed for good with its message, and note it in the trail."""
    from heavylift_airflow.context import frame_of

    error = context.get("exception")
    task: Any = context["task"]
    try:
        frame = frame_of(context, _spec_of(task), task.phase)
        run(_note_failure(frame, task, error))
    except HeavyliftError as trouble:
        # The failure itself must stay the last word: whoever reads the log needs that one.
        log.warning("the failure could not be noted in the audit trail: %s", trouble)
    log.error("%s", failure_message(error))


def tell_retry(context: Context) -> None:
    """End the log of an attempt that will be repeated with its message."""
    log.warning("%s Airflow will retry this task by itself.", failure_message(context.get("exception")))


def failure_message(error: object) -> str:
    """Return the five-part message, or for an unknown error what can be said of it."""
    if isinstance(error, HeavyliftError):
        return str(error)
    if error is None:
        return str(_died())
    return str(_unknown(error))


def _died() -> TransientError:
    return TransientError(
        "the task's process",
        got="an end without a word",
        expected="a result or an error",
        state="what is finished is recorded in the evidence store",
        remedy="look for an out-of-memory kill or a lost worker, then clear the task",
        code="8030",
    )


def _unknown(error: object) -> PermanentError:
    return PermanentError(
        "the task",
        got=f"{type(error).__name__}: {error}",
        expected="a result, or an error that Heavylift knows",
        state="what is finished is recorded in the evidence store; the traceback is above",
        remedy="clear the task once; if it fails again, report it as a defect",
        code="8031",
    )


def _spec_of(task: Any) -> Any:
    from heavylift.spec import load_spec

    return load_spec(task.spec_path)


async def _note_failure(frame: TaskFrame, task: Any, error: object) -> None:
    from heavylift_airflow.hooks.evidence import EvidenceHook
    from heavylift_airflow.trail import note

    place = frame.spec.evidence
    details: dict[str, Any] = {"error": type(error).__name__}
    if isinstance(error, HeavyliftError):
        details["error"] = error.attrs()
    async with EvidenceHook(place.connection, place.url).open() as store:
        await note(store, frame, "task.failed", subject=frame.task_id, details=details)
