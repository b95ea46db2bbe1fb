"""Key rules of a POSIX file system: which keys are paths below a root, and which are ours.

A key is a relative path. Linux allows any bytes but NUL and ``/`` in a name, 255 bytes a name
(``NAME_MAX``) and 4,096 a path with its closing NUL (``PATH_MAX``, see path_resolution(7) and
limits.h(0p)).
"""

from __future__ import annotations

import re
import secrets

from heavylift.errors import NotFoundError

NAME_MAX_BYTES = 255
PATH_MAX_BYTES = 4095

UNDECODABLE = "the name is not valid UTF-8, so no other store and no manifest can carry it"
"""Why a file is no object of a listing."""

_OWN = re.compile(r"\.heavylift-[0-9a-f]{32}\.(tmp|upload)")


def own_name(kind: str) -> str:
    """Return a fresh hidden name: ``tmp`` for an unfinished write, ``upload`` for a parts folder."""
    return f".heavylift-{secrets.token_hex(16)}.{kind}"


def is_own_name(name: str) -> bool:
    """Tell whether a folder entry is one of our unfinished writes, which are no objects."""
    return _OWN.fullmatch(name) is not None


def key_problem(key: str, root: str) -> str | None:
    """Return why a file system cannot hold ``key`` below ``root``, or None.

    :param root: counts towards the length of the whole path.
    """
    return _shape_problem(key) or _encoding_problem(key) or _length_problem(key, root)


def segments_to_read(key: str, what: str) -> list[str]:
    """Return the path segments of a key that may exist, undecodable names included.

    :raises NotFoundError: no file can have this key, so none has.
    """
    if problem := _shape_problem(key):
        raise NotFoundError(
            what,
            got=f"a key that names no file ({problem})",
            expected="a relative path",
            state="nothing was changed",
            remedy="use a key as the listing tells it",
            code="3200",
        )
    return key.split("/")


def _shape_problem(key: str) -> str | None:
    segments = key.split("/")
    if "" in segments:
        return "a path has no empty name: the key is empty, begins or ends with '/', or holds '//'"
    if "." in segments or ".." in segments:
        return "'.' and '..' are not names but steps of a path"
    if "\0" in key:
        return "a path cannot hold the character NUL"
    if any(is_own_name(segment) for segment in segments):
        return "names like this are kept for Heavylift's own unfinished writes"
    return None


def _encoding_problem(key: str) -> str | None:
    try:
        key.encode()
    except UnicodeEncodeError:
        return UNDECODABLE
    return None


def _length_problem(key: str, root: str) -> str | None:
    longest = max(len(segment.encode()) for segment in key.split("/"))
    if longest > NAME_MAX_BYTES:
        return f"one name of the path has {longest} bytes; a file system allows {NAME_MAX_BYTES}"
    path = len(root.encode(errors="surrogateescape")) + 1 + len(key.encode())
    if path > PATH_MAX_BYTES:
        return f"the path has {path} bytes; a file system allows {PATH_MAX_BYTES}"
    return None
