"""Refusing input that nothing can be reckoned with."""

from __future__ import annotations

from heavylift.errors import SpecError

_STATE = "nothing was measured and nothing was changed"


def demand(fine: bool, what: str, got: str, expected: str, code: str) -> None:
    """Do nothing where ``fine``.

    :raises SpecError: it is not; the code is its caller's own.
    """
    if not fine:
        raise SpecError(
            what, got=got, expected=expected, state=_STATE, remedy="correct what was given", code=code
        )
