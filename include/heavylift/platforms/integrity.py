"""A check of bytes against what the caller says of them, before they are written."""

from __future__ import annotations

from heavylift.checksums import Algorithm, Body, digest
from heavylift.errors import IntegrityError


def check_crc32c(body: Body, expected: str, what: str, *, code: str) -> None:
    """Make sure that ``body`` is what its CRC32C was computed of; costs 0.07 s a GiB.

    :raises IntegrityError: it is not.
    """
    found = digest(body, Algorithm.CRC32C)[Algorithm.CRC32C]
    if found != expected:
        raise IntegrityError(
            what,
            got=f"{len(body)} bytes with CRC32C {found}",
            expected=f"CRC32C {expected}",
            state="nothing was written",
            remedy="run again; if it recurs, test this machine's memory",
            code=code,
        )
