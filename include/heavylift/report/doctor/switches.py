"""Whether a switch was left half done, by its turns and records, or by the world itself."""

from __future__ import annotations

from datetime import datetime, timedelta

from heavylift.evidence.numbered import latest_number
from heavylift.evidence.paths import original_text, summary_path
from heavylift.evidence.records import PhaseSummary
from heavylift.evidence.run_evidence import read_latest
from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.switch_evidence import latest_switch
from heavylift.evidence.switch_records import SwitchRecord, TurnRecord, WorldRecord, turn_path
from heavylift.evidence.wording import duration
from heavylift.report.doctor.ailments import Ailment, Urgency

_WORDS = {
    "switched": "everything is on the",
    "already": "everything was already on the",
    "returned": "it went back by itself on its way to the",
    "between": "it stopped half way to the",
}


async def examine_switch(
    store: EvidenceStore, migration: str, now: datetime
) -> tuple[list[str], list[Ailment]]:
    """Return how the last switch ended, and what is left of it.

    :raises AuditError: a turn or record is damaged.
    """
    turn = await _latest_turn(store, migration)
    kept = await latest_switch(store, migration)
    record = kept.record if kept else None
    facts = [f"switch: {_WORDS[record.outcome]} {record.goal}, epoch {record.epoch}"] if record else []
    ailments: list[Ailment] = []
    if turn and not await _is_over(store, turn, record):
        ailments.append(_open_turn(turn, now))
    elif record:
        ailments += _of_record(record)
    return facts, ailments


async def examine_soak(
    store: EvidenceStore, migration: str, length: timedelta, now: datetime
) -> tuple[list[str], list[Ailment]]:
    """Return how far the soak is, and whether it is over and not finalised.

    :raises AuditError: a record is damaged.
    """
    from heavylift.cutover.soaking import current_soak

    soak = await current_soak(store, migration, length)
    if soak is None:
        return [], []
    if now < soak.ends_at:
        return [f"soak: a rollback stays possible for {duration(soak.ends_at - now)} more"], []
    problem = f"the soak is over for {duration(now - soak.ends_at)}, and nobody has finalised the cutover"
    remedy = f"trigger DAG {migration}.finalise, or {migration}.rollback"
    urgency = Urgency.BROKEN if now >= soak.overdue_at else Urgency.WAITING
    return [], [Ailment(urgency, "soak", problem, remedy)]


def ailments_of_world(world: WorldRecord, phase: str, migration: str) -> list[Ailment]:
    """Return what is wrong with how writes and requests stand.

    :param phase: whose run is to be repeated to mend it.
    """
    found = []
    again = _again(migration, phase)
    for each in world.databases:
        subject = each.database if each.database.startswith("stream ") else f"database {each.database}"
        if each.source == each.target == "frozen" and not each.partly:
            found.append(Ailment(Urgency.NOW, subject, "both sides are frozen: nobody can write", again))
        elif each.partly:
            tables = ", ".join(each.partly[:5])
            problem = f"only a part of its tables is frozen; these still take writes: {tables}"
            found.append(Ailment(Urgency.NOW, subject, problem, again))
        elif each.source == each.target == "open" and max(each.source_epoch, each.target_epoch):
            remedy = f"heavylift tables freeze on the side that must not be written to, then {again}"
            found.append(Ailment(Urgency.NOW, subject, "both sides take writes since a switch", remedy))
    return found


async def _latest_turn(store: EvidenceStore, migration: str) -> TurnRecord | None:
    number = await latest_number(store, lambda each: turn_path(migration, each))
    return await store.read_record(turn_path(migration, number), TurnRecord) if number else None


async def _is_over(store: EvidenceStore, turn: TurnRecord, record: SwitchRecord | None) -> bool:
    """Tell whether a turn came to an end: by a record of its epoch, or by its run's own last word."""
    if record is not None and record.epoch >= turn.epoch:
        return True
    summary = await read_latest(store, lambda number: summary_path(turn.run, number), PhaseSummary)
    return summary is not None and summary.record.finished_at >= turn.taken_at


def _open_turn(turn: TurnRecord, now: datetime) -> Ailment:
    title = original_text(turn.run.run) or turn.run.run
    since = duration(max(now - turn.taken_at, timedelta()))
    return Ailment(
        Urgency.NOW,
        f"{turn.migration}.{turn.run.phase}",
        f"turn {turn.epoch} to the {turn.goal} has been open for {since}, by {turn.actor}, run {title}: the"
        " switch is under way, or its process was killed",
        "heavylift cutover status SPEC tells where writes are; if the run has stopped,"
        f" {_again(turn.migration, turn.run.phase)}",
    )


def _of_record(record: SwitchRecord) -> list[Ailment]:
    migration, phase = record.run.migration, record.run.phase
    title = original_text(record.run.run) or record.run.run
    if record.outcome == "between":
        reason = record.reason or "no reason told"
        problem = f"the switch to the {record.goal} stopped half way ({reason}), run {title}"
        return [Ailment(Urgency.NOW, f"{migration}.{phase}", problem, _again(migration, phase))]
    found = ailments_of_world(record.after, phase, migration)
    if record.outcome == "returned":
        problem = (
            f"the switch to the {record.goal} went back by itself: {record.reason};"
            " writes go on where they were"
        )
        remedy = (
            "mend that, rehearse (heavylift cutover rehearse SPEC), then trigger"
            f" DAG {migration}.{phase} anew"
        )
        found.append(Ailment(Urgency.BROKEN, f"{migration}.{phase}", problem, remedy))
    return found


def _again(migration: str, phase: str) -> str:
    command = "rollback" if phase == "rollback" else "run"
    return (
        f"clear task settle of the run of DAG {migration}.{phase}, or heavylift cutover {command} SPEC:"
        " it goes on from what it finds, heavylift cutover rollback SPEC leads back"
    )
