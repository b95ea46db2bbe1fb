"""A fail-over drill: the rehearsal, with what it would have taken and lost, kept as one record.

Nobody is moved. What a cutover or rollback has in hand is left alone: a drill that would get in the way is
put off. After the switch the way back is drilled alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from heavylift.cutover.api import SwitchRequest, rehearse_switch, silent
from heavylift.cutover.ports import DatabasePort, Side
from heavylift.cutover.world import observe, of_each
from heavylift.errors import ConflictError, HeavyliftError, SpecError
from heavylift.evidence.drill_records import DrillOutcome, DrillRecord, RecoveryPoint, WayBack, drill_path
from heavylift.evidence.numbered import write_next
from heavylift.evidence.records import utc_now
from heavylift.evidence.switch_evidence import latest_final, latest_switch, read_switch
from heavylift.evidence.watermarks import read_watermarks
from heavylift.switching.parts import cutover_of

if TYPE_CHECKING:
    from heavylift.cutover.world import World
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.switch_records import RehearsalRecord
    from heavylift.spec.model import MigrationSpec
    from heavylift.spec.sections_platform import Drills

Kept: TypeAlias = "tuple[DrillRecord, EvidenceRef]"
SWITCH_TAKES_AT_MOST = timedelta(days=1)
"""So long a turn that has left no record may still be a switch that is under way."""


async def run_drill(
    request: SwitchRequest, spec: MigrationSpec, tell: Callable[[str], None] = silent
) -> tuple[DrillRecord, EvidenceRef]:
    """Drill the fail-over and the way back, and keep the record whatever came of it.

    How old the target's copy is (RPO) is asked before anything is carried over; then the cutover is
    rehearsed, which tells how long it would take (RTO), and then the way back. Once writes are on the target
    the way back alone is drilled, by the stream that carries it. The side that nobody writes to is frozen,
    the other one is not. Each call drills anew.

    :raises SpecError: the spec names no drills.
    """
    drill = _Drill(request, spec, drills_of(spec), tell)
    try:
        in_the_way, at = await _stand(request)
        if in_the_way:
            return await drill.keep("put off", (in_the_way,))
        return await (drill.over_and_back() if at is Side.SOURCE else drill.back())
    except ConflictError as error:
        # Somebody's turn has begun since: theirs counts.
        return await drill.keep("put off", (error.got,))
    except HeavyliftError as error:
        return await drill.keep("failed", (str(error),))


class _Drill:
    """One drill, from its beginning to its record."""

    def __init__(
        self, request: SwitchRequest, spec: MigrationSpec, drills: Drills, tell: Callable[[str], None]
    ) -> None:
        self.request, self.spec, self.drills, self.tell = request, spec, drills, tell
        self.began = time.monotonic()

    async def over_and_back(self) -> Kept:
        """Drill what would be done if the source were lost, and what if one had to go back after it."""
        points = await _recovery_points(self.request, self.spec)
        rehearsal, ref = await rehearse_switch(self.request, self.tell)
        rto, rpo = rehearsal.seconds, _oldest(points)
        reasons = _reasons(rehearsal, self.drills, rto, rpo)
        back = None
        if rehearsal.passed:
            back, more = await self._way_back(Side.SOURCE)
            reasons += more
        return await self.keep(
            "failed" if reasons else "passed",
            tuple(reasons),
            rto_seconds=round(rto, 3),
            rpo_seconds=rpo,
            write_pause_seconds=rehearsal.expected_pause_seconds,
            points=points,
            unmeasured=tuple(f"stream {stream.name}" for stream in self.spec.streams),
            rehearsal=ref,
            back=back,
        )

    async def back(self) -> Kept:
        """Drill the way back alone: the workload is on the target."""
        back, reasons = await self._way_back(Side.TARGET)
        left = (*(f"dataset {each.name}" for each in self.spec.datasets),
                *(f"stream {each.name}" for each in self.spec.streams))  # fmt: skip
        outcome: DrillOutcome = "failed" if reasons else "passed"
        return await self.keep(outcome, tuple(reasons), way="back", unmeasured=left, back=back)

    async def _way_back(self, at: Side) -> tuple[WayBack, list[str]]:
        """Rehearse the way back from ``at``; return what it took, and what is wrong with it."""
        carried = at is Side.TARGET and bool(self.request.parts.databases)
        points = await _lags(self.request, Side.SOURCE) if carried else ()
        rehearsal, ref = await rehearse_switch(self.request, self.tell, goal=Side.SOURCE, at=at)
        rto, rpo = rehearsal.seconds, _oldest(points)
        longest, oldest = self.drills.back_bounds
        reasons = [] if rehearsal.passed else [f"back: {rehearsal.reason or 'the rehearsal did not pass'}"]
        if longest is not None and rto > longest:
            reasons.append(f"the way back would take {rto:.1f} s, more than {longest:g} s")
        if carried and oldest is not None and rpo is None:
            reasons.append("nobody can tell what going back would lose: a lag is not known")
        elif oldest is not None and rpo is not None and rpo > oldest:
            reasons.append(f"going back would lose changes of {rpo:.1f} s, more than {oldest:g} s")
        back = WayBack(
            carried=carried,
            rto_seconds=round(rto, 3),
            rpo_seconds=rpo,
            max_rto_seconds=longest,
            max_rpo_seconds=oldest,
            write_pause_seconds=rehearsal.expected_pause_seconds,
            points=points,
            rehearsal=ref,
        )
        return back, reasons

    async def keep(self, outcome: DrillOutcome, reasons: tuple[str, ...], **found: object) -> Kept:
        """Write the record under the migration's next number."""
        record = DrillRecord.model_validate(
            {
                "run": self.request.run,
                "outcome": outcome,
                "reasons": reasons,
                "max_rto_seconds": self.drills.max_rto,
                "max_rpo_seconds": self.drills.max_rpo,
                "due_within_seconds": self.drills.overdue_after,
                "seconds": round(time.monotonic() - self.began, 3),
                **found,
            }
        )
        migration = self.request.run.migration
        _number, ref = await write_next(
            self.request.store, lambda number: drill_path(migration, number), record
        )
        return record, ref


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


