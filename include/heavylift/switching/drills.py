"""A fail-over drill: the rehearsal, with what it would have taken and lost, kept as one record.

Nobody is moved. What a cutover or rollback has in hand is left alone: a drill that would get in the way is
put off.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from heavylift.cutover.api import SwitchRequest, rehearse_switch, silent
from heavylift.cutover.ports import DatabasePort, Side
from heavylift.cutover.world import observe, of_each
from heavylift.errors import ConflictError, HeavyliftError, SpecError
from heavylift.evidence.drill_records import DrillOutcome, DrillRecord, RecoveryPoint, drill_path
from heavylift.evidence.numbered import write_next
from heavylift.evidence.records import utc_now
from heavylift.evidence.switch_evidence import read_switch
from heavylift.evidence.watermarks import read_watermarks
from heavylift.switching.parts import cutover_of

if TYPE_CHECKING:
    from heavylift.cutover.world import World
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.switch_records import RehearsalRecord
    from heavylift.spec.model import MigrationSpec
    from heavylift.spec.sections_platform import Drills

SWITCH_TAKES_AT_MOST = timedelta(days=1)
"""So long a turn that has left no record may still be a switch that is under way."""


async def run_drill(
    request: SwitchRequest, spec: MigrationSpec, tell: Callable[[str], None] = silent
) -> tuple[DrillRecord, EvidenceRef]:
    """Drill the fail-over, and keep the record whatever came of it.

    How old the target's copy is (RPO) is asked before anything is carried over; then the cutover is
    rehearsed, which tells how long it would take (RTO). The target is frozen, as a copy may be; the source
    is not. Each call drills anew.

    :raises SpecError: the spec names no drills.
    """
    drills = drills_of(spec)
    began = time.monotonic()
    try:
        in_the_way = await _in_the_way(request)
        if in_the_way:
            return await _keep(request, drills, "put off", (in_the_way,), began)
        points = await _recovery_points(request, spec)
        rehearsal, ref = await rehearse_switch(request, tell)
    except ConflictError as error:
        # Somebody's turn has begun since: theirs counts.
        return await _keep(request, drills, "put off", (error.got,), began)
    except HeavyliftError as error:
        return await _keep(request, drills, "failed", (str(error),), began)
    rto = max((each.began_seconds + each.seconds for each in rehearsal.steps), default=0.0)
    rpo = _oldest(points)
    reasons = _reasons(rehearsal, drills, rto, rpo)
    outcome: DrillOutcome = "failed" if reasons else "passed"
    found = {
        "rto_seconds": round(rto, 3),
        "rpo_seconds": rpo,
        "write_pause_seconds": rehearsal.expected_pause_seconds,
        "points": points,
        "unmeasured": tuple(f"stream {stream.name}" for stream in spec.streams),
        "rehearsal": ref,
    }
    return await _keep(request, drills, outcome, tuple(reasons), began, **found)


def drills_of(spec: MigrationSpec) -> Drills:
    """Return the section ``cutover.drills``.

    :raises SpecError: there is none.
    """
    drills = cutover_of(spec).drills
    if drills is not None:
        return drills
    raise SpecError(
        f"drilling the fail-over of {spec.migration}",
        got="a section cutover without drills",
        expected="cutover.drills, which says how old a drill may be and what it must keep to",
        state="nothing was touched",
        remedy="add it, see docs/reference/drills.md",
        code="9720",
    )


async def _in_the_way(request: SwitchRequest) -> str:
    """Return why nothing may be tried now; empty where nothing is in the way."""
    world = await observe(request.parts)
    moved = _moved(world)
    if moved:
        return moved
    turn = await request.turns.latest()
    if turn is None or turn.run == request.run or utc_now() - turn.taken_at > SWITCH_TAKES_AT_MOST:
        return ""
    found = await read_switch(request.store, turn.run)
    if found.switch is None and found.rehearsal is None:
        return f"run {turn.run.run} of {turn.run.phase} has the turn since {turn.taken_at:%Y-%m-%d %H:%M} UTC"
    return ""


def _moved(world: World) -> str:
    if any(stand.last_open is Side.TARGET for stand in world.databases.values()):
        return "writes are on the target already"
    split = world.requests
    if split is not None and (split.target_percent or split.mirror_percent):
        return f"{split.target_percent} % of requests go to the target, {split.mirror_percent} % are mirrored"
    return ""


async def _recovery_points(request: SwitchRequest, spec: MigrationSpec) -> tuple[RecoveryPoint, ...]:
    marks = {mark.dataset: mark for mark in await read_watermarks(request.store, spec.migration)}
    now = utc_now()
    points = []
    for dataset in spec.datasets:
        mark = marks.get(dataset.name)
        listed = datetime.fromisoformat(mark.listed_at) if mark and mark.listed_at else None
        seconds = max(0.0, (now - listed).total_seconds()) if listed else None
        detail = f"proved as of {listed:%Y-%m-%d %H:%M:%S} UTC" if listed else "never proved"
        points.append(RecoveryPoint(kind="dataset", subject=dataset.name, seconds=seconds, detail=detail))

    async def look(database: DatabasePort) -> RecoveryPoint:
        lag = await database.lag(Side.TARGET)
        detail = "by the stream of changes" if lag is not None else "nobody can tell"
        return RecoveryPoint(kind="database", subject=database.name, seconds=lag, detail=detail)

    return (*points, *await of_each(request.parts.databases, look))


def _oldest(points: tuple[RecoveryPoint, ...]) -> float | None:
    known = [point.seconds for point in points if point.seconds is not None]
    return round(max(known), 3) if known and len(known) == len(points) else None


def _reasons(rehearsal: RehearsalRecord, drills: Drills, rto: float, rpo: float | None) -> list[str]:
    reasons = [] if rehearsal.passed else [rehearsal.reason or "the rehearsal did not pass"]
    if drills.max_rto is not None and rto > drills.max_rto:
        reasons.append(f"the fail-over would take {rto:.1f} s, more than {drills.max_rto:g} s")
    if drills.max_rpo is not None and rpo is None:
        reasons.append("nobody can tell what would be lost: a recovery point is not known")
    elif drills.max_rpo is not None and rpo is not None and rpo > drills.max_rpo:
        reasons.append(f"changes of {rpo:.1f} s would be lost, more than {drills.max_rpo:g} s")
    return reasons


async def _keep(
    request: SwitchRequest,
    drills: Drills,
    outcome: DrillOutcome,
    reasons: tuple[str, ...],
    began: float,
    **found: object,
) -> tuple[DrillRecord, EvidenceRef]:
    record = DrillRecord.model_validate(
        {
            "run": request.run,
            "outcome": outcome,
            "reasons": reasons,
            "max_rto_seconds": drills.max_rto,
            "max_rpo_seconds": drills.max_rpo,
            "due_within_seconds": drills.overdue_after,
            "seconds": round(time.monotonic() - began, 3),
            **found,
        }
    )
    _number, ref = await write_next(
        request.store, lambda number: drill_path(request.run.migration, number), record
    )
    return record, ref
