"""What operators and commands call to move registries: each act does its work and keeps its record.

What blocks runs in a thread of its own; cancelling an act stops it between two statements. Whatever an
act has done is written to the evidence store before it returns.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeVar

from heavylift.aio import in_thread
from heavylift.evidence.numbered import write_next
from heavylift.evidence.registry_records import (
    RegistryMoveRecord,
    RegistryPreflightRecord,
    RegistryVerificationRecord,
    registry_path,
)
from heavylift.evidence.store import open_evidence
from heavylift.registry.settling import Judgement
from heavylift.registry.verifying import verification
from heavylift.registry.ways import Follow, Proofs, Way, way_of
from heavylift.registry.work import Tell, Work, silent
from heavylift.spec.sections_data import RegistryKind
from heavylift.spec.vocabulary import Deletes

if TYPE_CHECKING:
    from pydantic import BaseModel

    from heavylift.evidence.records import EvidenceRef
    from heavylift.registry.requests import RegistryRequest

T = TypeVar("T")

MOST_LOOKS = 3
"""How often a source that is written to is read: what is new at the second look is settled by a third."""


async def preflight_registry(request: RegistryRequest) -> tuple[RegistryPreflightRecord, EvidenceRef]:
    """Choose the way, look for what stands in it, and keep what was found; changes neither side.

    :raises UnsupportedError: no way is open.
    """
    record = await _in_thread(lambda _work: way_of(request).preflight(request), silent)
    return record, await _keep(request, "preflight", record)


async def is_copied(request: RegistryRequest) -> bool:
    """Tell whether a complete copy is on the target; changes nothing.

    At store level and between two kinds the target's own notes say so. Through the interface a run's record
    in the evidence does, of which the target still has something.

    :raises UnsupportedError: no way is open.
    """
    return await _in_thread(lambda _work: way_of(request).copied(request), silent)


async def copy_registry(
    request: RegistryRequest, tell: Tell = silent
) -> tuple[RegistryMoveRecord, EvidenceRef]:
    """Copy the whole registry; a copy that was interrupted goes on where it was.

    :raises ConflictError: something stands in the way; nothing was touched.
    """
    return await _move(request, "copy", tell)


async def sync_registry(
    request: RegistryRequest, tell: Tell = silent
) -> tuple[RegistryMoveRecord, EvidenceRef]:
    """Bring a copied registry up to date; where nothing is new, nothing is written.

    :raises NotFoundError: it has not been copied.
    """
    return await _move(request, "sync", tell)


async def verify_registry(
    request: RegistryRequest, tell: Tell = silent, *, follow: Follow | None = None
) -> tuple[RegistryVerificationRecord, EvidenceRef]:
    """Compare both sides afresh: through the public interface, and where both are open by the databases.

    With the option ``live`` the target is first brought up to date, and again before what differs is
    looked at once more: teams may go on writing to the source.

    :param follow: brings the target up to date and proves that, where not :func:`sync_registry` does so.
    :return: the record tells whether they are equal; if not, nothing is raised.
    """
    began = time.monotonic()
    way = way_of(request)
    follow, prove = (follow or way.follow) if request.options.live else None, way.prove
    tables: Proofs = ()
    if follow is not None:
        found, tables = await _settle(request, way, follow, tell)
    else:
        found = await way.compare(request, Work(tell=tell), _judgement(request))
        if prove is not None:
            tables = await _in_thread(lambda _work: prove(request), tell)
    record = verification(request, found, tables, began, live=follow is not None)
    return record, await _keep(request, "registry-verification", record)


async def _settle(
    request: RegistryRequest,
    way: Way,
    follow: Follow,
    tell: Tell,
) -> tuple[Judgement, Proofs]:
    """Compare while the source is written to: sync, compare, and where something differs again."""
    tables: Proofs = ()
    found = _judgement(request)
    for number in range(MOST_LOOKS):
        record, tables = await _in_thread(lambda work: follow(request, work), tell)
        if record is not None and record.written:
            await _keep(request, "sync", record)
        judgement = _judgement(request, found if number else None, noting=True)
        found = await way.compare(request, Work(tell=tell), judgement)
        if found.is_settled:
            break
    return found, tables


def _judgement(
    request: RegistryRequest, earlier: Judgement | None = None, *, noting: bool = False
) -> Judgement:
    # The sync before has made sure that nobody else wrote there: what is too much has gone from the source.
    # Between two kinds what has gone is told apart by the comparison itself.
    same_kind = {request.source.kind, request.target.kind} == {RegistryKind.MLFLOW}
    keep = noting and request.options.deletes is Deletes.KEEP and same_kind
    return Judgement(keep=keep, noting=noting, earlier=earlier)


async def _move(
    request: RegistryRequest, act: Literal["copy", "sync"], tell: Tell
) -> tuple[RegistryMoveRecord, EvidenceRef]:
    record = await _in_thread(lambda work: way_of(request).move(request, work, act), tell)
    return record, await _keep(request, act, record)


async def _keep(request: RegistryRequest, kind: str, record: BaseModel) -> EvidenceRef:
    async with open_evidence(request.evidence_url, request.evidence_connection) as store:
        _number, ref = await write_next(
            store, lambda number: registry_path(request.run, request.registry, kind, number), record
        )
        return ref


async def _in_thread(act: Callable[[Work], T], tell: Tell) -> T:
    return await in_thread(lambda stop, relay: act(Work(stop, relay)), tell)
