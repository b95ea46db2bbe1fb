"""The ways on which a registry can move; whoever acts on one takes it from here."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from heavylift.aio import run
from heavylift.evidence.numbered import write_next
from heavylift.evidence.registry_records import registry_path
from heavylift.evidence.store import open_evidence
from heavylift.evidence.turns import turn
from heavylift.registry.catalogues import moving as catalogues
from heavylift.registry.catalogues.verifying import compare_catalogues
from heavylift.registry.interface.copied import is_copied_through, look_through
from heavylift.registry.interface.moving import move_interface
from heavylift.registry.paths import choose_path
from heavylift.registry.store.moving import move_store, sync_and_prove
from heavylift.registry.store.preflight import is_complete, look
from heavylift.registry.store.staging import staged
from heavylift.registry.verifying import compare_servers, compare_stores
from heavylift.registry.work import Work
from heavylift.spec.sections_data import RegistryKind, RegistryPath

if TYPE_CHECKING:
    from heavylift.evidence.registry_records import (
        RegistryMoveRecord,
        RegistryPreflightRecord,
        RegistryTableProof,
    )
    from heavylift.registry.requests import RegistryPlace, RegistryRequest
    from heavylift.registry.settling import Judgement

Act = Literal["copy", "sync"]
Proofs = tuple["RegistryTableProof", ...]
Follow = Callable[["RegistryRequest", Work], tuple["RegistryMoveRecord | None", Proofs]]
"""Brings a target up to date, and proves that at one moment of the source."""


@dataclass(frozen=True)
class Way:
    """One way of moving a registry; everything here blocks, and runs in a thread.

    :param preflight: looks for what stands in the way, and changes nothing.
    :param move: copies, or brings up to date.
    :param compare: reads both sides afresh and compares them.
    :param prove: a proof besides that of the interface; None where there is no other.
    :param follow: brings a target up to date while its source is written to, and proves that at one moment
        where one can be held; None where it makes no sense.
    :param copied: tells whether a complete copy is on the target, so that a sync can go on from it.
    """

    preflight: Callable[[RegistryRequest], RegistryPreflightRecord]
    move: Callable[[RegistryRequest, Work, Act], RegistryMoveRecord]
    compare: Callable[[RegistryRequest, Work, Judgement], Awaitable[Judgement]]
    prove: Callable[[RegistryRequest], Proofs] | None
    follow: Follow | None
    copied: Callable[[RegistryRequest], bool]


def _look(request: RegistryRequest) -> RegistryPreflightRecord:
    with staged(request) as seen:
        return look(seen).record


def _move_store(request: RegistryRequest, work: Work, act: Act) -> RegistryMoveRecord:
    began = time.monotonic()
    with staged(request, work) as seen:
        return _with_staging(move_store(seen, work, act), began)


def _prove(request: RegistryRequest) -> Proofs:
    with staged(request) as seen:
        return compare_stores(seen)


def _follow(request: RegistryRequest, work: Work) -> tuple[RegistryMoveRecord, Proofs]:
    began = time.monotonic()
    with staged(request, work) as seen:
        record, proofs = sync_and_prove(seen, work)
        return _with_staging(record, began), proofs


def _with_staging(record: RegistryMoveRecord, began: float) -> RegistryMoveRecord:
    """Return the record with all the seconds that it took, those of staging the source among them."""
    return record.model_copy(update={"seconds": time.monotonic() - began})


STORE = Way(_look, _move_store, compare_servers, _prove, _follow, is_complete)
"""From database to database."""


def _move_interface(request: RegistryRequest, work: Work, act: Act) -> RegistryMoveRecord:
    return run(_in_turn(request, work, _move_and_map(request, work, act)))


def _move_catalogue(request: RegistryRequest, work: Work, act: Act) -> RegistryMoveRecord:
    return run(_in_turn(request, work, catalogues.move_catalogue(request, work, act)))


_PLACED_BY = ("region_name", "project", "location", "subscription_id", "workspace", "registry")
"""Fields of connections that say which registry of a service is meant."""


def _place(target: RegistryPlace) -> str:
    connection = target.connection
    fields = [connection.host, *(connection.text(name) for name in _PLACED_BY)]
    return " ".join([target.kind.value, *filter(None, fields)]) if any(fields) else connection.conn_id


async def _in_turn(
    request: RegistryRequest, work: Work, moving: Coroutine[None, None, RegistryMoveRecord]
) -> RegistryMoveRecord:
    """Move while no other run moves to the same target: behind an interface there is no lock to hold.

    :raises TransientError: another run has the turn; nothing was touched.
    """
    try:
        if request.options.dry_run:
            return await moving
        async with (
            open_evidence(request.evidence_url, request.evidence_connection) as store,
            turn(store, request.run, _place(request.target), work.stop.set),
        ):
            return await moving
    finally:
        # Where the turn was not to be had nobody has waited for it.
        moving.close()


async def _move_and_map(request: RegistryRequest, work: Work, act: Act) -> RegistryMoveRecord:
    record, ids = await move_interface(request, work, act)
    if not record.dry_run:
        async with open_evidence(request.evidence_url, request.evidence_connection) as store:
            await write_next(store, lambda n: registry_path(request.run, request.registry, "ids", n), ids)
    return record


def _by_sync(move: Callable[[RegistryRequest, Work, Act], RegistryMoveRecord]) -> Follow:
    """Return what brings a target up to date where no moment of the source can be held."""
    return lambda request, work: (move(request, work, "sync"), ())


INTERFACE = Way(
    lambda request: run(look_through(request, Work())),
    _move_interface,
    compare_servers,
    None,
    _by_sync(_move_interface),
    lambda request: run(is_copied_through(request)),
)
"""From server to server."""


CATALOGUE = Way(
    lambda request: run(catalogues.look_ahead(request, Work())),
    _move_catalogue,
    compare_catalogues,
    None,
    _by_sync(_move_catalogue),
    lambda request: run(catalogues.is_copied(request)),
)
"""From a registry of one kind to one of another: registered models, and SageMaker's experiments."""

_UNPROVED = Way(STORE.preflight, STORE.move, compare_servers, None, None, STORE.copied)
"""Databases that are not both named: a verification still compares the servers."""


def way_of(request: RegistryRequest) -> Way:
    """Return the way of a request; whether it is open its preflight tells, and why it is the way.

    :raises UnsupportedError: none is.
    """
    if {request.source.kind, request.target.kind} != {RegistryKind.MLFLOW}:
        return CATALOGUE
    if request.options.path is RegistryPath.STORE:
        return STORE if request.source.store and request.target.store else _UNPROVED
    return STORE if choose_path(request).path == "store" else INTERFACE
