"""The records of a switch: whose turn it was, how traffic was shifted, how writes changed sides."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from heavylift.evidence.base import EvidenceRef, Record
from heavylift.evidence.paths import safe_segment
from heavylift.evidence.records import RunKey, utc_now

SWITCH_FOLDER = "~switch"
"""In a run's folder, and beside the runs for the turns."""

SideName = Literal["source", "target"]
RouteName = Literal["requests", "writers"]


class TurnRecord(Record):
    """Somebody's turn to switch; a later one ends it.

    :param number: from 1, without a gap.
    :param epoch: the fencing token: higher than the turn's before, and than any that anything has seen.
    :param goal: the side that shall serve and be written to at its end.
    :param actor: who asked for it.
    """

    schema_version: Literal["heavylift/switch-turn/v1"] = "heavylift/switch-turn/v1"
    migration: str
    number: int = Field(ge=1)
    epoch: int = Field(ge=1)
    goal: SideName
    run: RunKey
    actor: str
    taken_at: datetime = Field(default_factory=utc_now)


class DatabaseStand(Record):
    """Whether each side of a database takes an application's writes."""

    database: str
    source: Literal["open", "frozen"]
    target: Literal["open", "frozen"]
    source_epoch: int = 0
    target_epoch: int = 0
    partly: tuple[str, ...] = ()


class RouteStand(Record):
    """How a route splits what comes to it, in percent for the target.

    :param route: ``requests`` or ``writers``.
    """

    route: RouteName
    target_percent: int
    mirror_percent: int = 0
    epoch: int = 0
    detail: dict[str, str] = Field(default_factory=dict)


class ScheduleStand(Record):
    """Whether each side of a schedule starts runs."""

    schedule: str
    source: Literal["runs", "held"]
    target: Literal["runs", "held"]
    source_epoch: int = 0
    target_epoch: int = 0


class WorldRecord(Record):
    """How everything that is switched stood at one moment, read from itself."""

    seen_at: datetime = Field(default_factory=utc_now)
    epoch: int = 0
    databases: tuple[DatabaseStand, ...] = ()
    routes: tuple[RouteStand, ...] = ()
    schedules: tuple[ScheduleStand, ...] = ()


class SwitchStep(Record):
    """One step of a switch, done or failed.

    :param began_seconds: since the switch began.
    """

    step: str
    subject: str = ""
    began_seconds: float
    seconds: float
    done: bool = True
    detail: str = ""


class DatabaseProof(Record):
    """What proves that a side had everything before it was opened.

    :param position: of the side that was written to until then, which the other had reached.
    """

    database: str
    position: str = ""
    rows: int = 0
    equal: bool = False
    statement: str = ""


class SwitchRecord(Record):
    """What one attempt at switching writes did.

    :param outcome: ``switched``; ``already``, nothing was left to do; ``returned``, it went back to where it
        was; ``between``, it could do neither, and has to be run again.
    :param write_pause_seconds: from the first side's freezing to the last one's opening, whichever side that
        was; 0 where nothing was frozen.
    :param reason: why it did not come to its goal.
    :param given_up: what was brought back without its target, which was gone and counts as frozen here; the
        run's record of losses tells what that cost.
    """

    schema_version: Literal["heavylift/switch/v1"] = "heavylift/switch/v1"
    run: RunKey
    epoch: int
    goal: SideName
    began_at: datetime
    ended_at: datetime = Field(default_factory=utc_now)
    outcome: Literal["switched", "already", "returned", "between"]
    write_pause_seconds: float = 0.0
    write_pause_budget_seconds: float
    before: WorldRecord
    after: WorldRecord
    steps: tuple[SwitchStep, ...] = ()
    proofs: tuple[DatabaseProof, ...] = ()
    reason: str = ""
    given_up: tuple[str, ...] = ()
    seconds: float = 0.0


class ShiftRecord(Record):
    """One shift of a route, as it was read back."""

    schema_version: Literal["heavylift/shift/v1"] = "heavylift/shift/v1"
    run: RunKey
    epoch: int
    shifted_at: datetime = Field(default_factory=utc_now)
    before: RouteStand
    after: RouteStand
    seconds: float


