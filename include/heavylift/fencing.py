"""The one refusal of an act whose turn is over: something has seen a higher epoch."""

from __future__ import annotations

from heavylift.errors import ConflictError


def superseded(what: str, seen: int, asked: int) -> ConflictError:
    """Return the error of an act of epoch ``asked`` where epoch ``seen`` is in force."""
    return ConflictError(
        what,
        got=f"epoch {asked}",
        expected=f"epoch {seen} or higher, because a later cutover or rollback has begun",
        state="this act changed nothing",
        remedy="leave it to the later one: heavylift cutover status tells whose turn it is",
        retry_safe=False,
        code="8701",
    )
