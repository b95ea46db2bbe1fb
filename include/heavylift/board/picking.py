"""Which lines of the list are shown, in what order: search, filter, sort, page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from heavylift.board.lines import MigrationLine, State

PER_PAGE = 25

_URGENCY: dict[State, int] = {
    State.UNREADABLE: 0,
    State.FAILED: 1,
    State.WAITING: 2,
    State.OPEN: 3,
    State.DRY: 4,
    State.NONE: 5,
    State.PASSED: 6,
}

SORTS: dict[str, Callable[[MigrationLine], Any]] = {
    "urgency": lambda line: (_URGENCY[line.standing], line.name),
    "name": lambda line: line.name,
    "owner": lambda line: (line.owner.casefold(), line.name),
    "activity": lambda line: (-(line.last_at.timestamp() if line.last_at else 0.0), line.name),
    "waiting": lambda line: (-len(line.waiting), line.name),
}
"""Name in the address → what is compared."""


@dataclass(frozen=True)
class Query:
    """What somebody asks of the list.

    :param text: words that name, owner, description or platforms must all hold.
    :param state: only these; empty for all. ``waiting`` is any migration with an open question.
    """

    text: str = ""
    state: str = ""
    sort: str = "urgency"
    page: int = 1


@dataclass(frozen=True)
class Page:
    """One page of the list.

    :param counts: how many of all lines that fit the words are in each state.
    """

    lines: tuple[MigrationLine, ...]
    total: int
    page: int
    pages: int
    counts: dict[str, int]


def pick(lines: Sequence[MigrationLine], query: Query) -> Page:
    """Return the page of ``lines`` that ``query`` asks for; a page beyond the last is the last."""
    words = query.text.casefold().split()
    fitting = [line for line in lines if all(word in _text(line) for word in words)]
    said = Counter(line.standing.value for line in fitting)
    counts = {state.value: said[state.value] for state in State}
    counts[State.WAITING] = sum(bool(line.waiting) for line in fitting)
    if query.state:
        fitting = [line for line in fitting if _is(line, query.state)]
    fitting.sort(key=SORTS.get(query.sort, SORTS["urgency"]))
    pages = max(1, -(-len(fitting) // PER_PAGE))
    page = min(max(1, query.page), pages)
    shown = fitting[(page - 1) * PER_PAGE : page * PER_PAGE]
    return Page(tuple(shown), len(fitting), page, pages, counts)


def _is(line: MigrationLine, state: str) -> bool:
    return bool(line.waiting) if state == State.WAITING else line.standing.value == state


def _text(line: MigrationLine) -> str:
    return f"{line.name} {line.owner} {line.description} {line.source} {line.target}".casefold()
