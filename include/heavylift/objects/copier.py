"""What all copies of one task share, and what one of them has found out about its object."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from heavylift.checksums import Algorithm, Checksums
from heavylift.errors import HeavyliftError, IntegrityError, PermanentError, UnsupportedError
from heavylift.evidence.wording import shortened
from heavylift.objects.budget import MemoryBudget
from heavylift.objects.classes import class_on_target
from heavylift.objects.hours import Hours
from heavylift.objects.journal import UploadJournal
from heavylift.objects.manifest import ManifestRow, PlanRow
from heavylift.objects.windows import Windows
from heavylift.platforms.ports import ObjectAttributes, ObjectHead, ObjectStore
from heavylift.platforms.tags import KEPT_OTHERWISE
from heavylift.spec.classes import StorageClasses
from heavylift.spec.datasets import Metadata
from heavylift.spec.vocabulary import OnConflict

LEFT_BEHIND = "left: the target holds another object under this key, as only the bytes tell"
"""The note on an object that ``on_conflict: skip`` has let stay behind."""
TRIES = 5
"""How often one object is read again after a cut, a wrong byte or a change of version."""


@dataclass
class Copier:
    """What all copies of one task share.

    :param arrived: called with the number of bytes that came in, for progress.
    :param rejected_reads: downloads whose bytes were not what the source says they are.
    :param resent_bytes: bytes that were sent more than once.
    :param buffers: of parts that have been sent, to be used again.
    :param hours: when nothing new may be begun, not even the next part of a large object.
    :param renewed: objects whose bytes the target had, and which were copied for their attributes alone.
    :param on_conflict: what to do where only the bytes tell that the target holds another object.
    """

    source: ObjectStore
    target: ObjectStore
    source_prefix: str
    target_prefix: str
    budget: MemoryBudget
    journal: UploadJournal
    keep: Metadata
    part_bytes: int
    arrived: Callable[[int], None]
    hours: Hours = field(default_factory=lambda: Hours(Windows()))
    look_first: bool = False
    tags_seen: bool = False
    tags_asked: asyncio.Lock = field(default_factory=asyncio.Lock)
    rejected_reads: int = 0
    resent_bytes: int = 0
    buffers: list[bytearray] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    renewed: int = 0
    storage_class: StorageClasses = field(default_factory=StorageClasses)
    on_conflict: OnConflict = OnConflict.FAIL

    def class_of(self, source_class: str) -> str | None:
        """Return the storage class that an object gets on the target; None for the default."""
        source, target = self.source.location.scheme, self.target.location.scheme
        return class_on_target(source, target, source_class, self.storage_class)

    def source_url(self, rel: str) -> str:
        """Return the object's URL on the source."""
        return self.source.location.url_of(self.source_prefix + rel)

    def target_url(self, rel: str) -> str:
        """Return the object's URL on the target."""
        return self.target.location.url_of(self.target_prefix + rel)


@dataclass(frozen=True)
class ReadObject:
    """An object that was read whole: its head, its digests, and what proved the read.

    :param left_to_target: of ``checksums``, the one that was taken over from the source for the
        target to compare with what it receives; it was not computed here.
    """

    head: ObjectHead
    checksums: Checksums
    proof: str
    left_to_target: Algorithm | None = None


def unreadable(copier: Copier, rel: str) -> IntegrityError:
    """Return the error for an object that never came as its source says it is."""
    return IntegrityError(
        f"reading of {copier.source_url(rel)}",
        got=f"{TRIES} downloads whose bytes differ from the source's own checksum",
        expected="bytes that match it",
        state="nothing was written to the target for this object",
        remedy="look for a faulty proxy or gateway on the way; if the object itself is damaged, restore it",
        code="5011",
    )


async def kept_attributes(copier: Copier, rel: str, head: ObjectHead) -> ObjectAttributes:
    """Return the attributes to write, and note what the target keeps in another form or not."""
    keep, found = copier.keep, head.attributes
    tags = found.tags
    if keep.tags and not tags and copier.source.traits.keeps_tags:
        tags = await tags_of(copier, rel, head)
    attributes = attributes_to_write(keep, found, tags, copier.class_of(head.object.storage_class))
    problems = copier.target.attribute_problems(attributes)
    if problems:
        copier.notes += [(rel, problem) for problem in problems]
    return attributes


def attributes_to_write(
    keep: Metadata, found: ObjectAttributes, tags: Mapping[str, str], storage_class: str | None
) -> ObjectAttributes:
    """Return what of an object's attributes goes to the target.

    :param storage_class: what it is written in; None for the target's default.
    """
    if keep.tags and keep.user_metadata and keep.content_headers and not tags:
        attributes = found
    else:
        attributes = replace(
            found if keep.content_headers else ObjectAttributes(),
            metadata=found.metadata if keep.user_metadata else {},
            tags=tags if keep.tags else {},
        )
    return attributes if storage_class is None else replace(attributes, storage_class=storage_class)


def with_attributes_named(copier: Copier, rel: str, error: HeavyliftError) -> HeavyliftError:
    """Return a target's refusal with what of the object's attributes it is known not to keep.

    Stores say of metadata that is too large little more than that the request was bad.
    """
    problems = dict.fromkeys(
        text
        for about, text in copier.notes
        if about == rel and KEPT_OTHERWISE not in text and text not in error.got
    )
    if not problems or type(error) not in (PermanentError, UnsupportedError):
        return error
    return UnsupportedError(
        error.what,
        got=f"{error.got}; of the attributes: {shortened('; '.join(problems))}",
        expected="attributes that the target can keep",
        state=error.state,
        remedy="correct them on the source, or leave them behind on purpose: metadata.content_headers,"
        " .user_metadata or .tags of the dataset (--no-content-headers, --no-user-metadata, --no-tags)",
        code="9225",
    )


async def tags_of(copier: Copier, rel: str, head: ObjectHead) -> Mapping[str, str]:
    """Return an object's tags; asks only where there may be some."""
    key = copier.source_prefix + rel
    if head.tag_count != 0:
        return await copier.source.tags(key)
    if not copier.tags_seen:
        # Stores leave the count out for readers who may not see tags, so the first object asks, and
        # those that have come meanwhile wait for its answer.
        async with copier.tags_asked:
            if not copier.tags_seen:
                tags = await copier.source.tags(key)
                copier.tags_seen = True
                return tags
    return {}


def manifest_row(
    row: PlanRow, read: ReadObject, outcome: str, target_version: str, target_sums: Checksums, proof: str
) -> ManifestRow:
    """Return the manifest row of an object whose bytes were read."""
    return ManifestRow(
        rel=row.rel,
        outcome=outcome,
        size_bytes=read.head.object.size_bytes,
        source_version=read.head.object.version,
        target_version=target_version,
        crc32c=read.checksums.get(Algorithm.CRC32C),
        source_proof=read.proof,
        target_proof=proof,
        source_checksums=dict(read.head.object.checksums),
        target_checksums=dict(target_sums),
        finished_us=time.time_ns() // 1000,
        source_modified_us=row.source_modified_us,
    )
