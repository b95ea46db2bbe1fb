"""A translation of permissions as one page: who gets what, what did not come along, and the matrix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from heavylift import __version__
from heavylift.evidence.access_records import AccessRecord
from heavylift.report.page import environment, style

MOST = 500
"""Rows of one table that a page shows; the record has all."""


class Answer(Protocol):
    """One row of the matrix."""

    @property
    def identity(self) -> str: ...  # noqa: D102

    @property
    def operation(self) -> str: ...  # noqa: D102

    @property
    def before(self) -> bool: ...  # noqa: D102

    @property
    def after(self) -> bool: ...  # noqa: D102


@dataclass
class Cell:
    """What became of one operation for one identity."""

    identity: str
    operation: str
    before: int = 0
    after: int = 0
    both: int = 0
    asked: int = 0

    @property
    def verdict(self) -> str:
        """Say it in a word."""
        if self.after > self.both:
            return "excess"
        if self.before == self.both:
            return "kept" if self.before else "never allowed"
        return "partly" if self.both else "not granted"


def render_access(record: AccessRecord, answers: Iterable[Answer]) -> str:
    """Return the page: one HTML file that loads nothing and runs no script."""
    cells = _cells(answers)
    return environment().get_template("access.html").render(
        record=record,
        cells=cells[:MOST],
        more_cells=max(0, len(cells) - MOST),
        bindings=record.bindings[:MOST],
        untranslated=record.untranslated[:MOST],
        more_untranslated=max(0, len(record.untranslated) - MOST),
        escalations=record.escalations,
        style=style(),
        version=__version__,
    )  # fmt: skip


def _cells(answers: Iterable[Answer]) -> list[Cell]:
    found: dict[tuple[str, str], Cell] = {}
    for each in answers:
        key = each.identity, each.operation
        cell = found.setdefault(key, Cell(*key))
        cell.asked += 1
        cell.before += each.before
        cell.after += each.after
        cell.both += each.before and each.after
    return [found[key] for key in sorted(found)]
