"""A schedule with two schedulers in memory, and a clock that rises with every call that is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from heavylift.cutover.schedules.due import due_between
from heavylift.cutover.schedules.ports import Schedule, Seen
from heavylift.errors import TransientError
from heavylift.fencing import Side, superseded
from tests.support.memory_switch import Fate

CRON = "*/2 * * * *"
START = datetime(2026, 11, 29, 12, 0, 30, tzinfo=UTC)


@dataclass
class MemoryScheduler:
    """One side: what it ran, and what was started by hand."""

    enabled: bool = False
    epoch: int = 0
    runs: list[datetime] = field(default_factory=list)
    started: set[datetime] = field(default_factory=set)
    tells_runs: bool = True


@dataclass
class MemorySchedule:
    """Both sides of one schedule, which start runs as time goes on."""

    now: datetime = START
    cron: str = CRON
    torn: bool = False
    refuses: Side | None = None
    silent: Side | None = None
    seconds: float = 1.0
    sides: dict[Side, MemoryScheduler] = field(
        default_factory=lambda: {Side.SOURCE: MemoryScheduler(enabled=True), Side.TARGET: MemoryScheduler()}
    )

    def passes(self, seconds: float) -> None:
        """Let time go on; whoever is enabled runs what is due."""
        until = self.now + timedelta(seconds=seconds)
        for due in due_between(self.cron, ZoneInfo("UTC"), self.now, until):
            for side in self.sides.values():
                if side.enabled:
                    side.runs.append(due)
        self.now = until

    async def sleep(self, seconds: float) -> None:
        """Wait, as a process does."""
        self.passes(seconds)

    def read_clock(self) -> datetime:
        return self.now

    def seen_by(self, fate: Fate, missed: str = "run") -> Schedule:
        """Return it as a process with this fate sees it."""
        sides = {side: SeenScheduler(self, side, fate) for side in Side}
        return Schedule("nightly", sides, self.cron, ZoneInfo("UTC"), missed)  # type: ignore[arg-type]

    @property
    def due(self) -> list[datetime]:
        """All moments at which it was due since the beginning."""
        return due_between(self.cron, ZoneInfo("UTC"), START, self.now)


@dataclass(frozen=True)
class SeenScheduler:
    """The port through which one process sees a side."""

    of: MemorySchedule
    side: Side
    fate: Fate

    @property
    def name(self) -> str:
        return f"the {self.side}'s schedule"

    def _side(self) -> MemoryScheduler:
        return self.of.sides[self.side]

    def _seen(self) -> Seen:
        self.of.passes(self.of.seconds)
        side = self._side()
        last = side.runs[-1] if side.runs and side.tells_runs else None
        return Seen(side.enabled, side.epoch, last)

    async def read(self) -> Seen:
        if self.of.silent is self.side:
            raise TransientError("a schedule in memory", got="no answer", code="0000")
        return await self.fate.around(self._seen)

    async def set(self, *, enabled: bool, epoch: int) -> Seen:
        def act() -> Seen:
            side = self._side()
            if self.of.refuses is self.side and enabled:
                raise TransientError("a schedule in memory", got="no answer", code="0000")
            if epoch < side.epoch:
                raise superseded("a schedule in memory", side.epoch, epoch)
            side.enabled, side.epoch = enabled, epoch
            self.of.torn = self.of.torn or all(each.enabled for each in self.of.sides.values())
            return self._seen()

        return await self.fate.around(act)

    async def run_once(self, due: datetime) -> bool:
        def act() -> bool:
            self._side().started.add(due)
            return True

        return await self.fate.around(act)

    async def close(self) -> None:
        return
