"""Reads what a run proved from the evidence store, and shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from heavylift.connections import connection_from_env
from heavylift.evidence.assess_evidence import read_assess
from heavylift.evidence.audit_verify import AuditReport, verify_trail
from heavylift.evidence.database_evidence import DatabaseEvidence, read_database
from heavylift.evidence.numbered import latest_number
from heavylift.evidence.paths import gate_path, report_path, safe_segment, summary_path, verification_path
from heavylift.evidence.records import GateResult, PhaseSummary, RunKey, VerificationRecord
from heavylift.evidence.registry_evidence import RegistryEvidence, read_registry
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.evidence.switch_evidence import read_switch
from heavylift.evidence.switch_records import SwitchRecord
from heavylift.evidence.wording import method_in_words, size
from heavylift.gates.summary import assess_reasons
from heavylift.report.assessment import AssessView
from heavylift.spec import MigrationSpec, Phase
from heavylift.spec.registry_phase import spec_for


@dataclass(frozen=True)
class RunResults:
    """What lies in the evidence store about one run.

    :param report: URL of the newest report, or None.
    """

    summary: PhaseSummary | None
    verifications: tuple[VerificationRecord, ...]
    databases: tuple[DatabaseEvidence, ...]
    registries: tuple[RegistryEvidence, ...]
    assessment: AssessView | None
    gates: tuple[GateResult, ...]
    switch: SwitchRecord | None
    report: str | None
    evidence: str

    @property
    def passed(self) -> bool:
        """The run's own verification passed, and so did those of every dataset, database and registry."""
        proved = self.summary is not None and self.summary.passed
        if self.switch is not None:
            return proved
        if self.assessment is not None:
            return proved and not self.assessment.reasons
        equal = all(each.verification and each.verification.record.passed for each in self.databases)
        equal = equal and all(
            each.verification and each.verification.record.passed for each in self.registries
        )
        return proved and equal and bool(self.verifications) and all(v.passed for v in self.verifications)


async def read_results(
    spec: MigrationSpec, phase: Phase, run_id: str, environ: Mapping[str, str]
) -> RunResults:
    """Return the results of one Airflow run."""
    run = RunKey(migration=spec.migration, phase=phase.value, run=safe_segment(run_id))
    connection = connection_from_env(spec.evidence.connection, environ)
    spec = spec_for(spec, phase)
    switches = phase in (Phase.CUTOVER, Phase.ROLLBACK)
    async with open_evidence(spec.evidence.url, connection) as store:
        return RunResults(
            summary=await _summary(store, run),
            verifications=tuple([v for d in spec.datasets if (v := await _verification(store, run, d.name))]),
            databases=tuple([await read_database(store, run, each.name) for each in spec.databases]),
            registries=tuple([await read_registry(store, run, each.name) for each in spec.registries]),
            assessment=await _assessment(store, run) if phase is Phase.ASSESS else None,
            gates=tuple([g for gate in spec.gates_for(phase) if (g := await _gate(store, run, gate.name))]),
            switch=await _switch(store, run) if switches else None,
            report=await _report(store, run),
            evidence=store.url_of(run.folder),
        )


async def verify_audit(spec: MigrationSpec, environ: Mapping[str, str]) -> AuditReport:
    """Verify the migration's audit trail and every file that it names."""
    connection = connection_from_env(spec.evidence.connection, environ)
    async with open_evidence(spec.evidence.url, connection) as store:
        return await verify_trail(store, spec.migration)


async def _summary(store: EvidenceStore, run: RunKey) -> PhaseSummary | None:
    number = await latest_number(store, lambda n: summary_path(run, n))
    return await store.read_record(summary_path(run, number), PhaseSummary) if number else None


async def _assessment(store: EvidenceStore, run: RunKey) -> AssessView:
    found = await read_assess(store, run)
    return AssessView(found, tuple(assess_reasons(found)))


