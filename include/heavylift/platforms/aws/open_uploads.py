"""The multipart uploads in progress of a bucket: ListMultipartUploads, page by page.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import unquote

from heavylift.platforms.aws.wire import BucketWire, not_s3
from heavylift.platforms.aws.xml import Element, MalformedXmlError, parse
from heavylift.platforms.open_uploads import OpenUpload


async def open_uploads(wire: BucketWire, prefix: str) -> AsyncIterator[list[OpenUpload]]:
    """Yield the uploads in progress for keys under ``prefix``.

    :raises CredentialError: ``s3:ListBucketMultipartUploads`` is not allowed.
    """
    marker: dict[str, str] = {}
    while True:
        page = await _page(wire, prefix, marker)
        encoded = page.get("EncodingType") == "url"
        yield [_upload(found, encoded=encoded) for found in page.all("Upload")]
        following = {
            "key-marker": page.get("NextKeyMarker"),
            "upload-id-marker": page.get("NextUploadIdMarker"),
        }
        if encoded:
            following["key-marker"] = unquote(following["key-marker"])
        following = {name: value for name, value in following.items() if value}
        if page.get("IsTruncated") != "true" or not following or following == marker:
            return
        marker = following


async def _page(wire: BucketWire, prefix: str, marker: dict[str, str]) -> Element:
    query = {"uploads": "", "encoding-type": "url"} | marker
    if prefix:
        query["prefix"] = prefix
    request = wire.request("GET", "list of uploads in progress in", None, None, b"", **query)
    response = await wire.send(request)
    try:
        return parse(response.body.strip())
    except MalformedXmlError as error:
        raise not_s3(request.what, error) from None


def _upload(found: Element, *, encoded: bool) -> OpenUpload:
    # The key is shown to people only: uploads are told apart by their ids.
    key = found.get("Key")
    return OpenUpload(found.get("UploadId"), unquote(key) if encoded else key)
