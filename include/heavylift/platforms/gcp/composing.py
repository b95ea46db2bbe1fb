"""Large objects from parts: parallel composite uploads.

Each part is an object ``.heavylift-parts/<token>/<number>-<crc32c>`` of the same bucket; the
parts are composed in steps of at most 32 (https://cloud.google.com/storage/docs/composite-objects)
and deleted. An ``upload`` marker tells a begun upload from one that is gone; a ``done`` marker
tells that the object is there and only the cleaning up was cut short.

What to know before using it on a bucket: composing keeps the parts' storage class, so the parts
have the bucket's default class, and with one that has a minimum storage duration each deleted
part is charged for it. A retention policy or default hold keeps parts from being deleted: they
stay, hidden from listings, until it ends, and a warning names their folder. A lifecycle rule
that deletes ``.heavylift-parts/`` after some days removes what killed movers left.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
from collections.abc import Awaitable, Iterable, Sequence
from typing import TypeVar
from urllib.parse import quote

from heavylift.checksums import Algorithm, Body, Checksums, combine_crc32c
from heavylift.errors import HeavyliftError, NotFoundError
from heavylift.platforms.gcp.faults import already_exists
from heavylift.platforms.gcp.resources import checksums_of, resource_of
from heavylift.platforms.gcp.rules import PARTS_FOLDER
from heavylift.platforms.gcp.wire import BucketWire, Resource
from heavylift.platforms.ports import ObjectAttributes, PartReceipt, Upload

_T = TypeVar("_T")
_LOG = logging.getLogger(__name__)
_COMPOSE_MOST = 32
_PARALLEL = 16
_UPLOAD_ID = re.compile(r"[0-9a-f]{32}")
_PART = re.compile(r"(\d{5})-([0-9a-f]{8})")
_MARKER = "upload"
_DONE = "done"
_EMPTY_CRC32C = "00000000"


def name_upload(key: str) -> Upload:
    """Choose the id of an upload."""
    return Upload(key, secrets.token_hex(16))


class Composer:
    """Uploads in parts to one bucket."""

    def __init__(self, wire: BucketWire) -> None:
        self._wire = wire

    async def begin(self, upload: Upload) -> None:
        """Begin an upload: write its marker, which names the key."""
        await self._mark(upload, _MARKER)

    async def _mark(self, upload: Upload, name: str) -> None:
        fields: Resource = {"metadata": {"heavylift-key": quote(upload.key)}}
        await self._wire.insert(
            _folder(upload) + name, fields, b"", _EMPTY_CRC32C, act="mark", create_only=False
        )

    async def put_part(self, upload: Upload, number: int, body: Body, crc32c: str) -> PartReceipt:
        """Send one part; Cloud Storage's own checksum of it is compared."""
        name = f"{_folder(upload)}{number:05}-{crc32c}"
        await self._wire.insert(name, {}, body, crc32c, act="put of part", create_only=False)
        return PartReceipt(number, len(body), crc32c, name)

    async def finished_parts(self, upload: Upload) -> dict[int, PartReceipt] | None:
        """Return the parts that are there whole, or None where the upload is gone or done.

        Ends the cleaning up of an upload that was completed.
        """
        found = await self._contents(upload)
        names = {resource["name"].removeprefix(_folder(upload)) for resource in found}
        if _DONE in names:
            await self._clean(upload, found)
            return None
        if _MARKER not in names:
            return None
        # Of two parts with one number the later one counts.
        found.sort(key=lambda resource: int(resource["generation"]))
        receipts = (_receipt(upload, resource) for resource in found)
        return {receipt.number: receipt for receipt in receipts if receipt}

    async def complete(
        self,
        upload: Upload,
        parts: Sequence[PartReceipt],
        attributes: ObjectAttributes,
        checksums: Checksums,
        *,
        create_only: bool,
    ) -> Resource:
        """Compose the object and check its checksum against the parts'.

        :raises AlreadyExistsError: ``create_only`` and something is there.
        :raises IntegrityError: the composed object differs; it was deleted.
        """
        if create_only:
            await self._refuse_existing(upload)
        ordered = sorted(parts, key=lambda part: part.number)
        sources = [(part.token, part.size_bytes, part.crc32c) for part in ordered]
        level = 0
        while len(sources) > _COMPOSE_MOST:
            groups = [sources[i : i + _COMPOSE_MOST] for i in range(0, len(sources), _COMPOSE_MOST)]
            steps = (self._join(upload, f"join-{level}-{i:05}", group) for i, group in enumerate(groups))
            sources = await _some_at_once(steps)
            level += 1
        expected = checksums.get(Algorithm.CRC32C) or _combined(sources)
        found = await self._compose(
            upload.key, sources, resource_of(attributes), expected, create_only=create_only
        )
        await self._mark_and_clean(upload)
        return found

    async def _refuse_existing(self, upload: Upload) -> None:
        """Fail before anything is composed; the composition's own condition holds the race."""
        try:
            found = await self._wire.resource(upload.key, "look before composition")
        except NotFoundError:
            return
        raise already_exists(
            f"completion of {self._wire.location.url_of(upload.key)}", f"generation {found['generation']}"
        )

    async def _join(
        self, upload: Upload, name: str, group: list[tuple[str, int, str]]
    ) -> tuple[str, int, str]:
        target = _folder(upload) + name
        crc32c = _combined(group)
        await self._compose(target, group, {}, crc32c, create_only=False)
        return target, sum(size for _, size, _ in group), crc32c

    async def _compose(
        self,
        key: str,
        sources: list[tuple[str, int, str]],
        fields: Resource,
        crc32c: str,
        *,
        create_only: bool,
    ) -> Resource:
        body = {"sourceObjects": [{"name": name} for name, _, _ in sources], "destination": fields}
        query = {"ifGenerationMatch": "0"} if create_only else {}
        request = self._wire.request(
            "POST",
            "composition",
            key,
            path="/compose",
            headers={"Content-Type": "application/json"},
            body=json.dumps(body).encode(),
            creates=create_only,
            query=query,
        )
        return await self._wire.create(request, key, sum(size for _, size, _ in sources), crc32c)

    async def _mark_and_clean(self, upload: Upload) -> None:
        try:
            await self._mark(upload, _DONE)
            await self.abort(upload)
        except HeavyliftError as error:
            # The object is there and checked; failing here would deny that.
            _LOG.warning("parts of a finished upload are left in %s: %s", _folder(upload), error)

    async def abort(self, upload: Upload) -> None:
        """Delete the upload's parts, then its markers; no error if it is already gone."""
        await self._clean(upload, await self._contents(upload))

    async def _contents(self, upload: Upload) -> list[Resource]:
        found: list[Resource] = []
        async for page in self._wire.pages(_folder(upload)):
            found += page
        return found

    async def _clean(self, upload: Upload, found: Iterable[Resource]) -> None:
        markers = [_folder(upload) + name for name in (_MARKER, _DONE)]
        names = [resource["name"] for resource in found]
        await _some_at_once(self._wire.delete(name) for name in names if name not in markers)
        for marker in markers:
            if marker in names:
                await self._wire.delete(marker)


