"""Lets a followed registry's clients onto the other side: freeze, drain, prove, keep the way back, open."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from heavylift.aio import in_thread
from heavylift.errors import IntegrityError, TransientError
from heavylift.evidence.numbered import write_next
from heavylift.evidence.records import Severity
from heavylift.evidence.registry_records import RegistrySwitchRecord, RegistryTableProof, registry_path
from heavylift.evidence.store import open_evidence
from heavylift.fencing import Side
from heavylift.mirror.proving import prove_frozen
from heavylift.mirror.requests import stream_of
from heavylift.tables import api as tables
from heavylift.tables.postgres.adopting import demand_replica_role, end_holder

if TYPE_CHECKING:
    from heavylift.evidence.records import EvidenceRef
    from heavylift.registry.requests import RegistryRequest
    from heavylift.tables.requests import TablesRequest

FREEZE_SECONDS = 30.0
"""Within so long the other side must be open again, or this one is opened once more."""

T = TypeVar("T")
Say = Callable[[str], None]


def quiet(_step: str) -> None:
    """Tell nobody."""


async def switch_registry(
    request: RegistryRequest,
    to: Side,
    *,
    within_seconds: float = FREEZE_SECONDS,
    prove: bool = True,
    say: Say = quiet,
) -> tuple[RegistrySwitchRecord, EvidenceRef]:
    """Let clients write to ``to`` instead of the other side, with nothing lost; idempotent.

    What fails before ``to`` is open opens the other side again. A call that was killed in between leaves both
    frozen; another goes on, in either direction. A follower may be at work: it steps aside, and turns around.

    :param within_seconds: for freezing, and again for draining.
    :param prove: compare both databases by digests while nobody writes.
    :raises NotFoundError: the registry is not followed.
    :raises CredentialError: changes could not flow back.
    :raises TransientError: writers or changes took too long; the side that was live is open again.
    :raises IntegrityError: the sides differ; the side that was live is open again.
    """
    stream = await in_thread(lambda _stop, _relay: stream_of(request), lambda _nothing: None)
    stream = replace(stream, options=replace(stream.options, take_over=True))
    await tables.tables_status(stream)
    turn = await _turn(stream, to)
    if turn is None:
        epoch = (await tables.writes_state(stream, side=to)).epoch
        made = RegistrySwitchRecord(
            run=request.run, registry=request.registry, to=to.value, epoch=epoch, already=True
        )
        return made, await _kept(request, made)
    if to is Side.TARGET:
        await in_thread(
            lambda _stop, _relay: demand_replica_role(stream.source.connection, "source"),
            lambda _nothing: None,
        )
    act = _Switch(request, stream, to, turn, within_seconds, prove, say)
    made = await act.run()
    return made, await _kept(request, made)


async def _turn(stream: TablesRequest, to: Side) -> int | None:
    """Return the epoch of this switch; None where ``to`` is the live side already."""
    here = await tables.writes_state(stream, side=to)
    there = await tables.writes_state(stream, side=to.other)
    if there.is_frozen and not here.is_frozen and not here.partly:
        return None
    if here.is_frozen and there.is_frozen and here.epoch == there.epoch:
        # Killed in between: the same turn goes on.
        return here.epoch
    return max(here.epoch, there.epoch) + 1


@dataclass
class _Switch:
    request: RegistryRequest
    stream: TablesRequest
    to: Side
    epoch: int
    within: float
    prove: bool
    say: Say
    steps: dict[str, float] = field(default_factory=dict)
    position: str = ""

    async def run(self) -> RegistrySwitchRecord:
        live = self.to.other
        # Another switch was cut off before it opened the other side: nothing was written there since.
        nothing_there = await tables.switched_to(self.stream) is self.to
        # Before anything is frozen, so that little is left for the time when nobody can write.
        if not nothing_there:
            await self._step("catching up", self._catch_up())
        await self._step(f"fencing the {self.to.value}", self._freeze(self.to))
        began = time.monotonic()
        async with self._or_open_again(live):
            await self._step(f"freezing the {live.value}", self._freeze(live))
            proofs: tuple[RegistryTableProof, ...] = ()
            if not nothing_there:
                await self._step("draining", self._drain())
                if self.prove:
                    proofs = await self._step("proving", self._prove())
            if self.to is Side.TARGET and not nothing_there:
                await self._step("keeping the way back", self._prepare_back())
        await self._step(f"opening the {self.to.value}", self._open(self.to))
        # A follower that came back meanwhile carries changes the old way, until it looks again.
        await in_thread(lambda _stop, _relay: end_holder(self._towards()), lambda _nothing: None)
        return RegistrySwitchRecord(
            run=self.request.run,
            registry=self.request.registry,
            to=self.to.value,
            epoch=self.epoch,
            applied_position=self.position,
            frozen_seconds=time.monotonic() - began,
            steps=self.steps,
            tables=proofs,
        )

    @asynccontextmanager
    async def _or_open_again(self, live: Side) -> AsyncIterator[None]:
        try:
            yield
        except BaseException:
            self.say(f"opening the {live.value} again")
            await self._open(live)
            raise

    async def _step(self, name: str, act: Awaitable[T]) -> T:
        self.say(name)
        began = time.monotonic()
        done = await act
        self.steps[name] = round(time.monotonic() - began, 3)
        return done

    def _towards(self) -> TablesRequest:
        return self.stream if self.to is Side.TARGET else self.stream.reversed()

    async def _catch_up(self) -> None:
        await tables.sync_tables(self._towards())

    async def _freeze(self, side: Side) -> None:
        await tables.freeze_writes(self.stream, side=side, epoch=self.epoch, within_seconds=self.within)

    async def _open(self, side: Side) -> None:
        await tables.unfreeze_writes(self.stream, side=side, epoch=self.epoch)

    async def _drain(self) -> None:
        record, _ = await tables.drain_tables(self._towards(), within_seconds=self.within)
        self.position = record.applied_position
        blockers = [each.detail for each in record.findings if each.severity is Severity.BLOCKER]
        if record.reached and not blockers:
            return
        raise TransientError(
            f"switching registry {self.request.registry!r} to the {self.to.value}",
            got="; ".join(blockers) or f"{record.applied_position} of {record.upto_position} was applied",
            expected=f"everything to be there within {self.within:g} s",
            state=f"the {self.to.other.value} is open again, and nothing is lost",
            remedy="let the follower catch up, then switch again, or allow it more time",
            code="9521",
        )

    async def _prove(self) -> tuple[RegistryTableProof, ...]:
        proofs = await prove_frozen(self.request, self.to)
        unequal = [each.table for each in proofs if not each.equal]
        if unequal:
            raise IntegrityError(
                f"switching registry {self.request.registry!r} to the {self.to.value}",
                got=f"tables that differ although nobody writes: {', '.join(unequal)}",
                expected="equal digests of all tables",
                state=f"the {self.to.other.value} is open again; nobody was led anywhere",
                remedy="find out who else has written there (heavylift registry verify names rows); then"
                " heavylift registry sync --follow --anew, which lets the live side win",
                code="9522",
            )
        return proofs

    async def _prepare_back(self) -> None:
        await tables.prepare_reverse(self.stream)


async def _kept(request: RegistryRequest, record: RegistrySwitchRecord) -> EvidenceRef:
    async with open_evidence(request.evidence_url, request.evidence_connection) as store:
        _, ref = await write_next(
            store, lambda number: registry_path(request.run, request.registry, "switch", number), record
        )
        return ref
