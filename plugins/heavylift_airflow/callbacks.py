"""What happens when a task fails: its log ends with what to do, and the audit trail knows."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from heavylift.aio import run
from heavylift.errors import HeavyliftError, PermanentError, TransientError
from heavylift_airflow.notifying import tell_of_failure, tell_of_success

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift_airflow.context import TaskFrame

log = logging.getLogger(__name__)

# By name: some of them are of Airflow's server side, which a worker need not have.
_TIMED_OUT = frozenset({"AirflowTaskTimeout", "AirflowSensorTimeout", "TaskDeferralTimeout", "TimeoutError"})
_UNANSWERED = frozenset({"HITLTimeoutError", "HITLTriggerEventError", "ParamValidationError"})


def tell_failure(context: Context) -> None:
    """End the log of a task that failed for good with its message, and note it in the trail."""
    from heavylift_airflow.context import frame_of

    error = as_own(context.get("exception"))
    task: Any = context["task"]
    try:
        frame = frame_of(context, _spec_of(task), task.phase)
        run(_note_failure(frame, task, error))
    except Exception as trouble:  # noqa: BLE001
        # The failure itself must stay the last word: whoever reads the log needs that one.
        told = trouble if isinstance(trouble, HeavyliftError) else type(trouble).__name__
        log.warning("the failure could not be noted in the audit trail: %s", told)
    tell_of_failure(context, error)
    # Airflow's page folds what comes after a task, and cuts long lines: this must be seen at a glance.
    log.info("::endgroup::")
    for line in parts_of(error):
        log.error("%s", line)
    log.error("%s", runbook_line(error))
    log.error("%s", error)


def parts_of(error: HeavyliftError) -> list[str]:
    """Return the parts of an error, each in a line."""
    named = (
        ("What failed", error.what),
        ("Got", error.got),
        ("Expected", error.expected),
        ("State", error.state),
        ("To fix", error.remedy),
    )
    return [f"{name + ':':<12} {text}" for name, text in named if text]


def tell_retry(context: Context) -> None:
    """End the log of an attempt that will be repeated with its message."""
    log.warning("%s Airflow will retry this task by itself.", failure_message(context.get("exception")))


def tell_success(context: Context) -> None:
    """Tell people, where the spec asks for it, that a run came to its end."""
    tell_of_success(context)


def failure_message(error: object) -> str:
    """Return the five-part message, or for an unknown error what can be said of it."""
    return str(as_own(error))


def runbook_line(error: HeavyliftError) -> str:
    """Return where the runbook tells more of an error."""
    from heavylift.report.codes import runbook_of

    return f"Runbook: {runbook_of(error.code)}, or: heavylift explain HL-{error.code}"


def as_own(error: object) -> HeavyliftError:
    """Return ``error`` as one with five parts, whatever it is; its text only where it shows no secret."""
    if isinstance(error, HeavyliftError):
        return error
    if error is None:
        return _died()
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & _TIMED_OUT:
        return _timed_out(error)
    if names & _UNANSWERED:
        return _unanswered(error)
    return _unknown(error)


def _died() -> TransientError:
    return TransientError(
        "the task's process",
        got="an end without a word",
        expected="a result or an error",
        state="what is finished is recorded in the evidence store",
        remedy="look for an out-of-memory kill or a lost worker, then clear the task",
        code="8030",
    )


def _timed_out(error: object) -> TransientError:
    return TransientError(
        "the task",
        got=f"{type(error).__name__}: its time was over",
        expected="an end within the time that it has",
        state="what is finished is recorded in the evidence store",
        remedy="find out what it waited for, by the lines above and heavylift doctor; then clear the task",
        code="8963",
    )


def _unanswered(error: object) -> PermanentError:
    return PermanentError(
        "the question to a person",
        got=f"{type(error).__name__}: no answer that can be used",
        expected="an answer in time",
        state="nothing was opened; what is finished is recorded in the evidence store",
        remedy="clear the task: it asks again",
        code="8964",
    )


def _unknown(error: object) -> PermanentError:
    from heavylift.spec.secrets import holds_secret

    text = str(error)
    told = "its text is withheld: it looks like a secret" if holds_secret(text) else text
    return PermanentError(
        "the task",
        got=f"{type(error).__name__}: {told}",
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
