"""What a switch sees: every database's two sides and both routes, read from themselves at one moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from heavylift.cutover.ports import DatabasePort, Side, Split, TrafficPort, Writes, WriteState
from heavylift.cutover.schedules.ports import Schedule, Seen, look
from heavylift.evidence.switch_records import (
    DatabaseStand,
    RouteName,
    RouteStand,
    ScheduleStand,
    WorldRecord,
)

ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Parts:
    """Everything that is switched.

    :param requests: what splits live requests; None where the spec names nothing.
    :param writers: what leads writers to a database; None where people repoint them.
    :param schedules: what starts runs of the workload on one of its sides.
    """

    databases: Sequence[DatabasePort] = ()
    requests: TrafficPort | None = None
    writers: TrafficPort | None = None
    schedules: Sequence[Schedule] = ()


@dataclass(frozen=True)
class Stand:
    """How one database stands."""

    source: WriteState
    target: WriteState

    def of(self, side: Side) -> WriteState:
        """Return one side's state."""
        return self.source if side is Side.SOURCE else self.target

    def is_open(self, side: Side) -> bool:
        """Tell whether a side takes writes, if only to some of its tables."""
        state = self.of(side)
        return state.writes is Writes.OPEN or bool(state.partly)

    def is_at(self, side: Side) -> bool:
        """Tell whether a side, and no other, takes writes."""
        return self.of(side).writes is Writes.OPEN and not self.is_open(side.other)

    @property
    def last_open(self) -> Side:
        """The side that was written to last, and so has everything."""
        return Side.TARGET if (self.target.opened or 0) > (self.source.opened or 0) else Side.SOURCE

    @property
    def between(self) -> bool:
        """Whether nobody can write."""
        return not (self.is_open(Side.SOURCE) or self.is_open(Side.TARGET))

    @property
    def torn(self) -> bool:
        """Whether both sides take writes."""
        return self.is_open(Side.SOURCE) and self.is_open(Side.TARGET)


@dataclass(frozen=True)
class World:
    """All of it at one moment."""

    databases: dict[str, Stand] = field(default_factory=dict)
    requests: Split | None = None
    writers: Split | None = None
    schedules: dict[str, dict[Side, Seen]] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """The highest epoch that anything has seen."""
        splits = [split.epoch for split in (self.requests, self.writers) if split is not None]
        stands = [stand.of(side).epoch for stand in self.databases.values() for side in Side]
        seen = [each.epoch for sides in self.schedules.values() for each in sides.values()]
        return max([0, *splits, *stands, *seen])

    def all_at(self, side: Side) -> bool:
        """Tell whether every database is written to on ``side`` and nowhere else."""
        return all(stand.is_at(side) for stand in self.databases.values())

    def any_open(self, side: Side) -> bool:
        """Tell whether any database takes writes on ``side``."""
        return any(stand.is_open(side) for stand in self.databases.values())

    def settled_at(self, side: Side) -> bool:
        """Tell whether writes and requests are all on ``side``, and no schedule runs on the other."""
        wanted = percent_for(side)
        routes = [split for split in (self.requests, self.writers) if split is not None]
        held = not any(sides[side.other].enabled for sides in self.schedules.values())
        return self.all_at(side) and held and all(split.target_percent == wanted for split in routes)

    def record(self, epoch: int = 0) -> WorldRecord:
        """Return this as evidence."""
        seen: tuple[tuple[RouteName, Split | None], ...] = (
            ("requests", self.requests),
            ("writers", self.writers),
        )
        routes = [route_stand(name, split) for name, split in seen if split is not None]
        stands = tuple(_stand_record(name, stand) for name, stand in sorted(self.databases.items()))
        schedules = tuple(_schedule_record(*each) for each in sorted(self.schedules.items()))
        return WorldRecord(epoch=epoch, databases=stands, routes=tuple(routes), schedules=schedules)


async def observe(parts: Parts) -> World:
    """Read everything; changes nothing.

    :raises TransientError: something can't be asked now.
    """
    stands, requests, writers, schedules = await asyncio.gather(
        stands_of(parts.databases), _read(parts.requests), _read(parts.writers), _schedules(parts.schedules)
    )
    return World(stands, requests, writers, schedules)


async def stands_of(databases: Sequence[DatabasePort]) -> dict[str, Stand]:
    """Read how databases stand, by name."""
    stands = await of_each(databases, _stand)
    return dict(zip((each.name for each in databases), stands, strict=True))


async def of_each(
    databases: Sequence[DatabasePort], act: Callable[[DatabasePort], Coroutine[Any, Any, ResultT]]
) -> list[ResultT]:
    """Do ``act`` with all databases at once; an error is raised when all of them have come to an end."""
    ended = await asyncio.gather(*(act(database) for database in databases), return_exceptions=True)
    for each in ended:
        if isinstance(each, BaseException):
            raise each
    return [each for each in ended if not isinstance(each, BaseException)]


async def together(*acts: Coroutine[Any, Any, None]) -> None:
    """Do all of this at once; an error is raised when everything has come to an end."""
    ended = await asyncio.gather(*acts, return_exceptions=True)
    for each in ended:
        if isinstance(each, BaseException):
            raise each


def percent_for(side: Side) -> int:
    """Return the target's share where everything goes to ``side``."""
    return 100 if side is Side.TARGET else 0


def route_stand(route: RouteName, split: Split) -> RouteStand:
    """Return a route's split as evidence."""
    return RouteStand(
        route=route,
        target_percent=split.target_percent,
        mirror_percent=split.mirror_percent,
        epoch=split.epoch,
        detail=dict(split.detail),
    )


async def _schedules(schedules: Sequence[Schedule]) -> dict[str, dict[Side, Seen]]:
    seen = await asyncio.gather(*(look(each) for each in schedules))
    return dict(zip((each.name for each in schedules), seen, strict=True))


def _schedule_record(name: str, sides: dict[Side, Seen]) -> ScheduleStand:
    runs = {side: "runs" if seen.enabled else "held" for side, seen in sides.items()}
    return ScheduleStand.model_validate(
        {
            "schedule": name,
            "source": runs[Side.SOURCE],
            "target": runs[Side.TARGET],
            "source_epoch": sides[Side.SOURCE].epoch,
            "target_epoch": sides[Side.TARGET].epoch,
        }
    )


async def _stand(database: DatabasePort) -> Stand:
    source, target = await asyncio.gather(database.writes(Side.SOURCE), database.writes(Side.TARGET))
    return Stand(source, target)


async def _read(port: TrafficPort | None) -> Split | None:
    return None if port is None else await port.read()


def _stand_record(name: str, stand: Stand) -> DatabaseStand:
    return DatabaseStand(
        database=name,
        source=stand.source.writes.value,
        target=stand.target.writes.value,
        source_epoch=stand.source.epoch,
        target_epoch=stand.target.epoch,
        partly=(*stand.source.partly, *stand.target.partly),
    )
