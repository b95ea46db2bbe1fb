"""What the audit trail tells of tasks that failed, of clocks that differ, and of damage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from heavylift.errors import AuditError
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import AuditEntry
from heavylift.evidence.paths import original_text
from heavylift.evidence.records import RunKey
from heavylift.evidence.run_evidence import CLOCK_SKEW
from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.wording import duration
from heavylift.report.doctor.ailments import Ailment, Urgency
from heavylift.report.story import MOST_ENTRIES

TASK_FAILED = "task.failed"
_LAST_WORD = "summarise_run"
"""The task that ends every run."""


@dataclass(frozen=True)
class EndOfTrail:
    """The last entries of the trail, oldest first, and what keeps it from being read further."""

    entries: tuple[AuditEntry, ...] = ()
    problem: str = ""


async def read_end(store: EvidenceStore, migration: str, most: int = MOST_ENTRIES) -> EndOfTrail:
    """Return the end of the trail; damage is told, not raised."""
    entries: list[AuditEntry] = []
    try:
        async for entry in AuditTrail(store, migration).entries_backwards():
            entries.append(entry)
            if len(entries) == most:
                break
    except AuditError as error:
        return EndOfTrail(tuple(reversed(entries)), str(error))
    return EndOfTrail(tuple(reversed(entries)))


def damage_in(trail: EndOfTrail, migration: str) -> list[Ailment]:
    """Return what is wrong with the trail itself."""
    if not trail.problem:
        return []
    remedy = (
        f"heavylift audit verify {migration}; restore the entries that it names from the store's versions"
        " or a backup: until then no gate opens and no approval counts"
    )
    return [Ailment(Urgency.NOW, "audit trail", f"it is damaged: {trail.problem}", remedy, "HL-4031")]


def failed_tasks(trail: EndOfTrail, runs: Iterable[RunKey]) -> list[Ailment]:
    """Return the tasks of ``runs`` that failed and did nothing since, with the remedy of their error."""
    wanted = {(run.phase, run.run): run for run in runs}
    failures: dict[tuple[RunKey, str, str], AuditEntry] = {}
    for entry in trail.entries:
        run = wanted.get((entry.phase, entry.run))
        if run is None:
            continue
        if entry.action == TASK_FAILED:
            # Mapped copies of a task have one name: each error is told once.
            failures[run, entry.actor, _code(_error(entry))] = entry
        else:
            for key in [key for key in failures if key[:2] == (run, entry.actor)]:
                del failures[key]
    causes = {run for (run, _, _), entry in failures.items() if entry.subject != _LAST_WORD}
    return [
        _of_failure(run, entry)
        for (run, _, _), entry in failures.items()
        # The last word of a run only repeats what failed before it.
        if entry.subject != _LAST_WORD or run not in causes
    ]


def clock_skew(trail: EndOfTrail, now: datetime) -> list[Ailment]:
    """Return the workers' clocks that differ by more than gates allow for."""
    found: dict[str, timedelta] = {}
    before: AuditEntry | None = None
    for entry in trail.entries:
        behind = before.time - entry.time if before else timedelta()
        ahead = entry.time - now
        for name, skew in ((f"{_who(before)} and {_who(entry)}", behind), (_who(entry), ahead)):
            if skew > CLOCK_SKEW:
                found[name] = max(skew, found.get(name, skew))
        before = entry
    return [
        Ailment(
            Urgency.BROKEN,
            f"clock of {name}",
            f"entries of the audit trail are out of order in time, or in the future, by {duration(skew)}",
            "set the workers' clocks (chronyc tracking on each worker): a gate counts nothing that is dated"
            " in the future",
        )
        for name, skew in found.items()
    ]


def _of_failure(run: RunKey, entry: AuditEntry) -> Ailment:
    error = _error(entry)
    task, dag = entry.subject, f"{run.migration}.{run.phase}"
    title = original_text(run.run) or run.run
    clear = f"then clear task {task} in run {title} of DAG {dag}, which is safe: it does only the rest"
    remedy = str(error.get("remedy") or "read the end of its log").removesuffix(", then clear this task")
    got = f": got {error['got']}" if error.get("got") else ""
    kind = error.get("what") or error.get("type") or "an error of no known kind"
    problem = (
        f"failed at {entry.time:%Y-%m-%d %H:%M} UTC, attempt {entry.details.get('attempt', '?')}: {kind}{got}"
    )
    if error.get("retry_safe") is False:
        clear = "do not clear it before that: a retry is not safe"
    return Ailment(Urgency.BROKEN, f"{dag} {task}", problem, f"{remedy}; {clear}", _code(error))


def _error(entry: AuditEntry) -> Mapping[str, Any]:
    error = entry.details.get("error")
    return error if isinstance(error, Mapping) else {"type": str(error or "")}


def _code(error: Mapping[str, Any]) -> str:
    return str(error.get("code") or "")


def _who(entry: AuditEntry | None) -> str:
    return entry.actor if entry else ""
