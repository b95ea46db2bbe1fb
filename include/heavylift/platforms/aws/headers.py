"""Between S3's headers and the port's data: attributes, checksums, heads."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import quote

from heavylift.checksums import OF_PARTS, Algorithm, base64_to_hex
from heavylift.errors import UnsupportedError
from heavylift.platforms.aws.attributes import STANDARD, standard_values
from heavylift.platforms.http_message import lowered
from heavylift.platforms.own_headers import only_own
from heavylift.platforms.ports import ListedObject, ObjectAttributes, ObjectHead

META = "x-amz-meta-"
_ENCRYPTION = "x-amz-server-side-encryption"
_STANDARD_HEADERS = tuple(name.replace("_", "-") for name in STANDARD)
_CHECKSUM_HEADERS = {
    Algorithm.CRC32C: "x-amz-checksum-crc32c",
    Algorithm.CRC64NVME: "x-amz-checksum-crc64nvme",
    Algorithm.CRC32: "x-amz-checksum-crc32",
    Algorithm.SHA1: "x-amz-checksum-sha1",
    Algorithm.SHA256: "x-amz-checksum-sha256",
}
_CHECKSUM_NAMES = frozenset(_CHECKSUM_HEADERS.values())
_ETAG_MD5 = re.compile(r"[0-9a-f]{32}")
_ETAG_PARTS = re.compile(r"[0-9a-f]{32}-[0-9]+")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def attribute_headers(attributes: ObjectAttributes) -> dict[str, str]:
    """Return the headers that give a new object ``attributes`` and tags.

    Metadata values beyond ASCII go as RFC 2047 encoded words, which S3 decodes before it
    stores them
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html#UserMetadata).
    """
    values = zip(_STANDARD_HEADERS, standard_values(attributes), strict=True)
    headers: dict[str, str] = {header: value for header, value in values if value is not None}
    for name, value in attributes.metadata.items():
        headers[META + name.lower()] = value if _is_plain(value) else _encoded_word(value)
    headers |= attributes.own_headers
    if attributes.storage_class:
        headers["x-amz-storage-class"] = attributes.storage_class
    if attributes.tags:
        headers["x-amz-tagging"] = "&".join(
            f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in attributes.tags.items()
        )
    return headers


def _is_plain(value: str) -> bool:
    return value.isascii() and value.isprintable() and value == value.strip()


def _encoded_word(value: str) -> str:
    return f"=?UTF-8?B?{base64.b64encode(value.encode()).decode()}?="


def _decoded_words(value: str) -> str:
    if "=?" not in value:
        return value
    try:
        decoded = "".join(
            text.decode(charset or "ascii") if isinstance(text, bytes) else text
            for text, charset in decode_header(value)
        )
    except (HeaderParseError, LookupError, UnicodeDecodeError):
        return value
    # What needs no encoding was encoded by nobody: it is somebody's text that only looks so.
    return value if _is_plain(decoded) else decoded


def read_attributes(headers: Mapping[str, str]) -> ObjectAttributes:
    """Return the attributes that a GET or HEAD answer tells; tags are not among them."""
    told = lowered(headers)
    metadata = {
        name[len(META) :]: _decoded_words(value) for name, value in told.items() if name.startswith(META)
    }
    return ObjectAttributes(
        content_type=told.get("content-type"),
        content_encoding=told.get("content-encoding"),
        cache_control=told.get("cache-control"),
        content_disposition=told.get("content-disposition"),
        content_language=told.get("content-language"),
        metadata=metadata,
        own_headers=only_own(told),
    )


def checksum_headers(checksums: Mapping[Algorithm, str]) -> dict[str, str]:
    """Return the headers against which S3 checks the body of a put.

    S3 takes one ``x-amz-checksum-*`` a request: the first of CRC32C, CRC64NVME, CRC32, SHA1 and
    SHA256 that is there; MD5 goes as ``Content-MD5``, besides.
    """
    headers: dict[str, str] = {}
    for algorithm, header in _CHECKSUM_HEADERS.items():
        if algorithm in checksums:
            headers[header] = _base64(checksums[algorithm])
            break
    if Algorithm.MD5 in checksums:
        headers["content-md5"] = _base64(checksums[Algorithm.MD5])
    return headers


def _base64(digest: str) -> str:
    return base64.b64encode(bytes.fromhex(digest)).decode()


def read_checksums(headers: Mapping[str, str]) -> dict[Algorithm, str]:
    """Return the checksums of the *whole object* that an answer tells.

    A composite checksum (``…-3``) is one of the parts' checksums, and is told as such; so is,
    on an object made of parts, one of an unsaid type that has no number of parts: it is left out.
    The ETag is an MD5 only without customer or KMS encryption.
    """
    told = lowered(headers)
    found = etag_checksum(told)
    if _CHECKSUM_NAMES.isdisjoint(told):
        return found
    kind = told.get("x-amz-checksum-type", "COMPOSITE" if Algorithm.MD5_PARTS in found else "")
    for algorithm, header in _CHECKSUM_HEADERS.items():
        value = told.get(header)
        if not value:
            continue
        if "-" in value:
            found.update(_composite(algorithm, value))
        elif kind != "COMPOSITE" and (whole := whole_checksum(value)):
            found[algorithm] = whole
    return found


_COMPOSITES = {inner: outer for outer, inner in OF_PARTS.items()}


def _composite(algorithm: Algorithm, value: str) -> dict[Algorithm, str]:
    told, _, count = value.rpartition("-")
    digest = whole_checksum(told)
    outer = _COMPOSITES.get(algorithm)
    return {outer: f"{digest}-{count}"} if outer and digest and count.isdigit() else {}


def whole_checksum(value: str) -> str:
    """Return a base64 checksum as hex, or nothing where it is composite or unreadable."""
    try:
        return base64_to_hex(value) if value and "-" not in value else ""
    except (ValueError, binascii.Error):
        return ""


def etag_checksum(headers: Mapping[str, str]) -> dict[Algorithm, str]:
    """Return what the ETag proves: MD5, MD5_PARTS, or nothing where it is encrypted.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html tells when an ETag is an MD5.
    """
    told = lowered(headers)
    etag = unquoted(told.get("etag", ""))
    if _ENCRYPTION in told and told[_ENCRYPTION].startswith("aws:kms"):
        return {}
    if f"{_ENCRYPTION}-customer-algorithm" in told:
        return {}
    if _ETAG_MD5.fullmatch(etag):
        return {Algorithm.MD5: etag}
    return {Algorithm.MD5_PARTS: etag} if _ETAG_PARTS.fullmatch(etag) else {}


def unquoted(etag: str) -> str:
    """Return an entity tag without its quotes."""
    return etag[1:-1] if len(etag) > 1 and etag[0] == etag[-1] == '"' else etag


def read_head(key: str, headers: Mapping[str, str], what: str) -> ObjectHead:
    """Return the head of ``key`` that a GET or HEAD answer tells.

    :raises UnsupportedError: S3 says that it holds metadata which HTTP cannot carry.
    """
    told = lowered(headers)
    if told.get("x-amz-missing-meta", "0") != "0":
        raise UnsupportedError(
            what,
            got=f"{told['x-amz-missing-meta']} metadata entries that S3 cannot send over HTTP",
            expected="metadata that can be read",
            state="nothing was changed",
            remedy="rewrite the object's metadata at the source, then run again",
            code="3106",
        )
    listed = ListedObject(
        key=key,
        size_bytes=_whole_size(told),
        version=unquoted(told.get("etag", "")),
        modified_us=http_date_us(told.get("last-modified", "")),
        checksums=read_checksums(told),
        storage_class=told.get("x-amz-storage-class", ""),
    )
    return ObjectHead(
        listed,
        read_attributes(told),
        tag_count=_tag_count(told),
        restored='ongoing-request="false"' in told.get("x-amz-restore", ""),
        held_by=_held_by(told),
    )


def _held_by(told: Mapping[str, str]) -> tuple[str, ...]:
    """Return what the object lock says of one object, to readers who may see it."""
    hold, mode = told.get("x-amz-object-lock-legal-hold"), told.get("x-amz-object-lock-mode")
    if not hold and not mode:
        return ()
    held = {"a legal hold": hold == "ON", "a retention period": bool(mode)}
    return tuple(name for name, holds in held.items() if holds)


# Servers known to send x-amz-tagging-count with every object that has tags, if the reader may
# read them (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html; SeaweedFS 4.48).
_TELL_TAGS = ("AmazonS3", "SeaweedFS")


def _tag_count(headers: Mapping[str, str]) -> int | None:
    told = headers.get("x-amz-tagging-count", "")
    if told.isdigit():
        return int(told)
    return 0 if headers.get("server", "").startswith(_TELL_TAGS) else None


def _whole_size(headers: Mapping[str, str]) -> int:
    _, slash, total = headers.get("content-range", "").rpartition("/")
    return int(total) if slash and total.isdigit() else int(headers.get("content-length", "0"))


@lru_cache(maxsize=1024)
def http_date_us(text: str) -> int:
    """Return an HTTP date as microseconds since 1970; 0 where there is none."""
    try:
        return (parsedate_to_datetime(text) - _EPOCH) // _MICROSECOND
    except (ValueError, TypeError):
        return 0


def iso_date_us(text: str) -> int:
    """Return an ISO date of a listing as microseconds since 1970; 0 where there is none."""
    if text[19:] in {"Z", ".000Z"}:
        # Whole seconds, as S3 tells them: far fewer than there are objects.
        return _second_us(text[:19])
    return _moment_us(text)


@lru_cache(maxsize=65_536)
def _second_us(text: str) -> int:
    return _moment_us(f"{text}Z")


def _moment_us(text: str) -> int:
    try:
        return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND
    except (ValueError, TypeError):
        return 0
