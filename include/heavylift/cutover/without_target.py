"""Bringing a workload back to the source while the target is gone for good.

Nobody can prove that the source has everything then: what is not carried back is lost. So it is counted and
named first, a person approves exactly that, and only what does not answer is left behind: whatever of the
target still answers is frozen, drained and compared as ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from heavylift.cutover.api import SwitchRequest, bring_to, silent
from heavylift.cutover.journal import Tell
from heavylift.cutover.patience import patiently
from heavylift.cutover.ports import DatabasePort, Drained, Side, Verified, Writes, WriteState
from heavylift.cutover.schedules.ports import Schedule, SchedulePort, Seen
from heavylift.cutover.world import Parts
from heavylift.errors import ConflictError, CredentialError, PermanentError, TransientError
from heavylift.evidence.loss_records import LossRecord
from heavylift.evidence.losses import losses_of
from heavylift.evidence.numbered import write_next
from heavylift.evidence.records import EvidenceRef
from heavylift.evidence.switch_records import SwitchRecord, switch_path

T = TypeVar("T")


@dataclass(frozen=True)
class LeftBehind:
    """A database whose target is gone: its source is what is left of it.

    The target counts as frozen and as never opened, so that nothing waits for it and nothing asks it.
    """

    of: DatabasePort

    @property
    def name(self) -> str:
        """The database's name in the spec."""
        return self.of.name

    async def writes(self, side: Side) -> WriteState:
        """Tell whether ``side`` takes writes; of the target nobody can tell."""
        return WriteState(Writes.FROZEN) if side is Side.TARGET else await self.of.writes(side)

    async def freeze(self, side: Side, *, epoch: int, within_seconds: float) -> None:
        """Refuse writes to the source; the target can't be told."""
        if side is Side.SOURCE:
            await self.of.freeze(side, epoch=epoch, within_seconds=within_seconds)

    async def unfreeze(self, side: Side, *, epoch: int, other_is_shut: bool = False) -> None:
        """Take writes on the source, without asking the target."""
        del other_is_shut
        if side is Side.SOURCE:
            await self.of.unfreeze(side, epoch=epoch, other_is_shut=True)

    async def flows(self, to: Side) -> bool:
        """Nothing flows to or from what is gone."""
        del to
        return False

    async def catch_up(self, to: Side) -> None:
        """Nothing can be carried."""

    async def drain(self, to: Side, *, within_seconds: float) -> Drained:
        """Nothing can be drained."""
        del to, within_seconds
        return Drained(False, in_the_way="the target is gone")

    async def verify(self, to: Side, *, frozen: bool = True) -> Verified:
        """Nothing can be compared."""
        del to, frozen
        return Verified(False, statement="the target is gone")

    async def lag(self, to: Side) -> float | None:
        """Nobody can tell."""
        del to
        return None

    async def end(self, to: Side) -> None:
        """End nothing: what the target holds is gone with it."""

    async def prepare_way_back(self, to: Side) -> None:
        """Make nothing."""


@dataclass
class GoneScheduler:
    """A target's scheduler that does not answer, and can't be told anything.

    It counts as running until it is to be held, so that the source is let run in its place.
    """

    of: SchedulePort
    enabled: bool = True

    @property
    def name(self) -> str:
        """The scheduler and the thing."""
        return self.of.name

    async def read(self) -> Seen:
        """Tell what it counts as."""
        return Seen(self.enabled)

    async def set(self, *, enabled: bool, epoch: int) -> Seen:
        """Note what it was to become."""
        del epoch
        self.enabled = enabled
        return Seen(enabled)

    async def run_once(self, due: datetime) -> bool:
        """Start nothing."""
        del due
        return False

    async def close(self) -> None:
        """Close it."""
        await self.of.close()


async def count_losses(request: SwitchRequest) -> tuple[LossRecord, EvidenceRef]:
    """Look what of the target is gone, and keep what a rollback without it would lose; changes nothing else.

    :raises PermanentError: everything answers (code 9650): nothing needs to be lost.
    """
    _parts, record = await _look(request)
    _number, ref = await write_next(
        request.store, lambda number: switch_path(request.run, "losses", number), record
    )
    return record, ref


async def bring_back_without_target(
    request: SwitchRequest, approved: str, tell: Tell = silent
) -> tuple[SwitchRecord, EvidenceRef, LossRecord]:
    """Bring everything to the source, and leave behind what of the target is gone. Idempotent.

    :param approved: the digest of the losses that a person has approved.
    :raises PermanentError: everything answers (code 9650).
    :raises ConflictError: what is lost is not what was approved (code 9651); nothing was moved.
    :raises SwitchFailedError: writes did not come to the source.
    """
    parts, record = await _look(request)
    if record.digest != approved.strip():
        raise _other_losses(request, record, approved)
    await write_next(request.store, lambda number: switch_path(request.run, "losses", number), record)
    for each in record.losses:
        tell(f"given up: {each.subject}: {each.detail}")
    asked = replace(request, parts=parts, given_up=record.gone)
    switched, ref = await bring_to(asked, Side.SOURCE, tell)
    return switched, ref, record


async def _look(request: SwitchRequest) -> tuple[Parts, LossRecord]:
    parts = request.parts
    lost = await _gone(parts.databases, lambda each: each.writes(Side.TARGET))
    idle = await _gone(parts.schedules, lambda each: each.sides[Side.TARGET].read())
    if not lost and not idle:
        raise _nothing_gone(request)
    databases = [LeftBehind(each) if each.name in lost else each for each in parts.databases]
    schedules = [_without_target(each) if each.name in idle else each for each in parts.schedules]
    losses = await losses_of(request.store, request.run.migration, lost)
    gone = (*lost, *(f"schedule {name}" for name in idle))
    record = LossRecord(run=request.run, gone=gone, losses=losses)
    return replace(parts, databases=databases, schedules=schedules), record


def _without_target(schedule: Schedule) -> Schedule:
    sides = {**schedule.sides, Side.TARGET: GoneScheduler(schedule.sides[Side.TARGET])}
    return replace(schedule, sides=sides)


NamedT = TypeVar("NamedT", DatabasePort, Schedule)


async def _gone(things: Sequence[NamedT], ask: Callable[[NamedT], Awaitable[object]]) -> list[str]:
    """Return the names of those that do not answer, after having been asked for a while."""

    async def answers(each: NamedT) -> bool:
        try:
            await patiently(lambda: ask(each))
        except (TransientError, CredentialError):
            # An account that was closed refuses; a person sees by name what does not answer.
            return False
        return True

    found = await asyncio.gather(*(answers(each) for each in things))
    return [each.name for each, there in zip(things, found, strict=True) if not there]


def _nothing_gone(request: SwitchRequest) -> PermanentError:
    return PermanentError(
        f"bringing {request.run.migration} back without its target",
        got="a target that answers",
        expected="one that is gone",
        state="nothing was touched",
        remedy="roll back as usual: nothing is lost then",
        code="9650",
    )


def _other_losses(request: SwitchRequest, record: LossRecord, approved: str) -> ConflictError:
    named = "; ".join(f"{each.subject}: {each.detail}" for each in record.losses) or "nothing"
    return ConflictError(
        f"bringing {request.run.migration} back without its target",
        got=f"an approval of {approved.strip()[:64]!r}, while what is lost has the digest {record.digest}",
        expected="an approval of exactly what is lost",
        state=f"nothing was touched. Lost would be: {named}",
        remedy="read what is lost, and give this digest if that is accepted",
        retry_safe=False,
        code="9651",
    )
