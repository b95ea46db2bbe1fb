"""What a switch needs of a schedule: whether it runs, what it ran last, and to hold it and let it run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

from heavylift.fencing import Side


@dataclass(frozen=True)
class Seen:
    """How one side of a schedule stands now, as its scheduler tells it.

    :param enabled: it starts runs.
    :param epoch: of the switch that set it last; 0 where none did.
    :param last_run: when its last run was due or began; None where the scheduler does not tell.
    :param running: how many of its runs are under way; None where the scheduler does not tell.
    """

    enabled: bool
    epoch: int = 0
    last_run: datetime | None = None
    running: int | None = None


class SchedulePort(Protocol):
    """One side of one schedule."""

    @property
    def name(self) -> str:
        """The scheduler and the thing, for messages."""
        ...

    async def read(self) -> Seen:
        """Tell how it stands; changes nothing.

        :raises NotFoundError: there is no such thing.
        :raises TransientError: it can't be asked now.
        """
        ...

    async def set(self, *, enabled: bool, epoch: int) -> Seen:
        """Let it run or hold it, and return what was read back. Idempotent; runs under way go on.

        :raises ConflictError: it has seen a higher epoch (code 8701).
        :raises TransientError: it can't be asked now.
        """
        ...

    async def run_once(self, due: datetime) -> bool:
        """Start the run that was due then; true also where it was started already. Idempotent by ``due``.

        :return: false where this scheduler has no way to start one run.
        """
        ...

    async def close(self) -> None:
        """Close what is open."""
        ...


@dataclass(frozen=True)
class Schedule:
    """A schedule with its two sides.

    :param cron: when it is due, five fields, in ``zone``.
    :param missed: what becomes of runs that were due while it was held on both sides: ``run`` one for all of
        them, or only ``tell`` of them.
    """

    name: str
    sides: Mapping[Side, SchedulePort]
    cron: str
    zone: ZoneInfo
    missed: Literal["run", "tell"] = "run"


async def look(schedule: Schedule) -> dict[Side, Seen]:
    """Read both sides.

    :raises TransientError: one can't be asked now.
    """
    source, target = await asyncio.gather(*(schedule.sides[side].read() for side in Side))
    return {Side.SOURCE: source, Side.TARGET: target}
