"""Large blobs from blocks.

A block's id holds the upload's token, the part's number and its CRC32C, so that Blob Storage's
own list of uncommitted blocks tells which parts are there. Blocks belong to the blob's name and
not to an upload: they cannot be dropped without touching the blob, but go by themselves a week
after the last one was put, or when the blob is written
(https://learn.microsoft.com/rest/api/storageservices/put-block).
"""

from __future__ import annotations

import asyncio
import base64
import re
import secrets
from collections.abc import Sequence
from xml.sax.saxutils import escape

from heavylift.checksums import Algorithm, Body, Checksums, digest, hex_to_base64
from heavylift.errors import AlreadyExistsError, NotFoundError, TransientError
from heavylift.platforms.azure.faults import NO_CONTAINER
from heavylift.platforms.azure.headers import headers_of
from heavylift.platforms.azure.wire import ContainerWire, etag_of
from heavylift.platforms.azure.xml import Element
from heavylift.platforms.integrity import check_crc32c
from heavylift.platforms.ports import ObjectAttributes, PartReceipt, Upload

_UPLOAD_ID = re.compile(r"[0-9a-f]{32}")
_BLOCK = re.compile(r"([0-9a-f]{32})-(\d{5})-([0-9a-f]{8})")
_IN_THREAD_BYTES = 1024 * 1024


async def begin(wire: ContainerWire, key: str) -> Upload:
    """Begin an upload. Blocks need no announcement; a wrong credential or container shows now."""
    await _block_lists(wire, key)
    return Upload(key, secrets.token_hex(16))


def block_id(upload: Upload, number: int, crc32c: str) -> str:
    """Return a block's id; all of one blob must be of one length."""
    if not _UPLOAD_ID.fullmatch(upload.upload_id):
        raise NotFoundError(
            f"use of upload {upload.upload_id!r}",
            got="an id that this store never gave out",
            expected="32 hexadecimal digits",
            state="nothing was touched",
            remedy="begin the upload anew",
            code="3382",
        )
    return base64.b64encode(f"{upload.upload_id}-{number:05}-{crc32c}".encode()).decode()


async def md5_of(body: Body) -> str:
    """Return the MD5 of a body; a large one is hashed in a thread."""
    if len(body) < _IN_THREAD_BYTES:
        return digest(body, Algorithm.MD5)[Algorithm.MD5]
    return (await asyncio.to_thread(digest, body, Algorithm.MD5))[Algorithm.MD5]


async def put(wire: ContainerWire, upload: Upload, number: int, body: Body, crc32c: str) -> PartReceipt:
    """Send one block; Blob Storage checks its MD5."""
    token = block_id(upload, number, crc32c)
    what = f"put of part {number} of {wire.location.url_of(upload.key)}"
    # The service checks the MD5 of what is sent here; this, that it is what the caller read.
    check_crc32c(body, crc32c, what, code="3386")
    request = wire.request(
        "PUT",
        f"put of part {number}",
        upload.key,
        headers={"Content-MD5": hex_to_base64(await md5_of(body))},
        body=body,
        query={"comp": "block", "blockid": token},
    )
    await wire.send(request)
    return PartReceipt(number, len(body), crc32c, token)


async def finished(wire: ContainerWire, upload: Upload) -> dict[int, PartReceipt] | None:
    """Return the blocks that are there; None where they make up the blob already."""
    block_id(upload, 0, "00000000")
    lists = await _block_lists(wire, upload.key)
    committed = next(lists.iter("CommittedBlocks"), Element(""))
    if any(_receipt(upload, block) for block in committed.iter("Block")):
        return None
    uncommitted = next(lists.iter("UncommittedBlocks"), Element(""))
    receipts = (_receipt(upload, block) for block in uncommitted.iter("Block"))
    return {receipt.number: receipt for receipt in receipts if receipt}


async def _block_lists(wire: ContainerWire, key: str) -> Element:
    query = {"comp": "blocklist", "blocklisttype": "all"}
    try:
        return await wire.read_xml(wire.request("GET", "list of parts", key, query=query))
    except NotFoundError as error:
        if error.code == NO_CONTAINER:
            raise
        return Element("BlockList")


def _receipt(upload: Upload, block: Element) -> PartReceipt | None:
    token = block.get("Name")
    try:
        match = _BLOCK.fullmatch(base64.b64decode(token).decode("ascii"))
    except ValueError:
        return None
    if match is None or match[1] != upload.upload_id:
        return None
    return PartReceipt(int(match[2]), int(block.get("Size")), match[3], token)


async def commit(
    wire: ContainerWire,
    upload: Upload,
    parts: Sequence[PartReceipt],
    attributes: ObjectAttributes,
    checksums: Checksums,
    *,
    create_only: bool,
) -> str:
    """Make the blob of ``parts`` and return its ETag.

    A given MD5 becomes the blob's Content-MD5; Blob Storage keeps it without checking it.

    :raises AlreadyExistsError: ``create_only`` and something is there.
    """
    ordered = sorted(parts, key=lambda part: part.number)
    listed = "".join(f"<Latest>{escape(part.token)}</Latest>" for part in ordered)
    headers = headers_of(attributes)
    headers |= {"Content-Type": "application/xml"}
    headers |= {"If-None-Match": "*"} if create_only else {}
    if md5 := checksums.get(Algorithm.MD5):
        headers["x-ms-blob-content-md5"] = hex_to_base64(md5)
    request = wire.request(
        "PUT",
        "completion",
        upload.key,
        headers=headers,
        body=f'<?xml version="1.0" encoding="utf-8"?><BlockList>{listed}</BlockList>'.encode(),
        creates=create_only,
        query={"comp": "blocklist"},
    )
    failures: list[TransientError] = []
    try:
        response = await wire.send(request, failures=failures)
    except AlreadyExistsError:
        if not failures or not await _is_ours(wire, upload, ordered):
            raise
        response = await wire.send(wire.request("HEAD", "head", upload.key))
    return etag_of(request.what, response)


async def _is_ours(wire: ContainerWire, upload: Upload, ordered: Sequence[PartReceipt]) -> bool:
    """Tell whether the blob is made of just these blocks: an attempt whose answer was lost."""
    lists = await _block_lists(wire, upload.key)
    committed = next(lists.iter("CommittedBlocks"), Element(""))
    found = [block.get("Name") for block in committed.iter("Block")]
    return found == [part.token for part in ordered]
