"""Takes the text of a condition apart; both languages of conditions stand on it."""

from __future__ import annotations

import re

MAX_TOKENS = 2_000
MAX_DEPTH = 64


class NotUnderstoodError(ValueError):
    """The condition says what the part of its language that is known here cannot."""


def tokens_of(text: str, token: re.Pattern[str]) -> list[str]:
    """Return the tokens of a condition.

    :raises NotUnderstoodError: something in it is no token, or there are too many.
    """
    found: list[str] = []
    at = 0
    text = text.strip()
    while at < len(text):
        match = token.match(text, at)
        if match is None or len(found) >= MAX_TOKENS:
            raise NotUnderstoodError(text[at : at + 40])
        found.append(match[0].strip())
        at = match.end()
    return found
