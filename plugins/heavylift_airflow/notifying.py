"""Tells people what tasks and DAGs come to, by the spec's section ``notify``. Never fails a task."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from heavylift.aio import run
from heavylift.errors import HeavyliftError
from heavylift_airflow.hooks.object_store import look_up

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.definitions.deadline import DeadlineAlert

    from heavylift.evidence.store import EvidenceStore
    from heavylift.notify.message import Message
    from heavylift.spec import MigrationSpec, Phase
    from heavylift_airflow.context import TaskFrame

log = logging.getLogger(__name__)

LAST_TASK = "summarise_run"
SYNC = "sync"


def tell_of_failure(context: Context, error: HeavyliftError) -> None:
    """Tell of a task that failed for good; a sync's last task also tells of lag."""

    async def act(store: EvidenceStore, frame: TaskFrame) -> None:
        from heavylift.notify.message import failure

        run_id = str(context["run_id"])
        told = failure(
            error,
            migration=frame.spec.migration,
            phase=frame.run.phase,
            run=run_id,
            task=frame.task_id,
            attempt=frame.attempt,
        )
        await _tell(store, frame.spec, _with_link(told, context))
        await _of_lag(store, frame, context)
        await _of_drills(store, frame, context)

    _safely(context, act)


def tell_of_success(context: Context) -> None:
    """Tell of a run whose last task succeeded, and of a sync's lag; other tasks are nobody's concern."""
    if context["ti"].task_id != LAST_TASK:
        return

    async def act(store: EvidenceStore, frame: TaskFrame) -> None:
        from heavylift.notify.message import Message

        tried = frame.options.dry_run or frame.options.rehearse
        title = "the run came to its end" + (" (nothing was moved)" if tried else " and is proved")
        told = Message("success", frame.spec.migration, frame.run.phase, str(context["run_id"]), title)
        await _tell(store, frame.spec, _with_link(told, context))
        await _of_lag(store, frame, context)
        await _of_drills(store, frame, context)

    _safely(context, act)


def tell_of_approval(context: Context, gate: str, result: str) -> None:
    """Tell that a gate has passed and waits for a person.

    :param result: the path of the result that is asked about: each is told once.
    """

    async def act(store: EvidenceStore, frame: TaskFrame) -> None:
        from heavylift.notify.message import Message

        told = Message(
            event="approval",
            migration=frame.spec.migration,
            phase=frame.run.phase,
            run=str(context["run_id"]),
            title=f"gate {gate} passed and waits for approval",
            todo=f"answer it in Airflow: Required Actions, task {frame.task_id}",
            about=result,
        )
        await _tell(store, frame.spec, _with_link(told, context))

    _safely(context, act)


def tell_of_soak(context: Context, title: str, todo: str, about: str) -> None:
    """Tell that the soak after a cutover nears its end, or is over and not finalised.

    :param about: the soak and the moment: each is told once, whichever run sees it.
    """

    async def act(store: EvidenceStore, frame: TaskFrame) -> None:
        from heavylift.notify.message import Message

        # Without a run: the next cutover's run must not tell of this soak again.
        told = Message("deadline", frame.spec.migration, frame.run.phase, "", title, todo=todo, about=about)
        await _tell(store, frame.spec, _with_link(told, context))

    _safely(context, act)


def deadlines_of(spec: MigrationSpec, phase: Phase, spec_path: str) -> list[DeadlineAlert]:
    """Return Airflow's alerts for a DAG: one where the spec says how long a run of the phase may take."""
    from airflow.sdk.definitions.callback import SyncCallback
    from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

    from heavylift.spec.vocabulary import Occasion

    if spec.notify is None or Occasion.DEADLINE not in spec.notify.on:
        return []
    return [
        DeadlineAlert(
            reference=DeadlineReference.DAGRUN_QUEUED_AT,
            interval=timedelta(seconds=each.within),
            callback=SyncCallback(
                tell_of_deadline,
                kwargs={"spec_path": spec_path, "phase": phase.value, "within": float(each.within)},
            ),
            name=f"{phase.value} within {each.within:g} s",
        )
        for each in spec.notify.deadlines
        if each.phase is phase
    ]


