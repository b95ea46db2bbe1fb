"""Patterns over keys: the meaning of ``include``, ``exclude`` and table paths, in one place.

Patterns are matched against the key relative to the dataset's prefix. ``*`` and ``?`` stop at a
``/``, ``**`` does not, ``[...]`` is a set; a pattern without ``/`` matches the last segment at
any depth (as in .gitignore), so that ``*.tmp`` means what people expect.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from heavylift.errors import SpecError

QUARANTINE = ".heavylift-quarantine"
"""How the folders end in which a sync keeps objects that have gone from their source."""

_WILD = re.compile(r"[*?\[]")
_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[(?P<set>.[^\]]*)\]|.", re.DOTALL)
_SPECIAL_IN_SETS = re.compile(r"[\\\[&|~]")
_FIXED = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def selector(include: Iterable[str] = (), exclude: Iterable[str] = ()) -> Callable[[str], bool]:
    """Return a function that tells whether a relative key is selected; ``exclude`` wins.

    Keys in a quarantine folder (:func:`in_quarantine`) are never selected: they belong to no dataset.

    :param include: where empty, every key that is not excluded is selected.
    :raises SpecError: a pattern cannot be read.
    """
    include, exclude = tuple(include), tuple(exclude)
    if not include and not exclude:
        return everything
    matches = matcher(include, exclude)
    return lambda key: not in_quarantine(key) and matches(key)


def matcher(include: Iterable[str] = (), exclude: Iterable[str] = ()) -> Callable[[str], bool]:
    """Return a function that tells whether the patterns let a relative key pass, in quarantine or not.

    :raises SpecError: a pattern cannot be read.
    """
    wanted = [compile_pattern(pattern) for pattern in include]
    unwanted = [compile_pattern(pattern) for pattern in exclude]

    def matches(key: str) -> bool:
        if wanted and not any(pattern.fullmatch(key) for pattern in wanted):
            return False
        return not any(pattern.fullmatch(key) for pattern in unwanted)

    return matches


def everything(key: str) -> bool:
    """Select any key that is not in quarantine: what a dataset without patterns is about."""
    return not in_quarantine(key)


def in_quarantine(key: str) -> bool:
    """Tell whether a relative key lies in a folder that holds what a sync has put aside."""
    return QUARANTINE + "/" in key


def can_be_put_aside(key: str) -> bool:
    """Tell whether a key in quarantine has the form of what a sync puts there: a run, then an old key."""
    run, _, old = key.partition(QUARANTINE + "/")[2].partition("/")
    return bool(run and old)


def literal_folder(path: str) -> str:
    """Return the folder, ending in ``/`` or empty, below which all matches of ``path`` lie."""
    anchored = path.removeprefix("/")
    if "/" not in path:
        return ""
    wild = _WILD.search(anchored)
    literal = anchored[: wild.start()] if wild else anchored
    return literal[: literal.rfind("/") + 1]


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return the regular expression that a whole relative key must match.

    :raises SpecError: the pattern cannot be read.
    """
    anywhere = "" if "/" in pattern else "(?:.*/)?"
    expression = anywhere + _TOKEN.sub(_translated, pattern.removeprefix("/"))
    try:
        return re.compile(expression, re.DOTALL)
    except re.error as error:
        raise SpecError(
            f"reading the pattern {pattern!r}",
            got=f"a set in [] that is none: {error.msg}",
            expected="characters and ranges in rising order, such as [a-z0-9]",
            state="nothing was touched",
            remedy="correct the pattern",
            code="2330",
        ) from error


def _translated(token: re.Match[str]) -> str:
    inside = token["set"]
    if inside is None:
        return _FIXED.get(token[0]) or re.escape(token[0])
    inside = _SPECIAL_IN_SETS.sub(r"\\\g<0>", inside)
    return f"[^{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
