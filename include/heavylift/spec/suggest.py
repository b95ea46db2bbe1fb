"""The nearest right word to a wrong one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, words: Iterable[str]) -> str:
    """Return the one of ``words`` that ``word`` most likely means, or empty text."""
    by_folded = {_folded(right): right for right in words}
    close = get_close_matches(_folded(word[:200]), by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else ""


def _folded(word: str) -> str:
    return word.lower().replace("-", "_")
