"""What operators and commands call to switch: each act takes its turn, does its part and keeps its record."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from heavylift.cutover.journal import Journal, Tell
from heavylift.cutover.patience import patiently
from heavylift.cutover.ports import Side
from heavylift.cutover.rehearsal import rehearse
from heavylift.cutover.schedules.moving import Mover
from heavylift.cutover.switch import Switch, Terms, no_stream
from heavylift.cutover.turns import Turns
from heavylift.cutover.world import Parts, World, observe, of_each, percent_for, route_stand
from heavylift.errors import HeavyliftError, PermanentError, TransientError
from heavylift.evidence.numbered import write_next
from heavylift.evidence.records import EvidenceRef, RunKey, utc_now
from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.switch_records import (
    RehearsalRecord,
    ShiftRecord,
    SwitchRecord,
    TurnRecord,
    WorldRecord,
    switch_path,
    turn_path,
)


def silent(_line: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class SwitchRequest:
    """One migration's switch within one run.

    :param parts: what is switched.
    :param actor: who asked for it.
    :param max_write_pause: seconds.
    :param given_up: parts whose target is gone, and is left behind with a person's approval.
    :param clock: seconds, rising.
    """

    store: EvidenceStore
    run: RunKey
    parts: Parts
    actor: str
    max_write_pause: float
    freeze_within: float = 2.0
    given_up: tuple[str, ...] = ()
    clock: Callable[[], float] = time.monotonic

    @property
    def turns(self) -> Turns:
        """The migration's turns."""
        return Turns(self.store, self.run.migration)


class SwitchFailedError(Exception):
    """Carries the record of a switch that did not come to its goal, with the error that says why."""

    def __init__(self, error: HeavyliftError, record: SwitchRecord, ref: EvidenceRef) -> None:
        super().__init__(str(error))
        self.error, self.record, self.ref = error, record, ref


async def switch_writes(
    request: SwitchRequest, goal: Side, tell: Tell = silent, *, turn_for: Side | None = None
) -> tuple[SwitchRecord, EvidenceRef]:
    """Move all writes to ``goal``, and keep the record whether it came to it or not. Idempotent.

    :param turn_for: the side that the run is for, where it is another one: what was cut off goes back, and
        the run may still go on.
    :raises SwitchFailedError: it did not; the record tells where writes are now.
    :raises ConflictError: a later turn has begun (code 8701), or this run's turn is over (code 8703).
    """
    turn = await take_turn(request, turn_for or goal, fresh=True)
    began, journal = utc_now(), Journal(tell, request.clock)
    terms = Terms(turn.epoch, request.max_write_pause, request.freeze_within)
    world = await observe(request.parts)
    switch = Switch(request.parts, goal, terms, journal)
    failed: HeavyliftError | None = None
    try:
        await switch.run(world)
    except HeavyliftError as error:
        failed = error
    after = await _seen_after(request, turn.epoch, failed)
    record = SwitchRecord(
        run=request.run,
        epoch=turn.epoch,
        goal=goal.value,
        began_at=began,
        outcome=switch.outcome,
        write_pause_seconds=round(journal.paused_seconds, 4),
        write_pause_budget_seconds=request.max_write_pause,
        before=world.record(turn.epoch),
        after=after,
        steps=tuple(journal.steps),
        proofs=tuple(journal.proofs[name] for name in sorted(journal.proofs)),
        reason=str(failed) if failed else "",
        given_up=request.given_up,
        seconds=round(journal.seconds, 4),
    )
    _number, ref = await write_next(
        request.store, lambda number: switch_path(request.run, "switch", number), record
    )
    if failed is not None:
        raise SwitchFailedError(failed, record, ref) from failed
    return record, ref


async def take_turn(request: SwitchRequest, goal: Side, *, fresh: bool = False) -> TurnRecord:
    """Take the turn, or find that this run has it.

    :param fresh: with an epoch of its own in any case.
    :raises ConflictError: a later turn has begun.
    """
    seen = (await observe(request.parts)).epoch
    return await request.turns.take(request.run, goal, request.actor, seen=seen, fresh=fresh)


async def begin_turn(
    request: SwitchRequest, goal: Side, tell: Tell = silent
) -> tuple[TurnRecord, EvidenceRef]:
    """Take the turn, and freeze the target of every database that nobody has switched yet. Idempotent.

    :raises ConflictError: a later turn has begun.
    """
    turn = await take_turn(request, goal)
    world, journal = await observe(request.parts), Journal(tell, request.clock)
    copies = [each for each in request.parts.databases if world.databases[each.name].last_open is Side.SOURCE]
    if copies:
        with journal.step("freeze", "the target, a copy"):
            await of_each(
                copies,
                lambda each: each.freeze(Side.TARGET, epoch=turn.epoch, within_seconds=request.freeze_within),
            )
    return turn, await request.store.ref_of(turn_path(turn.migration, turn.number))


async def rehearse_switch(
    request: SwitchRequest, tell: Tell = silent, *, goal: Side = Side.TARGET, at: Side = Side.SOURCE
) -> tuple[RehearsalRecord, EvidenceRef]:
    """Rehearse, and keep the record whether it passed or not. See :mod:`heavylift.cutover.rehearsal`.

    :param goal: where the switch would lead; ``source``: the way back.
    :param at: the side that takes writes now, and goes on to.
    :raises ConflictError: a later turn has begun.
    """
    turn = await take_turn(request, at)
    record = await rehearse(
        request.parts,
        turn,
        request.run,
        Journal(tell, request.clock),
        max_write_pause=request.max_write_pause,
        freeze_within=request.freeze_within,
        goal=goal,
    )
    kind = "rehearsal" if goal is Side.TARGET else "rehearsal-back"
    _number, ref = await write_next(
        request.store, lambda number: switch_path(request.run, kind, number), record
    )
    return record, ref


