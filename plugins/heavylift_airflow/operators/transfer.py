"""Operators that move one dataset's objects: plan, copy, verify."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from heavylift.errors import ConflictError, IntegrityError, WindowClosedError
from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.operators.base import HeavyliftOperator
from heavylift_airflow.progress import ProgressReporter, Store, human_size, state_store_of
from heavylift_airflow.triggers.window import WindowTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.records import PlanRecord, ShardResult, VerificationRecord
    from heavylift.objects.requests import TransferRequest
    from heavylift_airflow.context import TaskFrame

SERVICE_SHARD = 0
"""The shard that a transfer service moves, where a dataset goes through one."""

MAX_NAMED = 5
"""How many objects an error message names; the evidence lists them all."""


class DatasetOperator(HeavyliftOperator):
    """An operator that acts on one dataset of the spec.

    :param dataset: the dataset's name in the spec. (templated)
    """

    template_fields: Sequence[str] = (*HeavyliftOperator.template_fields, "dataset")

    def __init__(self, *, dataset: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dataset = dataset

    def request(self, frame: TaskFrame) -> TransferRequest:
        """Return the library's request for this dataset in this run."""
        from heavylift.objects.api import transfer_request

        return transfer_request(
            frame.spec,
            self.dataset,
            frame.run,
            look_up,
            dry_run=frame.options.dry_run,
            bandwidth_bytes_per_second=frame.options.bandwidth_bytes_per_second,
            shard_objects=frame.options.shard_objects,
            tasks_at_once=self.tasks_at_once,
            folder=Path(self.spec_path).parent,
            allow_many_deletes=frame.options.allow_many_deletes,
        )

    @property
    def tasks_at_once(self) -> int:
        """How many tasks like this one Airflow runs at the same time; they share the dataset's caps."""
        return 1


class PlanTransferOperator(DatasetOperator):
    """Lists both sides of a dataset and plans what has to move, in shards.

    Idempotency: the plan is made once in a run; a second run of the task returns it. On failure
    nothing has been moved.

    :return: one item for each shard, ``{"shard": int, "objects": int, "size_bytes": int}``, for
        the copy to be mapped over; empty when nothing has to move and in a dry run.
    :raises ConflictError: the target holds, or cannot hold, something; nothing has been moved.
    """

    def execute(self, context: Context) -> list[dict[str, int]]:
        """Plan, note the plan in the audit trail, and return the shards."""
        frame = self.frame(context)
        plan = self.work.run(self._plan(frame), f"planning of dataset {self.dataset!r}")
        self.log.info("%s", plan_line(plan))
        for line in forecast_lines(plan):
            self.log.info("%s", line)
        for finding in plan.findings[:MAX_NAMED]:
            self.log.warning("%s: %s: %s", finding.severity, finding.subject, finding.detail)
        context["ti"].xcom_push(key="plan", value=plan_summary(plan))
        context["ti"].xcom_push(key="estimate", value=estimate_summary(plan))
        if frame.options.dry_run:
            _refuse_blocked(plan)
            return []
        return [
            {"shard": shard.index, "objects": shard.objects, "size_bytes": shard.size_bytes}
            for shard in plan.shards
            # The service's part is no worker's.
            if plan.via == "heavylift" or shard.index != SERVICE_SHARD
        ]

    async def _plan(self, frame: TaskFrame) -> PlanRecord:
        from heavylift.evidence.paths import plan_path
        from heavylift.objects.api import plan_transfer
        from heavylift_airflow.trail import note_file

        plan = await plan_transfer(self.request(frame))
        self.evidence_path = plan_path(frame.run, self.dataset)
        async with self.evidence(frame) as store:
            await note_file(
                store,
                frame,
                "plan.written",
                self.evidence_path,
                subject=self.dataset,
                details=plan_summary(plan),
            )
        return plan


