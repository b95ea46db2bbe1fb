"""What a run did with registries, as rows for report and status."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from heavylift.evidence.registry_evidence import RegistryEvidence
from heavylift.evidence.registry_records import (
    RegistryCompared,
    RegistryDifference,
    RegistryFailure,
    RegistryLoss,
    RegistryTable,
    RegistryTableProof,
)
from heavylift.evidence.wording import counted, differ, duration
from heavylift.gates.summary import registry_reasons
from heavylift.report.blockers import blocker_advice, blockers_of, would_stop
from heavylift.report.story import RunStory
from heavylift.spec.registry_phase import BACK

MOST_DIFFERENCES = 200


@dataclass(frozen=True)
class RegistryRow:
    """One registry of a run.

    :param reasons: why it does not count as moved and proved; empty where it does.
    :param now: the moment at which this is told.
    """

    evidence: RegistryEvidence
    reasons: tuple[str, ...]
    now: datetime

    @property
    def name(self) -> str:
        """The registry's name in the spec."""
        return self.evidence.registry

    @property
    def ends(self) -> tuple[str, str]:
        """Source and target as the latest record calls them; empty where there is none."""
        for kept in (self.evidence.verification, self.evidence.move, self.evidence.preflight):
            if kept:
                return (kept.record.source, kept.record.target)
        return ("", "")

    @property
    def rows(self) -> int:
        """Rows that the target holds after the last copy or sync."""
        return self.evidence.move.record.rows if self.evidence.move else 0

    @property
    def moment(self) -> datetime | None:
        """The moment of the source that the target has been brought to."""
        return self.evidence.move.record.source_moment if self.evidence.move else None

    @property
    def age(self) -> str:
        """How long ago that moment was, in words."""
        return duration(self.now - self.moment) if self.moment is not None else "–"

    @property
    def compared(self) -> tuple[RegistryCompared, ...]:
        """How many things of each sort the last verification compared; sorts of which there are some."""
        proof = self.evidence.verification
        return tuple(each for each in proof.record.compared if each.source or each.target) if proof else ()

    @property
    def differences(self) -> tuple[RegistryDifference, ...]:
        """The first things that differ, by id and field."""
        proof = self.evidence.verification
        return proof.record.differences[:MOST_DIFFERENCES] if proof else ()

    @property
    def unread(self) -> tuple[str, ...]:
        """What no server has an interface for."""
        return self.evidence.verification.record.unread if self.evidence.verification else ()

    @property
    def unequal_tables(self) -> tuple[RegistryTableProof, ...]:
        """Tables whose digests differ."""
        proof = self.evidence.verification
        return tuple(each for each in proof.record.tables if not each.equal) if proof else ()

    @property
    def changed_tables(self) -> tuple[RegistryTable, ...]:
        """What the run wrote, table by table; where it copied and then synced, the last of both."""
        last = {
            each.table: each
            for kept in self.evidence.moves
            for each in kept.record.tables
            if each.inserted or each.updated or each.deleted
        }
        return tuple(last.values())

    @property
    def losses(self) -> tuple[RegistryLoss, ...]:
        """What does not arrive; those first of which it is known how many."""
        told = self.evidence.move or self.evidence.preflight
        return tuple(sorted(told.record.losses, key=lambda each: -each.count)) if told else ()

    @property
    def failures(self) -> tuple[RegistryFailure, ...]:
        """The first things that a side refused in the latest copy or sync."""
        return self.evidence.move.record.failures[:MOST_DIFFERENCES] if self.evidence.move else ()

    @property
    def document(self) -> dict[str, Any]:
        """The row as ``heavylift status --json`` gives it."""
        move = self.evidence.move.record if self.evidence.move else None
        proof = self.evidence.verification.record if self.evidence.verification else None
        return {
            "registry": self.name,
            "rows": move.rows if move else None,
            "rows_written": self.evidence.written,
            "rows_kept": move.kept if move else None,
            "source_moment": move.source_moment if move else None,
            "verified": proof.passed if proof else None,
            "verified_at": proof.verified_at if proof else None,
            "things": {each.what: each.source for each in self.compared},
            "differences": proof.difference_count if proof else None,
            "losses": sum(each.count for each in self.losses),
            "refused": move.failure_count if move else None,
            "tables_unequal": [each.table for each in self.unequal_tables],
            "unread": list(self.unread),
            "reasons": list(self.reasons),
        }


