"""Listing a container."""

from __future__ import annotations

from collections.abc import AsyncIterator

from heavylift.checksums import Algorithm, base64_to_hex
from heavylift.platforms.azure.headers import http_date_us
from heavylift.platforms.azure.wire import ContainerWire, not_azure
from heavylift.platforms.azure.xml import Element
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
        request = wire.request("GET", "list", None, query=query)
        answer = await wire.read_xml(request)
        try:
            blobs = [_listed(blob) for blob in answer.iter("Blob") if not _is_folder(blob)]
        except (ValueError, StopIteration) as error:
            raise not_azure(request.what, f"a blob with a field in another form: {error}") from None
        rows = [blob for blob in blobs if not after or blob.key.encode() > after]
        if rows:
            yield rows
        marker = answer.get("NextMarker")
        if not marker:
            return
        query["marker"] = marker


def _is_folder(blob: Element) -> bool:
    # An account with hierarchical namespace lists its folders among the blobs.
    return _properties(blob).get("ResourceType") == "directory"


def _properties(blob: Element) -> Element:
    return next(blob.iter("Properties"))


def _listed(blob: Element) -> ListedObject:
    properties = _properties(blob)
    md5 = properties.get("Content-MD5")
    return ListedObject(
        key=blob.get("Name"),
        size_bytes=int(properties.get("Content-Length")),
        version=properties.get("Etag").strip('"'),
        modified_us=http_date_us(properties.get("Last-Modified")),
        checksums={Algorithm.MD5: base64_to_hex(md5)} if md5 else {},
        storage_class=properties.get("AccessTier"),
    )