async def _stand(request: SwitchRequest) -> tuple[str, Side]:
    """Return why nothing may be tried now, empty where nothing is in the way, and where the workload is."""
    world = await observe(request.parts)
    at = Side.TARGET if _has_moved(world) else Side.SOURCE
    between = _between(world, at)
    if between:
        return between, at
    if at is Side.TARGET and await _closed(request):
        return "the way back is closed: the cutover was finalised", at
    turn = await request.turns.latest()
    if turn is None or turn.run == request.run or utc_now() - turn.taken_at > SWITCH_TAKES_AT_MOST:
        return "", at
    found = await read_switch(request.store, turn.run)
    if not (found.switch or found.rehearsal or found.back):
        told = f"run {turn.run.run} of {turn.run.phase} has the turn since {turn.taken_at:%Y-%m-%d %H:%M} UTC"
        return told, at
    return "", at


def _has_moved(world: World) -> bool:
    """Tell whether the workload belongs to the target now."""
    if world.databases:
        return any(stand.last_open is Side.TARGET for stand in world.databases.values())
    return world.requests is not None and world.requests.target_percent == 100


def _between(world: World, at: Side) -> str:
    """Return what is not on one side alone: a switch is under way."""
    if at is Side.TARGET and not world.settled_at(Side.TARGET):
        return "writes are on the target, and not everything else is"
    split = world.requests
    if split is None or (at is Side.TARGET and not split.mirror_percent):
        return ""
    if split.target_percent or split.mirror_percent:
        return f"{split.target_percent} % of requests go to the target, {split.mirror_percent} % are mirrored"
    return ""


async def _closed(request: SwitchRequest) -> bool:
    """Tell whether the streams of both directions were ended since the last switch."""
    migration = request.run.migration
    final = await latest_final(request.store, migration)
    switch = await latest_switch(request.store, migration, arrived=True)
    if final is None:
        return False
    return switch is None or final.record.finalised_at > switch.record.ended_at


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

    return (*points, *await _lags(request, Side.TARGET))


async def _lags(request: SwitchRequest, to: Side) -> tuple[RecoveryPoint, ...]:
    async def look(database: DatabasePort) -> RecoveryPoint:
        lag = await database.lag(to)
        detail = "by the stream of changes" if lag is not None else "nobody can tell"
        return RecoveryPoint(kind="database", subject=database.name, seconds=lag, detail=detail)

    return tuple(await of_each(request.parts.databases, look))


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
