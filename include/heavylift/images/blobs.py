"""Blobs of images: found on the target, mounted there, or sent; each at most once in a run."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from dataclasses import dataclass

from heavylift.errors import IntegrityError, TransientError
from heavylift.images.opening import OpenRegistry
from heavylift.images.requests import ImagesRequest
from heavylift.platforms.oci.client import demand_size
from heavylift.platforms.oci.manifest import Descriptor
from heavylift.platforms.oci.uploads import Upload
from heavylift.platforms.overload import seconds_to_wait

_TRIES, _TRIES_OF_WRONG_BYTES = 6, 2
_BASE_SECONDS, _MOST_SECONDS = 0.2, 30.0


@dataclass
class Moved:
    """What happened to the blobs of one image."""

    sent: int = 0
    mounted: int = 0
    sent_bytes: int = 0


class Blobs:
    """Brings blobs to the target's repositories; bounded, and no two at once of one digest."""

    def __init__(self, request: ImagesRequest, source: OpenRegistry, target: OpenRegistry) -> None:
        self._request, self._source, self._target = request, source, target
        self._same = source.registry.wire.base == target.registry.wire.base
        self._limit = asyncio.Semaphore(request.wanted.parallel)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._held: defaultdict[str, list[str]] = defaultdict(list)
        """Digest → repositories of the target that are known to have it."""
        self._sizes: dict[str, int] = {}
        """Digest → how long it was found to be: another manifest may say something else of it."""

    async def bring(self, blob: Descriptor, source: str, target: str, moved: Moved) -> None:
        """See to it that a repository of the target has a blob of the source's.

        :raises IntegrityError: its bytes are not what its name says; they are not on the target.
        """
        async with self._locks[blob.digest]:
            if blob.digest in self._sizes:
                demand_size(self._sizes[blob.digest], blob, f"blob {blob.digest}")
            if target in self._held[blob.digest]:
                return
            async with self._limit:
                await self._brought(blob, source, target, moved)
            self._held[blob.digest].append(target)

    async def there(self, blob: Descriptor, target: str) -> bool:
        """Tell whether a repository of the target has a blob.

        :raises IntegrityError: it has one of another size.
        """
        size = await self._target.registry.blob_size(target, blob.digest)
        if size is not None and size >= 0:
            what = f"blob {self._target.registry.called(target, blob.digest)}"
            demand_size(size, blob, what)
            self._sizes[blob.digest] = size
        return size is not None

    async def _brought(self, blob: Descriptor, source: str, target: str, moved: Moved) -> None:
        if await self.there(blob, target):
            return
        if self._request.dry_run:
            moved.sent += 1
            moved.sent_bytes += blob.size
            return
        self._request.touching()
        places = self._held[blob.digest][:1] or ([source] if self._same else [])
        for place in places:
            if await Upload(self._target.registry, target, blob).mounted(place):
                moved.mounted += 1
                await self.there(blob, target)  # nothing has looked how long it is
                return
        await self._sent(blob, source, target)
        self._sizes[blob.digest] = blob.size
        moved.sent += 1
        moved.sent_bytes += blob.size

    async def _sent(self, blob: Descriptor, source: str, target: str) -> None:
        wrong = 0
        for attempt in range(1, _TRIES + 1):
            try:
                await self._send_once(blob, source, target)
            except TransientError as error:
                if attempt == _TRIES:
                    raise
                await asyncio.sleep(_delay(attempt, error))
            except IntegrityError:
                # A line may turn a bit over; what comes out wrong twice is wrong where it lies.
                wrong += 1
                if wrong == _TRIES_OF_WRONG_BYTES:
                    raise
            else:
                return

    async def _send_once(self, blob: Descriptor, source: str, target: str) -> None:
        chunk = self._request.wanted.chunk_mib * 2**20
        async with self._source.registry.blob(source, blob) as pieces:
            await Upload(self._target.registry, target, blob, chunk).send(pieces)


def _delay(attempt: int, error: TransientError) -> float:
    asked = seconds_to_wait(error.retry_after)
    if asked > 0:
        return min(asked, _MOST_SECONDS)
    return random.uniform(0, min(_BASE_SECONDS * 2**attempt, _MOST_SECONDS))  # noqa: S311 - jitter