async def _switch(store: EvidenceStore, run: RunKey) -> SwitchRecord | None:
    found = await read_switch(store, run)
    kept = found.moved or found.switch
    return kept.record if kept else None


async def _report(store: EvidenceStore, run: RunKey) -> str | None:
    number = await latest_number(store, lambda n: report_path(run, n))
    return store.url_of(report_path(run, number)) if number else None


async def _verification(store: EvidenceStore, run: RunKey, dataset: str) -> VerificationRecord | None:
    number = await latest_number(store, lambda n: verification_path(run, dataset, n))
    path = verification_path(run, dataset, number)
    return await store.read_record(path, VerificationRecord) if number else None


async def _gate(store: EvidenceStore, run: RunKey, gate: str) -> GateResult | None:
    number = await latest_number(store, lambda n: gate_path(run, gate, n))
    return await store.read_record(gate_path(run, gate, number), GateResult) if number else None


def switch_line(record: SwitchRecord) -> str:
    """Return what became of a switch, in a line."""
    rows = sum(each.rows for each in record.proofs)
    return (
        f"{record.outcome}, goal {record.goal}; {rows:,} rows proved equal while writes paused for"
        f" {record.write_pause_seconds:.2f} s of {record.write_pause_budget_seconds:g} s"
    )


def show_results(console: Console, results: RunResults) -> None:
    """Print the verifications and the gates' checks."""
    if results.verifications:
        _show_verifications(console, results.verifications)
    _show_databases(console, results.databases)
    _show_registries(console, results.registries)
    for gate in results.gates:
        checks = Table("check", "of", "result", "detail", title=f"Gate {gate.gate}")
        for check in gate.checks:
            checks.add_row(
                check.name,
                check.subject,
                "[green]passed[/]" if check.passed else "[bold red]failed[/]",
                check.detail,
            )
        console.print(checks)


def _show_verifications(console: Console, verifications: tuple[VerificationRecord, ...]) -> None:
    table = Table(
        "dataset", "objects", "size", "equal", "missing", "different", "proved by", title="Verification"
    )
    for record in verifications:
        table.add_row(
            record.dataset,
            f"{record.source.objects:,}",
            size(record.source.size_bytes),
            f"{record.equal.objects:,}",
            str(record.missing),
            str(record.different),
            "; ".join(
                f"{count:,}: {method_in_words(name)}" for name, count in sorted(record.methods.items())
            ),
        )
    console.print(table)


def _show_databases(console: Console, databases: tuple[DatabaseEvidence, ...]) -> None:
    if not databases:
        return
    table = Table(
        "database", "rows copied", "changes applied", "tables", "rows equal", "differing", title="Databases"
    )
    for each in databases:
        proof = each.verification.record if each.verification else None
        table.add_row(
            each.database,
            f"{each.snapshot.record.rows:,}" if each.snapshot else "0",
            f"{each.changes:,}",
            f"{len(proof.tables):,}" if proof else "not compared",
            f"{proof.total('equal'):,}" if proof else "",
            f"{proof.difference_count:,}" if proof else "",
        )
    console.print(table)


def _show_registries(console: Console, registries: tuple[RegistryEvidence, ...]) -> None:
    for each in registries:
        if each.verification is None:
            continue
        proof = each.verification.record
        table = Table("sort", "source", "target", "equal", "differing", title=f"Registry {each.registry}")
        for sort in proof.compared:
            if sort.source or sort.target:
                differing = sort.different + sort.missing + sort.extra
                counts = (sort.source, sort.target, sort.equal, differing)
                table.add_row(sort.what, *(f"{count:,}" for count in counts))
        table.add_row("database table", *(f"{len(proof.tables):,}",) * 2, *_equal_tables(each))
        console.print(table)


def _equal_tables(evidence: RegistryEvidence) -> tuple[str, str]:
    tables = evidence.verification.record.tables if evidence.verification else ()
    equal = sum(each.equal for each in tables)
    return f"{equal:,}", f"{len(tables) - equal:,}"