def registry_rows(story: RunStory) -> tuple[RegistryRow, ...]:
    """Return a row for each registry of the run."""
    return tuple(RegistryRow(each, tuple(registry_reasons(each)), story.made_at) for each in story.registries)


def registry_line(row: RegistryRow) -> str:
    """Return one line about a registry, for ``heavylift status``."""
    evidence = row.evidence
    parts = []
    if evidence.move:
        record = evidence.move.record
        held = counted(row.rows, "row" if record.path == "store" else "thing")
        parts.append(f"{held} there, {evidence.written:,} written by this run, as of {row.age} ago")
        if record.failure_count:
            parts.append(f"{record.failure_count:,} refused")
        if lost := sum(each.count for each in row.losses):
            parts.append(f"{lost:,} lost, as listed")
    if evidence.verification:
        proof = evidence.verification.record
        things = sum(each.source for each in proof.compared)
        result = "equal" if proof.passed else _wrong(row)
        parts.append(f"verified {counted(things, 'thing')}: {result}")
    return f"{row.name}: {'; '.join(parts) or 'nothing was moved'}"


def registries_so_far(story: RunStory) -> str:
    """Return what has been written, for the headline of a run that is not proved."""
    return f"{counted(sum(each.written for each in story.registries), 'row')} written in registries"


def registries_proof(story: RunStory) -> str:
    """Return the sentence that says what was proved of registries; empty where there are none."""
    records = [each.verification.record for each in story.registries if each.verification]
    if not records:
        return ""
    things = sum(each.equal for record in records for each in record.compared)
    tables = sum(len(record.tables) for record in records)
    words = (
        f"{counted(things, 'thing')} in {counted(len(records), 'registry', 'registries')} were read from"
        " both servers through their public interface and proved equal, field by field"
    )
    return words + (f"; so were {counted(tables, 'table')} by both databases." if tables else ".")


def is_dry_run_of_registries(story: RunStory) -> bool:
    """Tell whether registries were only looked at."""
    return bool(story.registries) and story.was_dry and not any(each.moves for each in story.registries)


def registries_dry(story: RunStory) -> str:
    """Return what a dry run found of registries."""
    found = [each.preflight.record for each in story.registries if each.preflight]
    rows = sum(max(0, record.row_estimate) for record in found)
    registries = counted(len(found), "registry", "registries")
    words = f"About {counted(rows, 'row')} in {registries} would be copied or compared."
    return words + would_stop(finding for record in found for finding in record.findings)


def registry_advice(row: RegistryRow, dag: str) -> Iterable[tuple[str, str]]:
    """Yield what is wrong with a registry and what mends it."""
    evidence, group = row.evidence, f"registry_{row.name.removesuffix(BACK)}"
    blockers = blockers_of(evidence.findings)
    yield from blocker_advice(row.name, blockers, f"{group}.preflight_registry")
    proof = evidence.verification
    if proof is not None and not proof.record.passed:
        first = f", the first: {_named(proof.record.differences[0])}" if proof.record.differences else ""
        yield (
            f"{row.name}: {_wrong(row)}{first}",
            f"all of it is in {proof.ref.path}; find out who else writes to the target's server, then clear"
            f" task {group}.sync_registry with Downstream",
        )
    for each in row.failures[:1]:
        number = evidence.move.record.failure_count if evidence.move else 0
        yield (
            f"{row.name}: {counted(number, 'thing')} did not arrive as they are, the first: {each.what}"
            f" {each.id}: {each.reason}",
            f"mend it on the side that it names, then clear the first failed task of group {group}",
        )
    if row.reasons and not blockers and (proof is None or proof.record.passed):
        yield row.reasons[-1], f"look at the first failed task of group {group} in DAG {dag}"
    for left in evidence.leftovers[:3]:
        yield (
            f"{row.name}: {counted(left.rows, 'row')} of {left.table}.{left.column} still name {left.prefix}",
            "look whether somebody reads an address from there; a note of a person's is no harm",
        )


def _wrong(row: RegistryRow) -> str:
    record = row.evidence.verification.record if row.evidence.verification else None
    if record is None or record.difference_count:
        return differ(record.difference_count if record else 0, "thing")
    return differ(len(row.unequal_tables), "table")


def _named(difference: RegistryDifference) -> str:
    fields = f" ({', '.join(difference.fields)})" if difference.fields else ""
    return f"{difference.kind} {difference.what} {difference.id}{fields}"
