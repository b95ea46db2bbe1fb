"""The versions of a bucket's objects: ListObjectVersions, and DeleteObject by version id.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import unquote, unquote_plus

from heavylift.errors import NotFoundError
from heavylift.platforms.aws.headers import iso_date_us
from heavylift.platforms.aws.wire import BucketWire, not_s3
from heavylift.platforms.aws.xml import Element, MalformedXmlError, parse
from heavylift.platforms.versions import Afterlife, ObjectVersion


async def keeps_versions(wire: BucketWire) -> bool:
    """Tell whether versioning is, or was, switched on."""
    request = wire.request("GET", "versioning of", None, None, b"", versioning="")
    try:
        return _parsed(request.what, (await wire.send(request)).body).get("Status") in {
            "Enabled",
            "Suspended",
        }
    except NotFoundError:
        return False  # S3's way of saying that nothing is set.


async def list_versions(wire: BucketWire, prefix: str, *, is_aws: bool) -> AsyncIterator[list[ObjectVersion]]:
    """Yield the versions and delete markers under ``prefix``.

    :param is_aws: whose listings write a blank in a key as ``+``.
    """
    decode = unquote_plus if is_aws else unquote
    marker: dict[str, str] = {}
    while True:
        query = {"versions": "", "encoding-type": "url", "prefix": prefix} | marker
        request = wire.request("GET", "list of versions of", None, None, b"", **query)
        page = _parsed(request.what, (await wire.send(request)).body)
        encoded = page.get("EncodingType") == "url"
        found = [each for each in page.children if each.name in {"Version", "DeleteMarker"}]
        yield [_version(each, decode(each.get("Key")) if encoded else each.get("Key")) for each in found]
        if page.get("IsTruncated") != "true":
            return
        following = page.get("NextKeyMarker")
        marker = {
            "key-marker": decode(following) if encoded else following,
            "version-id-marker": page.get("NextVersionIdMarker"),
        }
        if not following:
            raise not_s3(request.what, "a truncated list without a marker")


async def delete_exactly(wire: BucketWire, key: str, version_id: str) -> None:
    """Delete one version, or one marker, for good."""
    await wire.send(wire.request("DELETE", "deletion of a version of", key, None, b"", versionId=version_id))


async def afterlife(wire: BucketWire) -> Afterlife:
    """S3 keeps nothing that was deleted by its version; else what versioning keeps."""
    if await keeps_versions(wire):
        return Afterlife(0, "the bucket keeps versions; what is deleted by its own id is gone")
    return Afterlife(0, "the bucket keeps no versions: what is deleted cannot be brought back by its owner")


def _version(found: Element, key: str) -> ObjectVersion:
    return ObjectVersion(
        key=key,
        version=found.get("ETag").strip('"'),
        version_id=found.get("VersionId", "null"),
        size_bytes=int(found.get("Size") or 0),
        modified_us=iso_date_us(found.get("LastModified")),
        current=found.get("IsLatest") == "true",
        marker=found.name == "DeleteMarker",
    )


def _parsed(what: str, body: bytes | bytearray) -> Element:
    try:
        return parse(bytes(body).strip())
    except MalformedXmlError as error:
        raise not_s3(what, error) from None
