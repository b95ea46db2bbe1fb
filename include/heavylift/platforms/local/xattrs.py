"""Object attributes in an extended attribute of the file, where the file system has them.

All of them lie as one JSON object in ``user.heavylift.attributes`` (see xattr(7)), so that they
are kept together or not at all. File systems differ in room: ext4 has about 4 KiB an inode.
"""

from __future__ import annotations

import errno
import json
import os
from dataclasses import asdict

from heavylift.platforms.local.publishing import draft_in
from heavylift.platforms.own_headers import only_own
from heavylift.platforms.ports import ObjectAttributes

XATTR = "user.heavylift.attributes"

_NONE_KEPT = frozenset({getattr(errno, "ENODATA", 0), errno.EOPNOTSUPP})
_NO_ROOM = frozenset({errno.EOPNOTSUPP, errno.ENOSPC, errno.E2BIG, errno.ERANGE, errno.EDQUOT})
_HEADERS = (
    "content_type",
    "content_encoding",
    "cache_control",
    "content_disposition",
    "content_language",
)


def encode(attributes: ObjectAttributes) -> bytes:
    """Return the attributes as compact JSON; empty where there are none."""
    present = {name: value for name, value in asdict(attributes).items() if value}
    return json.dumps(present, separators=(",", ":"), sort_keys=True).encode() if present else b""


def decode(data: bytes) -> ObjectAttributes:
    """Return the attributes that ``encode`` wrote.

    :raises ValueError: the data is not ours.
    """
    raw = json.loads(data)
    if not isinstance(raw, dict):
        raise ValueError("no JSON object")
    headers = {name: str(raw[name]) for name in _HEADERS if name in raw}
    return ObjectAttributes(
        **headers,
        metadata={str(k): str(v) for k, v in dict(raw.get("metadata", {})).items()},
        tags={str(k): str(v) for k, v in dict(raw.get("tags", {})).items()},
        own_headers=only_own({str(k): str(v) for k, v in dict(raw.get("own_headers", {})).items()}),
    )


def read(file: int) -> ObjectAttributes:
    """Return the attributes of an open file; none where it carries none or the system has none.

    :raises ValueError: the attribute is damaged.
    """
    if not hasattr(os, "getxattr"):
        return ObjectAttributes()
    try:
        return decode(os.getxattr(file, XATTR))
    except OSError as error:
        if error.errno not in _NONE_KEPT:
            raise
        return ObjectAttributes()


class Room:
    """What fits into an extended attribute below one root; asked of the file system itself.

    Each answer is remembered, so that alike objects cost one probe between them.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._fits = 0
        self._too_big: int | None = None

    def has_room_for(self, data: bytes) -> bool:
        """Tell whether ``data`` can be kept; writes an unnamed file to find out.

        :raises OSError: the root cannot be written to at all.
        """
        if len(data) <= self._fits:
            return True
        if self._too_big is not None and len(data) >= self._too_big:
            return False
        if self._try(data):
            self._fits = len(data)
            return True
        self._too_big = len(data)
        return False

    def _try(self, data: bytes) -> bool:
        if not hasattr(os, "setxattr"):
            return False
        folder = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with draft_in(folder) as draft:
                os.setxattr(draft.file, XATTR, data)
        except OSError as error:
            if error.errno in _NO_ROOM:
                return False
            raise
        finally:
            os.close(folder)
        return True
