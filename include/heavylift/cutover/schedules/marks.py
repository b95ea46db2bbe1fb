"""An epoch in a description: for schedulers that have no other place for it."""

from __future__ import annotations

import re

_MARK = re.compile(r" ?\[heavylift epoch (\d+)\]$")
_LONGEST = 500


def read_mark(description: str) -> int:
    """Return the epoch that a description ends with; 0 where it has none."""
    found = _MARK.search(description)
    return int(found[1]) if found else 0


def with_mark(description: str, epoch: int) -> str:
    """Return the description with another epoch at its end; one that is too long is shortened."""
    mark = f"[heavylift epoch {epoch}]"
    own = _MARK.sub("", description)[: _LONGEST - len(mark) - 1]
    return f"{own} {mark}".lstrip()
