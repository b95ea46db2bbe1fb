"""Patterns that somebody else has written, run in time that grows with the text alone.

RE2 is what the languages here that have patterns use themselves. Python's own engine may take years over a
pattern such as ``(a+)+$``, and nobody can tell by looking.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

MAX_MEMORY = 8 << 20
"""Bytes that a pattern's program and its states may take; RE2 refuses one that needs more."""


class RefusedPatternError(ValueError):
    """RE2 does not read it, or it is too large."""


@lru_cache(maxsize=256)
def compiled(text: str, fold: bool = False) -> Any:
    """Return a pattern: ``search`` and ``fullmatch`` take a text, and give what the groups hold, or None.

    Classes are of ASCII, ``$`` is the end of the text.

    :param fold: upper and lower case are the same.
    :raises RefusedPatternError: it is none of RE2.
    """
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_MEMORY
    options.case_sensitive = not fold
    try:
        return re2.compile(text, options)
    except (re2.error, UnicodeError) as problem:
        told = problem.args[0] if problem.args else "it cannot be read"
        raise RefusedPatternError(told.decode() if isinstance(told, bytes) else str(told)) from None


def group_names(text: str) -> Sequence[str]:
    """Return the names of a pattern's groups, in their order."""
    names: dict[str, int] = compiled(text).groupindex
    return sorted(names, key=names.__getitem__)
