"""Patterns over keys, with the meaning that a spec's ``include`` and ``exclude`` have.

``*`` and ``?`` stop at a ``/``, ``**`` does not, ``[...]`` is a set; a pattern without ``/``
matches the last segment at any depth. A test holds the object movers to the same meaning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from heavylift.errors import SpecError

_WILD = re.compile(r"[*?\[]")
_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[(?P<set>.[^\]]*)\]|.", re.DOTALL)
_SPECIAL_IN_SETS = re.compile(r"[\\\[&|~]")
_FIXED = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def matcher(path: str, include: Iterable[str] = (), exclude: Iterable[str] = ()) -> Callable[[str], bool]:
    """Return a function that tells whether a key, relative to its dataset, belongs to a table.

    :raises SpecError: a pattern cannot be read.
    """
    table = _compile(path)
    wanted = [_compile(pattern) for pattern in include]
    unwanted = [_compile(pattern) for pattern in exclude]

    def matches(key: str) -> bool:
        return (
            table.fullmatch(key) is not None
            and (not wanted or any(pattern.fullmatch(key) for pattern in wanted))
            and not any(pattern.fullmatch(key) for pattern in unwanted)
        )

    return matches


def literal_folder(path: str) -> str:
    """Return the folder, ending in ``/`` or empty, below which all matches of ``path`` lie."""
    anchored = path.removeprefix("/")
    if "/" not in path:
        return ""
    wild = _WILD.search(anchored)
    literal = anchored[: wild.start()] if wild else anchored
    return literal[: literal.rfind("/") + 1]


def _compile(pattern: str) -> re.Pattern[str]:
    anywhere = "" if "/" in pattern else "(?:.*/)?"
    expression = anywhere + _TOKEN.sub(_translated, pattern.removeprefix("/"))
    try:
        return re.compile(expression, re.DOTALL)
    except re.error as error:
        raise SpecError(
            f"reading the pattern {pattern!r}",
            got=f"a set in [] that is none: {error.msg}",
            expected="characters and ranges in rising order, such as [a-z0-9]",
            state="nothing was read",
            remedy="correct the pattern in the spec",
            code="4304",
        ) from error


def _translated(token: re.Match[str]) -> str:
    inside = token["set"]
    if inside is None:
        return _FIXED.get(token[0]) or re.escape(token[0])
    inside = _SPECIAL_IN_SETS.sub(r"\\\g<0>", inside)
    return f"[^{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
