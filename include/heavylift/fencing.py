"""Whose turn it is: the epochs that fence acts on live systems, and whether a side may be written to.

Every act of a switch carries an ``epoch``, which rises with each cutover or rollback. What has seen a higher
epoch refuses a lower one, so that an act which was taken for dead changes nothing when it wakes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from heavylift.errors import ConflictError


class Side(StrEnum):
    """Where requests go, or where writes are allowed."""

    SOURCE = "source"
    TARGET = "target"

    @property
    def other(self) -> Side:
        """Return the opposite side."""
        return Side.TARGET if self is Side.SOURCE else Side.SOURCE


class Writes(StrEnum):
    """Whether an application may write to one side of a database."""

    OPEN = "open"
    FROZEN = "frozen"


@dataclass(frozen=True)
class WriteState:
    """Whether the tables of one side take an application's writes.

    :param epoch: the highest that this side has seen; 0 where none.
    :param partly: tables that stand otherwise than :attr:`writes` says, because an act was cut off or a
        table has come since: a side with such tables counts as open.
    :param opened: the highest epoch at which this side was opened again; None where it never was.
    """

    writes: Writes
    epoch: int = 0
    partly: tuple[str, ...] = ()
    opened: int | None = None

    @property
    def is_frozen(self) -> bool:
        """Whether every table refuses an application's writes."""
        return self.writes is Writes.FROZEN and not self.partly


def superseded(what: str, seen: int, asked: int) -> ConflictError:
    """Return the error of an act whose turn is over.

    :param what: the act and its object.
    :param seen: the highest epoch that the object has seen.
    :param asked: the act's own.
    """
    return ConflictError(
        what,
        got=f"epoch {asked}, while epoch {seen} is in force",
        expected=f"epoch {seen} or a higher one: a later cutover or rollback has begun",
        state="this act changed nothing",
        remedy="leave it to the later one; look who runs it in the audit trail",
        retry_safe=False,
        code="8701",
    )
