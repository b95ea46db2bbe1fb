"""A rehearsal: what a cutover and a rollback take, tried without moving anybody.

The side that nobody writes to is frozen, as a switch does first (it is a copy), changes are carried over,
both sides are compared as of one position, and every route is told to stay as it is. The other side is
not frozen.
"""

from __future__ import annotations

from heavylift.cutover.journal import Journal
from heavylift.cutover.ports import DatabasePort, Side
from heavylift.cutover.schedules.ports import look
from heavylift.cutover.switch import no_stream
from heavylift.cutover.world import Parts, observe, of_each
from heavylift.errors import HeavyliftError, IntegrityError, PermanentError
from heavylift.evidence.records import RunKey
from heavylift.evidence.switch_records import DatabaseProof, RehearsalRecord, TurnRecord


async def rehearse(
    parts: Parts,
    turn: TurnRecord,
    run: RunKey,
    journal: Journal,
    *,
    max_write_pause: float,
    freeze_within: float,
    goal: Side = Side.TARGET,
) -> RehearsalRecord:
    """Try everything that can be tried; raises nothing that the record can tell. Idempotent.

    :param turn: with the side as its goal that takes writes now.
    :param max_write_pause: seconds that writes may pause.
    :param goal: where the switch would lead. Back to the source before anything was switched there is no
        stream that carries: then the target is frozen and compared only, and requests stay at the source.
    """
    reason = ""
    pause = 0.0
    try:
        world = await observe(parts)
        at = Side(turn.goal)
        if not world.any_open(at) and parts.databases:
            raise _switched(run, at)
        await _routes(parts, turn, journal)
        await _schedules(parts, turn, journal)
        pause = await _databases(parts, turn, journal, freeze_within, at.other, carried=goal is not at)
        if pause > max_write_pause:
            reason = f"writes would have paused for {pause:.1f} s, more than {max_write_pause:g} s"
    except HeavyliftError as error:
        reason = str(error)
    return RehearsalRecord(
        run=run,
        passed=not reason,
        steps=tuple(journal.steps),
        proofs=tuple(journal.proofs[name] for name in sorted(journal.proofs)),
        expected_pause_seconds=round(pause, 3),
        write_pause_budget_seconds=max_write_pause,
        reason=reason,
        goal=goal.value,
    )


async def _routes(parts: Parts, turn: TurnRecord, journal: Journal) -> None:
    for name, port in (("requests", parts.requests), ("writers", parts.writers)):
        if port is not None:
            with journal.step("shift", f"{name} to where they are"):
                split = await port.read()
                await port.shift(split.target_percent, mirror_percent=split.mirror_percent, epoch=turn.epoch)


async def _schedules(parts: Parts, turn: TurnRecord, journal: Journal) -> None:
    """Tell each schedule to stay as it is: whether we may is known after that."""
    for schedule in parts.schedules:
        with journal.step("set", f"schedule {schedule.name} to what it is"):
            for side, seen in (await look(schedule)).items():
                await schedule.sides[side].set(enabled=seen.enabled, epoch=turn.epoch)


async def _databases(
    parts: Parts, turn: TurnRecord, journal: Journal, freeze_within: float, copy: Side, *, carried: bool
) -> float:
    """Return the seconds that writes would pause.

    :param copy: the side that nobody writes to.
    :param carried: whether a stream is to bring there what is new.
    """
    if not parts.databases:
        return 0.0
    if carried:
        await of_each(parts.databases, lambda each: _demand_stream(each, copy))
        with journal.step("catch up"):
            await of_each(parts.databases, lambda each: each.catch_up(copy))
    begun = journal.seconds
    with journal.step("freeze", f"the {copy}"):
        await of_each(
            parts.databases,
            lambda each: each.freeze(copy, epoch=turn.epoch, within_seconds=freeze_within),
        )
    if carried:
        with journal.step("carry over", "what has come since"):
            await of_each(parts.databases, lambda each: each.catch_up(copy))

    async def verify(database: DatabasePort) -> None:
        found = await database.verify(copy, frozen=False)
        journal.proofs[database.name] = DatabaseProof(
            database=database.name, rows=found.rows, equal=found.equal, statement=found.statement
        )
        if not found.equal:
            raise _differs(database.name, found.statement)

    with journal.step("verify", "as of one position"):
        await of_each(parts.databases, verify)
    return journal.seconds - begun


async def _demand_stream(database: DatabasePort, to: Side) -> None:
    if to is Side.SOURCE and not await database.flows(to):
        raise no_stream(database.name, to)


def _switched(run: RunKey, at: Side) -> PermanentError:
    return PermanentError(
        f"rehearsing a switch of {run.migration}",
        got=f"a {at} that takes no writes",
        expected=f"a workload that is on the {at}",
        state="nothing was touched",
        remedy="it was switched meanwhile; rehearse a cutover before it, the way back after it",
        code="8716",
    )


def _differs(name: str, statement: str) -> IntegrityError:
    return IntegrityError(
        f"rehearsing the cutover of database {name!r}",
        got=statement or "rows that differ",
        expected="the same rows on both sides at one position",
        state="the workload is as it was",
        remedy="heavylift tables verify names the rows; mend them, and rehearse again",
        code="8717",
    )
