"""What was found, and what was done: the findings of the latest runs and the end of the audit trail."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from heavylift.board.listing import Listing
from heavylift.board.reader import Reader
from heavylift.errors import AuditError
from heavylift.evidence.assessment_records import AssessmentRecord
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.paths import original_text
from heavylift.evidence.records import EvidenceRef
from heavylift.evidence.store import EvidenceStore

MOST_FINDINGS = 60
MOST_ACTS = 40
_HOLDS_FINDINGS = (
    "[^/]+/plan", "[^/]+/shards/.*", "databases/[^/]+/(?:preflight|snapshot|sync|drain)-",
    "~streams/[^/]+/(?:plan|mirror)-", "~models/[^/]+/[^/]+/model-(?:check|comparison)-",
    "~registries/[^/]+/.*", "~baselines/[^/]+/endpoint-baseline-",
)  # fmt: skip
_ORDER = ("blocker", "warning", "note")


@dataclass(frozen=True)
class FindingLine:
    """A finding of a latest run, or of the newest plan."""

    severity: str
    rule: str
    subject: str
    detail: str
    remedy: str
    path: str
    times: int = 1


@dataclass(frozen=True)
class ActLine:
    """One act of the audit trail."""

    seq: int
    time: datetime
    actor: str
    action: str
    phase: str
    run: str
    subject: str
    evidence: tuple[EvidenceRef, ...]

    @property
    def run_id(self) -> str:
        """The run's id in Airflow; empty where it was too long to be kept, or there is none."""
        return original_text(self.run) or "" if self.run else ""


@dataclass(frozen=True)
class TrailView:
    """The end of the audit trail.

    :param checked: how many entries, from the last backwards, carry their own hash and follow each other.
    :param problem: what is wrong with what was read; empty where nothing is.
    """

    length: int
    head: str
    checked: int
    acts: tuple[ActLine, ...]
    problem: str = ""


async def read_findings(
    reader: Reader, listing: Listing, plan: tuple[str, AssessmentRecord] | None
) -> tuple[FindingLine, ...]:
    """Return what the newest plan and the latest run of each phase have found, once, the gravest first."""
    found = _of_plan(*plan) if plan else []
    for run in listing.latest.values():
        paths = [path for name in _HOLDS_FINDINGS for path in listing.newest(run.key.folder, name)]
        plans = [path for path in listing.below(run.key.folder) if path.endswith("/plan.json")]
        for path in dict.fromkeys([*plans, *paths]):
            found += await _in_file(reader, path)
    unique: dict[FindingLine, FindingLine] = {}
    for line in found:
        # Preflight, copy and sync of one thing lie in one folder, and each tells what the others have told.
        unique.setdefault(replace(line, path=line.path.rpartition("/")[0]), line)
    return tuple(sorted(unique.values(), key=lambda each: _ORDER.index(each.severity))[:MOST_FINDINGS])


def _of_plan(path: str, plan: AssessmentRecord) -> list[FindingLine]:
    return [
        FindingLine(
            rule.severity, rule.rule, rule.first.component, rule.first.evidence, rule.first.remedy,
            path, rule.count - rule.accepted,
        )
        for rule in plan.rules
        if rule.count > rule.accepted
    ]  # fmt: skip


async def _in_file(reader: Reader, path: str) -> list[FindingLine]:
    document = await reader.document(path)
    return [
        FindingLine(
            item["severity"], str(item.get("rule", "")), str(item.get("subject", "")),
            str(item.get("detail", "")), str(item.get("remedy", "")), path,
        )
        for item in _items(document)
    ]  # fmt: skip


def _items(document: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    for item in (document or {}).get("findings") or ():
        if isinstance(item, dict) and item.get("severity") in _ORDER:
            yield item


async def read_trail(
    store: EvidenceStore, listing: Listing, phases: Collection[str] | None = None
) -> TrailView:
    """Return the last acts on a migration; damage of the trail is told, not raised.

    :param phases: only acts in these phases, and in none; all where None.
    """
    head, length, checked, acts, problem = "", 0, 0, list[ActLine](), ""
    try:
        async for entry in AuditTrail(store, listing.migration).entries_backwards():
            head, length, checked = head or entry.hash, length or entry.seq, checked + 1
            if phases is None or not entry.phase or entry.phase in phases:
                acts.append(
                    ActLine(
                        entry.seq, entry.time, entry.actor, entry.action, entry.phase, entry.run,
                        entry.subject, entry.evidence,
                    )
                )  # fmt: skip
            if checked >= MOST_ACTS:
                break
    except AuditError as error:
        problem = f"{error.got} [HL-{error.code}]"
    return TrailView(length, head, checked, tuple(acts), problem)
