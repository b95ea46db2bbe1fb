"""What is wrong with a run and what to do about it, for somebody who has to act now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from heavylift.evidence.run_evidence import DatasetEvidence
from heavylift.evidence.wording import counted, enumeration
from heavylift.report.assessment import assess_advice, assess_view
from heavylift.report.databases import database_advice, database_rows
from heavylift.report.features import feature_advice, feature_rows
from heavylift.report.models import model_advice, model_rows
from heavylift.report.optimize import optimize_advice, optimize_view
from heavylift.report.provision import provision_advice, provision_view
from heavylift.report.registries import registry_advice, registry_rows
from heavylift.report.story import GateStory, RunStory
from heavylift.report.streams import stream_advice, stream_rows
from heavylift.report.switch import switch_advice
from heavylift.report.verdict import Standing, headline_of


@dataclass(frozen=True)
class Advice:
    """One thing that is wrong.

    :param remedy: what mends it; every remedy may be tried again without harm.
    """

    problem: str
    remedy: str


def advice_on(story: RunStory) -> list[Advice]:
    """Return what is wrong with a run, in the order in which to look at it; empty where it passed."""
    headline = headline_of(story)
    if headline.standing is Standing.PASSED:
        return []
    dag = f"{story.run.migration}.{story.run.phase}"
    found = [advice for each in story.datasets for advice in _of_dataset(each, dag)]
    found += [Advice(*each) for row in database_rows(story) for each in database_advice(row, dag)]
    found += [Advice(*each) for row in stream_rows(story) for each in stream_advice(row, dag)]
    found += [Advice(*each) for row in registry_rows(story) for each in registry_advice(row, dag)]
    found += [Advice(*each) for row in feature_rows(story) for each in feature_advice(row, dag)]
    found += [Advice(*each) for row in model_rows(story) for each in model_advice(row, dag)]
    found += [Advice(*each) for each in assess_advice(assess_view(story), dag)]
    found += [Advice(*each) for each in provision_advice(provision_view(story), dag)]
    found += [Advice(*each) for each in optimize_advice(optimize_view(story), dag)]
    found += [Advice(*each) for each in switch_advice(story, dag)]
    found += [advice for gate in story.gates if not gate.is_open for advice in _of_gate(gate, dag)]
    if story.trail.problem:
        remedy = f"run 'heavylift audit verify {story.run.migration}' and restore what it names"
        found.append(Advice("the audit trail is damaged", remedy))
    if story.summary is None and not found:
        remedy = f"look at DAG {dag}: it still runs, or its first failed task says what to do"
        found.append(Advice("the run has no summary yet", remedy))
    return found


def _of_dataset(evidence: DatasetEvidence, dag: str) -> Iterable[Advice]:
    name = evidence.dataset
    if evidence.plan is None:
        yield Advice(
            f"{name}: there is no plan", f"look at task {name}.plan of DAG {dag}; clear it when mended"
        )
        return
    if evidence.plan.record.dry_run:
        return
    if evidence.unfinished_shards:
        shards = f"{counted(len(evidence.unfinished_shards), 'shard')} unfinished"
        problem = f"{name}: {shards} ({enumeration(evidence.unfinished_shards)}){_first_failure(evidence)}"
        yield Advice(problem, f"{_remedy(evidence)}; then clear task {name}.copy: only the rest is done")
    if not evidence.deletes_done:
        yield _of_deletes(evidence, dag)
    if evidence.verification is None:
        yield Advice(f"{name}: not verified", f"look at task {name}.verify of DAG {dag}")
    elif not evidence.verification.record.passed:
        record = evidence.verification.record
        first = f", the first: {record.differences[0].key}" if record.differences else ""
        wrong = record.missing + record.different + record.unverifiable + record.attributes_differ
        listed = (record.rows or evidence.verification.ref).path
        yield Advice(
            f"{name}: {counted(wrong, 'difference')} between source and target{first}",
            f"all of them are in {listed}; mend them, then clear {name}.plan with Downstream",
        )


def _of_deletes(evidence: DatasetEvidence, dag: str) -> Advice:
    """Return the advice on deletions that are not done: mend what failed, or see to the brake."""
    name = evidence.dataset
    failures = evidence.deletes.record.failures if evidence.deletes else ()
    if failures:
        error = failures[0].error
        failed = evidence.deletes.record.failed.objects if evidence.deletes else 0
        return Advice(
            f"{name}: {counted(failed, 'object')} could not be deleted or put aside;"
            f" the first failure: {error.get('what')}: got {error.get('got')} [{error.get('code')}]",
            f"{error.get('remedy') or 'see the log of the failed task'}; then clear task {name}.deletes",
        )
    plan = evidence.plan.record if evidence.plan else None
    if plan is not None and plan.brake:
        remedies = (each.remedy for each in plan.findings if each.rule == "too-many-deletions")
        return Advice(
            f"{name}: the deletion was refused: {plan.brake}", next(remedies, f"look at task {name}.deletes")
        )
    problem = f"{name}: what has gone from the source has not been dealt with on the target"
    return Advice(problem, f"look at task {name}.deletes of DAG {dag}; clear it when mended")


def _first_failure(evidence: DatasetEvidence) -> str:
    for kept in evidence.shards.values():
        for failure in kept.record.failures:
            error = failure.error
            return f"; the first failure: {error.get('what')}: got {error.get('got')} [{error.get('code')}]"
    return ""


def _remedy(evidence: DatasetEvidence) -> str:
    failures = (failure for kept in evidence.shards.values() for failure in kept.record.failures)
    remedy = next((str(failure.error.get("remedy") or "") for failure in failures), "")
    return remedy or "see the log of the failed task"


def _of_gate(gate: GateStory, dag: str) -> Iterable[Advice]:
    last = gate.results[-1].record if gate.results else None
    if last is None:
        yield Advice(gate.standing, f"look at task gate_{gate.name}.evaluate of DAG {dag}")
    elif last.passed:
        yield Advice(gate.standing, f"answer it in Airflow: DAG {dag}, task gate_{gate.name}.approve")
    else:
        failed = [
            f"{check.name} of {check.subject}: {check.detail}" for check in last.checks if not check.passed
        ]
        remedy = f"mend that, then clear task gate_{gate.name}.evaluate with Downstream"
        yield Advice(f"gate {gate.name} is shut: {enumeration(failed, 3)}", remedy)
