"""What of an object's attributes S3 cannot keep.

Rules: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from urllib.parse import quote

from heavylift.errors import UnsupportedError
from heavylift.platforms.ports import ObjectAttributes

MAX_METADATA_BYTES = 2048
MAX_HEADER_BYTES = 8192
_OTHER_HEADER_BYTES = 1024
"""What signature, dates and checksums take of them, at least."""
MAX_TAGS = 10
MAX_TAG_NAME = 128
MAX_TAG_VALUE = 256
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TAG_TEXT = re.compile(r"[\w\s+\-=.:/@]*")
_UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
"""Control characters but the tab, and halves of surrogate pairs."""
STANDARD = ("content_type", "content_encoding", "cache_control", "content_disposition", "content_language")
standard_values = operator.attrgetter(*STANDARD)
"""The values of ``STANDARD``, in that order."""


def attribute_problems(attributes: ObjectAttributes) -> list[str]:
    """Return what of ``attributes`` S3 cannot keep as it is; empty when all."""
    if not attributes.metadata and not attributes.tags and not attributes.own_headers:
        return list(_problems_of_headers(*standard_values(attributes)))
    return [
        *_standard_problems(attributes),
        *_metadata_problems(attributes.metadata),
        *_tag_problems(attributes.tags),
        *_size_problems(attributes),
    ]


@lru_cache(maxsize=1024)
def _problems_of_headers(*values: str | None) -> tuple[str, ...]:
    """Return the problems of an object's headers: most objects of a bucket have the same."""
    content_type, encoding, cache, disposition, language = values
    return tuple(_standard_problems(ObjectAttributes(content_type, encoding, cache, disposition, language)))


def _standard_problems(attributes: ObjectAttributes) -> Iterator[str]:
    values = {name: getattr(attributes, name) for name in STANDARD}
    for name, value in (values | dict(attributes.own_headers)).items():
        if value is None:
            continue
        if not value.isascii() or _UNSENDABLE.search(value):
            yield f"{name} holds characters that an S3 header cannot: only printable ASCII can be kept"
        elif value != value.strip() or not value:
            yield f"{name} is empty or has spaces at its ends, which HTTP drops"


def _metadata_problems(metadata: Mapping[str, str]) -> Iterator[str]:
    size = sum(_size(name) + _size(value) for name, value in metadata.items())
    if size > MAX_METADATA_BYTES:
        yield f"user metadata is {size} bytes: S3 keeps at most {MAX_METADATA_BYTES}"
    lower = [name.lower() for name in metadata]
    if len(set(lower)) < len(lower):
        yield "metadata names differ only in case: S3 keeps names in lower case"
    for name in metadata:
        if not _TOKEN.fullmatch(name):
            yield f"metadata name {name!r} is no HTTP header name"
        elif name != name.lower():
            yield f"metadata name {name!r}: kept as {name.lower()!r}, as S3 keeps names in lower case"
    for name, value in metadata.items():
        if _UNSENDABLE.search(value):
            yield f"metadata value of {name!r} holds control characters or is no valid Unicode"


def _size_problems(attributes: ObjectAttributes) -> Iterator[str]:
    """Letters beyond ASCII take up to nine bytes each in the header of tags."""
    headers = [value for value in standard_values(attributes) if value]
    headers += attributes.own_headers.values()
    headers += [f"x-amz-meta-{name}{value}" for name, value in attributes.metadata.items()]
    headers += [
        f"{quote(n, safe='', errors='replace')}={quote(v, safe='', errors='replace')}&"
        for n, v in attributes.tags.items()
    ]
    size = sum(map(_size, headers))
    if size > MAX_HEADER_BYTES - _OTHER_HEADER_BYTES:
        yield (
            f"headers, metadata and tags are {size} bytes as they are sent: S3 takes a request whose"
            f" headers have at most {MAX_HEADER_BYTES} with all others"
        )


def _size(text: str) -> int:
    return len(text.encode(errors="surrogatepass"))


def _tag_problems(tags: Mapping[str, str]) -> Iterator[str]:
    if len(tags) > MAX_TAGS:
        yield f"{len(tags)} tags: S3 keeps at most {MAX_TAGS}"
    for name, value in tags.items():
        if not 1 <= len(name) <= MAX_TAG_NAME or len(value) > MAX_TAG_VALUE:
            yield (
                f"tag {name!r} is too long: S3 keeps names of 1 to {MAX_TAG_NAME} "
                f"and values of up to {MAX_TAG_VALUE} characters"
            )
        if name.lower().startswith("aws:"):
            yield f"tag {name!r}: the prefix aws: is AWS's own"
        if not (_TAG_TEXT.fullmatch(name) and _TAG_TEXT.fullmatch(value)):
            yield f"tag {name!r}: S3 allows letters, digits, spaces and + - = . _ : / @"


def sendable(attributes: ObjectAttributes) -> bool:
    """Tell whether no attribute breaks out of its header: by a control character, or a name that is none."""
    if not _sendable_values(standard_values(attributes)):
        return False
    if any(map(_UNSENDABLE.search, attributes.own_headers.values())):
        return False
    metadata = attributes.metadata
    return not metadata or (
        all(map(_TOKEN.fullmatch, metadata)) and not any(map(_UNSENDABLE.search, metadata.values()))
    )


@lru_cache(maxsize=1024)
def _sendable_values(values: tuple[str | None, ...]) -> bool:
    return not any(value and _UNSENDABLE.search(value) for value in values)


def unsendable(what: str, attributes: ObjectAttributes) -> UnsupportedError:
    """Return the error for attributes that are not ``sendable``."""
    return UnsupportedError(
        what,
        got="; ".join(attribute_problems(attributes)),
        expected="attributes that an HTTP header can carry",
        state="nothing was written",
        remedy="correct the object's attributes at the source",
        code="3145",
    )
