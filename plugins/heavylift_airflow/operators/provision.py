"""Operators of the provision phase: generate, scan, plan, apply, look for drift."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from heavylift.errors import IncompleteError, NotFoundError
from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.operators.base import HeavyliftOperator
from heavylift_airflow.operators.gates import plan_demand

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.infra_records import (
        ApplicationRecord,
        DriftRecord,
        GenerationRecord,
        RootPlan,
        ScanRecord,
        StageName,
        StagePlanRecord,
    )
    from heavylift.evidence.store import EvidenceStore
    from heavylift.infra.carrying import Place
    from heavylift.spec.sections_platform import Infrastructure
    from heavylift_airflow.context import TaskFrame

MAX_NAMED = 10


class GenerateInfrastructureOperator(HeavyliftOperator):
    """Writes Terraform for everything in the migration's approved plan, and keeps the files as evidence.

    Idempotency: each run of the task keeps a record of its own; the same plan and spec give the same files,
    to the digest. Nothing is touched on the target.

    :return: ``{"digest", "plan_digest", "made", "untranslated", "open_untranslated", "roots"}``.
    :raises IncompleteError: the newest plan is not approved; a dry run only warns.
    :raises SpecError: the spec does not say where terraform's state is kept.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Generate, and note it in the audit trail."""
        frame = self.frame(context)
        record = self.work.run(self._make(frame), "generating of infrastructure")
        for each in record.not_made[:MAX_NAMED]:
            told = f"accepted: {each.accepted}" if each.accepted else f"To fix: {each.remedy}"
            self.log.warning("nothing made of %s: %s. %s", each.component, each.reason, told)
        figures = generation_figures(record)
        self.log.info("%s", figures)
        return figures

    async def _make(self, frame: TaskFrame) -> GenerationRecord:
        from heavylift.assess.document import from_document
        from heavylift.gates.plan_checks import judge_plan_approved
        from heavylift.infra.basis import newest_basis
        from heavylift.infra.carrying import generate_files
        from heavylift_airflow.trail import note

        chosen = infrastructure_of(frame)
        async with self.evidence(frame) as store:
            basis = await newest_basis(store, frame.spec.migration, from_document)
            judged = await judge_plan_approved(store, frame.spec.migration, plan_demand(self.spec_path))
            if not judged.passed and not frame.options.dry_run:
                raise _unapproved(frame, judged.detail)
            state = look_up(chosen.state_connection) if chosen.state_connection else None
            record, ref = await generate_files(store, frame.run, basis, chosen, state, approved=judged.passed)
            self.evidence_path = ref.path
            await note(
                store, frame, "infra.generated", subject=record.digest, evidence=(ref, record.bundle),
                details=generation_figures(record),
            )  # fmt: skip
        return record


class InfrastructureOperator(HeavyliftOperator):
    """What the operators have in common that run terraform, or look at its files."""

    @asynccontextmanager
    async def place(self, frame: TaskFrame) -> AsyncIterator[Place]:
        """Open the evidence store, and give the run's place on the target."""
        from heavylift.infra.carrying import Place

        async with self.evidence(frame) as store:
            yield Place(store, frame.run, look_up(frame.spec.target.connection))


class ScanInfrastructureOperator(InfrastructureOperator):
    """Has checkov look at the generated files, without the network; the gate judges what it found.

    Idempotency: each run of the task keeps a record of its own.

    :return: ``{"passed", "explained", "failed"}``.
    :raises NotFoundError: there is no checkov, or the run has generated nothing.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Scan, and note it in the audit trail."""
        frame = self.frame(context)
        record = self.work.run(self._scan(frame), "scan of infrastructure")
        for each in record.failures[:MAX_NAMED]:
            self.log.warning("%s (%s) fails for %s at %s", each.check, each.name, each.resource, each.where)
        figures = scan_figures(record)
        self.log.info("%s", figures)
        return figures

    async def _scan(self, frame: TaskFrame) -> ScanRecord:
        from heavylift.infra.carrying import scan_files
        from heavylift_airflow.trail import note

        async with self.place(frame) as place:
            record, ref = await scan_files(place)
            self.evidence_path = ref.path
            await note(
                place.store, frame, "infra.scanned", subject=record.files_digest, evidence=(ref,),
                details=scan_figures(record),
            )  # fmt: skip
        return record


