"""What a run did with databases, as rows for report and status."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from heavylift.evidence.database_evidence import DatabaseEvidence, database_counts
from heavylift.evidence.table_records import TableComparison, TableDifference
from heavylift.evidence.wording import counted, differ, duration, size
from heavylift.gates.summary import database_reasons
from heavylift.report.blockers import blocker_advice, blockers_of, would_stop
from heavylift.report.story import RunStory

MOST_TABLES = 500


@dataclass(frozen=True)
class DatabaseRow:
    """One database of a run.

    :param reasons: why it does not count as moved and proved; empty where it does.
    """

    evidence: DatabaseEvidence
    reasons: tuple[str, ...]

    @property
    def name(self) -> str:
        """The database's name in the spec."""
        return self.evidence.database

    @property
    def ends(self) -> tuple[str, str]:
        """Source and target as the preflight calls them; empty where there was none."""
        record = self.evidence.preflight.record if self.evidence.preflight else None
        return (record.source, record.target) if record else ("", "")

    @property
    def rows(self) -> int:
        """Rows that the snapshot of this run copied."""
        return self.evidence.snapshot.record.rows if self.evidence.snapshot else 0

    @property
    def tables(self) -> tuple[TableComparison, ...]:
        """The tables of the last verification, those that differ first."""
        proof = self.evidence.verification
        found = proof.record.tables if proof else ()
        return tuple(sorted(found, key=lambda each: (is_sound(each), each.table))[:MOST_TABLES])

    @property
    def tables_left_out(self) -> int:
        """Tables that are not among :attr:`tables`."""
        proof = self.evidence.verification
        return max(0, len(proof.record.tables) - MOST_TABLES) if proof else 0

    @property
    def differences(self) -> tuple[TableDifference, ...]:
        """The rows that differ, by their keys, as far as the record lists them."""
        return self.evidence.verification.record.differences if self.evidence.verification else ()

    @property
    def lag(self) -> str:
        """How far the target was behind at the end of the last sync, in words."""
        if self.evidence.sync is None:
            return "–"
        record = self.evidence.sync.record
        return f"{duration(timedelta(seconds=record.lag_seconds))}, {size(record.lag_bytes)}"

    @property
    def document(self) -> dict[str, Any]:
        """The row as ``heavylift status --json`` gives it."""
        evidence = self.evidence
        sync = evidence.sync.record if evidence.sync else None
        proof = evidence.verification.record if evidence.verification else None
        return {
            "database": self.name,
            "direction": evidence.direction,
            "rows_copied": self.rows,
            "changes_applied": evidence.changes,
            "applied_position": sync.applied_position if sync else None,
            "lag_bytes": sync.lag_bytes if sync else None,
            "lag_seconds": sync.lag_seconds if sync else None,
            "retained_bytes": sync.retained_bytes if sync else None,
            "verified": proof.passed if proof else None,
            "verified_at": proof.verified_at if proof else None,
            "rows_equal": proof.total("equal") if proof else None,
            "differences": proof.difference_count if proof else None,
            "reasons": list(self.reasons),
        }


def is_sound(table: TableComparison) -> bool:
    """Tell whether nothing speaks against a table."""
    return not (table.missing or table.extra or table.different or table.unsettled)


def database_rows(story: RunStory) -> tuple[DatabaseRow, ...]:
    """Return a row for each database of the run."""
    return tuple(DatabaseRow(each, tuple(database_reasons(each))) for each in story.databases)


def database_line(row: DatabaseRow) -> str:
    """Return one line about a database, for ``heavylift status``."""
    evidence = row.evidence
    parts = [f"{counted(row.rows, 'row')} copied"] if evidence.snapshot else []
    if evidence.syncs:
        where = " back to the source" if evidence.flows_back else ""
        parts.append(f"{counted(evidence.changes, 'change')} applied{where}, {row.lag} behind")
    if evidence.verification:
        record = evidence.verification.record
        result = "equal" if record.passed else differ(record.difference_count, "row")
        parts.append(f"verified {counted(len(record.tables), 'table')}: {result}")
    return f"{row.name}: {'; '.join(parts) or 'nothing was moved'}"


def databases_so_far(story: RunStory) -> str:
    """Return what has been copied and applied, for the headline of a run that is not proved."""
    counts = database_counts(story.databases)
    return (
        f"{counted(counts.rows, 'row')} copied and {counted(counts.changes, 'change')} applied in databases"
    )


def databases_proof(story: RunStory) -> str:
    """Return the sentence that says what was proved of databases; empty where there are none."""
    records = [each.verification.record for each in story.databases if each.verification]
    if not records:
        return ""
    equal = sum(record.total("equal") for record in records)
    tables = sum(len(record.tables) for record in records)
    return (
        f"{counted(equal, 'row')} in {counted(tables, 'table')} of {counted(len(records), 'database')}"
        " were proved equal by a comparison inside the databases themselves."
    )


def is_dry_run_of_databases(story: RunStory) -> bool:
    """Tell whether the run was started as a dry run, and no database was touched."""
    return bool(story.databases) and story.was_dry and not any(each.is_moved for each in story.databases)


def dry_run_in_words(story: RunStory) -> str:
    """Return what a dry run found of databases."""
    found = [each.preflight.record for each in story.databases if each.preflight]
    rows = sum(max(0, record.row_estimate) for record in found)
    words = f"About {counted(rows, 'row')} in {counted(len(found), 'database')} would be copied."
    return words + would_stop(finding for record in found for finding in record.findings)


def database_advice(row: DatabaseRow, dag: str) -> Iterable[tuple[str, str]]:
    """Yield what is wrong with a database and what mends it."""
    evidence, group = row.evidence, f"database_{row.name}"
    blockers = blockers_of(evidence.findings)
    yield from blocker_advice(row.name, blockers, f"{group}.preflight_tables")
    proof = evidence.verification
    if proof is not None and not proof.record.passed:
        first = f", the first: {_named(proof.record.differences[0])}" if proof.record.differences else ""
        listed = (proof.record.rows or proof.ref).path
        yield (
            f"{row.name}: {differ(proof.record.difference_count, 'row')}{first}",
            f"all of them are in {listed}; find out who wrote to the target, then copy the tables anew",
        )
    elif row.reasons and not blockers:
        yield row.reasons[-1], f"look at the first failed task of group {group} in DAG {dag}"


def _named(difference: TableDifference) -> str:
    key = ", ".join(f"{name}={value}" for name, value in difference.key.items())
    return f"{difference.kind} {difference.table} ({key})"
