"""Proves that both databases of a followed registry hold the same, in the direction in which changes flow."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from heavylift.aio import in_thread
from heavylift.fencing import Side
from heavylift.mirror.requests import turned
from heavylift.registry.store.moment import moment_of
from heavylift.registry.store.proving import table_proofs
from heavylift.registry.verifying import compare_stores
from heavylift.spec.vocabulary import Deletes
from heavylift.tables.engine import Work as TablesWork
from heavylift.tables.postgres.compare import one_moment

if TYPE_CHECKING:
    from heavylift.evidence.registry_records import RegistryTableProof
    from heavylift.registry.requests import RegistryRequest
    from heavylift.tables.requests import TablesRequest


def seen_towards(request: RegistryRequest, to: Side) -> RegistryRequest:
    """Return a registry's request as its stream to ``to`` sees it: nothing that has gone is kept there."""
    seen = request if to is Side.TARGET else turned(request)
    return replace(seen, options=replace(seen.options, deletes=Deletes.PROPAGATE))


async def prove_frozen(request: RegistryRequest, to: Side) -> tuple[RegistryTableProof, ...]:
    """Compare every table by digests, while nobody writes to either side; changes nothing."""
    seen = seen_towards(request, to)
    seen = replace(seen, options=replace(seen.options, live=False))
    return await in_thread(lambda _stop, _relay: compare_stores(seen), lambda _nothing: None)


def prove_moment(
    seen: RegistryRequest, stream: TablesRequest, work: TablesWork
) -> tuple[RegistryTableProof, ...]:
    """Bring the receiving side to a moment of the live side's log, and compare every table at that moment.

    A follower steps aside for it, and goes on by itself.

    :param stream: in the direction in which changes flow.
    """
    taking = replace(stream, options=replace(stream.options, take_over=True))
    with (
        one_moment(taking, work) as (snapshot, _position),
        moment_of(taking.source.connection, snapshot) as moment,
    ):
        return table_proofs(seen, moment)
