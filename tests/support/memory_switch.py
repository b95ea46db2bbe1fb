"""A workload in memory that is switched while it is written to, by processes that can be killed at any call.

Each side of a database has rows and a log of what applications wrote to it; streams carry the logs across.
A process sees it through ports that count its calls: at a chosen one it is killed (nothing that it would
still do happens), stopped for a while, or gets an error, before the call takes effect or after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from heavylift.cutover.ports import Drained, Side, Split, Verified, Writes, WriteState
from heavylift.cutover.world import Parts
from heavylift.errors import TransientError
from heavylift.fencing import superseded

if TYPE_CHECKING:
    from tests.support.memory_schedules import MemorySchedule

T = TypeVar("T")


class KilledError(BaseException):
    """The process is gone: no handler of its own may run."""


class RefusedError(Exception):
    """The side takes no writes."""


@dataclass
class Fence:
    """One side's fence."""

    frozen: bool = False
    epoch: int = 0
    opened: int | None = None

    def admit(self, epoch: int) -> None:
        """Demand that ``epoch`` is no lower than what was seen, and remember it."""
        if epoch < self.epoch:
            raise superseded("switching in memory", self.epoch, epoch)
        self.epoch = epoch


@dataclass
class MemoryDatabase:
    """Two sides, their logs, and how far each stream has come."""

    name: str
    rows: dict[Side, dict[str, int]] = field(default_factory=lambda: {side: {} for side in Side})
    logs: dict[Side, list[tuple[str, int]]] = field(default_factory=lambda: {side: [] for side in Side})
    fences: dict[Side, Fence] = field(default_factory=lambda: {side: Fence() for side in Side})
    applied: dict[Side, int | None] = field(default_factory=lambda: {Side.TARGET: 0, Side.SOURCE: None})
    torn: bool = False
    gone: set[Side] = field(default_factory=set)

    def write(self, side: Side, key: str) -> None:
        """Write as an application does."""
        if self.fences[side].frozen:
            raise RefusedError(side)
        self.rows[side][key] = self.rows[side].get(key, 0) + 1
        self.logs[side].append((key, self.rows[side][key]))

    def carry(self, to: Side) -> None:
        """Apply what the other side's log has."""
        begun = self.applied[to]
        assert begun is not None
        log = self.logs[to.other]
        for key, value in log[begun:]:
            self.rows[to][key] = value
        self.applied[to] = len(log)

    def look_for_harm(self) -> None:
        """Note when both sides take writes though a switch has opened one of them."""
        both = not any(fence.frozen for fence in self.fences.values())
        self.torn = self.torn or (both and any(fence.opened for fence in self.fences.values()))


@dataclass
class MemoryRoute:
    """A route with its share for the target."""

    target_percent: int = 0
    mirror_percent: int = 0
    epoch: int = 0


@dataclass
class Fate:
    """What happens to a process at its ``at``-th call.

    :param kind: ``kill``, ``stop`` (until :attr:`wake` is set) or ``error``.
    :param after: once the call has taken effect, not before.
    """

    kind: str = ""
    at: int = -1
    after: bool = False
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    calls: int = 0
    dead: bool = False

    async def around(self, act: Callable[[], T]) -> T:
        """Do ``act``, unless it is not to be."""
        await asyncio.sleep(0)
        if self.dead:
            raise KilledError
        self.calls += 1
        mine = self.calls == self.at
        if mine and not self.after:
            await self._strike()
        found = act()
        if mine and self.after:
            await self._strike()
        await asyncio.sleep(0)
        return found

    async def _strike(self) -> None:
        if self.kind == "kill":
            self.dead = True
            raise KilledError
        if self.kind == "error":
            raise TransientError("a call in memory", got="no answer", code="0000")
        self.stopped.set()
        await self.wake.wait()


