"""Azure Blob Storage's documented limits.

Names and metadata: https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata.
Sizes: https://learn.microsoft.com/azure/storage/blobs/scalability-targets. Tags:
https://learn.microsoft.com/azure/storage/blobs/storage-manage-find-blobs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from heavylift.checksums import Algorithm
from heavylift.platforms.ports import StoreTraits

TRAITS = StoreTraits(
    verifies=frozenset({Algorithm.MD5}),
    reports=frozenset({Algorithm.MD5}),
    reports_parts=frozenset(),
    min_part_bytes=1,
    max_part_bytes=4000 * 1024**2,
    max_parts=50_000,
    max_put_bytes=5000 * 1024**2,
    max_object_bytes=50_000 * 4000 * 1024**2,
    keeps_tags=True,
)

_MAX_NAME = 1024
_MAX_SEGMENTS = 254
_MAX_TAGS = 10
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ue000-\uf8ff\ufffe\uffff]")
_TAG_NAME = re.compile(r"[A-Za-z0-9 +\-./:=_]{1,128}")
_TAG_VALUE = re.compile(r"[A-Za-z0-9 +\-./:=_]{0,256}")


def key_problem(key: str) -> str | None:
    """Return why no blob can have this name, or None."""
    try:
        units = len(key.encode("utf-16-le")) // 2
    except UnicodeEncodeError:
        return "blob names are valid Unicode; this one holds bytes that are not UTF-8"
    if not 1 <= units <= _MAX_NAME:
        return f"blob names have 1 to {_MAX_NAME} characters; this one has {units}"
    if "\\" in key:
        return "a backslash is turned into '/'"
    if found := _FORBIDDEN.search(key):
        return f"blob names hold no control or private-use characters; this one holds U+{ord(found[0]):04X}"
    return _segment_problem(key.split("/"))


def _segment_problem(segments: list[str]) -> str | None:
    if len(segments) > _MAX_SEGMENTS:
        return f"blob names have at most {_MAX_SEGMENTS} path segments; this one has {len(segments)}"
    if "." in segments or ".." in segments:
        return "'.' and '..' between slashes are taken for steps of a path and resolved"
    if any(segment.endswith(".") for segment in segments):
        return "no path segment of a blob name ends with a dot: it would be cut off"
    return None


def tags_fit(tags: Mapping[str, str]) -> bool:
    """Tell whether tags can be blob index tags."""
    return len(tags) <= _MAX_TAGS and all(
        _TAG_NAME.fullmatch(name) and _TAG_VALUE.fullmatch(value) for name, value in tags.items()
    )
