"""Operators of the phase optimize: measure trials, reckon sizes and purchases, propose changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.operators.base import HeavyliftOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.optimize_records import OptimizeKind, ProposalRecord
    from heavylift.optimize.from_spec import Around, Result
    from heavylift_airflow.context import TaskFrame

MAX_NAMED = 10


class OptimizeOperator(HeavyliftOperator):
    """Judges one thing that the spec's section ``optimize`` names; mapped over the names of one kind.

    :param item: the name of an entry. (templated)
    :return: ``{"kind", "name", "statement", "evidence"}``.
    """

    template_fields: Sequence[str] = (*HeavyliftOperator.template_fields, "item")
    kind: ClassVar[OptimizeKind]

    # Airflow finds the arguments of a mapped operator in the operators' own __init__ only.
    def __init__(self, *, spec_path: str, phase: str, item: str, **kwargs: Any) -> None:
        super().__init__(spec_path=spec_path, phase=phase, **kwargs)
        self.item = item

    def execute(self, context: Context) -> dict[str, Any]:
        """Judge it, and note it in the audit trail."""
        frame = self._frame(context)
        record = self.work.run(self._judge(frame), f"{self.kind} of {self.item!r}")
        for finding in record.findings[:MAX_NAMED]:
            self.log.warning("%s [%s] %s", finding.severity.value, finding.rule, finding.detail)
        self.log.info("%s: %s", self.item, record.statement)
        return {
            "kind": self.kind,
            "name": self.item,
            "statement": record.statement,
            "evidence": self.evidence_path,
        }

    def _frame(self, context: Context) -> TaskFrame:
        return self.frame(context)

    async def _judge(self, frame: TaskFrame) -> Result:
        from heavylift.optimize.from_spec import optimize_one
        from heavylift_airflow.trail import note

        record, ref = await optimize_one(around_of(frame, self.spec_path), self.kind, self.item, self._tell)
        self.evidence_path = ref.path
        async with self.evidence(frame) as store:
            await note(
                store,
                frame,
                f"optimize.{self.kind}",
                subject=self.item,
                evidence=(ref,),
                details={"statement": record.statement},
            )
        return record

    def _tell(self, line: str) -> None:
        self.log.info("%s: %s", self.item, line)


class MeasureTrialsOperator(OptimizeOperator):
    """Starts servers on this worker, one after the other, asks them, and finds the best setting.

    Idempotency: each trial is kept as it ends. A task that is tried again takes up those of its run and
    makes the rest; servers of a killed task end with it.

    :raises AirflowSkipException: this is a dry run: no server is started.
    :raises ConflictError: the spec was changed since the run's first trials.
    :raises IncompleteError: no setting holds the objective.
    """

    kind = "trials"

    def _frame(self, context: Context) -> TaskFrame:
        return self.moving_frame(context)


class RightsizeOperator(OptimizeOperator):
    """Judges a machine by the series of its use; where that says too little, the record says so.

    Idempotency: each run of the task keeps a record of its own; the same series gives the same.
    """

    kind = "rightsizing"


class PurchaseMixOperator(OptimizeOperator):
    """Reckons what to commit to, to buy by the hour, and to run on machines that can be taken away.

    Idempotency: each run of the task keeps a record of its own; the same demand gives the same.
    """

    kind = "mix"


class ProposeChangesOperator(HeavyliftOperator):
    """Writes what the run's results recommend, and the patch of the spec; applies nothing.

    Idempotency: each run of the task keeps a record of its own; the same results and spec give the same
    digest, so that an approval of it still counts.

    :return: ``{"digest", "recommendations", "patch"}``.
    :raises ConflictError: the patch would change something else of the spec.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Propose, and note it in the audit trail."""
        frame = self.frame(context)
        record = self.work.run(self._propose(frame), "proposal of changes")
        for each in record.recommendations[:MAX_NAMED]:
            self.log.info("%s: %s. Risk: %s", each.subject, each.statement, each.risk)
        for why in record.nothing_for[:MAX_NAMED]:
            self.log.info("nothing for %s", why)
        figures = proposal_figures(record)
        self.log.info("%s", figures)
        return figures

    async def _propose(self, frame: TaskFrame) -> ProposalRecord:
        from heavylift.optimize.from_spec import wishes_of
        from heavylift.optimize.proposing import propose_changes
        from heavylift_airflow.trail import note

        async with self.evidence(frame) as store:
            wishes = wishes_of(frame.spec)
            record, ref = await propose_changes(store, frame.run, Path(self.spec_path), wishes)
            self.evidence_path = ref.path
            evidence = (ref, record.patch) if record.patch else (ref,)
            details = proposal_figures(record)
            await note(
                store, frame, "optimize.proposed", subject=record.digest, evidence=evidence, details=details
            )
        return record


def around_of(frame: TaskFrame, spec_path: str) -> Around:
    """Return the spec, the run, and where files beside the spec and connections are looked up."""
    from heavylift.optimize.from_spec import Around

    stored = frame.spec.evidence
    connection = look_up(stored.connection) if stored.connection else None
    return Around(frame.spec, frame.run, Path(spec_path).parent, look_up, stored.url, connection)


def proposal_figures(record: ProposalRecord) -> dict[str, Any]:
    """Return a proposal's figures."""
    return {
        "digest": record.digest,
        "recommendations": len(record.recommendations),
        "patch": record.patch.path if record.patch else None,
    }
