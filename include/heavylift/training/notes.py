"""What is told of a translation: changes with reasons, losses, what the target must have, what blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from heavylift.errors import SpecError

_SECRET = re.compile(
    r"(?i)passw|secret|(?:^|_)token(?:$|_)|credential|api_?key|private_?key|access_?key|(?:^|_)pwd$"
)
_SIGNED = re.compile(r"\?\S+|(?<=//)[^/@\s]+:[^/@\s]+@")
_SHOWN = 160


@dataclass(frozen=True)
class Change:
    """One thing that the target's definition has in another form.

    :param source: where the reason can be read.
    """

    subject: str
    old: str
    new: str
    reason: str
    source: str = ""


@dataclass(frozen=True)
class Remark:
    """One thing that is lost, needed or in the way, with what to do about it."""

    subject: str
    what: str
    remedy: str


@dataclass
class Findings:
    """Collects what is told while a job is read and written."""

    changes: list[Change] = field(default_factory=list)
    losses: list[Remark] = field(default_factory=list)
    needs: list[Remark] = field(default_factory=list)
    blocks: list[Remark] = field(default_factory=list)

    def change(self, subject: str, old: str, new: str, reason: str, source: str = "") -> None:
        """Note a change."""
        made = Change(subject, shown(old), shown(new), reason, source)
        if made not in self.changes:
            self.changes.append(made)

    def lose(self, subject: str, what: str, remedy: str) -> None:
        """Note that something is not in the translation, and the job runs without it."""
        _add(self.losses, Remark(subject, what, remedy))

    def need(self, subject: str, what: str, remedy: str) -> None:
        """Note what the target must have."""
        _add(self.needs, Remark(subject, what, remedy))

    def block(self, subject: str, what: str, remedy: str) -> None:
        """Note why the translation must not be run as it is."""
        _add(self.blocks, Remark(subject, what, remedy))


def _add(rows: list[Remark], row: Remark) -> None:
    if row not in rows:
        rows.append(row)


def is_secret(name: str) -> bool:
    """Return whether a variable's name says that its value is nobody's business."""
    return bool(_SECRET.search(name))


def shown(text: str) -> str:
    """Return a value as it may be shown: short, and without signatures and passwords of addresses."""
    text = " ".join(_SIGNED.sub("(not shown)", str(text)).split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def bad_definition(file: str, where: str, got: str, expected: str) -> SpecError:
    """Return the error for a definition that is wrong in itself."""
    return SpecError(
        f"reading the training job {file}, {where}",
        got=shown(got),
        expected=expected,
        state="nothing was written",
        remedy="correct the definition, or export it again from its platform",
        code="9201",
    )
