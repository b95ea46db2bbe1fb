"""From a run's story to what the template shows: rows that are counted and worded here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from heavylift.evidence.feature_evidence import FeatureEvidence
from heavylift.evidence.records import (
    Approval,
    EvidenceRef,
    Failure,
    Finding,
    PlanRecord,
    Tally,
    VerificationRecord,
)
from heavylift.evidence.registry_evidence import RegistryEvidence
from heavylift.evidence.run_evidence import Counts, DatasetEvidence, counts_of
from heavylift.evidence.wording import duration, method_in_words
from heavylift.report.assessment import AssessView, assess_view
from heavylift.report.databases import DatabaseRow, database_rows
from heavylift.report.deletions import Deletions, deletions_of
from heavylift.report.features import FeatureRow, feature_rows
from heavylift.report.forecast import Forecast, forecasts_of
from heavylift.report.found import FoundAlike, found_alike, told_once
from heavylift.report.leaving import leaving_files
from heavylift.report.models import ModelRow, model_rows
from heavylift.report.optimize import OptimizeView, optimize_view
from heavylift.report.provision import ProvisionView, provision_view
from heavylift.report.registries import RegistryRow, registry_rows
from heavylift.report.story import GateStory, RunStory
from heavylift.report.streams import StreamRow, stream_rows
from heavylift.report.switch import SwitchView, switch_view
from heavylift.report.throughput import Throughput, throughput_of
from heavylift.report.verdict import Headline, headline_of, total_counts

MOST_FAILURES = 50
MOST_FINDINGS = 100
MOST_FILES = 500
MOST_ACTS = 200


@dataclass(frozen=True)
class DatasetRow:
    """One dataset in the table of what moved."""

    name: str
    source_url: str
    target_url: str
    counts: Counts
    attempts: int
    shards: int

    @property
    def adds_up(self) -> bool:
        """What became of the objects adds up to what was found."""
        return adds_up(self.counts)


@dataclass(frozen=True)
class Method:
    """How many objects were proved in one way; ``share`` of all that were proved."""

    words: str
    objects: int
    share: float


@dataclass(frozen=True)
class ProofRow:
    """The verification of one dataset."""

    name: str
    record: VerificationRecord | None
    methods: tuple[Method, ...]

    @property
    def tells(self) -> bool:
        """There is more to tell than the row in the table."""
        record = self.record
        return record is not None and bool(
            self.methods or record.differences or record.accepted or record.extra
        )


@dataclass(frozen=True)
class FailureRow:
    """One failed object with its error's parts.

    :param where: which work on the dataset failed: a shard or the deletion, and the attempt.
    """

    dataset: str
    where: str
    failure: Failure


@dataclass(frozen=True)
class View:
    """All that the template shows, besides the story itself."""

    story: RunStory
    headline: Headline
    total: Counts
    rows: tuple[DatasetRow, ...]
    proofs: tuple[ProofRow, ...]
    findings: tuple[FoundAlike, ...]
    findings_left_out: int
    databases: tuple[DatabaseRow, ...]
    streams: tuple[StreamRow, ...]
    registries: tuple[RegistryRow, ...]
    feature_stores: tuple[FeatureRow, ...]
    models: tuple[ModelRow, ...]
    assess: AssessView | None
    provision: ProvisionView | None
    switch: SwitchView | None
    optimize: OptimizeView | None
    deletions: Deletions
    forecasts: tuple[Forecast, ...]
    failures: tuple[FailureRow, ...]
    failed_objects: int
    throughput: Throughput | None
    span: timedelta | None
    files: tuple[EvidenceRef, ...]
    files_left_out: int
    renewed: int
    rejected_reads: int
    resent_bytes: int

    @property
    def shows(self) -> tuple[str, ...]:
        """Counts that some dataset has besides found, moved and unchanged."""
        names = ("refused", "failed", "vanished", "left")
        always = ("refused", "failed")
        return tuple(name for name in names if name in always or getattr(self.total, name).objects)


def view_of(story: RunStory) -> View:
    """Return the view of ``story``."""
    findings = sorted(_findings(story), key=lambda each: ["blocker", "warning", "note"].index(each.severity))
    unlisted = sum(_unlisted(each) for each in story.datasets)
    failures = list(_failures(story))
    deletions = deletions_of(story)
    files = list(dict.fromkeys(_files(story)))
    results = [kept.record for each in story.datasets for tries in each.attempts.values() for kept in tries]
    return View(
        story=story,
        headline=headline_of(story),
        total=total_counts(story),
        rows=tuple(_row(each) for each in story.datasets),
        proofs=tuple(_proof(each) for each in story.datasets),
        findings=found_alike(findings[:MOST_FINDINGS]),
        findings_left_out=unlisted + max(0, len(findings) - MOST_FINDINGS),
        databases=database_rows(story),
        streams=stream_rows(story),
        registries=registry_rows(story),
        feature_stores=feature_rows(story),
        models=model_rows(story),
        assess=assess_view(story),
        provision=provision_view(story),
        switch=switch_view(story),
        optimize=optimize_view(story),
        deletions=deletions,
        forecasts=forecasts_of(story),
        failures=tuple(failures[:MOST_FAILURES]),
        failed_objects=total_counts(story).failed.objects + deletions.failed,
        throughput=throughput_of(story),
        span=_span(story),
        files=tuple(files[:MOST_FILES]),
        files_left_out=max(0, len(files) - MOST_FILES),
        renewed=sum(result.renewed for result in results),
        rejected_reads=sum(result.rejected_reads for result in results),
        resent_bytes=sum(result.resent_bytes for result in results),
    )


def adds_up(counts: Counts) -> bool:
    """Tell whether what became of the objects adds up to what was found, by number and bytes."""
    parts = (getattr(counts, name) for name in Counts.model_fields if name != "found")
    return sum(parts, Tally()) == counts.found


def _row(evidence: DatasetEvidence) -> DatasetRow:
    plan = evidence.plan.record if evidence.plan else None
    verification = evidence.verification.record if evidence.verification else None
    known = plan or verification
    return DatasetRow(
        name=evidence.dataset,
        source_url=known.source_url if known else "",
        target_url=known.target_url if known else "",
        counts=counts_of(evidence),
        attempts=sum(len(tries) for tries in evidence.attempts.values()),
        shards=len(plan.shards) if plan else 0,
    )


def _proof(evidence: DatasetEvidence) -> ProofRow:
    if evidence.verification is None:
        return ProofRow(evidence.dataset, None, ())
    record = evidence.verification.record
    total = sum(record.methods.values()) or 1
    ranked = sorted(record.methods.items(), key=lambda item: -item[1])
    methods = tuple(Method(method_in_words(name), count, count / total) for name, count in ranked)
    return ProofRow(evidence.dataset, record, methods)


def _findings(story: RunStory) -> Iterable[Finding]:
    for each in story.datasets:
        notes = [note for kept in each.shards.values() for note in kept.record.notes]
        yield from told_once(each.plan.record.findings if each.plan else (), notes)
        if each.deletes:
            yield from each.deletes.record.findings
    yield from (finding for database in story.databases for finding in database.findings)
    yield from (finding for stream in story.streams for finding in stream.findings)
    yield from (finding for registry in story.registries for finding in registry.findings)
    yield from (finding for each in story.feature_stores for finding in each.findings)
    yield from (finding for model in story.models for finding in model.findings)


def _unlisted(evidence: DatasetEvidence) -> int:
    plan = evidence.plan.record if evidence.plan else None
    return max(0, plan.finding_count - len(plan.findings)) if plan else 0


def _failures(story: RunStory) -> Iterable[FailureRow]:
    for each in story.datasets:
        for shard, kept in each.shards.items():
            for failure in kept.record.failures:
                yield FailureRow(each.dataset, f"shard {shard}, attempt {kept.record.attempt}", failure)
        for failure in each.deletes.record.failures if each.deletes else ():
            yield FailureRow(each.dataset, f"deletion, attempt {len(each.deletes_attempts)}", failure)


def _span(story: RunStory) -> timedelta | None:
    """Return the time from the first planning to the last proof; waiting for people not included."""
    begins: list[datetime] = []
    ends: list[datetime] = []
    for each in story.datasets:
        if each.plan:
            begins.append(each.plan.record.created_at - timedelta(seconds=each.plan.record.seconds))
        ends += [kept.record.ended_at for tries in each.attempts.values() for kept in tries]
        ends += [kept.record.ended_at for kept in each.deletes_attempts]
        ends += [each.verification.record.verified_at] if each.verification else []
        ends += [each.check.record.checked_at] if each.check else []
    for database in story.databases:
        if database.preflight:
            begins.append(database.preflight.record.checked_at)
        for begin, end in database.spans:
            begins.append(begin)
            ends.append(end)
        ends += [database.verification.record.verified_at] if database.verification else []
    for stream in story.streams:
        begins += [stream.plan.record.created_at] if stream.plan else []
        begins += [kept.record.started_at for kept in stream.mirrors]
        ends += [kept.record.ended_at for kept in stream.mirrors]
        ends += [stream.verification.record.verified_at] if stream.verification else []
    moved: list[RegistryEvidence | FeatureEvidence] = [*story.registries, *story.feature_stores]
    for registry in moved:
        begins += [registry.preflight.record.checked_at] if registry.preflight else []
        begins += [kept.record.started_at for kept in registry.moves]
        ends += [kept.record.ended_at for kept in registry.moves]
        ends += [registry.verification.record.verified_at] if registry.verification else []
    for model in story.models:
        if model.check:
            begins.append(model.check.record.checked_at - timedelta(seconds=model.check.record.seconds))
        ends += [model.comparison.record.compared_at] if model.comparison else []
    return _between([*begins, *_began(story)], [*ends, *_planned(story)])


def _began(story: RunStory) -> list[datetime]:
    began = [kept.record.began_at for kept in story.assess.inventories] if story.assess else []
    made = story.provision.generation if story.provision else None
    return began + ([made.record.made_at] if made else [])


def _planned(story: RunStory) -> list[datetime]:
    plan = story.assess.assessment if story.assess else None
    applied = story.provision.applied.values() if story.provision else ()
    return [*([plan.record.made_at] if plan else []), *(kept.record.ended_at for kept in applied)]


def _between(begins: list[datetime], ends: list[datetime]) -> timedelta | None:
    return max(ends) - min(begins) if begins and ends else None


def _files(story: RunStory) -> Iterable[EvidenceRef]:
    yield from _files_of_datasets(story)
    yield from (ref for database in story.databases for ref in database.refs)
    yield from (ref for stream in story.streams for ref in stream.refs)
    yield from (ref for registry in story.registries for ref in registry.refs)
    yield from (ref for each in story.feature_stores for ref in each.refs)
    yield from (ref for model in story.models for ref in model.refs)
    yield from story.assess.refs if story.assess else ()
    yield from story.provision.refs if story.provision else ()
    yield from story.switch.refs if story.switch else ()
    yield from story.optimize.refs if story.optimize else ()
    yield from leaving_files(story.leaving) if story.leaving else ()
    yield from (ref for _, ref in story.beside)
    for gate in story.gates:
        yield from (kept.ref for kept in gate.results)
        yield from (kept.ref for kept in gate.approvals)


def _files_of_datasets(story: RunStory) -> Iterable[EvidenceRef]:
    for each in story.datasets:
        if each.plan:
            plan = each.plan.record
            yield each.plan.ref
            yield from filter(None, _row_sets(plan))
        for tries in each.attempts.values():
            for kept in tries:
                yield kept.ref
                yield from kept.record.manifests
        for attempt in each.deletes_attempts:
            yield attempt.ref
            yield from attempt.record.rows
        if each.verification:
            yield each.verification.ref
            yield from filter(None, _compared(each.verification.record))
        if each.check:
            yield each.check.ref


def _row_sets(plan: PlanRecord) -> tuple[EvidenceRef | None, ...]:
    rows = (plan.rows, plan.source_rows, plan.target_rows, plan.refused_rows, plan.gone_rows)
    return *rows, plan.attribute_rows, plan.pages, plan.same_as


def _compared(record: VerificationRecord) -> tuple[EvidenceRef | None, ...]:
    return record.rows, record.source_rows, record.target_rows, record.same_as


def answer_to(gate: GateStory) -> Approval | None:
    """Return the last answer that was given to the gate's last result."""
    if not gate.results:
        return None
    fitting = [each.record for each in gate.approvals if each.record.gate_result == gate.results[-1].ref]
    return fitting[-1] if fitting else None


def span_in_words(span: timedelta | None) -> str:
    """Return a span of time in words, a dash where there is none."""
    return duration(span) if span is not None else "–"