class ScheduleRecord(Record):
    """One act on a schedule, noted before it is done where the moment counts.

    :param act: ``holding`` a side, from ``at`` on; ``starting`` a side, from ``at`` on; ``started``, and what
        was due meanwhile.
    :param held_at: of ``starting`` and ``started``: when the hold began.
    :param missed: moments at which it was due while neither side started runs, and neither ran it.
    :param ran: the one of them that was started in place of all; None where none was.
    :param told: what there is to know, such as why none was started.
    """

    schema_version: Literal["heavylift/schedule/v1"] = "heavylift/schedule/v1"
    run: RunKey
    epoch: int
    schedule: str
    act: Literal["holding", "starting", "started"]
    side: SideName
    at: datetime = Field(default_factory=utc_now)
    held_at: datetime | None = None
    missed: tuple[datetime, ...] = ()
    ran: datetime | None = None
    told: str = ""


class ReadinessItem(Record):
    """One thing that must be so before a workload is switched.

    :param item: what is looked at; ``subject`` which of them.
    :param seen_at: when the evidence was made, or the world was asked.
    """

    item: str
    subject: str = ""
    passed: bool
    detail: str
    seen_at: datetime = Field(default_factory=utc_now)
    evidence: tuple[EvidenceRef, ...] = ()


class ReadinessRecord(Record):
    """Whether a workload can be switched now: earlier phases by their evidence, the world by itself."""

    schema_version: Literal["heavylift/readiness/v1"] = "heavylift/readiness/v1"
    run: RunKey
    seen_at: datetime = Field(default_factory=utc_now)
    owner: str
    items: tuple[ReadinessItem, ...]

    @property
    def open_items(self) -> tuple[ReadinessItem, ...]:
        """What is not so."""
        return tuple(each for each in self.items if not each.passed)


class RehearsalRecord(Record):
    """A rehearsal: every step of a cutover and a rollback that can be tried without moving anybody.

    :param goal: where the switch would have led: ``target``, or ``source`` for the way back.
    :param expected_pause_seconds: of writes, by what freezing, draining and verifying took.
    """

    schema_version: Literal["heavylift/rehearsal/v1"] = "heavylift/rehearsal/v1"
    run: RunKey
    rehearsed_at: datetime = Field(default_factory=utc_now)
    passed: bool
    steps: tuple[SwitchStep, ...]
    proofs: tuple[DatabaseProof, ...] = ()
    expected_pause_seconds: float
    write_pause_budget_seconds: float
    reason: str = ""
    goal: SideName = "target"

    @property
    def seconds(self) -> float:
        """From its beginning to the end of its last step."""
        return max((each.began_seconds + each.seconds for each in self.steps), default=0.0)


class FinalRecord(Record):
    """The way back was closed: from here on there is no rollback.

    :param early: before the soak was over, because somebody wanted it.
    """

    schema_version: Literal["heavylift/switch-final/v1"] = "heavylift/switch-final/v1"
    run: RunKey
    epoch: int
    finalised_at: datetime = Field(default_factory=utc_now)
    switched_at: datetime
    soak_seconds: float
    early: bool = False
    world: WorldRecord
    steps: tuple[SwitchStep, ...] = ()


def schedule_path(migration: str, schedule: str, number: int) -> str:
    """Return the path of the ``number``-th act on a migration's schedule, from 1."""
    return f"{schedules_folder(migration)}/{safe_segment(schedule)}/{number:06d}.json"


def schedules_folder(migration: str) -> str:
    """Return the folder of what was done with a migration's schedules."""
    return f"{migration}/{SWITCH_FOLDER}/schedules"


def turns_folder(migration: str) -> str:
    """Return the folder of a migration's turns."""
    return f"{migration}/{SWITCH_FOLDER}/turns"


def turn_path(migration: str, number: int) -> str:
    """Return the path of a migration's ``number``-th turn, from 1."""
    return f"{turns_folder(migration)}/{number:06d}.json"


def switch_path(run: RunKey, kind: str, number: int) -> str:
    """Return the path of a run's ``number``-th record of a kind, from 1.

    :param kind: ``switch``, ``shift``, ``readiness``, ``rehearsal``, ``rehearsal-back``,
        ``final``, ``losses``.
    """
    return f"{run.folder}/{SWITCH_FOLDER}/{kind}-{number}.json"
