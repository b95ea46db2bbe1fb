"""Holding schedules before a switch, and letting them run after it, on one side and never on both.

Which side runs is read from the schedulers. Only the moments come from the evidence: when a hold began is
written down before it begins, so that what was due since is known whoever goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from heavylift.cutover.journal import Tell
from heavylift.cutover.schedules.due import due_between
from heavylift.cutover.schedules.ports import Schedule, Seen, look
from heavylift.evidence.numbered import latest_number, write_next
from heavylift.evidence.records import RunKey, utc_now
from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.switch_records import ScheduleRecord, schedule_path
from heavylift.fencing import Side

GUARD = timedelta(seconds=3)
"""So close to a moment at which it is due no schedule is touched: nobody could tell whether it still ran."""


@dataclass(frozen=True)
class Mover:
    """Holds schedules and lets them run, in one turn.

    :param epoch: of the turn.
    :param now: the time; a test's own where it must not wait.
    """

    store: EvidenceStore
    run: RunKey
    epoch: int
    tell: Tell
    now: Callable[[], datetime] = utc_now
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def hold(self, schedules: Sequence[Schedule], goal: Side) -> None:
        """Hold every schedule that does not run at ``goal`` alone already. Idempotent.

        :raises ConflictError: a later turn has begun (code 8701).
        :raises TransientError: a scheduler can't be asked; those before it are held.
        """
        for schedule in schedules:
            seen = await look(schedule)
            if not seen[goal.other].enabled:
                continue
            for side in (goal.other, goal):
                if seen[side].enabled:
                    await self._hold(schedule, side)

    async def start(self, schedules: Sequence[Schedule], side: Side) -> None:
        """Let schedules that a switch holds run on ``side``; tell and make up what was due. Idempotent.

        :raises ConflictError: a later turn has begun (code 8701).
        :raises TransientError: a scheduler can't be asked; the schedules after it are held still.
        """
        for schedule in schedules:
            await self._start(schedule, side)

    async def _hold(self, schedule: Schedule, side: Side) -> None:
        last = await self._last(schedule)
        if last is not None and last.act == "starting" and last.side == side.value:
            # It runs, and only the end of its start was not written down: what it missed comes first.
            await self._make_up(schedule, side, last)
        await self._away_from_due(schedule)
        await self._note(schedule, "holding", side)
        after = await schedule.sides[side].set(enabled=False, epoch=self.epoch)
        running = f", {after.running} runs under way go on" if after.running else ""
        self.tell(f"schedule {schedule.name}: held on the {side}{running}")

    async def _start(self, schedule: Schedule, side: Side) -> None:
        seen = await look(schedule)
        if seen[side.other].enabled:
            # It was not held, or somebody let it run meanwhile: what it ran it ran.
            await self._hold(schedule, side.other)
            seen = await look(schedule)
        last = await self._last(schedule)
        if last is None or last.act == "started":
            if not seen[side].enabled:
                self.tell(f"schedule {schedule.name}: was held by somebody before, and stays so")
            return
        if not (last.act == "starting" and last.side == side.value and seen[side].enabled):
            last = await self._begin(schedule, side, last, seen)
            await schedule.sides[side].set(enabled=True, epoch=self.epoch)
        await self._make_up(schedule, side, last)

    async def _begin(
        self, schedule: Schedule, side: Side, last: ScheduleRecord, seen: dict[Side, Seen]
    ) -> ScheduleRecord:
        """Write down that ``side`` is let run from now on, and what was due since the hold began."""
        await self._away_from_due(schedule)
        held_at = last.held_at or last.at
        # Where it runs still, the hold never came to be.
        due = [] if seen[side].enabled else due_between(schedule.cron, schedule.zone, held_at, self.now())
        ran = max((each.last_run for each in seen.values() if each.last_run), default=None)
        missed = tuple(moment for moment in due if ran is None or moment > ran)
        return await self._note(schedule, "starting", side, held_at=held_at, missed=missed)

    async def _make_up(self, schedule: Schedule, side: Side, began: ScheduleRecord) -> None:
        """Start one run in place of those that were missed, where the spec wants that, and write it down."""
        made_up, told = None, ""
        if began.missed and schedule.missed == "run":
            started = await schedule.sides[side].run_once(began.missed[-1])
            made_up = began.missed[-1] if started else None
            told = "" if started else "this scheduler has no way to start one run: somebody has to"
        more = {"held_at": began.held_at, "missed": began.missed, "ran": made_up, "told": told}
        await self._note(schedule, "started", side, **more)
        self.tell(f"schedule {schedule.name}: runs on the {side}{_told(began.missed, made_up, told)}")

    async def _away_from_due(self, schedule: Schedule) -> None:
        """Wait out a moment at which it is due."""
        now = self.now()
        near = due_between(schedule.cron, schedule.zone, now - GUARD, now + GUARD)
        if near:
            await self.sleep((near[-1] + GUARD - now).total_seconds())

    async def _last(self, schedule: Schedule) -> ScheduleRecord | None:
        number = await latest_number(self.store, self._path(schedule))
        if not number:
            return None
        return await self.store.read_record(self._path(schedule)(number), ScheduleRecord)

    async def _note(self, schedule: Schedule, act: str, side: Side, **more: object) -> ScheduleRecord:
        record = ScheduleRecord.model_validate(
            {
                "run": self.run,
                "epoch": self.epoch,
                "schedule": schedule.name,
                "act": act,
                "side": side.value,
                "at": self.now(),
                **more,
            }
        )
        await write_next(self.store, self._path(schedule), record)
        return record

    def _path(self, schedule: Schedule) -> Callable[[int], str]:
        return lambda number: schedule_path(self.run.migration, schedule.name, number)


def _told(missed: tuple[datetime, ...], made_up: datetime | None, told: str) -> str:
    if not missed:
        return ", none of its runs was missed"
    first = f"{missed[0]:%Y-%m-%d %H:%M}"
    named = f", {len(missed)} of its runs fell in the switch, the first at {first} UTC"
    done = "one was started in their place" if made_up else told or "the spec wants them only told"
    return f"{named}: {done}"
