"""What an ingest left on the target, seen as the source's objects: under their keys, with their attributes.

Copying from this view onto the target itself gives an object its key or its attributes back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from heavylift.errors import NotFoundError
from heavylift.locations import Location
from heavylift.objects.appliances.load_manifest import LoadRow
from heavylift.platforms.ports import (
    Fetched,
    ListedObject,
    ObjectAttributes,
    ObjectHead,
    ObjectStore,
    ObjectStream,
)


@dataclass
class _Stream:
    """A download whose head tells the source's attributes."""

    head: ObjectHead
    inner: ObjectStream

    def chunks(self) -> AsyncIterator[bytes]:
        return self.inner.chunks()


class IngestedView:
    """Reads objects of the target; see the module. It writes nothing.

    :param prefix: of the dataset on the target; keys begin with it.
    """

    def __init__(self, target: ObjectStore, prefix: str) -> None:
        self._target, self._prefix = target, prefix
        self._rows: dict[str, tuple[LoadRow, str]] = {}
        self.location: Location = target.location
        # Tags come with the attributes, so nobody has to ask for them.
        self.traits = replace(target.traits, keeps_tags=False)

    def show(self, row: LoadRow, at: str) -> None:
        """Let the view have an object that lies under the relative key ``at``."""
        self._rows[self._prefix + row.rel] = (row, self._prefix + at)

    def hide(self, row: LoadRow) -> None:
        """Take it out again."""
        del self._rows[self._prefix + row.rel]

    async def head(self, key: str) -> ObjectHead:
        """Return the head, with the attributes that the object had on the source."""
        row, place = self._find(key)
        return _as_source(await self._target.head(place), key, row)

    async def tags(self, key: str) -> dict[str, str]:
        """Return the tags that the object had on the source."""
        return dict(self._find(key)[0].attributes.tags)

    @asynccontextmanager
    async def get(
        self, key: str, *, version: str | None = None, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[ObjectStream]:
        """Open a download of what lies on the target."""
        row, place = self._find(key)
        async with self._target.get(place, version=version, offset=offset, length=length) as stream:
            yield _Stream(_as_source(stream.head, key, row), stream)

    async def fetch(
        self,
        key: str,
        *,
        version: str | None = None,
        offset: int = 0,
        length: int | None = None,
        into: bytearray | None = None,
    ) -> Fetched:
        """Read what lies on the target, or a range of it, into memory."""
        row, place = self._find(key)
        found = await self._target.fetch(place, version=version, offset=offset, length=length, into=into)
        return replace(found, head=_as_source(found.head, key, row))

    def _find(self, key: str) -> tuple[LoadRow, str]:
        if key in self._rows:
            return self._rows[key]
        raise NotFoundError(
            f"reading of {self.location.url_of(key)} as it was ingested",
            got="an object that this device did not bring",
            expected="one of its load manifest",
            state="nothing was touched",
            remedy="reconcile again",
            code="5742",
        )


def _as_source(head: ObjectHead, key: str, row: LoadRow) -> ObjectHead:
    found: ListedObject = replace(head.object, key=key)
    attributes: ObjectAttributes = row.attributes
    return replace(head, object=found, attributes=attributes, tag_count=len(attributes.tags))