def tell_of_deadline(*, spec_path: str, phase: str, within: float, context: Any = None, **_more: Any) -> None:
    """Tell that a run takes longer than the spec allows; Airflow calls it when the deadline is missed."""
    from heavylift.evidence.wording import duration
    from heavylift.notify.message import Message
    from heavylift.spec import load_spec
    from heavylift_airflow.hooks.evidence import EvidenceHook

    async def act() -> None:
        spec = load_spec(spec_path)
        message = Message(
            event="deadline",
            migration=spec.migration,
            phase=phase,
            run=_run_of(context),
            title=f"the run has taken longer than {duration(timedelta(seconds=within))}",
            todo=f"heavylift doctor {spec.migration} --spec FILE says what it waits for",
            about=f"{phase} {within}",
        )
        async with EvidenceHook(spec.evidence.connection, spec.evidence.url).open() as store:
            await _tell(store, spec, message)

    try:
        run(act())
    except Exception as trouble:  # noqa: BLE001  (nobody may be harmed by a message)
        log.warning("nobody could be told of the missed deadline: %s", _named(trouble))


def _run_of(context: Any) -> str:
    """Return the run's id: Airflow gives the run as an object, or as what its API answers."""
    found = context.get("dag_run") if isinstance(context, dict) else None
    if isinstance(found, dict):
        return str(found.get("run_id") or found.get("dag_run_id") or "")
    return str(getattr(found, "run_id", "") or "")


async def _of_lag(store: EvidenceStore, frame: TaskFrame, context: Context) -> None:
    """Tell of databases and streams that were behind for too many syncs in a row."""
    from heavylift.evidence.runs import list_runs
    from heavylift.notify.message import Message
    from heavylift.report.doctor.lag import courses

    notify = frame.spec.notify
    if notify is None or frame.run.phase != SYNC or frame.task_id != LAST_TASK:
        return
    for course in await courses(store, await list_runs(store, frame.spec.migration, SYNC), frame.spec):
        if course.late_runs < notify.late_syncs:
            continue
        growth = ", and further with each" if course.rises else ""
        told = Message(
            event="deadline",
            migration=frame.spec.migration,
            phase=SYNC,
            run=str(context["run_id"]),
            title=f"{course.kind} {course.name} is {course.seconds[-1]:,.0f} s behind",
            detail=f"{course.max_lag:g} s are accepted; so it was after {course.late_runs} syncs{growth}",
            todo=f"heavylift doctor {frame.spec.migration} --spec FILE",
            about=f"lag {course.kind} {course.name}",
        )
        await _tell(store, frame.spec, _with_link(told, context))


async def _of_drills(store: EvidenceStore, frame: TaskFrame, context: Context) -> None:
    """Tell once a day that no good fail-over drill is young enough; each phase's last task looks."""
    from heavylift.evidence.drill_records import history_of, last_drills
    from heavylift.evidence.records import utc_now
    from heavylift.notify.message import Message

    cutover = frame.spec.cutover
    if cutover is None or cutover.drills is None or frame.task_id != LAST_TASK:
        return
    now = utc_now()
    history = history_of([kept.record for kept in await last_drills(store, frame.spec.migration)])
    if not history.is_overdue(now):
        return
    told = Message(
        event="deadline",
        migration=frame.spec.migration,
        phase="cutover",
        run="",
        title="a fail-over drill is overdue",
        detail=history.words(now),
        todo=f"run {frame.spec.migration}.drill, and see that it is switched on",
        about=f"drill {now:%Y-%m-%d}",
    )
    await _tell(store, frame.spec, _with_link(told, context))


async def _tell(store: EvidenceStore, spec: MigrationSpec, message: Message) -> None:
    from heavylift.notify.api import tell_people

    if await tell_people(store, spec.notify, look_up, message):
        log.info("told people of: %s", message.subject)


def _safely(context: Context, act: Any) -> None:
    """Open what a message needs, and let no trouble with it reach the task."""
    from heavylift.spec import load_spec
    from heavylift_airflow.context import frame_of
    from heavylift_airflow.hooks.evidence import EvidenceHook

    async def opened() -> None:
        task: Any = context["task"]
        spec = load_spec(task.spec_path)
        if spec.notify is None:
            return
        frame = frame_of(context, spec, task.phase)
        async with EvidenceHook(spec.evidence.connection, spec.evidence.url).open() as store:
            await act(store, frame)

    try:
        run(opened())
    except Exception as trouble:  # noqa: BLE001  (nobody may be harmed by a message)
        log.warning("nobody could be told: %s", _named(trouble))


def _named(trouble: Exception) -> str:
    # A stranger's error may repeat an address with its secret.
    return str(trouble) if isinstance(trouble, HeavyliftError) else type(trouble).__name__


def _with_link(message: Message, context: Context) -> Message:
    from dataclasses import replace

    return replace(message, link=str(getattr(context["ti"], "log_url", "") or ""))
