"""Judges the rules over everything that a spec moves, with what scans have found."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date

from heavylift.compliance.classes import (
    JUDGED_KINDS,
    LOW,
    Classified,
    Derived,
    classify,
)
from heavylift.compliance.lineage import SAME, SUBJECT, Lineage, read_lineage
from heavylift.compliance.path import Lookup, Seen, Subject, derived_subject, subjects_of
from heavylift.compliance.rules import RULES, Judged, Rule, judgements
from heavylift.errors import SpecError
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import Act
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.compliance_records import (
    COMPLIANCE,
    ComplianceRecord,
    DeclassificationUsed,
    ExceptionUsed,
    InheritedClass,
    Outcome,
    RuleOutcome,
    ScanRecord,
    check_path,
    scans_folder,
)
from heavylift.evidence.numbered import write_next
from heavylift.evidence.records import utc_now
from heavylift.evidence.run_evidence import Kept, read_kept
from heavylift.evidence.store import EvidenceStore
from heavylift.spec.carried import judged_digest
from heavylift.spec.model import MigrationSpec
from heavylift.spec.sections_compliance import Compliance, RuleException

_SCAN = re.compile(r"(.*)/scan-(\d+)\.json")
SHOWN = 5
MOST_INHERITED = 500
"""Inherited classes that a record lists; it counts all, and judges all."""
NO_LINEAGE = Lineage()


async def check_compliance(
    store: EvidenceStore, spec: MigrationSpec, look_up: Lookup, actor: str, today: date | None = None
) -> tuple[ComplianceRecord, EvidenceRef]:
    """Judge the rules, write the result, and note every exception that was used in the audit trail.

    :raises SpecError: the spec has no rules, or an exception names a rule that there is not.
    """
    rules = demanded(spec)
    scans = await newest_scans(store, spec.migration)
    lineage = await read_lineage(store, spec, look_up)
    record = judge(spec, rules, scans, look_up, today or utc_now().date(), lineage)
    _, ref = await write_next(store, lambda n: check_path(spec.migration, n), record)
    trail = AuditTrail(store, spec.migration)
    for used in record.exceptions:
        details = {"reason": used.reason, "approver": used.approver, "expires": used.expires}
        subjects = {"subjects": list(used.subjects)[:SHOWN], "count": len(used.subjects)}
        await trail.append(
            Act(
                actor,
                "compliance.exception_used",
                "compliance",
                "",
                used.rule,
                (ref,),
                {**details, **subjects},
            )
        )
    for kept in record.declassified:
        await trail.append(Act(actor, "compliance.declassified", COMPLIANCE, "", kept.subject, (ref,),
                               kept.model_dump(mode="json", exclude={"subject"})))  # fmt: skip
    figures = {name: getattr(record, name) for name in ("passed", "kept", "broken", "excepted", "unknown")}
    await trail.append(Act(actor, "compliance.checked", COMPLIANCE, "", spec.migration, (ref,), figures))
    return record, ref


def demanded(spec: MigrationSpec) -> Compliance:
    """Return the spec's rules.

    :raises SpecError: it has none, or an exception names a rule that there is not.
    """
    if spec.compliance is None:
        raise _refused(spec, "no section compliance", "a section compliance with frameworks", "8310")
    known = {rule.id for rule in RULES}
    unknown = [each.rule for each in spec.compliance.exceptions if each.rule not in known]
    if unknown:
        raise _refused(spec, f"an exception of {unknown[0]}", f"one of {', '.join(sorted(known))}", "8311")
    return spec.compliance


def _refused(spec: MigrationSpec, got: str, expected: str, code: str) -> SpecError:
    return SpecError(
        f"judging the rules of migration {spec.migration}",
        got=got,
        expected=expected,
        state="nothing was judged and nothing written",
        remedy="correct the spec's section compliance (docs/reference/compliance.md)",
        code=code,
    )


async def newest_scans(store: EvidenceStore, migration: str) -> dict[str, Kept[ScanRecord]]:
    """Return the newest scan of every subject of a migration.

    :raises AuditError: a record is damaged.
    """
    newest: dict[str, int] = {}
    async for file in store.files(scans_folder(migration)):
        match = _SCAN.fullmatch(file.path)
        if match:
            newest[match[1]] = max(newest.get(match[1], 0), int(match[2]))
    found = {}
    for folder, number in newest.items():
        kept = await read_kept(store, f"{folder}/scan-{number}.json", ScanRecord)
        if kept is not None:
            found[kept.record.subject] = kept
    return found


def judge(
    spec: MigrationSpec,
    rules: Compliance,
    scans: dict[str, Kept[ScanRecord]],
    look_up: Lookup,
    today: date,
    lineage: Lineage = NO_LINEAGE,
) -> ComplianceRecord:
    """Return what the rules say; touches nothing.

    :param lineage: what the graph of assess tells; classes flow along it.
    """
    scanned = {name: _seen(kept.record, rules.scan_bound) for name, kept in scans.items()}
    found = classify(subjects_of(spec, rules, look_up), scanned, rules, lineage, today)
    of_graph = [_subject(spec, rules, look_up, each) for each in _unnamed(found, lineage)]
    subjects = [*found.subjects, *of_graph]
    outcomes, used = _outcomes(subjects, rules, today)
    counts: Counter[Outcome] = Counter(each.outcome for each in outcomes)
    passed = bool(outcomes) and not counts["broken"] and not counts["unknown"]
    names = {subject.name for subject in subjects}
    inherited = [row for each in found.derived for row in _rows(each)]
    return ComplianceRecord(
        migration=spec.migration,
        digest=judged_digest(spec),
        frameworks=tuple(each.value for each in rules.frameworks),
        outcomes=tuple(outcomes),
        exceptions=tuple(used),
        scans=tuple(kept.ref for name, kept in sorted(scans.items()) if name in names),
        classes={each.name: tuple(sorted(each.classes)) for each in subjects if each.classes is not None},
        inherited=tuple(inherited[:MOST_INHERITED]),
        inherited_count=len(inherited),
        declassified=tuple(_declassified(found)),
        graph=lineage.ref,
        graph_connection=spec.source.connection,
        graph_told=_graph_told(lineage),
        kept=counts["kept"],
        broken=counts["broken"],
        excepted=counts["excepted"],
        unknown=counts["unknown"],
        passed=passed,
        statement=_statement(outcomes, counts, passed=passed),
    )


def _unnamed(found: Classified, lineage: Lineage) -> list[Derived]:
    """Return what inherits classes, follows the workload, and is nothing that the spec names."""
    named = {flow.derived for flow in lineage.flows if flow.why == SAME and flow.origin.startswith(SUBJECT)}
    kinds = {each.value for each in JUDGED_KINDS}
    return [each for each in found.derived if each.kind in kinds and each.node not in named]


def _subject(spec: MigrationSpec, rules: Compliance, look_up: Lookup, derived: Derived) -> Subject:
    subject = derived_subject(spec, rules, look_up, f"{derived.kind} {derived.name}", derived.region)
    proof = "; ".join(f"inherited {name}: {' → '.join(each)}" for name, each in sorted(derived.steps.items()))
    return replace(subject, classes=derived.classes, proof=proof, proved=True)


def _rows(derived: Derived) -> Iterator[InheritedClass]:
    for name, chain in sorted(derived.chains.items()):
        yield InheritedClass(
            subject=derived.name,
            data_class=name,
            chain=derived.steps[name],
            confidence=chain.confidence,
            kind=derived.kind,
            component=derived.node if derived.kind else "",
        )


def _declassified(found: Classified) -> Iterator[DeclassificationUsed]:
    for stated, kept in found.declassified.items():
        names = sorted({name for name, _ in kept})
        yield DeclassificationUsed(
            subject=stated.subject,
            classes=tuple(sorted({each for _, each in kept})),
            reason=stated.reason,
            approver=stated.approver,
            expires=stated.expires.isoformat() if stated.expires else "",
            kept_from=tuple(names[:SHOWN]),
            count=len(names),
        )


def _graph_told(lineage: Lineage) -> str:
    if lineage.graph is None:
        return (
            "no graph of the source in this evidence store: classes flow only as classify.made_from says;"
            " run 'heavylift inventory' and 'heavylift graph'"
        )
    record = lineage.graph.record
    unsure = sum(flow.confidence < LOW for flow in lineage.flows)
    told = [f"along {len(lineage.flows):,} flows of the graph of {record.made_at:%Y-%m-%d %H:%M} UTC"]
    told += [f"{unsure:,} of them less sure than {LOW:g}"] if unsure else []
    told += [f"{record.unexplained:,} references unanswered: what these lead to gets no class"] * bool(
        record.unexplained
    )
    return "; ".join(told)


def _seen(scan: ScanRecord, bound: float) -> Seen:
    """Return what a scan proves: what it found in any case; that there is no more, only within the bound."""
    if not scan.complete:
        why = f"{scan.statement}; the scan could not look into everything"
    elif scan.missed_bound > bound:
        why = f"{scan.statement}; more than the spec's bound of {bound:g}"
    else:
        return Seen(frozenset(scan.classes), scan.statement, proved=True)
    return Seen(frozenset(scan.classes) or None, why)


def _outcomes(
    subjects: Iterable[Subject], rules: Compliance, today: date
) -> tuple[list[RuleOutcome], list[ExceptionUsed]]:
    outcomes: list[RuleOutcome] = []
    used: dict[RuleException, set[str]] = {}
    for subject in subjects:
        for rule, leg, judged in judgements(subject, rules):
            exception = None
            if judged.outcome != "kept":
                exception = _exception(rules, rule, subject, today)
            if exception is not None:
                used.setdefault(exception, set()).add(subject.name)
            outcomes.append(_outcome(rule, subject, leg.name, judged, exception))
    told = [
        ExceptionUsed(
            rule=each.rule,
            reason=each.reason,
            approver=each.approver,
            expires=each.expires.isoformat(),
            subjects=tuple(sorted(names)),
        )
        for each, names in used.items()
    ]
    return outcomes, told


def _exception(rules: Compliance, rule: Rule, subject: Subject, today: date) -> RuleException | None:
    return next(
        (
            each
            for each in rules.exceptions
            if each.rule == rule.id and each.subject in {"*", subject.name} and today <= each.expires
        ),
        None,
    )


def _outcome(
    rule: Rule, subject: Subject, leg: str, judged: Judged, exception: RuleException | None
) -> RuleOutcome:
    return RuleOutcome(
        rule=rule.id,
        framework=rule.framework.value,
        subject=subject.name,
        leg=leg,
        outcome="excepted" if exception else judged.outcome,
        detail=judged.detail,
        remedy="" if judged.outcome == "kept" else rule.remedy,
        exception=f"{exception.approver}: {exception.reason}" if exception else "",
    )


def _statement(outcomes: list[RuleOutcome], counts: Counter[Outcome], *, passed: bool) -> str:
    if not outcomes:
        return "no rule applies to anything that the spec moves, which proves nothing"
    if passed:
        excepted = f", {counts['excepted']} by an exception" if counts["excepted"] else ""
        return f"{counts['kept']} of {len(outcomes)} judgements kept{excepted}"
    open_ = sorted({each.rule for each in outcomes if each.outcome in {"broken", "unknown"}})
    return f"{counts['broken']} broken, {counts['unknown']} not known: {', '.join(open_)}"
