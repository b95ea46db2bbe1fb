"""Looks into tar archives: at each file in them as if it lay outside, and at names that lead out of them."""

from __future__ import annotations

import tarfile
from typing import BinaryIO, cast

from heavylift.models.looking import Look, Trust, leads_out

_BLOCK = 512
_MOST_MEMBERS = 100_000


def is_tar(head: bytes) -> bool:
    """Tell whether a file begins as a tar archive does."""
    return head[257:262] == b"ustar"


def look_into_tar(stream: BinaryIO, size: int, name: str, trust: Trust, depth: int) -> Look:
    """Look at all members; links, devices, and whatever follows the end are not passed by."""
    look = Look(name, "tar archive", understood=True)
    stream.seek(0)
    try:
        # None is unpacked: their bytes are read where they lie.
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            _members(archive, look, trust, depth)
            end = archive.offset
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError) as error:
        look.understood = False
        look.add(
            "unscanned-file", f"the tar archive cannot be read ({type(error).__name__}: {str(error)[:100]})"
        )
        return look
    stream.seek(end)
    while chunk := stream.read(2**20):
        if chunk.strip(b"\0"):
            look.understood = False
            look.add(
                "unscanned-file", f"something follows the end of the tar archive, after byte {end} of {size}"
            )
            break
    return look


def _members(archive: tarfile.TarFile, look: Look, trust: Trust, depth: int) -> None:
    from heavylift.models.scanning import look_at

    names: set[str] = set()
    for number, member in enumerate(archive):
        if number >= _MOST_MEMBERS:
            raise ValueError(f"more than {_MOST_MEMBERS} members")
        if leads_out(member.name):
            look.add("path-outside", f"its member {member.name[:200]!r} would be unpacked elsewhere")
        if member.isdir():
            continue
        if not member.isreg() or member.issparse() or member.name in names:
            look.understood = False
            what = "is there twice" if member.name in names else "is no plain file"
            look.add("unscanned-file", f"its member {member.name[:200]!r} {what}")
            continue
        names.add(member.name)
        opened = archive.extractfile(member)
        if opened is None:
            raise ValueError(f"no content of {member.name[:200]!r}")
        inside = look_at(
            cast("BinaryIO", opened), member.size, f"{look.path}!{member.name}", trust, depth + 1
        )
        look.understood &= inside.understood
        look.suspicions += inside.suspicions
        if not inside.understood and not inside.suspicions:
            look.add("unscanned-file", f"its member {member.name[:200]!r} is not understood ({inside.kind})")
