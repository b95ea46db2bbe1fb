"""Envelopes: seal, open, verify, and wrap anew. Evidence is kept by :mod:`heavylift.envelopes.keeping`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from heavylift.envelopes.folder import Folder, cipher_of, listed_below
from heavylift.envelopes.key_file import KeyFile, key_file_name
from heavylift.envelopes.opening import digest_of, open_into
from heavylift.envelopes.requests import MOST_OBJECTS, EnvelopeRequest, KeyChoice
from heavylift.envelopes.sealing import Sealer
from heavylift.envelopes.stream import Layout
from heavylift.errors import (
    ConnectionConfigError,
    CredentialError,
    HeavyliftError,
    IntegrityError,
    NotFoundError,
)
from heavylift.evidence.envelope_records import EnvelopeRow
from heavylift.platforms.keys import WrappingKey, open_key
from heavylift.platforms.pacing import Pacer
from heavylift.platforms.places import Place
from heavylift.platforms.ports import ListedObject, ObjectStore
from heavylift.platforms.wiring import open_store

OBJECTS_AT_ONCE = 2
Tell = Callable[[str], None]
ItemT = TypeVar("ItemT")


@dataclass(frozen=True)
class Done:
    """What an act came to.

    :param key: the wrapping key, as its service names it.
    :param extra: sealed objects that no manifest names.
    """

    rows: tuple[EnvelopeRow, ...]
    key: str = ""
    sent_bytes: int = 0
    extra: tuple[str, ...] = ()


async def seal(
    request: EnvelopeRequest, digests: dict[tuple[str, str], str], tell: Tell = lambda _: None
) -> Done:
    """Encrypt every object below the plain prefix here, and send it to the sealed one.

    Nothing on the target that is no sealed object of the same name is overwritten. Idempotency: what is
    sealed of the same version is found and left; a killed run's parts are not sent again.

    :param digests: (name, id of the key file) → SHA-256, of earlier sealings.
    :raises CredentialError: a store or the key refuses.
    """
    plain = _plain(request)
    async with _key(request.key) as key, _store(plain, request) as source, _folder(request) as folder:
        prefix = plain.location.prefix
        objects = await listed_below(source, prefix, MOST_OBJECTS)
        objects = [each for each in objects if each.key != prefix]
        if request.dry_run:
            would = [EnvelopeRow(each.key.removeprefix(prefix), "would", each.size_bytes) for each in objects]
            return Done(tuple(would))
        sealer = Sealer(source, prefix, folder, key, request.replace, request.part_bytes, digests)

        async def one(listed: ListedObject) -> EnvelopeRow:
            return await sealer.seal(listed)

        rows = await _each(objects, one, lambda each: each.key.removeprefix(prefix), tell)
        return Done(tuple(rows), await _told(folder, rows), sealer.sent_bytes)


async def open_sealed(request: EnvelopeRequest, tell: Tell = lambda _: None) -> Done:
    """Decrypt every sealed object into the plain prefix.

    An object becomes visible only when all of it was proved. What is there already is compared and never
    overwritten. Idempotency: a second run finds what is there.

    :raises CredentialError: a store or the key refuses.
    """
    plain = _plain(request)
    async with _key(request.key) as key, _store(plain, request) as target, _folder(request) as folder:
        sent = 0

        async def one(name: str) -> EnvelopeRow:
            nonlocal sent
            found = await _ours(folder, name)
            wrote, sha = await open_into(folder, found, key, target, plain.location.prefix + name)
            sent += found.size_bytes if wrote else 0
            return _row(found, "done" if wrote else "equal", sha)

        names = sorted(folder.sealed)
        if request.dry_run:
            return Done(tuple(EnvelopeRow(name, "would") for name in names))
        rows = await _each(names, one, str, tell)
        return Done(tuple(rows), await _told(folder, rows), sent)


async def verify(
    request: EnvelopeRequest, manifest: Iterable[EnvelopeRow], tell: Tell = lambda _: None
) -> Done:
    """Open every object of a manifest in memory and compare it with its digest; the source is not read.

    :param manifest: rows of the newest sealing.
    :raises CredentialError: a store or the key refuses.
    """
    wanted = {row.name: row for row in manifest}
    async with _key(request.key) as key, _folder(request) as folder:

        async def one(name: str) -> EnvelopeRow:
            found = await _ours(folder, name)
            sha = await digest_of(folder, found, key)
            if sha != wanted[name].sha256 or found.size_bytes != wanted[name].size_bytes:
                raise IntegrityError(
                    f"verifying {folder.url(name)}",
                    got=f"SHA-256 {sha[:16]}… of {found.size_bytes} bytes",
                    expected=f"{wanted[name].sha256[:16]}… of {wanted[name].size_bytes} bytes, as sealed",
                    state="nothing was changed",
                    remedy="seal it anew from the source",
                    code="9357",
                )
            return _row(found, "done", sha)

        rows = await _each(sorted(wanted), one, str, tell)
        extra = tuple(sorted(set(folder.sealed) - set(wanted)))
        return Done(tuple(rows), await _told(folder, rows), extra=extra)


async def rewrap(request: EnvelopeRequest, tell: Tell = lambda _: None) -> Done:
    """Wrap every data key with a new key; the sealed objects are not read and not touched.

    A key file is replaced in one act, after the new wrapping was opened again. Idempotency: what the new key
    has wrapped is left; killed, some are wrapped by the old key and some by the new one, and a second run
    does the rest.

    :raises CredentialError: the store or a key refuses.
    """
    new_key = request.new_key or request.key
    async with _key(request.key) as old, _key(new_key) as new, _folder(request) as folder:
        files = [(name, each) for name, ids in sorted(folder.key_files.items()) for each in sorted(ids)]
        if request.dry_run:
            return Done(tuple(EnvelopeRow(name, "would", key_id=each) for name, each in files))
        sent = 0

        async def one(file: tuple[str, str]) -> EnvelopeRow:
            nonlocal sent
            found = await folder.key_file(*file)
            again, wrote = await _rewrapped(found, old, new)
            if wrote:
                sent += await folder.put_key_file(again, create_only=False)
                await cipher_of(await folder.key_file(*file), new)
            return _row(again, "done" if wrote else "equal", "")

        rows = await _each(files, one, lambda file: key_file_name(*file), tell)
        return Done(tuple(rows), await _told(folder, rows), sent)


async def _rewrapped(found: KeyFile, old: WrappingKey, new: WrappingKey) -> tuple[KeyFile, bool]:
    try:
        data_key = await old.unwrap(found.wrapped_key(), found.context)
    except IntegrityError:
        # Perhaps it was wrapped anew already; where the new key does not open it either, that is told.
        try:
            await new.unwrap(found.wrapped_key(), found.context)
        except IntegrityError as other:
            raise other from None
        return found, False
    wrapped = await new.wrap(data_key, found.context)
    if (wrapped.kind, wrapped.key) == (found.wrapped.kind, found.wrapped.key):
        return found, False
    return found.with_key(wrapped), True


async def _ours(folder: Folder, name: str) -> KeyFile:
    try:
        found = await folder.current(name)
    except NotFoundError:
        raise _absent(folder, name, "no such object") from None
    if found is None:
        raise _absent(folder, name, "an object that is no sealed one")
    return found


def _absent(folder: Folder, name: str, got: str) -> NotFoundError:
    return NotFoundError(
        f"opening {folder.url(name)}",
        got=got,
        expected="the object, sealed",
        state="nothing was changed",
        remedy="seal it anew from the source",
        code="9361",
    )


async def _each(
    items: list[ItemT],
    one: Callable[[ItemT], Awaitable[EnvelopeRow]],
    name: Callable[[ItemT], str],
    tell: Tell,
) -> list[EnvelopeRow]:
    """Do ``one`` for each, a few at once; one that fails is a row of its own, unless all would fail."""
    room = asyncio.Semaphore(OBJECTS_AT_ONCE)
    done = 0

    async def guarded(item: ItemT) -> EnvelopeRow:
        nonlocal done
        async with room:
            try:
                row = await one(item)
            except (CredentialError, ConnectionConfigError):
                raise
            except HeavyliftError as error:
                row = EnvelopeRow(name(item), "failed", reason=str(error), code=f"HL-{error.code}")
        done += 1
        tell(f"{done:,} of {len(items):,} objects")
        return row

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(guarded(item)) for item in items]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


async def _told(folder: Folder, rows: Iterable[EnvelopeRow]) -> str:
    """Return the wrapping key as the first key file names it."""
    first = next((row for row in rows if row.key_id), None)
    if first is None:
        return ""
    wrapped = (await folder.key_file(first.name, first.key_id)).wrapped
    return f"{wrapped.kind}: {wrapped.key}"


def _row(found: KeyFile, outcome: str, sha256: str) -> EnvelopeRow:
    return EnvelopeRow(
        name=found.name,
        outcome=outcome,  # type: ignore[arg-type]
        size_bytes=found.size_bytes,
        sha256=sha256,
        digest_from="target" if sha256 else "",
        source_version=found.source_version,
        key_id=found.id,
        sealed_bytes=Layout(found.size_bytes).sealed_bytes,
    )


def _plain(request: EnvelopeRequest) -> Place:
    if request.plain is None:
        raise ValueError("no place for what is not sealed")
    return request.plain


@asynccontextmanager
async def _key(choice: KeyChoice) -> AsyncIterator[WrappingKey]:
    key = open_key(choice.connection, choice.name)
    try:
        yield key
    finally:
        await key.close()


@asynccontextmanager
async def _store(place: Place, request: EnvelopeRequest) -> AsyncIterator[ObjectStore]:
    async with open_store(place.location, place.connection, pacer=Pacer(request.bandwidth)) as store:
        await store.check()
        yield store


@asynccontextmanager
async def _folder(request: EnvelopeRequest) -> AsyncIterator[Folder]:
    place = request.sealed
    async with open_store(place.location, place.connection) as store:
        folder = Folder(store, place.location.prefix)
        await folder.look()
        yield folder
