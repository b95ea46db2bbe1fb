"""A followed registry as the switch sees it: its databases' fences and stream, proved by MLflow's tables.

Clients are whoever writes to the tracking server's database. How they are led over is the spec's route
``writers``, or people's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from heavylift.aio import in_thread
from heavylift.cutover.ports import Drained, Side, Verified, WriteState
from heavylift.mirror.proving import prove_frozen, prove_moment, seen_towards
from heavylift.mirror.requests import stream_of
from heavylift.switching.databases import TablesDatabase
from heavylift.tables.engine import Work
from heavylift.tables.postgres.adopting import demand_replica_role, end_holder

if TYPE_CHECKING:
    from collections.abc import Callable

    from heavylift.evidence.registry_records import RegistryTableProof
    from heavylift.registry.requests import RegistryRequest
    from heavylift.tables.requests import TablesRequest


@dataclass(frozen=True)
class SwitchedRegistry:
    """One registry between its two sides; its artifacts are files, and are moved beside it.

    :param request: of the way there.
    """

    request: RegistryRequest
    _found: dict[str, TablesRequest] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The registry's name, told from a database's."""
        return f"registry {self.request.registry}"

    async def writes(self, side: Side) -> WriteState:
        """Tell whether clients may write to ``side``, by its fences."""
        return await (await self._database()).writes(side)

    async def freeze(self, side: Side, *, epoch: int, within_seconds: float) -> None:
        """Put the fences of ``side``."""
        await (await self._database()).freeze(side, epoch=epoch, within_seconds=within_seconds)

    async def unfreeze(self, side: Side, *, epoch: int, other_is_shut: bool = False) -> None:
        """Take the fences of ``side`` away; a follower looks anew which way changes flow."""
        database = await self._database()
        await database.unfreeze(side, epoch=epoch, other_is_shut=other_is_shut)
        if other_is_shut:
            # The other side may be gone, and a follower with it.
            return
        stream = database.request if side is Side.TARGET else database.request.reversed()
        await _done(lambda: end_holder(stream))

    async def flows(self, to: Side) -> bool:
        """Tell whether the stream to ``to`` was begun and has lost nothing."""
        return await (await self._database()).flows(to)

    async def catch_up(self, to: Side) -> None:
        """Apply what there is, beside a follower; before anybody's writes pause, look at the way back.

        :raises CredentialError: changes could not flow back.
        """
        database = await self._database()
        if to is Side.TARGET:
            source = database.request.source.connection
            await _done(lambda: demand_replica_role(source, "source"))
        await database.catch_up(to)

    async def lag(self, to: Side) -> float | None:
        """Tell how far behind ``to`` is."""
        return await (await self._database()).lag(to)

    async def drain(self, to: Side, *, within_seconds: float) -> Drained:
        """Drain; a follower that is at it is ended."""
        return await (await self._database()).drain(to, within_seconds=within_seconds)

    async def verify(self, to: Side, *, frozen: bool = True) -> Verified:
        """Compare all of MLflow's tables by digests, URIs rewritten; live ones as of one position."""
        if frozen:
            return _verified(await prove_frozen(self.request, to))
        stream = (await self._database()).request
        stream = stream if to is Side.TARGET else stream.reversed()
        seen = seen_towards(self.request, to)
        proofs = await in_thread(
            lambda stop, _relay: prove_moment(seen, stream, Work(stop)), lambda _nothing: None
        )
        return _verified(proofs)

    async def end(self, to: Side) -> None:
        """End the stream to ``to``; one that was never begun holds nothing."""
        await (await self._database()).end(to)

    async def prepare_way_back(self, to: Side) -> None:
        """Make the reverse stream; the way there needs none."""
        await (await self._database()).prepare_way_back(to)

    async def _database(self) -> TablesDatabase:
        """Return its databases; which tables they have is asked once, of whichever side answers."""
        if "stream" not in self._found:
            request = self.request
            self._found["stream"] = await in_thread(
                lambda _stop, _relay: stream_of(request, either=True), lambda _nothing: None
            )
        return TablesDatabase(self._found["stream"])


async def _done(act: Callable[[], None]) -> None:
    await in_thread(lambda _stop, _relay: act(), lambda _nothing: None)


def _verified(proofs: tuple[RegistryTableProof, ...]) -> Verified:
    unequal = [each.table for each in proofs if not each.equal]
    rows = sum(_rows(each.source) for each in proofs)
    told = f"{len(proofs) - len(unequal)} of {len(proofs)} tables have equal digests"
    if unequal:
        told += f" (not {', '.join(unequal)}); heavylift registry verify names what differs"
    return Verified(bool(proofs) and not unequal, rows, told)


def _rows(digest: str) -> int:
    """Return how many rows a digest is of, as it is told in a proof."""
    head = digest.partition(":")[0]
    return int(head) if head.isdigit() else 0
