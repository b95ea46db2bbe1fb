"""Anti-entropy: checking afresh, slice by slice, what earlier verifications have proved.

A sync trusts a pair of versions that was proved equal once, because a store's version pins the
content. Disks, file systems and gateways can damage bytes under an unchanged version all the
same. So each sync checks one slice of the key space against the CRC32C that was recorded when
the pair was proved; after as many runs as there are slices everything was checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from heavylift.checksums import Algorithm
from heavylift.errors import NotFoundError, PreconditionError
from heavylift.objects.compare import Verdict, compare_object
from heavylift.objects.proof import read_checksums
from heavylift.platforms.ports import ListedObject, ObjectStore

PROVED_BEFORE = "proved_before"
"""The method by which an object counts as equal that an earlier verification has proved."""


@dataclass(frozen=True)
class Slice:
    """Slice ``index`` of ``of`` slices of the key space."""

    index: int
    of: int


def slice_sql(column: str) -> str:
    """Return SQL that tells in which of ``$of`` slices a key lies; see ``tree.slice_of``."""
    return f"CAST(concat('0x', left(sha256({column}), 3)) AS INTEGER) * $of // 4096"


def next_slice(state: Mapping[str, Any] | None, slices: int | None) -> Slice | None:
    """Return the slice whose turn it is, by the last entry of the sync state.

    :param slices: how many there are; None or 0 where nothing is checked in turn.
    """
    if not slices:
        return None
    last = (state or {}).get("rolling") or {}
    turn = int(last["slice"]) + 1 if last.get("of") == slices else 0
    return Slice(turn % slices, slices)


@dataclass(frozen=True)
class Recorded:
    """What was recorded of one object: both versions, and the CRC32C of its bytes.

    :param proved: by a verification; else just by the copy that wrote it.
    """

    source_version: str
    target_version: str
    crc32c: str
    proved: bool


@dataclass(frozen=True)
class Deep:
    """A fresh look at one object.

    :param damaged: the target's bytes are no longer the recorded ones, under the same version,
        and nothing speaks against the source's: a fresh copy mends it.
    """

    verdict: Verdict
    damaged: bool = False


async def look(
    source: ObjectStore,
    source_key: str,
    target: ObjectStore,
    target_key: str,
    recorded: Recorded | None,
    *,
    always_read: bool,
    trusting: bool,
) -> Deep:
    """Compare one object's content on both sides.

    :param trusting: what was proved before counts; without it both sides are compared as if
        nothing were known, and what is known tells only which side was damaged.
    """
    sides = (source, source_key, target, target_key)
    if trusting and recorded is not None and recorded.proved:
        return await look_deep(*sides, recorded, always_read=always_read)
    verdict = await compare_object(*sides, always_read=always_read)
    if verdict.equal or recorded is None:
        return Deep(verdict)
    return Deep(verdict, damaged=(await look_deep(*sides, recorded, always_read=True)).damaged)


async def look_deep(
    source: ObjectStore,
    source_key: str,
    target: ObjectStore,
    target_key: str,
    recorded: Recorded,
    *,
    always_read: bool,
) -> Deep:
    """Compare both sides with what was recorded, by fresh heads, and by reading where those say nothing.

    The target is read where it states no CRC32C (or ``always_read``). The source is read only if
    it is a store that states no checksum at all, a file system; reading any other source again
    would cost egress and prove what its version says already.
    """
    try:
        one, other = (await source.head(source_key)).object, (await target.head(target_key)).object
        if (one.version, other.version) != (recorded.source_version, recorded.target_version):
            sides = (source, source_key, target, target_key)
            return Deep(await compare_object(*sides, always_read=always_read))
        found = await _found(target, other, always_read=always_read)
        origin = await _origin(source, one)
    except NotFoundError as error:
        return Deep(Verdict(False, "head", "", error.what, kind="missing"))
    except PreconditionError as error:
        return Deep(Verdict(False, "head", error.what, "", kind="different"))
    read = always_read or Algorithm.CRC32C not in other.checksums
    return _judged(recorded.crc32c, origin, found, read=read)


def _judged(recorded: str, origin: str | None, found: str | None, *, read: bool) -> Deep:
    method = "deep_read:crc32c" if read else "deep:crc32c"
    source_holds = origin in {None, recorded}
    if found == recorded and source_holds:
        return Deep(Verdict(True, method, recorded, recorded, recorded))
    source = "as recorded" if source_holds else f"crc32c {origin}, recorded {recorded}"
    target = "as recorded" if found == recorded else f"crc32c {found}, recorded {recorded}"
    return Deep(Verdict(False, method, source, target), damaged=source_holds)


async def _found(target: ObjectStore, item: ListedObject, *, always_read: bool) -> str:
    """Return the target's own CRC32C, or that of its bytes."""
    told = item.checksums.get(Algorithm.CRC32C)
    return await _read(target, item) if always_read or told is None else told


async def _origin(source: ObjectStore, item: ListedObject) -> str | None:
    """Return the source's own CRC32C, or that of a file's bytes; None where only its version speaks."""
    told = item.checksums.get(Algorithm.CRC32C)
    return await _read(source, item) if told is None and not source.traits.reports else told


async def _read(store: ObjectStore, item: ListedObject) -> str:
    _, read = await read_checksums(store, item.key, item.version, [Algorithm.CRC32C])
    return read[Algorithm.CRC32C]
