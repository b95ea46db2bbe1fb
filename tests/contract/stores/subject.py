"""What the conformance suite needs to know of a store and of the server behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from heavylift.checksums import Algorithm, digest
from heavylift.platforms.ports import ListedObject, ObjectAttributes, ObjectStore, PutReceipt

OpenStore = Callable[[], AbstractAsyncContextManager[ObjectStore]]


@dataclass(frozen=True)
class Subject:
    """One store on a container of its own, which is empty at the start of each test.

    :param store: open; closed by the fixture.
    :param reopen: opens another store on the same container, as a mover started anew would.
    :param unholdable: awkward keys that *this server* cannot hold although the documented rules
        of the store allow them; a server that keeps all the rules declares none.
    :param unholdable_attributes: the same for names of conformance.ATTRIBUTES.
    :param page_objects: so many objects make more than one page of a listing.
    :param stranger: opens the store with wrong credentials.
    :param secrets: texts that no error may show: the wrong credentials of ``stranger``.
    """

    store: ObjectStore
    reopen: OpenStore
    unholdable: frozenset[str] = frozenset()
    unholdable_attributes: frozenset[str] = frozenset()
    page_objects: int = 0
    stranger: OpenStore | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)


async def put(
    store: ObjectStore,
    key: str,
    body: bytes = b"body",
    attributes: ObjectAttributes | None = None,
    *,
    create_only: bool = True,
) -> PutReceipt:
    """Put ``body`` with the checksums that the store verifies."""
    wanted = store.traits.verifies | {Algorithm.CRC32C}
    return await store.put(
        key, body, attributes or ObjectAttributes(), digest(body, *wanted), create_only=create_only
    )


async def read(
    store: ObjectStore,
    key: str,
    *,
    version: str | None = None,
    offset: int = 0,
    length: int | None = None,
) -> bytes:
    """Return an object's bytes, or a range of them."""
    async with store.get(key, version=version, offset=offset, length=length) as stream:
        return b"".join([chunk async for chunk in stream.chunks()])


async def listed_keys(store: ObjectStore, prefix: str = "", start_after: str = "") -> list[str]:
    """Return the keys of a listing in its order."""
    return [item.key async for item in listed(store, prefix, start_after)]


async def listed(store: ObjectStore, prefix: str = "", start_after: str = "") -> AsyncIterator[ListedObject]:
    """Yield the objects of a listing."""
    async for page in store.list_pages(prefix, start_after=start_after):
        for item in page:
            yield item


def crc32c(body: bytes) -> str:
    """Return the CRC32C of ``body`` in hex."""
    return digest(body, Algorithm.CRC32C)[Algorithm.CRC32C]