class PlanInfrastructureOperator(InfrastructureOperator):
    """Has terraform plan one stage, and keeps what it would do: what a person approves.

    Idempotency: each run of the task keeps a plan of its own; as long as nothing has changed, it has the same
    digest. Nothing is changed on the target.

    :param stage: ``first`` or ``second``.
    :return: ``{"digest", "roots", "create", "update", "replace", "delete", "forget", "drifted"}``.
    :raises SpecError: a variable has no value.
    :raises TransientError: somebody else holds the lock of a state.
    """

    def __init__(self, *, stage: StageName, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stage: StageName = stage

    def execute(self, context: Context) -> dict[str, Any]:
        """Plan, and note it in the audit trail."""
        frame = self.frame(context)
        record = self.work.run(self._plan(frame), f"planning of the {self.stage} stage")
        figures = plan_figures(record)
        self.log.info("%s", figures)
        return figures

    async def _plan(self, frame: TaskFrame) -> StagePlanRecord:
        from heavylift.infra.carrying import plan_stage
        from heavylift_airflow.trail import note

        async with self.place(frame) as place:
            record, ref = await plan_stage(place, self.stage, destroy=frame.options.destroy)
            self.evidence_path = ref.path
            await note(
                place.store, frame, "infra.planned", subject=record.digest, evidence=(ref,),
                details=plan_figures(record),
            )  # fmt: skip
        return record


class ApplyInfrastructureOperator(InfrastructureOperator):
    """Does exactly what a person has approved for one stage, then proves that nothing is left to do.

    The approval is read from the audit trail: marking the gate successful opens nothing. A plan to destroy is
    carried out the same way.

    Idempotency: what is done is found to be done and not done again. After a kill or an error midway the plan
    is another one, and has to be made and approved anew.

    :param stage: ``first`` or ``second``.
    :return: ``{"roots", "changed", "kept", "proved"}``.
    :raises IncompleteError: this plan is not approved, or terraform failed midway.
    :raises ConflictError: terraform would now do something else than what was approved.
    :raises IntegrityError: a second plan still finds something.
    """

    def __init__(self, *, stage: StageName, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stage: StageName = stage

    def execute(self, context: Context) -> dict[str, Any]:
        """Apply; each root is noted in the audit trail before and after it."""
        frame = self.moving_frame(context)
        done = self.work.run(self._apply(frame), f"application of the {self.stage} stage")
        figures = {
            "roots": len(done),
            "changed": sum(sum(each.counts.values()) for each in done),
            "kept": sum(each.kept for each in done),
            "proved": all(each.proved for each in done),
        }
        self.log.info("%s", figures)
        return figures

    async def _apply(self, frame: TaskFrame) -> tuple[ApplicationRecord, ...]:
        from heavylift.evidence.infra_evidence import read_provision
        from heavylift.gates.infra_approval import demand_approved
        from heavylift.infra.carrying import apply_stage
        from heavylift.spec import Phase

        async with self.place(frame) as place:
            evidence = await read_provision(place.store, frame.run)
            gates = frame.spec.gates_for(Phase.PROVISION)
            plan = await demand_approved(place.store, evidence, self.stage, gates)

            async def told(word: str, root: RootPlan, done: ApplicationRecord | None, code: str) -> None:
                await self._note(place.store, frame, (plan, root), word, done, code)

            return await apply_stage(place, plan, told)

    async def _note(
        self,
        store: EvidenceStore,
        frame: TaskFrame,
        planned: tuple[StagePlanRecord, RootPlan],
        word: str,
        done: ApplicationRecord | None,
        code: str,
    ) -> None:
        from heavylift_airflow.trail import note

        plan, root = planned
        details: dict[str, Any] = {
            "digest": root.digest,
            "plan_digest": plan.plan_digest,
            "files_digest": plan.files_digest,
        }
        refs = []
        if done is not None:
            # The word is where the record lies.
            self.evidence_path = word
            refs.append(await store.ref_of(word))
            details |= {**done.counts, "kept": done.kept}
        elif code:
            details["code"] = code
        act = f"infra.{'destroy' if plan.destroy else 'apply'}.{'done' if done else word}"
        await note(store, frame, act, subject=root.root, evidence=tuple(refs), details=details)


class DetectDriftOperator(InfrastructureOperator):
    """Tells what differs between files, state and platform, in all roots that were applied; changes nothing.

    It looks at the files of the last run that applied something, and keeps its record beside them.

    Idempotency: each run of the task keeps a record of its own.

    :return: ``{"roots", "drifted"}``.
    :raises NotFoundError: nothing was ever applied.
    :raises IncompleteError: something has drifted.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Look, note it in the audit trail, and fail where something differs."""
        frame = self.frame(context)
        record = self.work.run(self._look(frame), "look for drift")
        if record.found:
            raise _drifted(record, self.evidence_path or "")
        return {"roots": len(record.roots), "drifted": 0}

    async def _look(self, frame: TaskFrame) -> DriftRecord:
        from heavylift.evidence.infra_evidence import latest_applied
        from heavylift.infra.carrying import find_drift
        from heavylift_airflow.trail import note

        async with self.place(frame) as place:
            applied = await latest_applied(place.store, frame.spec.migration)
            if applied is None:
                raise _never_applied(frame)
            record, ref = await find_drift(replace(place, run=applied))
            self.evidence_path = ref.path
            details = {"roots": len(record.roots), "drifted": record.found}
            await note(
                place.store, frame, "infra.drift", subject=applied.run, evidence=(ref,), details=details
            )
        return record


def infrastructure_of(frame: TaskFrame) -> Infrastructure:
    """Return the spec's section; an empty one where it was taken out since, which then lacks a state."""
    from heavylift.spec.sections_platform import Infrastructure

    return frame.spec.infrastructure or Infrastructure()


def generation_figures(record: GenerationRecord) -> dict[str, Any]:
    """Return a generation's figures."""
    return {
        "digest": record.digest,
        "plan_digest": record.plan_digest,
        "made": record.made,
        "untranslated": record.untranslated,
        "open_untranslated": record.open_untranslated,
        "roots": len(record.folders),
    }


def scan_figures(record: ScanRecord) -> dict[str, Any]:
    """Return a scan's figures."""
    return {"passed": record.passed, "explained": record.explained, "failed": record.failed}


def plan_figures(record: StagePlanRecord) -> dict[str, Any]:
    """Return a stage's figures."""
    acts = ("create", "update", "replace", "delete", "forget")
    counts = {act: sum(root.counts.get(act, 0) for root in record.roots) for act in acts}
    drifted = sum(root.drifted for root in record.roots)
    return {"digest": record.digest, "roots": len(record.roots), **counts, "drifted": drifted}


def _unapproved(frame: TaskFrame, why: str) -> IncompleteError:
    return IncompleteError(
        f"generating infrastructure for {frame.spec.migration}",
        got=why,
        expected="a plan of the phase assess that a person has approved",
        state="nothing was generated",
        remedy=f"run {frame.spec.migration}.assess and approve its plan, then clear this task",
        code="7939",
    )


def _never_applied(frame: TaskFrame) -> NotFoundError:
    return NotFoundError(
        f"looking for drift of {frame.spec.migration}",
        got="no run that has applied anything",
        expected=f"one of {frame.spec.migration}.provision",
        state="nothing was touched",
        remedy=f"run {frame.spec.migration}.provision first, or pause this DAG until then",
        code="7941",
    )


def _drifted(record: DriftRecord, path: str) -> IncompleteError:
    named = [change for root in record.roots for change in root.changes][:MAX_NAMED]
    told = "; ".join(f"{each.address} ({each.act})" for each in named)
    return IncompleteError(
        "looking for drift",
        got=f"{record.found} resources that differ ({told})",
        expected="a platform that is as the files say",
        state=f"nothing was changed; what differs is {path}",
        remedy="find out who changed it; a run of the phase provision plans what mends it",
        code="7940",
    )
