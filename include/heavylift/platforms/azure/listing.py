"""Listing a container."""

from __future__ import annotations

from collections.abc import AsyncIterator

from heavylift.checksums import Algorithm, base64_to_hex
from heavylift.platforms.azure.headers import http_date_us
from heavylift.platforms.azure.list_answers import ListedBlob, ListPage, read_page
from heavylift.platforms.azure.wire import ContainerWire, not_azure
from heavylift.platforms.ports import ListedObject

PAGE = 5000


async def pages(wire: ContainerWire, prefix: str, start_after: str) -> AsyncIterator[list[ListedObject]]:
    """Yield the blobs under ``prefix`` whose names come after ``start_after`` in UTF-8 byte order.

    Blob Storage cannot begin in the middle, so what comes before is listed and passed over.
    """
    after = start_after.encode()
    query = {"restype": "container", "comp": "list", "maxresults": str(PAGE)}
    query |= {"prefix": prefix} if prefix else {}
    while True:
        page = await _page(wire, query)
        rows = [blob for blob in page[1] if not after or blob.key.encode() > after]
        if rows:
            yield rows
        if not page[0].next_marker:
            return
        query["marker"] = page[0].next_marker


async def _page(wire: ContainerWire, query: dict[str, str]) -> tuple[ListPage, list[ListedObject]]:
    request = wire.request("GET", "list", None, query=query)
    answer = await wire.send(request)
    try:
        page = read_page(answer.body)
        # An account with hierarchical namespace lists its folders among the blobs.
        return page, [_listed(blob) for blob in page.blobs if blob.get("ResourceType") != "directory"]
    except (ValueError, KeyError) as error:
        raise not_azure(request.what, f"no listing, or a blob in another form: {error}") from None


def _listed(blob: ListedBlob) -> ListedObject:
    md5 = blob.get("Content-MD5")
    return ListedObject(
        key=blob["Name"],
        size_bytes=int(blob["Content-Length"]),
        version=blob["Etag"].strip('"'),
        modified_us=http_date_us(blob["Last-Modified"]),
        checksums={Algorithm.MD5: base64_to_hex(md5)} if md5 else {},
        storage_class=blob.get("AccessTier", ""),
    )
