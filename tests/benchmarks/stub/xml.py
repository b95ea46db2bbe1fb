"""The stub store's XML, rendered by joining: a page costs some microseconds."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from urllib.parse import quote
from xml.sax.saxutils import escape

from tests.benchmarks.stub.keys import Page

_CREATED = "2026-01-01T00:00:00.000Z"
_OPEN = '<?xml version="1.0" encoding="UTF-8"?>\n'
_SPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def listing(
    bucket: str,
    page: Page,
    *,
    asked: Mapping[str, str],
    limit: int,
    size_bytes: int,
    etag: str,
    etags: Mapping[str, str],
    plain: bool,
    modified: str,
) -> bytes:
    """Return ``ListBucketResult``.

    :param asked: the query, of which S3 repeats some.
    :param etags: those that are not ``etag``.
    :param plain: no key needs escaping.
    """
    encode = _encoder(url=asked.get("encoding-type") == "url")
    parts = [
        f"{_OPEN}<ListBucketResult {_SPACE}><Name>{bucket}</Name>",
        f"<Prefix>{encode(asked.get('prefix', ''))}</Prefix>",
        f"<KeyCount>{len(page.keys) + len(page.prefixes)}</KeyCount><MaxKeys>{limit}</MaxKeys>",
        "<EncodingType>url</EncodingType>" if asked.get("encoding-type") == "url" else "",
        f"<Delimiter>{encode(asked['delimiter'])}</Delimiter>" if asked.get("delimiter") else "",
        f"<StartAfter>{encode(asked['start-after'])}</StartAfter>" if asked.get("start-after") else "",
        f"<IsTruncated>{'false' if page.next_key is None else 'true'}</IsTruncated>",
        ""
        if page.next_key is None
        else f"<NextContinuationToken>{token(page.next_key)}</NextContinuationToken>",
    ]
    shown = page.keys if plain else [*map(encode, page.keys)]
    parts += _contents(shown, page.keys, etag, etags, lambda tag: _rest(size_bytes, tag, modified))
    parts += [f"<CommonPrefixes><Prefix>{encode(p)}</Prefix></CommonPrefixes>" for p in page.prefixes]
    return "".join([*parts, "</ListBucketResult>"]).encode()


def _contents(
    shown: list[str], keys: list[str], etag: str, etags: Mapping[str, str], rest: Callable[[str], str]
) -> list[str]:
    if not keys:
        return []
    if etags:
        return [
            f"<Contents><Key>{name}{rest(etags.get(key, etag))}"
            for name, key in zip(shown, keys, strict=True)
        ]
    same = rest(etag)
    return ["<Contents><Key>", f"{same}<Contents><Key>".join(shown), same]


def _rest(size_bytes: int, etag: str, modified: str) -> str:
    return (
        f"</Key><LastModified>{modified}</LastModified><ETag>{escape(etag, {chr(34): '&quot;'})}</ETag>"
        f"<Size>{size_bytes}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )


def _encoder(*, url: bool) -> Callable[[str], str]:
    return (lambda text: quote(text, safe="/")) if url else escape


def token(key: str) -> str:
    """Return the continuation token that begins at ``key``; it survives any URL."""
    return base64.urlsafe_b64encode(key.encode()).decode()


def from_token(text: str) -> str:
    """Return the key of a token.

    :raises ValueError: it is none of ours.
    """
    return base64.urlsafe_b64decode(text).decode()


def error(code: str, message: str) -> bytes:
    """Return S3's form of an error."""
    return f"{_OPEN}<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>".encode()


def buckets(names: list[str]) -> bytes:
    """Return ``ListAllMyBucketsResult``."""
    each = "".join(
        f"<Bucket><Name>{name}</Name><CreationDate>{_CREATED}</CreationDate></Bucket>" for name in names
    )
    return (
        f"{_OPEN}<ListAllMyBucketsResult {_SPACE}><Buckets>{each}</Buckets></ListAllMyBucketsResult>".encode()
    )


def upload_begun(bucket: str, key: str, upload_id: str) -> bytes:
    """Return ``InitiateMultipartUploadResult``."""
    inner = f"<Bucket>{bucket}</Bucket><Key>{escape(key)}</Key><UploadId>{upload_id}</UploadId>"
    return f"{_OPEN}<InitiateMultipartUploadResult {_SPACE}>{inner}</InitiateMultipartUploadResult>".encode()


def upload_completed(bucket: str, key: str, etag: str, crc32c: str) -> bytes:
    """Return ``CompleteMultipartUploadResult``, with the checksum of the whole object."""
    inner = (
        f"<Bucket>{bucket}</Bucket><Key>{escape(key)}</Key><ETag>{escape(etag)}</ETag>"
        f"<ChecksumCRC32C>{crc32c}</ChecksumCRC32C><ChecksumType>FULL_OBJECT</ChecksumType>"
    )
    return f"{_OPEN}<CompleteMultipartUploadResult {_SPACE}>{inner}</CompleteMultipartUploadResult>".encode()


NO_TAGS = f"{_OPEN}<Tagging {_SPACE}><TagSet/></Tagging>".encode()
LOCATION = f"{_OPEN}<LocationConstraint {_SPACE}/>".encode()
VERSIONING = f"{_OPEN}<VersioningConfiguration {_SPACE}/>".encode()
