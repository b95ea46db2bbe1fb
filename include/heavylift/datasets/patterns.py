"""Patterns over keys, with the meaning that a spec's ``include`` and ``exclude`` have.

``*`` and ``?`` stop at a ``/``, ``**`` does not, ``[...]`` is a set; a pattern without ``/``
matches the last segment at any depth. A test holds the object movers to the same meaning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

_WILD = re.compile(r"[*?\[]")
_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[(?P<set>.[^\]]*)\]|.", re.DOTALL)
_FIXED = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def matcher(path: str, include: Iterable[str] = (), exclude: Iterable[str] = ()) -> Callable[[str], bool]:
    """Return a function that tells whether a key, relative to its dataset, belongs to a table."""
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
    return re.compile(anywhere + _TOKEN.sub(_translated, pattern.removeprefix("/")), re.DOTALL)


def _translated(token: re.Match[str]) -> str:
    inside = token["set"]
    if inside is None:
        return _FIXED.get(token[0]) or re.escape(token[0])
    inside = inside.replace("\\", "\\\\")
    return f"[^{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
