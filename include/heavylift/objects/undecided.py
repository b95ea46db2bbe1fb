"""One object that a verification cannot look at, and what it says of it."""

from __future__ import annotations

from heavylift.errors import ConnectionConfigError, CredentialError, HeavyliftError, TransientError
from heavylift.platforms.ports import ObjectStore

UNVERIFIABLE = "unverifiable"
"""The kind of a verdict on an object that could not be compared."""


async def why_undecided(error: HeavyliftError, source: ObjectStore, target: ObjectStore) -> str:
    """Return in words why one object cannot be judged, so that the others still are.

    A refusal may be of one object alone (a policy, a mode, an archive class) or of all that the identity
    asks for. Each side is asked again, and where one answers nothing any more, that is the error.

    :raises HeavyliftError: what keeps everything from being judged, or passes by itself.
    """
    if isinstance(error, TransientError | ConnectionConfigError):
        raise error
    if isinstance(error, CredentialError):
        await source.check()
        await target.check()
    return f"{error.what}: {error.got}; {error.remedy} [HL-{error.code}]"
