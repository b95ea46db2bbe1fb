"""The evidence store: files in any object store, written once and never overwritten."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from heavylift.connections import Connection
from heavylift.errors import AlreadyExistsError, AuditError, NotFoundError
from heavylift.evidence.canonical import canonical_json, sha256_hex
from heavylift.evidence.location import evidence_location, prepare_root
from heavylift.evidence.parsing import RecordT, parse_json, parse_record
from heavylift.evidence.paths import check_path
from heavylift.evidence.records import EvidenceRef
from heavylift.evidence.transfer import put_bytes, put_file, read_chunks
from heavylift.platforms.ports import ObjectStore
from heavylift.platforms.wiring import open_store

JSON = "application/json"
PARQUET = "application/vnd.apache.parquet"
HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class EvidenceFile:
    """A file as a listing shows it.

    :param modified_at: by the store's clock; that of a copy, where the evidence was copied.
    """

    path: str
    size_bytes: int
    modified_at: datetime


class EvidenceStore:
    """Create-only files below one root. Open it with :func:`open_evidence`.

    Writing what is already there, byte for byte, is no error, so that a retried task may
    write its evidence again; other bytes under a taken path are refused. A path is relative
    to the root and has been through :func:`heavylift.evidence.paths.check_path`.

    :param objects: the object store; its location's prefix is the root.
    """

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._root = objects.location.prefix

    def url_of(self, path: str) -> str:
        """Return the URL of the evidence at ``path``."""
        return self._objects.location.url_of(self._key(path))

    @property
    def url(self) -> str:
        """The URL of the root."""
        return str(self._objects.location)

    async def write_json(self, path: str, record: BaseModel | Mapping[str, Any]) -> EvidenceRef:
        """Write ``record`` as canonical JSON.

        :raises AlreadyExistsError: something else is at ``path``; it is untouched.
        """
        return await self.write_bytes(path, canonical_json(record), JSON)

    async def write_bytes(self, path: str, data: bytes, content_type: str) -> EvidenceRef:
        """Write ``data``.

        :raises AlreadyExistsError: something else is at ``path``; it is untouched.
        """
        ref = EvidenceRef(path=path, sha256=sha256_hex(data), size_bytes=len(data))
        try:
            await put_bytes(self._objects, self._key(path), data, content_type)
        except AlreadyExistsError as error:
            await self._accept_if_equal(ref, error)
        return ref

    async def write_file(self, path: str, local: Path, content_type: str) -> EvidenceRef:
        """Write a local file; large ones in parts, so that memory stays bounded.

        :raises AlreadyExistsError: something else is at ``path``; it is untouched.
        """
        sha256, size_bytes = await asyncio.to_thread(_digest_of, local)
        ref = EvidenceRef(path=path, sha256=sha256, size_bytes=size_bytes)
        try:
            await put_file(self._objects, self._key(path), local, ref, content_type)
        except AlreadyExistsError as error:
            await self._accept_if_equal(ref, error)
        return ref

    async def read_bytes(self, path: str) -> bytes:
        """Return the evidence at ``path`` whole.

        :raises NotFoundError: there is none.
        """
        parts = [chunk async for chunk in read_chunks(self._objects, self._key(path))]
        return b"".join(parts)

    async def read_json(self, path: str) -> dict[str, Any]:
        """Return the JSON object at ``path``.

        :raises NotFoundError: there is none.
        :raises AuditError: it is no JSON object.
        """
        return parse_json(path, await self.read_bytes(path))

    async def read_record(self, path: str, model: type[RecordT]) -> RecordT:
        """Return the record at ``path``.

        :raises NotFoundError: there is none.
        :raises AuditError: it is no ``model``.
        """
        return parse_record(path, await self.read_bytes(path), model)

    async def read_verified(self, ref: EvidenceRef) -> bytes:
        """Return the evidence that ``ref`` points to, if it still is what it was.

        :raises NotFoundError: it is gone.
        :raises AuditError: its content has changed.
        """
        data = await self.read_bytes(ref.path)
        if sha256_hex(data) != ref.sha256:
            raise _changed(self.url_of(ref.path), sha256_hex(data), ref.sha256)
        return data

    async def matches(self, ref: EvidenceRef) -> bool:
        """Tell whether the file that ``ref`` points to still has its SHA-256; memory is bounded.

        :raises NotFoundError: it is gone.
        """
        return await self._sha256_at(ref.path) == ref.sha256

    async def ref_of(self, path: str) -> EvidenceRef:
        """Return a reference to the evidence at ``path`` as it is now; memory is bounded.

        :raises NotFoundError: there is none.
        """
        head = await self._objects.head(self._key(path))
        sha256 = await self._sha256_at(path)
        return EvidenceRef(path=path, sha256=sha256, size_bytes=head.object.size_bytes)

    async def fetch(self, path: str, local: Path) -> None:
        """Download the evidence at ``path`` into ``local``, replacing it only when complete.

        :raises NotFoundError: there is none.
        """
        part = local.with_name(f"{local.name}.part")
        with await asyncio.to_thread(part.open, "wb") as sink:
            async for chunk in read_chunks(self._objects, self._key(path)):
                await asyncio.to_thread(sink.write, chunk)
        await asyncio.to_thread(part.replace, local)

    async def fetch_verified(self, ref: EvidenceRef, local: Path) -> None:
        """Download the evidence that ``ref`` points to into ``local``, if it still is what it was.

        :raises NotFoundError: it is gone.
        :raises AuditError: its content has changed.
        """
        await self.fetch(ref.path, local)
        sha256, _ = await asyncio.to_thread(_digest_of, local)
        if sha256 != ref.sha256:
            raise _changed(self.url_of(ref.path), sha256, ref.sha256)

    async def exists(self, path: str) -> bool:
        """Tell whether there is evidence at ``path``."""
        try:
            await self._objects.head(self._key(path))
        except NotFoundError:
            return False
        return True

    async def names(self, folder: str = "") -> list[str]:
        """Return the paths of all evidence below ``folder`` (the root if empty), sorted."""
        pages = self.name_pages(folder)
        return sorted([name async for page in pages for name in page])

    async def name_pages(self, folder: str = "", *, start_after: str = "") -> AsyncIterator[list[str]]:
        """Yield the paths below ``folder`` in pages, in the store's own order.

        :param start_after: skip the paths up to this one.
        """
        after = self._root + start_after if start_after else ""
        async for page in self._objects.list_pages(self._prefix(folder), start_after=after):
            yield [listed.key.removeprefix(self._root) for listed in page]

    async def files(self, folder: str = "") -> AsyncIterator[EvidenceFile]:
        """Yield what the store knows of each file below ``folder``, in the store's own order."""
        async for page in self._objects.list_pages(self._prefix(folder)):
            for listed in page:
                modified_at = datetime.fromtimestamp(listed.modified_us / 1_000_000, UTC)
                path = listed.key.removeprefix(self._root)
                yield EvidenceFile(path, listed.size_bytes, modified_at)

    def _prefix(self, folder: str) -> str:
        return f"{self._key(folder)}/" if folder else self._root

    def _key(self, path: str) -> str:
        return self._root + check_path(path)

    async def _sha256_at(self, path: str) -> str:
        digest = hashlib.sha256()
        async for chunk in read_chunks(self._objects, self._key(path)):
            digest.update(chunk)
        return digest.hexdigest()

    async def _accept_if_equal(self, ref: EvidenceRef, error: AlreadyExistsError) -> None:
        there = await self._sha256_at(ref.path)
        if there == ref.sha256:
            return
        raise AlreadyExistsError(
            f"writing evidence to {self.url_of(ref.path)}",
            got=f"another file there (SHA-256 {there[:16]}…)",
            expected=f"no file, or the same content (SHA-256 {ref.sha256[:16]}…)",
            state="evidence is never overwritten: what was there is untouched, the new file was not kept",
            remedy="use another run or attempt number, or read what is there",
            code="4010",
        ) from error


@asynccontextmanager
async def open_evidence(
    url: str | None = None, connection: Connection | None = None, *, create: bool = True
) -> AsyncIterator[EvidenceStore]:
    """Open the evidence store and close it at the end of the block.

    A folder is created where it is missing; a bucket or container must exist.

    :param url: ``file://``, ``s3://``, ``gs://`` or ``az://``; if None the connection tells it,
        see :func:`evidence_location`.
    :param create: False where evidence is only read: a missing folder stays missing.
    :raises NotFoundError: no such bucket or container.
    :raises CredentialError: refused.
    """
    location = evidence_location(url, connection)
    if create:
        await asyncio.to_thread(prepare_root, location)
    async with open_store(location, connection) as objects:
        yield EvidenceStore(objects)


def _digest_of(local: Path) -> tuple[str, int]:
    with local.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), file.tell()


def _changed(url: str, got: str, expected: str) -> AuditError:
    return AuditError(
        f"reading evidence {url}",
        got=f"content with SHA-256 {got}",
        expected=f"SHA-256 {expected}",
        state="the file was changed after it was written; nothing was done with it",
        remedy="find who changed it; restore it from the store's versions or run the phase again",
        code="4011",
    )
