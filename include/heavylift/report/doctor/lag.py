"""How far the target is behind the source by the records of the last syncs, and whether it falls back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from heavylift.evidence.database_evidence import read_database
from heavylift.evidence.runs import SeenRun
from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.stream_evidence import read_stream_evidence
from heavylift.evidence.watermarks import read_watermarks
from heavylift.evidence.wording import duration, size
from heavylift.report.doctor.ailments import Ailment, Urgency
from heavylift.spec.model import MigrationSpec
from heavylift.spec.sections_data import Database

RUNS = 6
"""How many of the last runs are looked at."""
_DEFAULT_LAG = float(Database.model_fields["max_lag"].default)
_SILENT = 3
"""How many of its own intervals a sync may leave out before it counts as stopped."""
_RISING = 3


@dataclass(frozen=True)
class Course:
    """What the last syncs of one database or stream have left, the latest last."""

    kind: str
    name: str
    seconds: tuple[float, ...]
    retained: tuple[int, ...] = ()
    max_lag: float = _DEFAULT_LAG
    max_retained: int | None = None

    @property
    def rises(self) -> bool:
        """Whether each of the last syncs ended further behind than the one before."""
        return rises(self.seconds)

    @property
    def late_runs(self) -> int:
        """How many syncs in a row, up to the last, ended beyond the accepted lag."""
        return late_runs(self.seconds, self.max_lag)


def rises(values: Sequence[float]) -> bool:
    """Tell whether the last three values rise."""
    last = values[-_RISING:]
    return len(last) == _RISING and all(a < b for a, b in pairwise(last))


def late_runs(values: Sequence[float], limit: float) -> int:
    """Return how many of the last values in a row lie beyond ``limit``."""
    number = 0
    for value in reversed(values):
        if value <= limit:
            break
        number += 1
    return number


async def courses(store: EvidenceStore, runs: Sequence[SeenRun], spec: MigrationSpec | None) -> list[Course]:
    """Return the course of each database and stream that the last syncs carried.

    :param runs: the migration's runs of the phase sync, the latest last.
    :raises AuditError: a record is damaged.
    """
    databases: dict[str, list[tuple[float, int]]] = {}
    streams: dict[str, list[float]] = {}
    for seen in runs[-RUNS:]:
        for name in seen.databases:
            found = await read_database(store, seen.key, name)
            if found.sync:
                record = found.sync.record
                databases.setdefault(name, []).append((record.lag_seconds, record.retained_bytes))
        for name in seen.streams:
            mirror = (await read_stream_evidence(store, seen.key, name)).mirror
            if mirror:
                streams.setdefault(name, []).append(mirror.record.lag_seconds)
    limits = _limits(spec)
    return [
        Course(
            "database",
            name,
            tuple(each[0] for each in values),
            tuple(each[1] for each in values),
            limits.get(("database", name), _DEFAULT_LAG),
            _retained(spec).get(name),
        )
        for name, values in databases.items()
    ] + [
        Course("stream", name, tuple(values), max_lag=limits.get(("stream", name), _DEFAULT_LAG))
        for name, values in streams.items()
    ]


async def examine_lag(
    store: EvidenceStore, runs: Sequence[SeenRun], spec: MigrationSpec | None, migration: str, now: datetime
) -> tuple[list[str], list[Ailment]]:
    """Return a line for each database, stream and dataset that is kept up to date, and what is wrong."""
    facts: list[str] = []
    ailments = _silence(runs, migration, now)
    for course in await courses(store, runs, spec):
        facts.append(_fact(course))
        ailments += _of_course(course, migration)
    for mark in await read_watermarks(store, migration):
        if mark.listed_at:
            age = duration(max(now - datetime.fromisoformat(mark.listed_at), timedelta(seconds=0)))
            facts.append(f"dataset {mark.dataset}: the target follows the source as of {age} ago")
    return facts, ailments


def _silence(runs: Sequence[SeenRun], migration: str, now: datetime) -> list[Ailment]:
    """Tell of a sync that used to run and does not any more: nothing fails, so nothing else would tell."""
    starts = [seen.first_at for seen in runs[-RUNS:]]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(starts)]
    if len(gaps) < 2:
        return []
    usual, quiet = median(gaps), (now - runs[-1].last_at).total_seconds()
    if quiet <= max(_SILENT * usual, 600):
        return []
    said = f"the last one was {duration(timedelta(seconds=quiet))} ago, before that one came about every"
    return [
        Ailment(
            Urgency.BROKEN,
            f"{migration}.sync",
            f"no sync runs any more: {said} {duration(timedelta(seconds=usual))}",
            f"airflow dags unpause {migration}.sync where it is paused;"
            " else look whether scheduler and workers are up",
        )
    ]


def _of_course(course: Course, migration: str) -> list[Ailment]:
    found: list[Ailment] = []
    subject = f"{course.kind} {course.name}"
    tell = f"heavylift doctor {migration} --spec FILE asks the servers; then trigger DAG {migration}.sync"
    behind = _span(course.seconds[-1])
    if course.late_runs:
        often = f"for {course.late_runs} syncs in a row" if course.late_runs > 1 else "at its last sync"
        growth = ", and falls back further" if course.rises else ""
        problem = f"{behind} behind {often}, {_span(course.max_lag)} are accepted{growth}"
        remedy = f"{tell} more often, raise defaults.limits, or look for a long transaction on the source"
        found.append(Ailment(Urgency.BROKEN, subject, problem, remedy))
    elif course.rises and course.seconds[-1] > course.max_lag / 2:
        problem = f"{behind} behind, and further with each of the last {_RISING} syncs"
        found.append(Ailment(Urgency.SOON, subject, problem, f"{tell} more often"))
    kept = course.retained[-1] if course.retained else 0
    if course.max_retained and kept > course.max_retained / 2:
        problem = f"its slot keeps {size(kept)} of log on the source, of {size(course.max_retained)} allowed"
        remedy = f"trigger DAG {migration}.sync now; beyond that the slot is given up and a snapshot is due"
        found.append(Ailment(Urgency.BROKEN, subject, problem, remedy))
    return found


def _fact(course: Course) -> str:
    way = "falling back" if course.rises else "steady or closing"
    kept = f", slot keeps {size(course.retained[-1])}" if course.retained and course.retained[-1] else ""
    behind = f"{_span(course.seconds[-1])} behind, {_span(course.max_lag)} are accepted"
    return f"{course.kind} {course.name}: {behind}, {way}{kept}"


def _span(seconds: float) -> str:
    return duration(timedelta(seconds=seconds))


def _limits(spec: MigrationSpec | None) -> Mapping[tuple[str, str], float]:
    if spec is None:
        return {}
    databases = {("database", each.name): float(each.max_lag) for each in spec.databases}
    return databases | {("stream", each.name): float(each.max_lag) for each in spec.streams}


def _retained(spec: MigrationSpec | None) -> Mapping[str, int]:
    return {each.name: each.max_retained_wal for each in spec.databases} if spec else {}
