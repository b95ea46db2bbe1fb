"""Where a sync keeps what it puts aside, and how one object gets there.

The quarantine of ``s3://bucket/out/train/`` is ``s3://bucket/out/train.heavylift-quarantine/``:
beside the prefix, so that nobody who reads the dataset meets it. A dataset that is a whole
container or folder has it inside. In it lies one folder for each run, with the objects under
their old relative keys. No listing of a dataset takes it in (``patterns.in_quarantine``).
"""

from __future__ import annotations

from heavylift.errors import CredentialError, HeavyliftError, NotFoundError, PreconditionError
from heavylift.evidence.store import EvidenceStore
from heavylift.objects.budget import MemoryBudget
from heavylift.objects.copier import Copier
from heavylift.objects.copy_object import copy_object
from heavylift.objects.journal import UploadJournal
from heavylift.objects.manifest import ManifestRow, PlanRow
from heavylift.objects.requests import TransferRequest
from heavylift.patterns import QUARANTINE
from heavylift.platforms.deleting import delete_version, head_of_version
from heavylift.platforms.ports import ObjectStore
from heavylift.spec.classes import StorageClasses
from heavylift.spec.datasets import Metadata
from heavylift.spec.vocabulary import ClassPolicy


def quarantine_root(prefix: str) -> str:
    """Return the key prefix of the quarantine that belongs to a dataset's target prefix."""
    return f"{prefix[:-1]}{QUARANTINE}/"


def quarantine_prefix(prefix: str, run: str) -> str:
    """Return the key prefix under which one run puts objects aside."""
    return f"{quarantine_root(prefix)}{run}/"


def copier_within(
    request: TransferRequest, evidence: EvidenceStore, target: ObjectStore, origin: str, goal: str
) -> Copier:
    """Return what copies objects inside the target's container, from one key prefix to another."""
    limits = request.options.limits
    return Copier(
        source=target,
        target=target,
        source_prefix=origin,
        target_prefix=goal,
        budget=MemoryBudget(limits.memory_budget),
        journal=UploadJournal(evidence, request.run.migration, request.dataset),
        keep=Metadata(),
        part_bytes=limits.part_size,
        arrived=_nothing,
        look_first=True,
        storage_class=StorageClasses(policy=ClassPolicy.KEEP),
    )


def _nothing(_size_bytes: int) -> None:
    """Bytes within the target are no progress of the move."""


async def move_within(
    copier: Copier, rel: str, size_bytes: int, version: str, *, or_nothing: bool = False
) -> bool:
    """Move one version of an object: copied and proved first, only then deleted at its old key.

    A second run after a kill finds the copy, proves it again and goes on.

    :param or_nothing: where the identity may not delete the object, delete its copy again.
    :return: False where an earlier attempt had moved it already.
    :raises NotFoundError: it is at neither place.
    :raises PreconditionError: it is another version now; it stays where it is.
    """
    store, key, goal = copier.source, copier.source_prefix + rel, copier.target_prefix + rel
    try:
        done = await copy_within(copier, rel, size_bytes, version)
    except NotFoundError:
        await store.head(goal)
        return False
    try:
        await delete_version(store, key, version)
    except CredentialError as error:
        if not or_nothing:
            raise
        raise await _not_moved(copier, goal, done.target_version, error) from error
    return True


async def _not_moved(copier: Copier, goal: str, version: str, error: CredentialError) -> CredentialError:
    """Delete the copy of an object that may not be deleted itself; return the refusal with what is left."""
    copy, state = copier.target.location.url_of(goal), "the object is as it was, and no copy of it was kept"
    try:
        await delete_version(copier.target, goal, version)
    except HeavyliftError:
        state = f"the object is as it was; its copy at {copy} could not be deleted either, and is left there"
    return CredentialError(
        error.what, got=error.got, expected=error.expected, state=state, remedy=error.remedy, code=error.code
    )


async def copy_within(copier: Copier, rel: str, size_bytes: int, version: str) -> ManifestRow:
    """Copy one version of an object, and no other, to where it is kept; proved as any copy is.

    A second run after a kill finds the copy and proves it again.

    :raises NotFoundError: the object has gone.
    :raises PreconditionError: it is another version now; no copy of it was kept.
    """
    store, key = copier.source, copier.source_prefix + rel
    head_of_version(await store.head(key), version, store.location.url_of(key))
    done = await copy_object(copier, PlanRow(rel, "copy", size_bytes, version, None))
    if done.source_version != version:
        await _withdraw(copier, rel, done)
        raise PreconditionError(
            f"move of {store.location.url_of(key)}",
            got=f"version {done.source_version}",
            expected=f"version {version}",
            state="the object is as it was; no copy of it was kept",
            remedy="run again; what changed is looked at afresh",
            code="5040",
        )
    return done


async def _withdraw(copier: Copier, rel: str, done: ManifestRow) -> None:
    """Delete a copy of another version than was wanted, if this attempt has made it."""
    if done.outcome == "moved":
        await delete_version(copier.target, copier.target_prefix + rel, done.target_version)