class CopyObjectsOperator(DatasetOperator):
    """Copies the objects of one shard of a plan; mapped over the shards.

    Idempotency: what is already on the target with equal content is found and left alone, so a
    retry after a crash copies only the rest. Stopping it (mark failed, worker shut down) ends
    it within seconds; no unfinished object is ever visible on the target.

    While the spec's time windows are closed it waits in the triggerer: it holds no worker, and no
    retry is spent. Each opening makes an attempt of its own in the evidence.

    :param shard: one item of what :class:`PlanTransferOperator` returned. (templated)
    :return: the shard's counts: ``shard``, ``found``, ``moved``, ``unchanged``, ``skipped`` (by
        ``on_conflict: skip``), ``vanished`` (gone meanwhile), ``failed``, ``left``, ``size_bytes``; all int.
    :raises IncompleteError: some objects failed for good; they are named in the shard's result.
    :raises TransientError: the attempt was cut short; a retry goes on with the rest.
    """

    template_fields: Sequence[str] = (*DatasetOperator.template_fields, "shard")

    def __init__(self, *, shard: dict[str, int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shard = shard

    @property
    def tasks_at_once(self) -> int:
        """As many as this DAG lets copy at once; without ``max_tasks``, all that the DAG may run."""
        dag = self.get_dag()
        return self.max_active_tis_per_dagrun or (dag.max_active_tasks if dag else 1)

    @property
    def shard_title(self) -> str:
        """What the UI shows for this mapped task."""
        return shard_title(self.shard)

    def execute(self, context: Context) -> dict[str, int]:
        """Copy the shard and return its counts."""
        frame = self.moving_frame(context)
        what = f"copy of {self.shard_title} of dataset {self.dataset!r}"
        store = state_store_of(context, self.log)
        try:
            result = self.work.run(self._copy(frame, store), what)
        except WindowClosedError as closed:
            self._wait(closed)
        counts = shard_counts(result)
        self.log.info("%s: moved %s, unchanged %s, failed %s", what, result.moved.objects,
                      result.unchanged.objects, result.failed.objects)  # fmt: skip
        if result.overlapped:
            self.log.warning("%s: attempts %s were at this shard at the same time, as after a worker that was"
                             " taken for dead; every object is proved all the same", what,
                             list(result.overlapped))  # fmt: skip
        return counts

    async def _note_waiting(self, frame: TaskFrame, closed: WindowClosedError) -> None:
        from heavylift_airflow.trail import note

        async with self.evidence(frame) as evidence:
            await note(
                evidence,
                frame,
                "shard.waiting",
                subject=f"{self.dataset}/{self.shard['shard']}",
                details={"opens_at": closed.opens_at, "state": closed.state},
            )

    def _wait(self, closed: WindowClosedError) -> NoReturn:
        self.log.info("the time window is closed (%s): waiting until %s", closed.state, closed.opens_at)
        self.defer(trigger=WindowTrigger(closed.opens_at), method_name="resume")

    def resume(self, context: Context, event: dict[str, Any]) -> dict[str, int]:
        """Go on: the windows are looked at anew, for the spec may have changed meanwhile."""
        self.log.info("woken: %s", event)
        return self.execute(context)

    async def _copy(self, frame: TaskFrame, store: Store | None) -> ShardResult:
        from heavylift.evidence.paths import shard_result_path
        from heavylift.objects.api import copy_shard
        from heavylift_airflow.trail import note_file

        index = self.shard["shard"]
        tags = {"migration": frame.spec.migration, "dataset": self.dataset, "shard": str(index)}
        reporter = ProgressReporter(self.log, tags, store=store)
        # For the link of an attempt that fails; the library may have to take a later number.
        self.evidence_path = shard_result_path(frame.run, self.dataset, index, frame.attempt)
        try:
            result = await copy_shard(self.request(frame), index, frame.attempt, reporter)
        except WindowClosedError as closed:
            await self._note_waiting(frame, closed)
            raise
        self.evidence_path = shard_result_path(frame.run, self.dataset, index, result.attempt)
        async with self.evidence(frame) as evidence:
            await note_file(
                evidence,
                frame,
                "shard.copied",
                self.evidence_path,
                subject=f"{self.dataset}/{index}",
                details=shard_counts(result),
            )
        return result


class VerifyObjectsOperator(DatasetOperator):
    """Lists and compares both sides of a dataset afresh; trusts nothing that the copy counted.

    Idempotency: each run of the task writes a verification of its own. It changes no object; uploads in
    parts that Heavylift began and no run will finish are aborted.

    :return: ``{"passed", "objects", "size_bytes", "missing", "different", "unverifiable"}``.
    :raises IntegrityError: the sides differ; the first objects are named, the evidence has all.
    """

    def execute(self, context: Context) -> dict[str, int | bool]:
        """Verify, note it in the audit trail, and fail where the sides differ."""
        frame = self.moving_frame(context)
        record = self.work.run(self._verify(frame), f"verification of dataset {self.dataset!r}")
        summary = verification_summary(record)
        context["ti"].xcom_push(key="verification", value=summary)
        if not record.passed:
            raise _differs(record, self.evidence_path or "")
        self.log.info("dataset %r: %s objects equal on both sides, %s", self.dataset,
                      f"{record.equal.objects:,}", human_size(record.equal.size_bytes))  # fmt: skip
        return summary

    async def _verify(self, frame: TaskFrame) -> VerificationRecord:
        from heavylift.evidence.numbered import latest_number
        from heavylift.evidence.paths import verification_path
        from heavylift.objects.api import verify_and_clean
        from heavylift_airflow.trail import note_file

        record, cleaning = await verify_and_clean(self.request(frame))
        if cleaning.ours or cleaning.problem:
            self.log.info("unfinished uploads at the target: %s aborted, %s kept, %s failed %s",
                          cleaning.aborted, cleaning.kept, cleaning.failed, cleaning.problem)  # fmt: skip
        async with self.evidence(frame) as store:
            number = await latest_number(store, lambda n: verification_path(frame.run, self.dataset, n))
            self.evidence_path = verification_path(frame.run, self.dataset, number)
            await note_file(
                store,
                frame,
                "dataset.verified",
                self.evidence_path,
                subject=self.dataset,
                details={
                    **verification_summary(record),
                    "uploads_aborted": cleaning.aborted,
                    "state_root": record.root,
                },
            )
        return record


def shard_title(shard: dict[str, int]) -> str:
    """Return what the UI shows for one shard: ``shard 3 (500 objects, 1.0 GiB)``."""
    return f"shard {shard['shard']} ({shard['objects']:,} objects, {human_size(shard['size_bytes'])})"


def plan_summary(plan: PlanRecord) -> dict[str, int | bool]:
    """Return a plan's counts."""
    return {
        "found": plan.found.objects,
        "to_copy": plan.to_copy.objects,
        "to_copy_bytes": plan.to_copy.size_bytes,
        "unchanged": plan.unchanged.objects,
        "refused": plan.refused.objects,
        "filtered": plan.filtered.objects,
        "to_delete": plan.to_delete.objects,
        "findings": plan.finding_count,
        "shards": len(plan.shards),
        "dry_run": plan.dry_run,
    }


def forecast_lines(plan: PlanRecord) -> list[str]:
    """Return what the plan will cost and take, and who had best carry it out, for the log."""
    from heavylift.objects.wording import advice_lines, estimate_line

    found = [estimate_line(plan.estimate)] if plan.estimate else []
    return found + (advice_lines(plan.advice)[:1] if plan.advice else [])


def estimate_summary(plan: PlanRecord) -> dict[str, float | int | str | list[str] | None]:
    """Return a plan's estimate in a few numbers; None where no price is known."""
    record = plan.estimate
    if record is None:
        return {}
    return {
        "objects": record.objects,
        "size_bytes": record.size_bytes,
        "requests_low": sum(line.low for line in record.requests),
        "requests_high": sum(line.high for line in record.requests),
        "egress_usd_low": record.egress.cost.low,
        "egress_usd_high": record.egress.cost.high,
        "total_usd_low": record.total.low,
        "total_usd_high": record.total.high,
        "price_unknown": list(record.unknown),
        "recommended": plan.advice.recommended if plan.advice else "",
    }


def plan_line(plan: PlanRecord) -> str:
    """Return a plan in one line."""
    return (
        f"{plan.source_url} -> {plan.target_url}: found {plan.found.objects:,} objects;"
        f" to copy {plan.to_copy.objects:,} ({human_size(plan.to_copy.size_bytes)}) in {len(plan.shards)}"
        f" shards, unchanged {plan.unchanged.objects:,}, refused {plan.refused.objects:,}"
        + (f", filtered out {plan.filtered.objects:,}" if plan.filtered.objects else "")
        + (f", to delete {plan.to_delete.objects:,}" if plan.deletes != "keep" else "")
    )


def shard_counts(result: ShardResult) -> dict[str, int]:
    """Return a shard's counts."""
    return {
        "shard": result.shard,
        "found": result.found.objects,
        "moved": result.moved.objects,
        "unchanged": result.unchanged.objects,
        "skipped": result.skipped.objects,
        "vanished": result.vanished.objects,
        "failed": result.failed.objects,
        "left": result.left.objects,
        "size_bytes": result.moved.size_bytes,
    }


def verification_summary(record: VerificationRecord) -> dict[str, int | bool]:
    """Return a verification's counts."""
    return {
        "passed": record.passed,
        "objects": record.equal.objects,
        "size_bytes": record.equal.size_bytes,
        "missing": record.missing,
        "different": record.different,
        "unverifiable": record.unverifiable,
    }


def _refuse_blocked(plan: PlanRecord) -> None:
    blockers = [finding for finding in plan.findings if finding.severity == "blocker"]
    if not blockers:
        return
    named = "; ".join(f"{finding.subject}: {finding.detail}" for finding in blockers[:MAX_NAMED])
    raise ConflictError(
        f"dry run of dataset {plan.dataset!r}",
        got=f"{plan.refused.objects} of {plan.found.objects} objects that cannot be moved ({named})",
        expected="a target that can take every object",
        state="nothing was moved; the plan lists every such object",
        remedy=blockers[0].remedy,
        code="8010",
    )


def _differs(record: VerificationRecord, path: str) -> IntegrityError:
    named = ", ".join(f"{item.kind} {item.key!r}" for item in record.differences[:MAX_NAMED])
    return IntegrityError(
        f"verification of dataset {record.dataset!r}",
        got=f"{record.missing} missing, {record.different} different and {record.unverifiable}"
        f" unverifiable objects on the target, {record.attributes_differ} attributes that differ,"
        f" {record.extra} extra objects ({named})",
        expected=f"{record.source.objects} equal objects at {record.target_url}",
        state=f"{record.equal.objects} objects are equal; nothing was changed by verifying",
        remedy=f"read {path} in the evidence store; if the source changed meanwhile, start a new run,"
        " which copies only what differs",
        code="8011",
    )
