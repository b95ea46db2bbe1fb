"""The records of drills: what a fail-over would take and lose, tried on a schedule without moving anybody."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from heavylift.evidence.base import EvidenceRef, Record
from heavylift.evidence.numbered import latest_number
from heavylift.evidence.records import RunKey, utc_now
from heavylift.evidence.run_evidence import Kept, read_kept
from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.wording import duration

DRILL_FOLDER = "~drills"
"""Beside a migration's runs: readiness is told over all of them."""
SHOWN = 10
"""How many of the last drills are looked at, to tell readiness over time."""

DrillOutcome = Literal["passed", "failed", "put off"]
DrillWay = Literal["over and back", "back"]
"""What was drilled: before the switch failing over and the way back, after it the way back alone."""


class RecoveryPoint(Record):
    """How old the target's copy of one thing was when the drill began: what would be lost with the source.

    :param kind: ``dataset`` or ``database``.
    :param seconds: None where nobody can tell.
    """

    kind: Literal["dataset", "database"]
    subject: str
    seconds: float | None
    detail: str = ""


class WayBack(Record):
    """What going back to the source would take and lose.

    :param carried: the stream that carries back was there, and what it took is in ``rto_seconds``. Before the
        switch there is none, and ``rpo_seconds`` is not known.
    :param rpo_seconds: the longest lag of the databases.
    """

    carried: bool
    rto_seconds: float
    rpo_seconds: float | None = None
    max_rto_seconds: float | None = None
    max_rpo_seconds: float | None = None
    write_pause_seconds: float
    points: tuple[RecoveryPoint, ...] = ()
    rehearsal: EvidenceRef

    @property
    def figures(self) -> str:
        """What was measured, in words."""
        found = [
            ("RTO", self.rto_seconds, self.max_rto_seconds),
            ("RPO", self.rpo_seconds, self.max_rpo_seconds),
        ]
        told = found if self.carried else found[:1]
        without = "" if self.carried else " (no stream leads back before the switch)"
        return f"back: {_figures(told)}{without}"


class DrillRecord(Record):
    """One drill.

    :param way: what was drilled; ``back``: writes are on the target, and the figures are those of ``back``.
    :param outcome: ``put off`` where a switch was under way, or the way back is closed: nothing was tried.
    :param rto_seconds: from the beginning to the moment that the target could have taken everything.
    :param rpo_seconds: the oldest of ``points``; None where one of them is not known.
    :param unmeasured: what is in the spec and has no recovery point here, such as streams.
    :param due_within_seconds: how old a good drill may be before it is overdue; as the spec said then.
    """

    schema_version: Literal["heavylift/drill/v1"] = "heavylift/drill/v1"
    run: RunKey
    drilled_at: datetime = Field(default_factory=utc_now)
    outcome: DrillOutcome
    way: DrillWay = "over and back"
    reasons: tuple[str, ...] = ()
    rto_seconds: float | None = None
    rpo_seconds: float | None = None
    max_rto_seconds: float | None = None
    max_rpo_seconds: float | None = None
    write_pause_seconds: float | None = None
    points: tuple[RecoveryPoint, ...] = ()
    unmeasured: tuple[str, ...] = ()
    due_within_seconds: float
    rehearsal: EvidenceRef | None = None
    back: WayBack | None = None
    seconds: float = 0.0

    @property
    def due_at(self) -> datetime:
        """When the next good one is overdue, if this one was good."""
        return self.drilled_at + timedelta(seconds=self.due_within_seconds)

    @property
    def figures(self) -> str:
        """What was measured, in words."""
        over = [
            ("RTO", self.rto_seconds, self.max_rto_seconds),
            ("RPO", self.rpo_seconds, self.max_rpo_seconds),
        ]
        told = [_figures(over)] if self.way != "back" else []
        told += [self.back.figures] if self.back else []
        return "; ".join(told) or "nothing was measured"


def _figures(found: Iterable[tuple[str, float | None, float | None]]) -> str:
    return ", ".join(
        f"{name} {duration(timedelta(seconds=seconds)) if seconds is not None else 'not known'}"
        + (f" of at most {duration(timedelta(seconds=limit))}" if limit is not None else "")
        for name, seconds, limit in found
    )


class DrillHistory(Record):
    """Readiness over time, by the last drills; those that were put off tell nothing.

    :param last_good_at: None where none of them passed.
    :param due_at: when the next good one is, or was, overdue; None where none passed.
    """

    tried: int = 0
    passed: int = 0
    put_off: int = 0
    last: DrillRecord | None = None
    last_good_at: datetime | None = None
    due_at: datetime | None = None

    def is_overdue(self, now: datetime) -> bool:
        """Tell whether no good drill is young enough."""
        return self.due_at is None or now > self.due_at

    def words(self, now: datetime) -> str:
        """Return it in one line."""
        if self.last is None:
            return "no drill was made yet" if not self.put_off else "every drill so far was put off"
        age = duration(now - self.last.drilled_at)
        why = f" ({'; '.join(self.last.reasons)})" if self.last.outcome == "failed" else ""
        overdue = "; OVERDUE: no good drill is young enough" if self.is_overdue(now) else ""
        return (
            f"the last one {self.last.outcome} {age} ago{why}: {self.last.figures};"
            f" {self.passed} of the last {self.tried} passed{overdue}"
        )


def drill_path(migration: str, number: int) -> str:
    """Return the path of a migration's ``number``-th drill, from 1."""
    return f"{migration}/{DRILL_FOLDER}/drill-{number}.json"


async def last_drills(store: EvidenceStore, migration: str, most: int = SHOWN) -> list[Kept[DrillRecord]]:
    """Return a migration's newest drills, the oldest of them first.

    :raises AuditError: a record is damaged.
    """
    last = await latest_number(store, lambda number: drill_path(migration, number))
    numbers = range(max(1, last - most + 1), last + 1)
    found = [await read_kept(store, drill_path(migration, number), DrillRecord) for number in numbers]
    return [kept for kept in found if kept]


def history_of(records: list[DrillRecord]) -> DrillHistory:
    """Return what drills, the oldest first, say together."""
    tried = [each for each in records if each.outcome != "put off"]
    good = [each for each in tried if each.outcome == "passed"]
    return DrillHistory(
        tried=len(tried),
        passed=len(good),
        put_off=len(records) - len(tried),
        last=tried[-1] if tried else None,
        last_good_at=good[-1].drilled_at if good else None,
        due_at=good[-1].due_at if good else None,
    )
