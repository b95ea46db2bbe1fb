"""Operators around a gate: judge it, and ask a person."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import TaskAwaitingInput

from heavylift.errors import IncompleteError
from heavylift_airflow.links.evidence import evidence_url
from heavylift_airflow.notifying import tell_of_approval
from heavylift_airflow.operators.base import HeavyliftOperator
from heavylift_airflow.task import HeavyliftTask, find_gate

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.records import CheckOutcome, EvidenceRef, GateResult
    from heavylift.evidence.run_evidence import Kept
    from heavylift.gates.plan_checks import PlanDemand
    from heavylift.spec import MigrationSpec
    from heavylift_airflow.context import TaskFrame

MAX_NAMED = 5
COMMENT = "comment"
MAX_COMMENT = 2000
_MARKUP = re.compile(r"[\\`*\[\]<>|!#]")


class EvaluateGateOperator(HeavyliftOperator):
    """Judges one gate of the phase by the evidence, and writes the result.

    Idempotency: each run of the task adds a result; the last one counts, and an approval of an
    earlier one no longer opens the gate.

    :param gate: the gate's name in the spec. (templated)
    :return: ``{"gate", "passed", "checks", "failed"}``.
    :raises IncompleteError: the gate is closed; the failed checks are named.
    """

    template_fields: Sequence[str] = (*HeavyliftOperator.template_fields, "gate")

    def __init__(self, *, gate: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gate = gate

    def execute(self, context: Context) -> dict[str, Any]:
        """Evaluate the gate, note it in the audit trail, and fail where it is closed."""
        frame = self.moving_frame(context)
        result = self.work.run(self._evaluate(frame), f"evaluation of gate {self.gate!r}")
        for check in result.checks:
            verdict = "passed" if check.passed else "FAILED"
            self.log.info("%s: %s of %s: %s", verdict, check.name, check.subject, check.detail)
        if not result.passed:
            raise _closed(result, self.evidence_path or "")
        return gate_summary(result)

    async def _evaluate(self, frame: TaskFrame) -> GateResult:
        from heavylift.gates.evaluate import evaluate_gate
        from heavylift_airflow.trail import note

        gate = find_gate(frame.spec, self.phase, self.gate)
        async with self.evidence(frame) as store:
            result, ref = await evaluate_gate(
                store, frame.run, gate, **self.subjects(frame.spec), plan=plan_demand(self.spec_path)
            )
            self.evidence_path = ref.path
            await note(
                store,
                frame,
                "gate.evaluated",
                subject=self.gate,
                evidence=(ref,),
                details=gate_summary(result),
            )
        return result

    def subjects(self, spec: MigrationSpec) -> dict[str, Any]:
        """Return all that a gate of this phase answers for."""
        return {
            "datasets": [dataset.name for dataset in spec.datasets],
            "tabular": [dataset.name for dataset in spec.datasets if dataset.expectations],
            "databases": {database.name: database.max_lag for database in spec.databases},
            "streams": [stream.name for stream in spec.streams],
            "registries": [registry.name for registry in spec.registries],
            "feature_stores": [store.name for store in spec.feature_stores],
            "envelopes": [envelope.name for envelope in spec.envelopes],
        }


class GateApprovalOperator(HeavyliftTask, ApprovalOperator):
    """Asks a person to approve or reject exactly the gate result that it shows.

    The answer is written to the evidence store and the audit trail, bound to that result's
    digest. What follows reads it there, so marking this task successful opens nothing. Nobody's
    answer in time counts as a rejection. After a rejection the tasks downstream are skipped.

    Idempotency: where the latest result is approved already, nobody is asked again.

    :param gate: the gate's name in the spec. (templated)
    :raises IncompleteError: there is no passed result to approve.
    """

    template_fields: Sequence[str] = (
        *HeavyliftTask.template_fields,
        *ApprovalOperator.template_fields,
        "gate",
    )
    operator_extra_links = HeavyliftTask.operator_extra_links

    def __init__(self, *, gate: str, **kwargs: Any) -> None:
        kwargs.setdefault("subject", f"Approve gate {gate}?")
        kwargs.setdefault("defaults", ApprovalOperator.REJECT)
        kwargs.setdefault("params", {COMMENT: _comment_param()})
        super().__init__(**kwargs)
        self.gate = gate

    def execute(self, context: Context) -> Any:
        """Show the gate's checks and wait for an answer."""
        frame = self.moving_frame(context)
        kept, is_open, why = self.work.run(self._look(frame), f"reading the result of gate {self.gate!r}")
        if kept is None or not kept.record.passed:
            raise _nothing_to_approve(self.gate, why)
        self.evidence_path = kept.ref.path
        if is_open:
            self.log.info("%s", why)
            return {"gate": self.gate, "approved": True}
        self.body = approval_text(kept, frame, context["ti"].dag_id)
        try:
            super().execute(context)
        except TaskAwaitingInput as waiting:
            tell_of_approval(context, self.gate, kept.ref.path)
            # Kept with the waiting task, where no user of the UI can change it.
            waiting.kwargs = {**(waiting.kwargs or {}), "asked_about": kept.ref.model_dump()}
            raise
        return None

    def execute_complete(
        self, context: Context, event: dict[str, Any], asked_about: Mapping[str, Any] | None = None
    ) -> Any:
        """Record the answer, then go on or skip what follows.

        :param asked_about: the reference of the gate result that the person saw.
        """
        if "error" not in event and asked_about is not None:
            frame = self.frame(context)
            self.evidence_path = str(asked_about["path"])
            self.work.run(self._record(frame, event, asked_about), f"recording the answer to {self.gate!r}")
        return super().execute_complete(context, event)

    async def _look(self, frame: TaskFrame) -> tuple[Kept[GateResult] | None, bool, str]:
        from heavylift.gates.approval import gate_is_open
        from heavylift.gates.evaluate import latest_gate_result

        gate = find_gate(frame.spec, self.phase, self.gate)
        async with self.evidence(frame) as store:
            kept = await latest_gate_result(store, frame.run, gate.name)
            return kept, *await gate_is_open(store, frame.run, gate)

    async def _record(self, frame: TaskFrame, event: dict[str, Any], asked: Mapping[str, Any]) -> EvidenceRef:
        from heavylift.evidence.records import Approval, EvidenceRef
        from heavylift.gates.approval import record_approval

        user = event.get("responded_by_user") or {"id": "nobody", "name": "nobody (no answer in time)"}
        approval = Approval(
            run=frame.run,
            gate=self.gate,
            gate_result=EvidenceRef.model_validate(dict(asked)),
            approved=event["chosen_options"] == [self.APPROVE],
            approver_id=str(user["id"]),
            approver_name=str(user["name"]),
            responded_at=_moment(event["responded_at"]),
            comment=str((event.get("params_input") or {}).get(COMMENT) or "")[:MAX_COMMENT],
        )
        async with self.evidence(frame) as store:
            return await record_approval(store, approval)


