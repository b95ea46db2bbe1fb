"""Under which path a key lies on a device: its own, or an escaped one where no file can have it.

An escaped name is made of the key's SHA-256, so it fits every file system, is never too long and
never meets another; the load manifest has the true key. Keys that look escaped are escaped too,
so a stored path says of itself which of the two it is.
"""

from __future__ import annotations

import hashlib
import re

from heavylift.spec.appliances import FileNames

ESCAPED = "_heavylift-escaped"
NAME_MAX_BYTES = 255

_OWN = re.compile(r"\.heavylift-[0-9a-f]{32}\.(tmp|upload)")
_WINDOWS_CHARACTERS = re.compile(r'[<>:"\\|?*\x00-\x1f]')
_WINDOWS_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE | re.DOTALL)


def escaped_path(key: str) -> str:
    """Return the path of a key that cannot be a path itself."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"{ESCAPED}/{digest[:2]}/{digest}"


def is_escaped(stored_path: str) -> bool:
    """Tell whether a stored path was made by :func:`escaped_path`."""
    return stored_path.startswith(f"{ESCAPED}/")


def name_problem(key: str, names: FileNames, max_path_bytes: int) -> str | None:
    """Return why a file below a device's data folder cannot be called ``key``, or None.

    Rules of one key alone; whether two keys get into each other's way, packing finds.

    :param max_path_bytes: what is left for the key below the data folder.
    """
    segments = key.split("/")
    if "" in segments:
        return "an empty name"
    if "." in segments or ".." in segments:
        return "a step instead of a name"
    if segments[0].lower() == ESCAPED:
        return "a name that is kept for escaped keys"
    if "\0" in key or any(_OWN.fullmatch(segment) for segment in segments):
        return "a character or name that is kept"
    if max(len(segment.encode()) for segment in segments) > NAME_MAX_BYTES:
        return f"a name of more than {NAME_MAX_BYTES} bytes"
    if len(key.encode()) > max_path_bytes:
        return f"a path of more than {max_path_bytes} bytes"
    if names is FileNames.WINDOWS:
        return _windows_problem(segments)
    return None


def _windows_problem(segments: list[str]) -> str | None:
    # learn.microsoft.com "Naming Files, Paths, and Namespaces".
    for segment in segments:
        if _WINDOWS_CHARACTERS.search(segment):
            return "a character that Windows keeps"
        if segment[-1] in ". ":
            return "a name that ends in a dot or blank"
        if _WINDOWS_DEVICES.fullmatch(segment):
            return "a name of a Windows device"
    return None
