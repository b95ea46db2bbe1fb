"""One object that a verification cannot look at, and what it says of it."""

from __future__ import annotations

import asyncio
import time

from heavylift.errors import ConnectionConfigError, CredentialError, HeavyliftError, TransientError
from heavylift.platforms.ports import ObjectStore

UNVERIFIABLE = "unverifiable"
"""The kind of a verdict on an object that could not be compared."""


ASKED_AGAIN_AFTER = 10.0
"""So many seconds an answer of both sides counts; with many refused objects each would ask else."""


class Sides:
    """Source and target, asked now and then whether they answer this identity at all."""

    def __init__(self, source: ObjectStore, target: ObjectStore) -> None:
        self._stores = source, target
        self._answered: float | None = None
        self._asking = asyncio.Lock()

    async def demand_answers(self) -> None:
        """Ask each side, unless both have answered within the last seconds.

        :raises HeavyliftError: one of them answers nothing any more.
        """
        async with self._asking:
            if self._answered is not None and time.monotonic() - self._answered < ASKED_AGAIN_AFTER:
                return
            for store in self._stores:
                await store.check()
            self._answered = time.monotonic()


async def why_undecided(error: HeavyliftError, sides: Sides) -> str:
    """Return in words why one object cannot be judged, so that the others still are.

    A refusal may be of one object alone (a policy, a mode, an archive class) or of all that the identity
    asks for. Each side is asked again, once in a while, and where one answers nothing any more, that is the
    error.

    :raises HeavyliftError: what keeps everything from being judged, or passes by itself.
    """
    if isinstance(error, TransientError | ConnectionConfigError):
        raise error
    if isinstance(error, CredentialError):
        await sides.demand_answers()
    return f"{error.what}: {error.got}; {error.remedy} [HL-{error.code}]"
