"""One thing that is wrong with a migration, and all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

NO_RUN = "nothing has run yet"


class Urgency(IntEnum):
    """How soon somebody must act; the lower, the sooner."""

    NOW = 0
    """Applications cannot write, two sides take writes, or evidence can't be trusted or reached."""
    BROKEN = 1
    """A phase has failed, or something falls further and further behind."""
    WAITING = 2
    """Everything is well, and waits for a person."""
    SOON = 3
    """It will be in the way of the next phase if nobody looks."""

    @property
    def word(self) -> str:
        """What people read."""
        return self.name.lower()


@dataclass(frozen=True)
class Ailment:
    """One thing that is wrong.

    :param subject: where: a phase, a task, a gate, a database, a connection.
    :param remedy: the one command or act in the UI that comes next.
    :param code: of the error that says so, as ``HL-1234``; empty where there is none.
    """

    urgency: Urgency
    subject: str
    problem: str
    remedy: str
    code: str = ""

    @property
    def document(self) -> dict[str, str]:
        """This as plain JSON."""
        return {
            "urgency": self.urgency.word,
            "subject": self.subject,
            "problem": self.problem,
            "remedy": self.remedy,
            "code": self.code,
        }


@dataclass(frozen=True)
class Examination:
    """What a look at a migration found.

    :param facts: a line for each phase, gate and stream, whether anything is wrong with it or not.
    """

    migration: str
    facts: tuple[str, ...] = ()
    ailments: tuple[Ailment, ...] = ()

    @property
    def is_well(self) -> bool:
        """Whether there is nothing to do."""
        return not self.ailments

    @property
    def has_nothing(self) -> bool:
        """Whether nothing was found, not even a run."""
        return self.is_well and self.facts == (NO_RUN,)

    def with_more(self, *, facts: Iterable[str] = (), ailments: Iterable[Ailment] = ()) -> Examination:
        """Return this with more, most urgent first, each thing once."""
        found = dict.fromkeys([*self.ailments, *ailments])
        ordered = sorted(found, key=lambda each: each.urgency)
        return Examination(self.migration, (*self.facts, *facts), tuple(ordered))
