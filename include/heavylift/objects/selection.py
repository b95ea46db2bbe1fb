"""Which keys of a listing belong to a dataset.

Patterns are matched against the key relative to the dataset's prefix. ``*`` and ``?`` stop at
a ``/``, ``**`` does not, ``[...]`` is a set; a pattern without ``/`` matches the last segment
at any depth (as in .gitignore), so that ``*.tmp`` means what people expect.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from heavylift.errors import SpecError


def selector(include: Iterable[str], exclude: Iterable[str]) -> Callable[[str], bool]:
    """Return a function that tells whether a relative key is selected."""
    wanted = [_compile(pattern) for pattern in include]
    unwanted = [_compile(pattern) for pattern in exclude]

    def selected(key: str) -> bool:
        if wanted and not any(pattern.fullmatch(key) for pattern in wanted):
            return False
        return not any(pattern.fullmatch(key) for pattern in unwanted)

    return selected


def _compile(pattern: str) -> re.Pattern[str]:
    anchored = pattern.removeprefix("/")
    anywhere = "" if "/" in pattern else "(?:.*/)?"
    try:
        return re.compile(anywhere + _translate(anchored), re.DOTALL)
    except re.error as error:
        raise SpecError(
            f"reading the pattern {pattern!r}",
            got=str(error),
            expected="a pattern of *, **, ? and sets such as [a-z]",
            state="nothing was touched",
            remedy="correct the pattern",
            code="5032",
        ) from error


def _translate(pattern: str) -> str:
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        text, position = _token(pattern, position)
        parts.append(text)
    return "".join(parts)


def _token(pattern: str, position: int) -> tuple[str, int]:
    char = pattern[position]
    if pattern.startswith("**/", position):
        return "(?:.*/)?", position + 3
    if pattern.startswith("**", position):
        return ".*", position + 2
    if char == "*":
        return "[^/]*", position + 1
    if char == "?":
        return "[^/]", position + 1
    if char == "[":
        end = pattern.find("]", position + 2)
        if end > 0:
            inside = pattern[position + 1 : end].replace("\\", "\\\\")
            if inside.startswith("!"):
                inside = "^" + inside[1:]
            return f"[{inside}]", end + 1
    return re.escape(char), position + 1
