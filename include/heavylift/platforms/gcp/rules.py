"""Cloud Storage's documented limits.

Names: https://cloud.google.com/storage/docs/objects#naming. Sizes, metadata and composition:
https://cloud.google.com/storage/quotas#objects, of single metadata entries
https://docs.cloud.google.com/storage/docs/reference/rpc/google.storage.v1 (ServiceConstants), and
https://cloud.google.com/storage/docs/composite-objects.
"""

from __future__ import annotations

import re

from heavylift.checksums import Algorithm
from heavylift.platforms.gcp.resources import TAGS_ENTRY, custom_metadata
from heavylift.platforms.own_headers import told_elsewhere
from heavylift.platforms.ports import ObjectAttributes, StoreTraits

TRAITS = StoreTraits(
    verifies=frozenset({Algorithm.CRC32C}),
    reports=frozenset({Algorithm.CRC32C, Algorithm.MD5}),
    reports_parts=frozenset({Algorithm.CRC32C}),
    min_part_bytes=1,
    max_part_bytes=5 * 1024**3,
    max_parts=10_000,
    max_put_bytes=5 * 1024**3,
    max_object_bytes=5 * 1024**4,
)

PARTS_FOLDER = ".heavylift-parts"
_OWN = re.compile(rf"{re.escape(PARTS_FOLDER)}/[0-9a-f]{{32}}/.*", re.DOTALL)
_MAX_NAME_BYTES = 1024
_MAX_METADATA_BYTES = 8 * 1024
_MAX_METADATA_NAME_BYTES = 1024
_MAX_METADATA_VALUE_BYTES = 4 * 1024
_ACME = ".well-known/acme-challenge/"


def is_own_name(key: str) -> bool:
    """Tell whether a key is a component of an unfinished upload, which is no object of the user's."""
    return _OWN.fullmatch(key) is not None


def key_problem(key: str) -> str | None:
    """Return why no object can have this name, or None."""
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return "object names are valid Unicode; this one holds bytes that are not UTF-8"
    if not 1 <= size <= _MAX_NAME_BYTES:
        return f"object names have 1 to {_MAX_NAME_BYTES} bytes in UTF-8; this one has {size}"
    if "\r" in key or "\n" in key:
        return "object names hold no carriage return or line feed"
    if key in {".", ".."} or key.startswith(_ACME):
        return f"object names are not '.' or '..' and do not begin with {_ACME}"
    if is_own_name(key):
        return f"names like this below {PARTS_FOLDER}/ are kept for Heavylift's own unfinished uploads"
    return None


def attribute_problems(attributes: ObjectAttributes) -> list[str]:
    """Return what of ``attributes`` cannot be kept as it is."""
    problems = []
    entries = [(k, len(k.encode()), len(v.encode())) for k, v in custom_metadata(attributes).items()]
    size = sum(name + value for _, name, value in entries)
    if size > _MAX_METADATA_BYTES:
        problems.append(
            f"custom metadata of {size} bytes is over the limit of {_MAX_METADATA_BYTES}: refused as a whole"
        )
    problems += [
        f"custom metadata entry {name[:60]!r} of {name_bytes} + {value_bytes} bytes is over the limit of"
        f" {_MAX_METADATA_NAME_BYTES} for a name, {_MAX_METADATA_VALUE_BYTES} for a value"
        for name, name_bytes, value_bytes in entries
        if name_bytes > _MAX_METADATA_NAME_BYTES or value_bytes > _MAX_METADATA_VALUE_BYTES
    ]
    if attributes.tags:
        problems.append(f"tags: kept as the custom metadata entry {TAGS_ENTRY!r}, as the store has none")
    if attributes.tags and TAGS_ENTRY in attributes.metadata:
        problems.append(f"metadata entry {TAGS_ENTRY!r}: lost, as the tags take its place")
    return problems + told_elsewhere(attributes.own_headers, attributes.metadata)
