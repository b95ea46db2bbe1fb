"""Blobs into a registry: mounted where that can be, else sent as they come, and hashed on the way."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from heavylift.errors import (
    CredentialError,
    HeavyliftError,
    IntegrityError,
    NoRoomError,
    NotFoundError,
    PermanentError,
)
from heavylift.platforms.http_answer import StreamedBody
from heavylift.platforms.oci.client import Registry, demand_size, scope_of
from heavylift.platforms.oci.names import demand_digest, hasher

if TYPE_CHECKING:
    from heavylift.platforms.http import Response
    from heavylift.platforms.oci.manifest import Descriptor

log = logging.getLogger(__name__)
SMALL = 1 << 20
"""Blobs up to this size are read whole, judged, and sent in one request."""
_TYPE = {"Content-Type": "application/octet-stream"}
_NOT_THERE = "the target does not have this blob; what was sent of it was thrown away"


class Upload:
    """One blob on its way into a repository.

    :param chunk_bytes: 0 sends it in one request; else in so many as are needed.
    """

    def __init__(self, target: Registry, repository: str, blob: Descriptor, chunk_bytes: int = 0) -> None:
        self._target, self._repository, self._blob = target, repository, blob
        self._chunk = chunk_bytes
        self._what = f"upload of blob {target.called(repository, blob.digest)}"
        self._scope = target.scope(repository)
        self._hash, self._size = hasher(blob.digest), 0

    async def mounted(self, from_repository: str) -> bool:
        """Have the registry take the blob from another repository of its own; False where it will not.

        An upload that it opens instead is closed again.
        """
        query = urlencode({"mount": self._blob.digest, "from": from_repository})
        scope = f"{self._scope} {scope_of(from_repository)}"
        path = f"/v2/{self._repository}/blobs/uploads/?{query}"
        try:
            answer = await self._target.wire.send("POST", path, self._what, scope)
        except PermanentError:
            return False  # a registry that mounts nothing, or not from there: it is sent
        if answer.status == 201:
            self._demand_told(answer)
            return True
        await self._dropped(_location(answer, self._what))
        return False

    async def send(self, pieces: AsyncIterator[bytes]) -> None:
        """Send a blob; it is there only if its bytes are what its name says.

        :raises IntegrityError: size or digest are not those of the manifest: nothing of it is kept.
        """
        opened = await self._target.wire.send(
            "POST", f"/v2/{self._repository}/blobs/uploads/", self._what, self._scope
        )
        location = _location(opened, self._what)
        try:
            if self._blob.size <= SMALL:
                await self._closed(location, b"".join([each async for each in self._hashed(pieces)]))
                return
            if self._chunk:
                location = await self._in_chunks(location, pieces)
            else:
                location = await self._streamed(location, pieces)
            await self._closed(location)
        except BaseException:
            await self._dropped(location)
            raise

    async def _hashed(self, pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Pass pieces on; the last one only when size and digest are right."""
        held = b""
        async for piece in pieces:
            self._hash.update(piece)
            self._size += len(piece)
            if self._size > self._blob.size:
                break
            if held:
                yield held
            held = piece
        demand_size(self._size, self._blob, f"blob {self._blob.digest}")
        found = f"{self._blob.digest.partition(':')[0]}:{self._hash.hexdigest()}"
        demand_digest(found, self._blob.digest, f"blob {self._blob.digest}", _NOT_THERE)
        if held:
            yield held

    async def _streamed(self, location: str, pieces: AsyncIterator[bytes]) -> str:
        async with aclosing(self._hashed(pieces)) as hashed:
            body = StreamedBody(self._blob.size, hashed)
            answer = await self._target.wire.send(
                "PATCH", location, self._what, self._scope, headers=_TYPE, streamed=body
            )
        if self._size != self._blob.size:
            raise _strange(self._what, f"HTTP {answer.status} before the end", "an answer after it")
        return _location(answer, self._what)

    async def _in_chunks(self, location: str, pieces: AsyncIterator[bytes]) -> str:
        waiting, start = bytearray(), 0
        async with aclosing(self._hashed(pieces)) as hashed:
            async for piece in hashed:
                waiting += piece
                while len(waiting) >= self._chunk:
                    location = await self._one_chunk(location, bytes(waiting[: self._chunk]), start)
                    start += self._chunk
                    del waiting[: self._chunk]
        return await self._one_chunk(location, bytes(waiting), start) if waiting else location

    async def _one_chunk(self, location: str, chunk: bytes, start: int) -> str:
        end = start + len(chunk) - 1
        headers = {**_TYPE, "Content-Range": f"{start}-{end}"}
        try:
            answer = await self._target.wire.send(
                "PATCH", location, self._what, self._scope, headers=headers, body=chunk
            )
        except (CredentialError, NoRoomError):
            raise
        except PermanentError as error:
            # Sent again after an answer was lost, a piece is one too many: the blob begins anew.
            raise _strange(self._what, error.got, f"bytes {start} to {end} to be taken") from None
        told = answer.headers.get("Range", "").removeprefix("bytes=")
        if told and told != f"0-{end}":
            # An answer was lost and the chunk sent twice, or somebody else writes here.
            raise _strange(self._what, f"the range {told!r:.40}", f"0-{end}")
        return _location(answer, self._what)

    async def _closed(self, location: str, data: bytes = b"") -> None:
        joint = "&" if "?" in location else "?"
        path = f"{location}{joint}{urlencode({'digest': self._blob.digest})}"
        try:
            answer = await self._target.wire.send(
                "PUT", path, self._what, self._scope, headers=_TYPE, body=data
            )
        except NotFoundError:
            # An answer that was lost: the upload is no more, and the blob may be there.
            if await self._target.blob_size(self._repository, self._blob.digest) is None:
                raise
            return
        self._demand_told(answer)

    def _demand_told(self, answer: Response) -> None:
        told = answer.headers.get("Docker-Content-Digest", "")
        if told:
            demand_digest(told, self._blob.digest, self._what, f"the registry says that it is {told[:90]!r}")

    async def _dropped(self, location: str) -> None:
        # The registry throws away by itself what is never closed: that it does so now is a courtesy.
        with suppress(HeavyliftError):
            await self._target.wire.send("DELETE", location, self._what, self._scope)


def _location(answer: Response, what: str) -> str:
    found = answer.headers.get("Location")
    if not found:
        raise _strange(what, f"HTTP {answer.status} without a Location", "where to send the blob")
    return str(found)


def _strange(what: str, got: str, expected: str) -> IntegrityError:
    return IntegrityError(
        what,
        got=got,
        expected=expected,
        state=_NOT_THERE,
        remedy="run again; where it stays, look at the registry, or at what stands before it",
        code="9160",
    )
