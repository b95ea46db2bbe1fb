"""Shifting by compare-and-swap: look, refuse a lower epoch, change what was looked at, wait, look again.

What every adapter of a control plane shares; each says how to look, how to change, and what "in force" means.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any

from heavylift.cutover.ports import Split
from heavylift.cutover.traffic.faults import (
    check_asked,
    not_in_force,
    overtaken,
    refuse_lower_epoch,
    wording,
)
from heavylift.errors import PreconditionError

_TRIES = 5
_LONGEST_PAUSE = 2.0


@dataclass(frozen=True)
class Looked:
    """What a look found.

    :param split: as the control plane describes it.
    :param found: what a change is made from, version and all.
    :param waits_for: what is not in force of it yet; empty where all is.
    :param unconfirmed: it was written lately by somebody who may have died before it came into force, and
        nothing tells whether it did: it is written again.
    """

    split: Split
    found: Any
    waits_for: str = ""
    unconfirmed: bool = False


class SwappedTraffic(ABC):
    """Traffic that is split by a control plane.

    :param name: the adapter and the thing, for messages.
    :param confirm_seconds: how long a change may take to come into force.
    """

    def __init__(self, name: str, confirm_seconds: float) -> None:
        self.name = name
        self._confirm_seconds = confirm_seconds

    @abstractmethod
    async def look(self) -> Looked:
        """Return what is described now; changes nothing."""

    @abstractmethod
    async def change(self, seen: Looked, wanted: Split) -> None:
        """Make what was seen into what is wanted.

        :raises PreconditionError: it is not any more what was seen.
        """

    @abstractmethod
    def check(self, what: str, wanted: Split) -> None:
        """Refuse what this adapter can't do.

        :raises UnsupportedError: with the reason.
        """

    async def close(self) -> None:  # noqa: B027 - most have something to close, some have nothing
        """Close what is open."""

    async def read(self) -> Split:
        """Tell what the control plane describes; ``detail["waits_for"]`` tells what is not in force yet.

        :raises TransientError: it can't be asked now.
        :raises NotFoundError: there is no such thing, or it leads elsewhere.
        """
        seen = await self.look()
        waits = {"waits_for": seen.waits_for} if seen.waits_for else {}
        return replace(seen.split, detail={**seen.split.detail, **waits})

    async def shift(self, target_percent: int, *, mirror_percent: int = 0, epoch: int) -> Split:
        """Make the split so, and return once it is in force. Idempotent: what is so already is not written.

        :raises ConflictError: a higher epoch is in force (8701).
        :raises UnsupportedError: this adapter can't do it.
        :raises TransientError: it did not come into force in time.
        """
        what = f"shifting {self.name} to {target_percent} % on the target"
        check_asked(what, target_percent, mirror_percent, epoch)
        wanted = Split(target_percent, 0 if target_percent == 100 else mirror_percent, epoch)
        self.check(what, wanted)
        await self._written(what, wanted)
        return await self._in_force(what, wanted)

    async def _written(self, what: str, wanted: Split) -> None:
        for number in range(1, _TRIES + 1):
            seen = await self.look()
            refuse_lower_epoch(what, wanted.epoch, seen.split.epoch, self.name)
            if same(seen.split, wanted) and not seen.unconfirmed:
                return
            try:
                await self.change(seen, wanted)
            except PreconditionError:
                # Somebody else's change, or our own whose answer was lost: the next look tells which.
                if number == _TRIES:
                    raise
            else:
                return

    async def _in_force(self, what: str, wanted: Split) -> Split:
        end = time.monotonic() + self._confirm_seconds
        pause = 0.05
        while True:
            seen = await self.look()
            refuse_lower_epoch(what, wanted.epoch, seen.split.epoch, self.name)
            if not same(seen.split, wanted):
                raise overtaken(what, wording(seen.split))
            if not seen.waits_for:
                return seen.split
            if time.monotonic() > end:
                raise not_in_force(
                    what,
                    wording(wanted),
                    seen.waits_for,
                    self._confirm_seconds,
                    "look at the control plane, then run the same shift again",
                )
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)


def same(one: Split, other: Split) -> bool:
    """Tell whether two splits are equal, whatever else is told of them."""
    return replace(one, detail={}) == replace(other, detail={})
