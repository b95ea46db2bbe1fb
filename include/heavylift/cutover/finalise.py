"""The end of the soak: what kept the way back open is given back, and the source stays frozen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from heavylift.cutover.api import SwitchRequest, silent, take_turn
from heavylift.cutover.journal import Journal, Tell
from heavylift.cutover.ports import Side
from heavylift.cutover.world import World, observe, of_each
from heavylift.errors import PermanentError
from heavylift.evidence.numbered import write_next
from heavylift.evidence.records import EvidenceRef, utc_now
from heavylift.evidence.switch_evidence import latest_switch
from heavylift.evidence.switch_records import FinalRecord, switch_path
from heavylift.evidence.wording import duration


@dataclass(frozen=True)
class FinalTerms:
    """What must be so before the way back is closed.

    :param soak: for how long a rollback must have been possible.
    :param early: somebody wants it closed before that.
    """

    soak: timedelta
    early: bool = False


async def finalise(
    request: SwitchRequest, terms: FinalTerms, tell: Tell = silent
) -> tuple[FinalRecord, EvidenceRef]:
    """End the streams of both directions, and keep the record. After it there is no rollback. Idempotent.

    The source's databases stay frozen and as they are: nobody writes there by mistake; nothing is deleted.

    :raises PermanentError: the workload is not on the target, or the soak is not over.
    :raises ConflictError: a later turn has begun.
    """
    world = await observe(request.parts)
    _demand_target(request, world)
    switched_at = await _switched_at(request)
    _demand_soaked(request, switched_at, terms)
    turn = await take_turn(request, Side.TARGET)
    journal = Journal(tell, request.clock)
    for to in (Side.SOURCE, Side.TARGET):
        with journal.step("end", f"the stream to the {to}"):
            await of_each(request.parts.databases, lambda each, to=to: each.end(to))  # type: ignore[misc]
    record = FinalRecord(
        run=request.run,
        epoch=turn.epoch,
        switched_at=switched_at,
        soak_seconds=terms.soak.total_seconds(),
        early=terms.early and utc_now() - switched_at < terms.soak,
        world=(await observe(request.parts)).record(turn.epoch),
        steps=tuple(journal.steps),
    )
    _number, ref = await write_next(
        request.store, lambda number: switch_path(request.run, "final", number), record
    )
    return record, ref


async def _switched_at(request: SwitchRequest) -> datetime:
    # One that tried to go back and stayed here does not begin the soak anew.
    kept = await latest_switch(request.store, request.run.migration, arrived=True)
    if kept is None or kept.record.goal != Side.TARGET.value:
        raise _not_on_target(request, "no record of a switch to the target")
    return kept.record.ended_at


def _demand_target(request: SwitchRequest, world: World) -> None:
    if not world.settled_at(Side.TARGET):
        raise _not_on_target(request, "a workload that is not, or not all, on the target")


def _demand_soaked(request: SwitchRequest, switched_at: datetime, terms: FinalTerms) -> None:
    age = utc_now() - switched_at
    if age >= terms.soak or terms.early:
        return
    raise PermanentError(
        f"finalising the cutover of {request.run.migration}",
        got=f"a switch that is {duration(age)} old",
        expected=f"a soak of {duration(terms.soak)}, in which a rollback stays possible",
        state="nothing was changed",
        remedy="wait, or say that the way back may be closed early",
        code="8742",
    )


def _not_on_target(request: SwitchRequest, got: str) -> PermanentError:
    return PermanentError(
        f"finalising the cutover of {request.run.migration}",
        got=got,
        expected="writes and requests that are all on the target",
        state="nothing was changed",
        remedy="heavylift cutover status tells where everything is; finish the cutover first",
        code="8743",
    )
