"""The record of what the phase provision translates and hands over, from pipelines to alerts.

Nothing of it is applied by Heavylift: the files lie beside the record, each by its digest, for whoever does.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, get_args

from pydantic import Field

from heavylift.evidence.base import EvidenceRef, Record
from heavylift.evidence.paths import safe_segment
from heavylift.evidence.records import RunKey, utc_now

PARTS_FOLDER = "~parts"

PartName = Literal["pipelines", "access", "manifests", "volumes", "training", "autoscaling", "alerts"]
PARTS: tuple[PartName, ...] = get_args(PartName)


class PartFile(Record):
    """One file that is handed over.

    :param name: relative to the folder in which all of them belong.
    """

    name: str
    ref: EvidenceRef


class PartGap(Record):
    """Something that was not translated.

    :param accepted: why that is all right; empty where nobody said.
    """

    subject: str
    what: str
    remedy: str
    accepted: str = ""


class PartProblem(Record):
    """Why a file does not count as valid.

    :param invalid: the target's loader refuses it; otherwise nobody could look at it.
    """

    file: str
    problem: str
    invalid: bool = True


class PartRecord(Record):
    """What was translated, where its files lie, and what the target's own loader says of them.

    Adds up: ``untranslated = accepted + open_untranslated``.

    :param digest: over the files and what was not translated.
    :param before: digest of the migration's record before this one; empty where there is none.
    :param counts: what went in and came out, by name.
    :param gaps: the first of what was not translated, what nobody accepts at the front.
    :param unused: acceptances that have met nothing.
    :param loader: what has looked at the files; empty where nothing did.
    :param valid: files or objects that it takes; ``unchecked`` those that it has no schema for.
    :param details: the part's own record, where it has one.
    """

    schema_version: Literal["heavylift/part/v1"] = "heavylift/part/v1"
    run: RunKey
    part: PartName
    made_at: datetime = Field(default_factory=utc_now)
    source: str
    target: str
    digest: str
    before: str = ""
    counts: dict[str, int]
    files: tuple[PartFile, ...]
    untranslated: int
    accepted: int
    open_untranslated: int
    gaps: tuple[PartGap, ...] = ()
    unused: tuple[str, ...] = ()
    loader: str = ""
    valid: int = 0
    invalid: int = 0
    unchecked: int = 0
    problems: tuple[PartProblem, ...] = ()
    details: EvidenceRef | None = None

    @property
    def unchanged(self) -> bool:
        """Whether the migration's record before this one says the same."""
        return self.before == self.digest

    @property
    def figures(self) -> dict[str, int | str | bool]:
        """What a task returns: counts and the digest, and no list."""
        return {
            "digest": self.digest,
            "unchanged": self.unchanged,
            "files": len(self.files),
            **self.counts,
            "untranslated": self.untranslated,
            "open_untranslated": self.open_untranslated,
            "invalid": self.invalid,
        }


_SAID = {
    "autoscaling": ("at least as safe as the source", "less safe than the source"),
    "volumes": ("copies proved", "copies not proved"),
    "alerts": ("firing as the source's rule", "firing at other moments than the source's rule"),
}
_LOADED = ("taken by the target's loader", "not taken by the target's loader")


def taken(part: str) -> str:
    """Return what is said of those that count as valid."""
    return _SAID.get(part, _LOADED)[0]


def refusal(part: str) -> str:
    """Return what is said of those that do not."""
    return _SAID.get(part, _LOADED)[1]


def part_path(run: RunKey, part: str, number: int) -> str:
    """Return the path of a run's ``number``-th :class:`PartRecord` of a part, from 1."""
    return f"{run.folder}/{PARTS_FOLDER}/{part}-{number}.json"


def part_file_path(run: RunKey, part: str, sha256: str, name: str) -> str:
    """Return the path of one file that is handed over: by its digest, and with its own name at the end."""
    return f"{run.folder}/{PARTS_FOLDER}/{part}/{sha256}/{safe_segment(name.rpartition('/')[2])}"
