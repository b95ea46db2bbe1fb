"""The name of the second of two versions that both stay."""

from __future__ import annotations

import hashlib

MOST_BYTES = 900
"""Every store takes keys of this length; a longer stem is cut."""


def conflict_name(rel: str, version: str, prefix_bytes: int = 0) -> str:
    """Return the relative key under which the target's version of ``rel`` stays beside the source's.

    ``a/report.csv`` becomes ``a/report.conflict-target-1f2e3d4c.csv``. The same version gives the same
    name, so that a second run finds what a killed one has written.

    :param prefix_bytes: the length of the longer of both sides' prefixes.
    """
    digest = hashlib.sha256(f"{len(rel)}:{rel}{version}".encode()).hexdigest()[:8]
    folder, slash, name = rel.rpartition("/")
    stem, dot, ending = name.rpartition(".")
    if not stem:
        stem, dot, ending = name, "", ""
    mark = f".conflict-target-{digest}{dot}{ending}"
    room = MOST_BYTES - prefix_bytes - len(f"{folder}{slash}{mark}".encode())
    # A segment of a file system takes 255 bytes.
    room = max(1, min(room, 255 - len(mark.encode())))
    return f"{folder}{slash}{stem.encode()[:room].decode(errors='ignore')}{mark}"
