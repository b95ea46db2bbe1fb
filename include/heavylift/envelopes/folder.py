"""The sealed objects below one prefix: what a listing tells, and reading their key files and headers."""

from __future__ import annotations

from dataclasses import dataclass, field

from heavylift.checksums import Algorithm, Body, crc32c_of, digest
from heavylift.envelopes.key_file import (
    MOST_BYTES,
    SEALED,
    KeyFile,
    id_of,
    key_file_name,
    parse_key_file,
    sealed_name,
    split_key_file,
)
from heavylift.envelopes.requests import MOST_OBJECTS
from heavylift.envelopes.stream import HEADER, Cipher, DataKey, Layout, is_header
from heavylift.errors import IntegrityError, NotFoundError, UnsupportedError
from heavylift.platforms.keys import WrappingKey
from heavylift.platforms.ports import ListedObject, ObjectAttributes, ObjectStore

_JSON = ObjectAttributes(content_type="application/json")


@dataclass
class Folder:
    """A prefix of a store, with what was listed below it.

    :param sealed: name → the sealed object.
    :param key_files: name → ids of its key files.
    """

    store: ObjectStore
    prefix: str
    sealed: dict[str, ListedObject] = field(default_factory=dict)
    key_files: dict[str, list[str]] = field(default_factory=dict)

    def url(self, name: str) -> str:
        """Return the URL of something below the prefix, for messages."""
        return self.store.location.url_of(self.prefix + name)

    async def look(self) -> None:
        """List what is there.

        :raises UnsupportedError: there is too much to know it all at once.
        """
        self.sealed.clear()
        self.key_files.clear()
        for listed in await listed_below(self.store, self.prefix, 3 * MOST_OBJECTS):
            name = listed.key.removeprefix(self.prefix)
            key_file = split_key_file(name)
            if key_file is not None:
                self.key_files.setdefault(key_file[0], []).append(key_file[1])
            elif name.endswith(SEALED) and name != SEALED:
                self.sealed[name.removesuffix(SEALED)] = listed

    async def header(self, name: str) -> bytes | None:
        """Return the header of a sealed object, or None where it has none.

        :raises NotFoundError: there is no such object.
        """
        key = self.prefix + sealed_name(name)
        fetched = await self.store.fetch(key, length=HEADER)
        return bytes(fetched.body) if is_header(fetched.body) else None

    async def key_file(self, name: str, key_id: str) -> KeyFile:
        """Return a key file.

        :raises IntegrityError: it is missing, or none.
        """
        file = key_file_name(name, key_id)
        try:
            fetched = await self.store.fetch(self.prefix + file, length=MOST_BYTES)
        except NotFoundError:
            raise IntegrityError(
                f"opening {self.url(sealed_name(name))}",
                got=f"no key file {file}",
                expected="the key file that belongs to the object's header",
                state="nothing was opened and nothing changed",
                remedy="put the key file back from a version or a copy of the bucket; without it nobody"
                " opens the object: delete it, and seal it anew from the source",
                code="9355",
            ) from None
        return parse_key_file(self.url(file), name, key_id, bytes(fetched.body))

    async def current(self, name: str) -> KeyFile | None:
        """Return the key file of a sealed object; None where the object is none of ours.

        :raises NotFoundError: there is no such object.
        :raises IntegrityError: its key file is missing or none.
        """
        header = await self.header(name)
        return await self.key_file(name, id_of(header)) if header is not None else None

    async def put_key_file(self, found: KeyFile, *, create_only: bool) -> int:
        """Write a key file, and return its size."""
        data = found.dump()
        key = self.prefix + key_file_name(found.name, found.id)
        await self.store.put(key, data, _JSON, sums_of(self.store, data), create_only=create_only)
        return len(data)


def sums_of(store: ObjectStore, body: Body) -> dict[Algorithm, str]:
    """Return the checksums that a put carries: CRC32C, and what the store verifies by itself."""
    return {Algorithm.CRC32C: crc32c_of(body), **digest(body, *store.traits.verifies)}


async def listed_below(store: ObjectStore, prefix: str, most: int) -> list[ListedObject]:
    """Return all objects below a prefix, in the order of their keys.

    :raises UnsupportedError: more than ``most``.
    """
    found: list[ListedObject] = []
    async for page in store.list_pages(prefix):
        found += page
        if len(found) > most:
            raise UnsupportedError(
                f"listing {store.location.url_of(prefix)}",
                got=f"more than {most:,} objects",
                expected=f"at most {MOST_OBJECTS:,} in one envelope",
                state="nothing was changed",
                remedy="make an envelope for each subfolder",
                code="9359",
            )
    return sorted(found, key=lambda each: each.key)


async def cipher_of(found: KeyFile, key: WrappingKey) -> Cipher:
    """Return what opens and seals the object of a key file.

    :raises IntegrityError: another key wrapped its data key.
    """
    data_key: DataKey = found.data_key(await key.unwrap(found.wrapped_key(), found.context))
    return Cipher(data_key, Layout(found.size_bytes).segments)
