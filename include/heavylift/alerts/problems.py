"""The errors of what cannot be read."""

from __future__ import annotations

from typing import Any

from heavylift.errors import SpecError, UnsupportedError

MAX_SHOWN = 200
LARGEST = 1e200
"""Of numbers in documents: sums of many of them are numbers, too."""


def unreadable(what: str, got: str, expected: str) -> SpecError:
    """Return the error for a document that is not of its platform's form."""
    return SpecError(
        f"reading {what}",
        got=got[:MAX_SHOWN],
        expected=expected,
        state="nothing was written",
        remedy="correct the document, or export it again",
        code="9351",
    )


class UntranslatableError(UnsupportedError):
    """A rule, widget or expression that has no counterpart: it is listed, and the others go on."""


def untranslatable(
    rule: str, what: str, remedy: str = "write it by hand on the target"
) -> UntranslatableError:
    """Return the error for what has no counterpart."""
    return UntranslatableError(
        f"translating {rule}",
        got=what[:MAX_SHOWN],
        expected="something that docs/reference/alerts.md lists",
        state="it is listed; the others are translated",
        remedy=remedy,
        code="9352",
    )


def number(what: str, value: Any) -> float:
    """Return a finite number of a document.

    :raises SpecError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
        raise unreadable(what, type(value).__name__, f"a number up to {LARGEST:g}")
    return float(value)


def _finite(value: float) -> bool:
    try:
        return abs(float(value)) <= LARGEST
    except OverflowError:
        return False


def whole(what: str, value: Any, low: int = 1, high: int = 10_000_000) -> int:
    """Return a whole number of a document.

    :raises SpecError: it is none, or out of bounds.
    """
    found = number(what, value)
    if found != int(found) or not low <= found <= high:
        raise unreadable(what, f"{found:g}", f"a whole number from {low} to {high}")
    return int(found)


def text(what: str, value: Any) -> str:
    """Return a text of a document.

    :raises SpecError: it is none.
    """
    if not isinstance(value, str):
        raise unreadable(what, type(value).__name__, "a text")
    return value
