"""Patterns with ``*`` and ``?``: what they match, cover and exclude."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=65_536)
def _compiled(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    # Runs of stars are one star: without that a hostile pattern would take exponential time.
    squeezed = re.sub(r"\*+", "*", pattern)
    text = "".join(".*" if char == "*" else "." if char == "?" else re.escape(char) for char in squeezed)
    return re.compile(text, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def matches(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    """Tell whether ``pattern`` matches the whole of ``text``."""
    if pattern == "*":
        return True
    if is_literal(pattern):
        return pattern.lower() == text.lower() if ignore_case else pattern == text
    if pattern.count("*") > 8:
        return _slowly(pattern.lower() if ignore_case else pattern, text.lower() if ignore_case else text)
    return _compiled(pattern, ignore_case).fullmatch(text) is not None


def _slowly(pattern: str, text: str) -> bool:
    """Match in time that is at most the product of both lengths, however many stars there are."""
    at, start, star, mark = 0, 0, -1, 0
    while at < len(text):
        if start < len(pattern) and pattern[start] == "*":
            star, mark, start = start, at, start + 1
        elif start < len(pattern) and pattern[start] in ("?", text[at]):
            start, at = start + 1, at + 1
        elif star >= 0:
            mark += 1
            start, at = star + 1, mark
        else:
            return False
    return all(char == "*" for char in pattern[start:])


def is_literal(pattern: str) -> bool:
    """Tell whether ``pattern`` names one thing."""
    return "*" not in pattern and "?" not in pattern


def covers(wide: str, narrow: str) -> bool:
    """Tell whether all that ``narrow`` matches is matched by ``wide``; False where that is not certain."""
    if wide in ("*", narrow):
        return True
    if "?" in wide:
        # A question mark must not stand for the other's star.
        return "*" not in narrow and "?" not in narrow and matches(wide, narrow)
    return matches(wide, narrow)


def prefix_of(pattern: str) -> str:
    """Return what stands before the first ``*`` or ``?``."""
    return re.split(r"[*?]", pattern, maxsplit=1)[0]


def suffix_of(pattern: str) -> str:
    """Return what stands behind the last ``*`` or ``?``."""
    return re.split(r"[*?]", pattern)[-1]


def disjoint(one: str, other: str) -> bool:
    """Tell whether nothing is matched by both; False where that is not certain."""
    if is_literal(one) and is_literal(other):
        return one != other
    if is_literal(one):
        return not matches(other, one)
    if is_literal(other):
        return not matches(one, other)
    heads = prefix_of(one), prefix_of(other)
    tails = suffix_of(one), suffix_of(other)
    return not (
        (heads[0].startswith(heads[1]) or heads[1].startswith(heads[0]))
        and (tails[0].endswith(tails[1]) or tails[1].endswith(tails[0]))
    )
