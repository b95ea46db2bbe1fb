"""Blob attributes as headers, and back. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import quote

from heavylift.checksums import Algorithm, Checksums, base64_to_hex
from heavylift.platforms.azure.names import decode_name, decode_value, encode_name, encode_value
from heavylift.platforms.azure.rules import tags_fit
from heavylift.platforms.own_headers import entry_of, take_entry, told_elsewhere
from heavylift.platforms.ports import ListedObject, ObjectAttributes, ObjectHead
from heavylift.platforms.tags import decode_tags, encode_tags

TAGS_ENTRY = "heavylift-tags"
"""Metadata entry that carries tags which cannot be blob index tags."""

_META = "x-ms-meta-"
_MAX_METADATA_BYTES = 8 * 1024
_HEADERS = {
    "content_type": "content-type",
    "content_encoding": "content-encoding",
    "cache_control": "cache-control",
    "content_disposition": "content-disposition",
    "content_language": "content-language",
}
_PLAIN = re.compile(r"[!-~]([ -~]*[!-~])?")


def headers_of(attributes: ObjectAttributes) -> dict[str, str]:
    """Return the headers of a Put Blob or Put Block List that carry ``attributes``.

    What ``attribute_problems`` names is left out.
    """
    headers = {
        f"x-ms-blob-{name}": value
        for ours, name in _HEADERS.items()
        if (value := getattr(attributes, ours)) and _PLAIN.fullmatch(value)
    }
    headers |= {_META + name: value for name, value in _encoded_metadata(attributes).items()}
    if attributes.storage_class:
        headers["x-ms-access-tier"] = attributes.storage_class
    if attributes.tags and tags_fit(attributes.tags):
        headers["x-ms-tags"] = "&".join(
            f"{quote(name, safe='')}={quote(value, safe='')}"
            for name, value in sorted(attributes.tags.items())
        )
    return headers


def _encoded_metadata(attributes: ObjectAttributes) -> dict[str, str]:
    metadata = dict(attributes.metadata)
    if attributes.tags and not tags_fit(attributes.tags):
        metadata[TAGS_ENTRY] = encode_tags(attributes.tags)
    metadata |= entry_of(attributes.own_headers)
    found: dict[str, str] = {}
    seen: set[str] = set()
    for name, value in metadata.items():
        encoded = encode_name(name)
        if encoded and encoded.lower() not in seen:
            seen.add(encoded.lower())
            found[encoded] = encode_value(value)
    return found


def attribute_problems(attributes: ObjectAttributes) -> list[str]:
    """Return what of ``attributes`` cannot be kept as it is."""
    problems = [
        f"{ours}: lost, as it holds characters that no HTTP header can"
        for ours in _HEADERS
        if (value := getattr(attributes, ours)) and not _PLAIN.fullmatch(value)
    ]
    encoded = _encoded_metadata(attributes)
    kept = {decode_name(name) for name in encoded}
    problems += [
        f"metadata entry {name!r}: lost, as names differ in more than case and are not empty"
        for name in attributes.metadata
        if name not in kept
    ]
    size = sum(len(name) + len(value) for name, value in encoded.items())
    if size > _MAX_METADATA_BYTES:
        problems.append(
            f"metadata of {size} bytes is over the limit of {_MAX_METADATA_BYTES}: refused as a whole"
        )
    problems += told_elsewhere(attributes.own_headers, attributes.metadata)
    if attributes.tags and not tags_fit(attributes.tags):
        problems.append(
            f"tags: kept as the metadata entry {TAGS_ENTRY!r}, as they are over what blob index tags may be"
        )
    return problems


def head_of(key: str, headers: Mapping[str, str]) -> ObjectHead:
    """Return the head that the headers of a Get Blob or Get Blob Properties tell.

    :raises KeyError: a header that every blob has is missing.
    :raises ValueError: a header is not in its documented form.
    """
    metadata = {
        decode_name(name[len(_META) :]): decode_value(value)
        for name, value in headers.items()
        if name.lower().startswith(_META)
    }
    tags = decode_tags(metadata.get(TAGS_ENTRY, ""))
    if tags:
        del metadata[TAGS_ENTRY]
    own_headers = take_entry(metadata)
    fields = {ours: headers[name] for ours, name in _HEADERS.items() if headers.get(name)}
    listed = ListedObject(
        key=key,
        size_bytes=_size(headers),
        version=headers["etag"].strip('"'),
        modified_us=http_date_us(headers["last-modified"]),
        checksums=md5_of(headers),
        storage_class=headers.get("x-ms-access-tier", ""),
    )
    count = len(tags) + int(headers.get("x-ms-tag-count", "0"))
    return ObjectHead(
        listed,
        ObjectAttributes(**fields, metadata=metadata, tags=tags, own_headers=own_headers),
        tag_count=count,
        held_by=_held_by(headers),
    )


def _held_by(headers: Mapping[str, str]) -> tuple[str, ...]:
    held = {
        "a legal hold": headers.get("x-ms-legal-hold", "").lower() == "true",
        "a retention period": bool(headers.get("x-ms-immutability-policy-until-date")),
    }
    return tuple(name for name, holds in held.items() if holds)


def _size(headers: Mapping[str, str]) -> int:
    part, separator, total = headers.get("content-range", "").rpartition("/")
    return int(total) if separator and part else int(headers["content-length"])


def md5_of(headers: Mapping[str, str]) -> Checksums:
    """Return the whole blob's MD5 where the headers tell it."""
    # In the answer to a range Content-MD5 is the range's.
    name = "x-ms-blob-content-md5" if "content-range" in headers else "content-md5"
    value = headers.get(name)
    return {Algorithm.MD5: base64_to_hex(value)} if value else {}


@lru_cache(maxsize=1024)
def http_date_us(text: str) -> int:
    """Return an HTTP date as microseconds since 1970."""
    return int(parsedate_to_datetime(text).timestamp()) * 1_000_000
