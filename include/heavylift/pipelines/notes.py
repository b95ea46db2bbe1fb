"""What a translation tells of each step: kept, kept with a loss, or untranslated, with a remedy."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from heavylift.errors import SpecError


class Fate(StrEnum):
    """What became of a step."""

    KEPT = "kept"
    LOSS = "kept with a loss"
    UNTRANSLATED = "untranslated"


@dataclass(frozen=True)
class Note:
    """One thing that differs, or that somebody has to do.

    :param subject: the step, or ``pipeline``.
    :param what: what is lost, or cannot be translated, and why.
    :param remedy: what to do about it.
    """

    subject: str
    fate: Fate
    what: str
    remedy: str


@dataclass
class Notes:
    """Collects notes while a definition is read and written."""

    file: str
    entries: list[Note] = field(default_factory=list)

    def loss(self, subject: str, what: str, remedy: str) -> None:
        """Note that something of ``subject`` is not in the translation."""
        self._add(Note(subject, Fate.LOSS, what, remedy))

    def untranslated(self, subject: str, what: str, remedy: str) -> None:
        """Note that ``subject`` is a stub that fails."""
        self._add(Note(subject, Fate.UNTRANSLATED, what, remedy))

    def _add(self, note: Note) -> None:
        if note not in self.entries:
            self.entries.append(note)

    def fate_of(self, subject: str) -> Fate:
        """Return the worst that was noted of ``subject``."""
        fates = {note.fate for note in self.entries if note.subject == subject}
        if Fate.UNTRANSLATED in fates:
            return Fate.UNTRANSLATED
        return Fate.LOSS if Fate.LOSS in fates else Fate.KEPT


def bad_definition(file: str, where: str, got: str, expected: str) -> SpecError:
    """Return the error for a definition that is wrong in itself.

    :param where: the path in the document, such as ``Steps[2].Arguments``.
    """
    return SpecError(
        f"reading the pipeline {file}, {where}",
        got=got if len(got) <= 200 else got[:200] + "…",
        expected=expected,
        state="nothing was written",
        remedy="correct the definition, or export it again from its platform",
        code="8401",
    )
