"""A fence in memory, for what stands on fences: acts, operators, and the direction of a sync."""

from __future__ import annotations

from dataclasses import dataclass, field

from heavylift.fencing import Side, Writes, WriteState, superseded
from heavylift.tables.engine import Work
from heavylift.tables.fences.port import Fenced, FenceDone


@dataclass
class MemoryFence:
    """Two sides, each with a state; nothing else is behind them."""

    states: dict[Side, WriteState] = field(
        default_factory=lambda: {side: WriteState(Writes.OPEN) for side in Side}
    )

    def freeze(self, fenced: Fenced, work: Work, *, epoch: int, within_seconds: float) -> FenceDone:
        """Freeze a side."""
        del work, within_seconds
        return self._set(fenced, epoch, Writes.FROZEN)

    def unfreeze(self, fenced: Fenced, work: Work, *, epoch: int, within_seconds: float) -> FenceDone:
        """Open a side."""
        del work, within_seconds
        return self._set(fenced, epoch, Writes.OPEN)

    def drop(self, fenced: Fenced, work: Work, *, epoch: int, within_seconds: float) -> FenceDone:
        """Forget a side."""
        del work, epoch, within_seconds
        self.states[fenced.side] = WriteState(Writes.OPEN)
        return FenceDone(1, False, 1, 0.0, "")

    def state(self, fenced: Fenced) -> WriteState:
        """Return a side's state."""
        return self.states[fenced.side]

    def _set(self, fenced: Fenced, epoch: int, writes: Writes) -> FenceDone:
        before = self.states[fenced.side]
        if before.epoch > epoch:
            raise superseded(f"an act on {fenced.in_words}", before.epoch, epoch)
        opened = epoch if writes is Writes.OPEN else before.opened
        self.states[fenced.side] = WriteState(writes, epoch, opened=opened)
        return FenceDone(1, (before.writes, before.epoch) == (writes, epoch), 1, 0.0, "0/1")