async def _some_at_once(works: Iterable[Awaitable[_T]]) -> list[_T]:
    slots = asyncio.Semaphore(_PARALLEL)

    async def run(work: Awaitable[_T]) -> _T:
        async with slots:
            return await work

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run(work)) for work in works]
    except* HeavyliftError as errors:
        raise _first(errors) from None
    return [task.result() for task in tasks]


def _first(errors: BaseExceptionGroup[HeavyliftError]) -> BaseException:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _combined(sources: Iterable[tuple[str, int, str]]) -> str:
    return combine_crc32c((crc32c, size) for _, size, crc32c in sources)


def _folder(upload: Upload) -> str:
    if not _UPLOAD_ID.fullmatch(upload.upload_id):
        raise NotFoundError(
            f"use of upload {upload.upload_id!r}",
            got="an id that this store never gave out",
            expected="32 hexadecimal digits",
            state="nothing was touched",
            remedy="begin the upload anew",
            code="3272",
        )
    return f"{PARTS_FOLDER}/{upload.upload_id}/"


def _receipt(upload: Upload, resource: Resource) -> PartReceipt | None:
    match = _PART.fullmatch(resource["name"].removeprefix(_folder(upload)))
    if match is None or checksums_of(resource).get(Algorithm.CRC32C) != match[2]:
        return None
    return PartReceipt(int(match[1]), int(resource["size"]), match[2], resource["name"])