async def side_of_writes(request: SwitchRequest) -> Side:
    """Return the side that the workload belongs to now: the target once any database was opened there.

    Without databases it is where all requests go, and the source while they are split; without these, too,
    where all schedules run.
    """
    world = await observe(request.parts)
    if not world.databases:
        if world.requests is None:
            runs = [sides[Side.TARGET].enabled for sides in world.schedules.values()]
            return Side.TARGET if runs and all(runs) else Side.SOURCE
        return Side.TARGET if world.requests.target_percent == 100 else Side.SOURCE
    at_target = any(stand.last_open is Side.TARGET for stand in world.databases.values())
    return Side.TARGET if at_target else Side.SOURCE


async def shift_requests(
    request: SwitchRequest, turn: TurnRecord, target_percent: int, *, mirror_percent: int = 0
) -> tuple[ShiftRecord, EvidenceRef]:
    """Send this share of the live requests to the target, and keep what was read back. Idempotent.

    :raises ConflictError: a later turn has begun (code 8701).
    :raises PermanentError: the spec names nothing that splits requests.
    """
    port = request.parts.requests
    if port is None:
        raise _no_route(request.run)
    await request.turns.demand(turn)
    clock = request.clock()
    before = await port.read()
    after = await port.shift(target_percent, mirror_percent=mirror_percent, epoch=turn.epoch)
    record = ShiftRecord(
        run=request.run,
        epoch=turn.epoch,
        before=route_stand("requests", before),
        after=route_stand("requests", after),
        seconds=round(request.clock() - clock, 4),
    )
    _number, ref = await write_next(
        request.store, lambda number: switch_path(request.run, "shift", number), record
    )
    return record, ref


async def bring_to(
    request: SwitchRequest, side: Side, tell: Tell = silent
) -> tuple[SwitchRecord, EvidenceRef]:
    """Bring everything to ``side``, requests and writes: what rollback does from any moment. Idempotent.

    Requests go first where they leave the target, and last where they come to it, so that they never meet a
    side whose data is behind.

    :raises PermanentError: no stream leads there (code 8706); nothing was moved.
    :raises SwitchFailedError: writes did not come there; the record tells where they are.
    """
    await _demand_ways(request, side)
    try:
        await _hold_schedules(request, side, tell)
        if side is Side.SOURCE:
            await _all_requests(request, side, tell)
        record, ref = await switch_writes(request, side, tell)
        if side is Side.TARGET:
            await _all_requests(request, side, tell)
    except SwitchFailedError as failed:
        if failed.record.outcome == "returned":
            await start_schedules(request, side, side.other, tell)
        raise
    await start_schedules(request, side, side, tell)
    return record, ref


async def _hold_schedules(request: SwitchRequest, goal: Side, tell: Tell) -> None:
    """Hold what starts runs on the side that is left; what can't be held keeps everything where it is."""
    if not request.parts.schedules:
        return
    turn = await take_turn(request, goal)
    mover = Mover(request.store, request.run, turn.epoch, tell)
    try:
        await mover.hold(request.parts.schedules, goal)
    except TransientError:
        # Nothing else has moved: those that are held already go on where they ran.
        await mover.start(request.parts.schedules, await side_of_writes(request))
        raise


async def start_schedules(request: SwitchRequest, goal: Side, side: Side, tell: Tell) -> None:
    """Let what a switch to ``goal`` holds run on ``side``."""
    if request.parts.schedules:
        turn = await take_turn(request, goal)
        mover = Mover(request.store, request.run, turn.epoch, tell)
        await mover.start(request.parts.schedules, side)


async def _demand_ways(request: SwitchRequest, side: Side) -> None:
    """Refuse before anything moves where writes could not follow.

    :raises PermanentError: a database was written to on the other side, and no stream leads here.
    """
    world = await observe(request.parts)
    for database in request.parts.databases:
        written = world.databases[database.name].last_open is not side
        if written and not await database.flows(side):
            raise no_stream(database.name, side)


async def _all_requests(request: SwitchRequest, side: Side, tell: Tell) -> None:
    turn = await take_turn(request, side)
    if request.parts.requests is not None:
        record, _ref = await shift_requests(request, turn, percent_for(side))
        tell(f"requests: {record.after.target_percent} % to the target, in {record.seconds:.2f} s")


async def _seen_after(request: SwitchRequest, epoch: int, failed: HeavyliftError | None) -> WorldRecord:
    """Return the world as it is now; empty where it can't be asked, because of what has just failed."""

    async def look() -> World:
        return await observe(request.parts)

    try:
        # What was done is worth waiting for a server that starts again; what failed is told at once.
        world = await (patiently(look) if failed is None else look())
    except HeavyliftError:
        if failed is None:
            raise
        return WorldRecord(epoch=epoch)
    return world.record(epoch)


def _no_route(run: RunKey) -> PermanentError:
    return PermanentError(
        f"shifting requests of {run.migration}",
        got="a spec without cutover.traffic",
        expected="something that splits requests between the sides",
        state="nothing was touched",
        remedy="name it in the spec's section cutover",
        code="8708",
    )
