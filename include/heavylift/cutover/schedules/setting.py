"""What every scheduler's adapter does alike: refuse a lower epoch, change, and look that it is so."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from heavylift.connections import Connection
from heavylift.cutover.schedules.ports import Seen
from heavylift.cutover.traffic.faults import refuse_lower_epoch
from heavylift.errors import (
    ConnectionConfigError,
    HeavyliftError,
    NotFoundError,
    PreconditionError,
    ServerUnavailableError,
)

_TRIES = 5
_PAUSE = 0.2


@dataclass(frozen=True)
class Looked:
    """What a look found.

    :param found: what a change is made from, version and all.
    """

    seen: Seen
    found: Any = None


class SetSchedule(ABC):
    """One side of a schedule.

    :param name: the scheduler and the thing, for messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        """The scheduler and the thing, for messages."""
        return self._name

    @abstractmethod
    async def look(self) -> Looked:
        """Return how it stands; changes nothing."""

    @abstractmethod
    async def change(self, seen: Looked, *, enabled: bool, epoch: int) -> None:
        """Write the epoch, and let it run or hold it.

        :raises PreconditionError: it is not any more what was seen.
        """

    async def run_once(self, due: datetime) -> bool:
        """Tell that no single run can be started."""
        del due
        return False

    async def close(self) -> None:  # noqa: B027 - most have something to close, some have nothing
        """Close what is open."""

    async def read(self) -> Seen:
        """Tell how it stands; changes nothing."""
        return (await self.look()).seen

    async def set(self, *, enabled: bool, epoch: int) -> Seen:
        """Let it run or hold it, and return what was read back. Idempotent.

        :raises ConflictError: it has seen a higher epoch (8701).
        :raises TransientError: it did not come to be so.
        """
        what = f"{'starting' if enabled else 'holding'} {self.name}"
        for _ in range(_TRIES):
            looked = await self.look()
            refuse_lower_epoch(what, epoch, looked.seen.epoch, self.name)
            if (looked.seen.enabled, looked.seen.epoch) == (enabled, epoch):
                return looked.seen
            try:
                await self.change(looked, enabled=enabled, epoch=epoch)
            except PreconditionError:
                # Somebody else's change, or our own whose answer was lost: the next look tells which.
                await asyncio.sleep(_PAUSE)
        raise ServerUnavailableError(
            what,
            got=f"a schedule that is {'held' if enabled else 'let run'} still after {_TRIES} tries",
            expected="what was asked for",
            state="unknown: look at it",
            remedy="see who else changes this schedule, then run the same again",
            code="9636",
        )


def wrong_schedule_connection(connection: Connection, got: str, expected: str) -> HeavyliftError:
    """Return the error of a connection that opens no such scheduler."""
    return ConnectionConfigError(
        f"using connection {connection.conn_id!r} for a schedule",
        got=got,
        expected=expected,
        state="nothing was touched",
        remedy=f"complete connection {connection.conn_id!r}, or correct cutover.schedules",
        code="9637",
    )


def no_such_schedule(name: str, got: str, expected: str) -> HeavyliftError:
    """Return the error of a schedule that is not there, or is of another form."""
    return NotFoundError(
        f"looking at {name}",
        got=got,
        expected=expected,
        state="nothing was changed",
        remedy="correct its id in cutover.schedules, or make it first: held, on the target",
        code="9638",
    )


def run_name(due: datetime) -> str:
    """Return a name for the run that was due then: the same one each time, so that it is started once."""
    return f"heavylift-{due.astimezone(UTC):%Y%m%dt%H%M%Sz}"


def moment(text: object) -> datetime | None:
    """Return a moment that an API tells, in UTC; None where it tells none."""
    if isinstance(text, datetime):
        return text.astimezone(UTC)
    if not text:
        return None
    return datetime.fromisoformat(str(text).replace("Z", "+00:00")).astimezone(UTC)


def epoch_in(text: object) -> int:
    """Return the epoch that a mark holds; 0 where it holds none."""
    told = str(text or "")
    return int(told) if told.isdecimal() else 0