@dataclass(frozen=True)
class SeenDatabase:
    """The port through which one process sees a database."""

    of: MemoryDatabase
    fate: Fate

    @property
    def name(self) -> str:
        return self.of.name

    def _act(self, act: Callable[[], None]) -> None:
        act()
        self.of.look_for_harm()

    def _state(self, side: Side) -> WriteState:
        fence = self.of.fences[side]
        return WriteState(Writes.FROZEN if fence.frozen else Writes.OPEN, fence.epoch, opened=fence.opened)

    async def writes(self, side: Side) -> WriteState:
        self._ask(side)
        return await self.fate.around(lambda: self._state(side))

    def _ask(self, *sides: Side) -> None:
        if self.of.gone & set(sides):
            raise TransientError("a side in memory", got="no answer", code="0000")

    async def freeze(self, side: Side, *, epoch: int, within_seconds: float) -> None:
        self._ask(side)

        def act() -> None:
            self.of.fences[side].admit(epoch)
            self.of.fences[side].frozen = True

        await self.fate.around(lambda: self._act(act))

    async def unfreeze(self, side: Side, *, epoch: int, other_is_shut: bool = False) -> None:
        self._ask(*([side] if other_is_shut else Side))

        def act() -> None:
            fence = self.of.fences[side]
            fence.admit(epoch)
            fence.frozen, fence.opened = False, epoch

        await self.fate.around(lambda: self._act(act))

    async def flows(self, to: Side) -> bool:
        return await self.fate.around(lambda: self.of.applied[to] is not None)

    async def catch_up(self, to: Side) -> None:
        await self.fate.around(lambda: self.of.carry(to))

    async def drain(self, to: Side, *, within_seconds: float) -> Drained:
        self._ask(*Side)
        await self.fate.around(lambda: self.of.carry(to))
        return Drained(reached=True, position=str(self.of.applied[to]))

    async def lag(self, to: Side) -> float | None:
        return await self.fate.around(lambda: 0.0)

    async def verify(self, to: Side, *, frozen: bool = True) -> Verified:
        rows = self.of.rows
        equal = await self.fate.around(lambda: rows[Side.SOURCE] == rows[Side.TARGET])
        return Verified(equal, len(rows[to]), "" if equal else "rows differ")

    async def end(self, to: Side) -> None:
        def act() -> None:
            self.of.applied[to] = None

        await self.fate.around(act)

    async def prepare_way_back(self, to: Side) -> None:
        def act() -> None:
            if self.of.applied[to.other] is None:
                self.of.applied[to.other] = len(self.of.logs[to])

        await self.fate.around(act)


@dataclass(frozen=True)
class SeenRoute:
    """The port through which one process sees a route."""

    of: MemoryRoute
    fate: Fate

    async def read(self) -> Split:
        return await self.fate.around(self._split)

    async def shift(self, target_percent: int, *, mirror_percent: int = 0, epoch: int) -> Split:
        def act() -> Split:
            if epoch < self.of.epoch:
                raise superseded("shifting in memory", self.of.epoch, epoch)
            self.of.target_percent, self.of.mirror_percent = target_percent, mirror_percent
            self.of.epoch = epoch
            return self._split()

        return await self.fate.around(act)

    def _split(self) -> Split:
        return Split(self.of.target_percent, self.of.mirror_percent, self.of.epoch)


@dataclass
class Workload:
    """Databases, routes, applications that write, and the ledger of what was acknowledged to them."""

    databases: list[MemoryDatabase]
    requests: MemoryRoute = field(default_factory=MemoryRoute)
    writers: MemoryRoute = field(default_factory=MemoryRoute)
    ledger: dict[tuple[str, str], int] = field(default_factory=dict)
    over: bool = False
    schedules: list[MemorySchedule] = field(default_factory=list)

    def seen_by(self, fate: Fate) -> Parts:
        """Return the parts as a process with this fate sees them."""
        return Parts(
            [SeenDatabase(each, fate) for each in self.databases],
            SeenRoute(self.requests, fate),
            SeenRoute(self.writers, fate),
            [each.seen_by(fate) for each in self.schedules],
        )

    async def write(self) -> None:
        """Write on and on, to where the route leads, and note what was acknowledged."""
        count = 0
        while not self.over:
            side = Side.TARGET if self.writers.target_percent == 100 else Side.SOURCE
            for database in self.databases:
                key = f"row {count % 17}"
                try:
                    database.write(side, key)
                except RefusedError:
                    continue
                noted = (database.name, key)
                self.ledger[noted] = self.ledger.get(noted, 0) + 1
            count += 1
            await asyncio.sleep(0)

    def lost(self, side: Side) -> list[str]:
        """Return what was acknowledged and is not on ``side`` exactly so often."""
        rows = {(each.name, key): value for each in self.databases for key, value in each.rows[side].items()}
        keys = rows.keys() | self.ledger.keys()
        return [
            f"{key}: {self.ledger.get(key)} acknowledged, {rows.get(key)} there"
            for key in sorted(keys)
            if rows.get(key) != self.ledger.get(key)
        ]
