"""What operators and commands call to move feature stores; each act keeps its record before it returns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from heavylift.aio import in_thread, run
from heavylift.evidence.feature_records import FeatureVerificationRecord, feature_path
from heavylift.evidence.numbered import write_next
from heavylift.evidence.registry_records import RegistryMoveRecord, RegistryPreflightRecord
from heavylift.evidence.store import open_evidence
from heavylift.registry.features.moving import look_ahead, move_features
from heavylift.registry.features.verifying import verify_feature_store
from heavylift.registry.work import Tell, Work, silent

if TYPE_CHECKING:
    from pydantic import BaseModel

    from heavylift.evidence.records import EvidenceRef
    from heavylift.registry.features.requests import FeatureRequest

T = TypeVar("T")


async def preflight_features(request: FeatureRequest) -> tuple[RegistryPreflightRecord, EvidenceRef]:
    """Look what would be done, what is lost and what stands in the way; changes neither side."""
    record = await _in_thread(lambda work: look_ahead(request, work), silent)
    return record, await _keep(request, "preflight", record)


async def copy_features(
    request: FeatureRequest, tell: Tell = silent
) -> tuple[RegistryMoveRecord, EvidenceRef]:
    """Copy a feature store, or bring the copy up to date; where nothing is new, nothing is written.

    :raises ConflictError: something stands in the way; nothing was touched.
    """
    record = await _in_thread(lambda work: move_features(request, work), tell)
    return record, await _keep(request, "copy", record)


async def verify_features(
    request: FeatureRequest, tell: Tell = silent
) -> tuple[FeatureVerificationRecord, EvidenceRef]:
    """Read both sides afresh and compare them.

    :return: the record tells whether they are equal; if not, nothing is raised.
    """
    record = await _in_thread(lambda work: verify_feature_store(request, work), tell)
    return record, await _keep(request, "verification", record)


async def _keep(request: FeatureRequest, kind: str, record: BaseModel) -> EvidenceRef:
    async with open_evidence(request.evidence_url, request.evidence_connection) as store:
        _number, ref = await write_next(
            store, lambda number: feature_path(request.run, request.store, kind, number), record
        )
        return ref


async def _in_thread(act: Callable[[Work], Awaitable[T]], tell: Tell) -> T:
    async def done(work: Work) -> T:
        return await act(work)

    return await in_thread(lambda stop, relay: run(done(Work(stop, relay))), tell)
