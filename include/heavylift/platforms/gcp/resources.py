"""Object resources of the JSON API, as the port's types and back. Pure.

Cloud Storage has no object tags. They travel in the custom metadata entry ``heavylift-tags``,
form-encoded (``a=1&b=2``), and are read back from there; an entry of that name which is not in
exactly that form is somebody else's, and stays metadata.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from heavylift.checksums import Algorithm, Body, Checksums, base64_to_hex, hex_to_base64
from heavylift.platforms.own_headers import entry_of, take_entry
from heavylift.platforms.ports import ListedObject, ObjectAttributes, ObjectHead
from heavylift.platforms.tags import decode_tags, encode_tags

TAGS_ENTRY = "heavylift-tags"

LIST_FIELDS = "name,size,generation,updated,crc32c,md5Hash,storageClass"
HEAD_FIELDS = (
    f"{LIST_FIELDS},contentType,contentEncoding,cacheControl,contentDisposition,contentLanguage,metadata,"
    "temporaryHold,eventBasedHold,retentionExpirationTime,retention"
)

_NAMES = {
    "content_type": "contentType",
    "content_encoding": "contentEncoding",
    "cache_control": "cacheControl",
    "content_disposition": "contentDisposition",
    "content_language": "contentLanguage",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def listed_object(resource: Mapping[str, Any]) -> ListedObject:
    """Return the listing's row of a resource.

    :raises KeyError: a field that every object has is missing.
    :raises ValueError: a field is not in its documented form.
    """
    return ListedObject(
        key=str(resource["name"]),
        size_bytes=int(resource["size"]),
        version=str(resource["generation"]),
        modified_us=_microseconds(str(resource["updated"])),
        checksums=checksums_of(resource),
        storage_class=str(resource.get("storageClass", "")),
    )


def _microseconds(text: str) -> int:
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


def checksums_of(resource: Mapping[str, Any]) -> Checksums:
    """Return the checksums that Cloud Storage computed; a composed object has no MD5."""
    found = {Algorithm.CRC32C: resource.get("crc32c"), Algorithm.MD5: resource.get("md5Hash")}
    return {algorithm: base64_to_hex(value) for algorithm, value in found.items() if value}


def object_head(resource: Mapping[str, Any]) -> ObjectHead:
    """Return all that a resource tells; errors as ``listed_object``."""
    metadata = {str(k): str(v) for k, v in (resource.get("metadata") or {}).items()}
    tags = decode_tags(metadata.get(TAGS_ENTRY, ""))
    if tags:
        del metadata[TAGS_ENTRY]
    own_headers = take_entry(metadata)
    headers = {ours: str(resource[theirs]) for ours, theirs in _NAMES.items() if resource.get(theirs)}
    attributes = ObjectAttributes(**headers, metadata=metadata, tags=tags, own_headers=own_headers)
    return ObjectHead(listed_object(resource), attributes, tag_count=len(tags), held_by=_held_by(resource))


_HOLDS = {
    "temporaryHold": "a temporary hold",
    "eventBasedHold": "an event-based hold",
    "retentionExpirationTime": "a retention period",
    "retention": "a retention period",
}


def _held_by(resource: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words for name, words in _HOLDS.items() if resource.get(name)))


def resource_of(attributes: ObjectAttributes) -> dict[str, Any]:
    """Return the resource fields that carry ``attributes``."""
    found = {theirs: getattr(attributes, ours) for ours, theirs in _NAMES.items()}
    fields: dict[str, Any] = {name: value for name, value in found.items() if value is not None}
    if attributes.storage_class:
        fields["storageClass"] = attributes.storage_class
    metadata = custom_metadata(attributes)
    return {**fields, "metadata": metadata} if metadata else fields


def custom_metadata(attributes: ObjectAttributes) -> dict[str, str]:
    """Return the user metadata together with the entries that carry the tags, and headers of S3's own."""
    tags = {TAGS_ENTRY: encode_tags(attributes.tags)} if attributes.tags else {}
    return {**attributes.metadata, **tags, **entry_of(attributes.own_headers)}


def multipart_body(resource: Mapping[str, Any], body: Body, boundary: str) -> bytes:
    """Return the body of a multipart upload: the resource, then the bytes.

    The bytes' Content-Type must be the resource's: Cloud Storage refuses two that differ.
    """
    mark = boundary.encode()
    content_type = str(resource.get("contentType", "application/octet-stream")).encode()
    return b"".join(
        (
            b"--" + mark + b"\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n",
            json.dumps(resource).encode(),
            b"\r\n--" + mark + b"\r\nContent-Type: " + content_type + b"\r\n\r\n",
            body,
            b"\r\n--" + mark + b"--\r\n",
        )
    )


def checksum_field(crc32c: str) -> str:
    """Return a hex CRC32C as resources write it."""
    return hex_to_base64(crc32c)