def plan_demand(spec_path: str) -> PlanDemand:
    """Return what the plan must be approved for, and the rules judged on: any later gate may demand it."""
    from heavylift.gates.plan_checks import PlanDemand
    from heavylift.spec import Phase, load_spec
    from heavylift.spec.carried import carried_digest, judged_digest

    # As it was loaded: a phase sees only its part, and the approval is for the whole.
    spec = load_spec(spec_path)
    return PlanDemand(spec.gates_for(Phase.ASSESS), carried_digest(spec), judged_digest(spec))


def gate_summary(result: GateResult) -> dict[str, Any]:
    """Return a gate result's figures."""
    return {
        "gate": result.gate,
        "passed": result.passed,
        "checks": len(result.checks),
        "failed": sum(not check.passed for check in result.checks),
    }


def approval_text(kept: Kept[GateResult], frame: TaskFrame, dag_id: str) -> str:
    """Return what the person who is asked sees, in Markdown."""
    rows = [_row(check) for check in kept.record.checks]
    return "\n".join(
        [
            f"Migration **{frame.spec.migration}**, phase {frame.run.phase}, started by {frame.actor}.",
            "",
            "| result | check | of | found |",
            "|---|---|---|---|",
            *rows,
            "",
            *_plan_lines(kept),
            f"[The result as evidence]({evidence_url(dag_id, kept.ref.path)}),"
            f" SHA-256 `{kept.ref.sha256[:16]}…`, of {kept.record.evaluated_at:%Y-%m-%d %H:%M:%S} UTC.",
            "",
            "Your answer is kept in the audit trail and is bound to exactly this result.",
        ]
    )


def _plan_lines(kept: Kept[GateResult]) -> list[str]:
    digest = kept.record.plan_digest
    return [f"You are asked about the plan with the digest `{digest}`.", ""] if digest else []


def _row(check: CheckOutcome) -> str:
    cells = ("✓ passed" if check.passed else "✗ failed", check.name, check.subject, check.detail)
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(text: str) -> str:
    # Names of objects are other people's text: they may not become links, or break the table.
    return _MARKUP.sub(r"\\\g<0>", text).replace("\n", " ")


def _comment_param() -> Param:
    # Nullable: Airflow checks parameters when the task starts, before anybody could have typed.
    return Param(None, type=["null", "string"], title="Comment", description="Kept in the audit trail.")


def _moment(value: datetime | str) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _closed(result: GateResult, path: str) -> IncompleteError:
    failed = [check for check in result.checks if not check.passed]
    named = "; ".join(f"{check.name} of {check.subject}: {check.detail}" for check in failed[:MAX_NAMED])
    return IncompleteError(
        f"evaluation of gate {result.gate!r}",
        got=f"{len(failed)} of {len(result.checks)} checks that do not hold ({named})",
        expected="all of them to hold",
        state=f"the gate is closed; nothing was changed by judging it; the result is {path}",
        remedy="mend what the checks name, then clear the first failed task of this run with Downstream",
        code="8014",
    )


def _nothing_to_approve(gate: str, why: str) -> IncompleteError:
    return IncompleteError(
        f"asking for approval of gate {gate!r}",
        got=why,
        expected="a result that passed",
        state="nobody was asked; the gate is closed",
        remedy="clear the gate's task evaluate with Downstream",
        code="8015",
    )
