"""What the switch needs of the world: who serves requests, who may be written to, whose turn it is.

Everything is read from the world itself each time. Nothing here remembers what was asked for earlier: after
a crash in the middle of a step the next call sees what is so, and goes on from there.

Every act carries the ``epoch`` of the switch that it belongs to, a fencing token that rises with each cutover
or rollback. What has seen a higher epoch refuses a lower one, so that an act which was taken for dead changes
nothing when it wakes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from heavylift.fencing import Side, Writes, WriteState

__all__ = [
    "ConnectionRoom",
    "CountsConnections",
    "CountsReplicas",
    "Replicas",
    "Side",
    "Split",
    "TrafficPort",
    "WriteState",
    "Writes",
]


@dataclass(frozen=True)
class Split:
    """How requests are split at this moment, as the traffic's own control plane tells it.

    :param target_percent: of the requests, the share that the target answers, 0 to 100.
    :param mirror_percent: of the requests that the source answers, the share that is sent to the target as
        well, whose answers nobody sees.
    :param epoch: of the last shift that is in force; 0 where none was ever made.
    :param detail: what people want to see of it: addresses, record names, revisions.
    """

    target_percent: int
    mirror_percent: int = 0
    epoch: int = 0
    detail: Mapping[str, str] = field(default_factory=dict)


class TrafficPort(Protocol):
    """One thing that splits requests between the two sides: a proxy, a DNS zone, a gateway, an endpoint."""

    async def read(self) -> Split:
        """Tell what is in force now; changes nothing.

        :raises TransientError: it can't be asked now.
        :raises NotFoundError: the route does not exist, or leads elsewhere than to the two sides.
        """
        ...

    async def shift(self, target_percent: int, *, mirror_percent: int = 0, epoch: int) -> Split:
        """Make the split so, and return once it is in force, with what was read back. Idempotent.

        :raises ConflictError: a higher epoch is in force (code 8701): somebody else's turn has begun.
        :raises TransientError: it did not come into force in time; what is so is told.
        """
        ...


@dataclass(frozen=True)
class Replicas:
    """What stands behind one side of a route, as its control plane tells it.

    :param ready: instances that take requests now.
    :param wanted: that there are to be; more where they are still started.
    :param what: what is counted, for people.
    """

    ready: int
    wanted: int
    what: str = "replicas"


@runtime_checkable
class CountsReplicas(Protocol):
    """Traffic whose control plane tells what stands behind each side."""

    async def replicas(self, side: Side) -> Replicas | None:
        """Tell what stands behind ``side``; None where this side has nothing to count. Changes nothing.

        :raises TransientError: it can't be asked now.
        """
        ...


@dataclass(frozen=True)
class ConnectionRoom:
    """How many connections one side of a database has in use, and how many it would take.

    :param in_use: of the applications, and whoever else uses the same database.
    :param free: that could be opened besides; None where nothing bounds them.
    """

    in_use: int
    free: int | None


@runtime_checkable
class CountsConnections(Protocol):
    """A database that tells how many connections it takes."""

    async def connections(self, side: Side) -> ConnectionRoom | None:
        """Tell how many ``side`` has in use and free, None where nobody tells; changes nothing."""
        ...


@dataclass(frozen=True)
class Drained:
    """Whether one side has everything that the other had committed.

    :param position: of the side that was drained.
    :param in_the_way: why it is not so; empty where it is.
    """

    reached: bool
    position: str = ""
    in_the_way: str = ""


@dataclass(frozen=True)
class Verified:
    """Whether both sides hold the same rows, by an independent comparison."""

    equal: bool
    rows: int = 0
    statement: str = ""


class DatabasePort(Protocol):
    """One database of the workload with its two sides, and the streams of changes between them.

    Writes here are an application's. Heavylift's own, which carry changes, pass a frozen side.
    """

    @property
    def name(self) -> str:
        """The database's name in the spec."""
        ...

    async def writes(self, side: Side) -> WriteState:
        """Tell whether ``side`` takes writes; changes nothing."""
        ...

    async def freeze(self, side: Side, *, epoch: int, within_seconds: float) -> None:
        """Refuse writes to ``side`` from now on; everything acknowledged before is committed. Idempotent.

        :raises ConflictError: the side has seen a higher epoch (code 8701).
        :raises TransientError: somebody's transaction is in the way; nothing is frozen.
        """
        ...

    async def unfreeze(self, side: Side, *, epoch: int, other_is_shut: bool = False) -> None:
        """Take writes on ``side`` again. Idempotent.

        :param other_is_shut: it is known that the other side is frozen: it is not asked, and may be down.
        :raises ConflictError: the side has seen a higher epoch (code 8701), or the other side takes writes.
        """
        ...

    async def flows(self, to: Side) -> bool:
        """Tell whether there is a stream that carries changes to side ``to``."""
        ...

    async def catch_up(self, to: Side) -> None:
        """Carry to ``to`` what the other side has now, while it is written to."""
        ...

    async def drain(self, to: Side, *, within_seconds: float) -> Drained:
        """Carry everything to ``to``; the other side is frozen."""
        ...

    async def verify(self, to: Side, *, frozen: bool = True) -> Verified:
        """Compare both sides row by row.

        :param frozen: neither is written to; otherwise they are compared as of one position.
        """
        ...

    async def lag(self, to: Side) -> float | None:
        """Tell by how many seconds ``to`` is behind; None where nothing can tell."""
        ...

    async def end(self, to: Side) -> None:
        """Give back what the stream to ``to`` holds; nothing flows there any more. Idempotent."""
        ...

    async def prepare_way_back(self, to: Side) -> None:
        """Make what carries back what will be written to ``to``, where that needs anything. Idempotent."""
        ...
