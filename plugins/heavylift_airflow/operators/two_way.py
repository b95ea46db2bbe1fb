"""The operator that keeps a dataset equal which is written to on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from heavylift.errors import HeavyliftError, IntegrityError, WindowClosedError
from heavylift_airflow.operators.transfer import MAX_NAMED, DatasetOperator, verification_summary
from heavylift_airflow.progress import ProgressReporter, Store, state_store_of
from heavylift_airflow.triggers.window import WindowTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.records import VerificationRecord
    from heavylift.objects.api import TwoWay
    from heavylift_airflow.context import TaskFrame


class SyncTwoWayOperator(DatasetOperator):
    """Carries what changed on either side of a dataset over to the other, and proves both equal.

    Where both sides changed an object the spec's ``two_way.conflicts`` decides. Nothing is overwritten or
    deleted on either side before its version lies in that side's quarantine, or under a second name.

    Idempotency: what is equal is left; a second run, or one after a kill, does the rest and adds a record
    of its own. In a dry run nothing is written on either side. While the time windows are closed it waits
    in the triggerer.

    :return: the counts of the record, such as ``to_target``, ``to_source`` and ``conflicts``.
    :raises ConflictError: the policy is ``stop`` and there is a conflict, or the brake holds, or a key
        cannot be held; nothing was touched.
    :raises IncompleteError: some objects failed for good; the record names them.
    :raises IntegrityError: the sides differ although nobody changed them meanwhile.
    :raises TransientError: the attempt was cut short; a retry goes on with the rest.
    """

    def execute(self, context: Context) -> dict[str, int | bool | str]:
        """Carry over, note it in the audit trail, and fail where the sides differ."""
        frame = self.frame(context)
        store = state_store_of(context, self.log)
        try:
            done = self.work.run(self._sync(frame, store), f"two-way sync of dataset {self.dataset!r}")
        except WindowClosedError as closed:
            self._wait(closed)
        for case in done.record.conflicts[:MAX_NAMED]:
            self.log.warning("conflict: %s (%s): %s, %s; the other version: %s", case.key, case.kind,
                             case.resolution, case.outcome, case.kept or "none")  # fmt: skip
        counts = done.record.details()
        self.log.info("dataset %r: %s", self.dataset, counts)
        if done.verification is not None:
            context["ti"].xcom_push(key="verification", value=verification_summary(done.verification))
            if not done.verification.passed:
                raise _differs(done.verification, self.evidence_path or "")
        return counts

    def _wait(self, closed: WindowClosedError) -> NoReturn:
        self.log.info("the time window is closed (%s): waiting until %s", closed.state, closed.opens_at)
        self.defer(trigger=WindowTrigger(closed.opens_at), method_name="resume")

    def resume(self, context: Context, event: dict[str, Any]) -> dict[str, int | bool | str]:
        """Go on: the windows are looked at anew, for the spec may have changed meanwhile."""
        self.log.info("woken: %s", event)
        return self.execute(context)

    async def _sync(self, frame: TaskFrame, store: Store | None) -> TwoWay:
        from heavylift.objects.api import sync_two_way
        from heavylift.spec.resolve import find_dataset
        from heavylift.spec.vocabulary import Conflicts

        two_way = find_dataset(frame.spec, self.dataset).two_way
        policy = two_way.conflicts if two_way else Conflicts.STOP
        tags = {"migration": frame.spec.migration, "dataset": self.dataset}
        reporter = ProgressReporter(self.log, tags, store=store)
        try:
            done = await sync_two_way(self.request(frame), policy, frame.attempt, reporter)
        except HeavyliftError:
            await self._note(frame)
            raise
        await self._note(frame)
        return done

    async def _note(self, frame: TaskFrame) -> None:
        """Note the last record in the audit trail, if this run has one."""
        from heavylift.evidence.paths import two_way_path
        from heavylift.evidence.run_evidence import read_latest
        from heavylift.evidence.two_way_records import TwoWayRecord
        from heavylift_airflow.trail import note

        async with self.evidence(frame) as evidence:
            kept = await read_latest(
                evidence, lambda n: two_way_path(frame.run, self.dataset, n), TwoWayRecord
            )
            if kept is None:
                return
            self.evidence_path = kept.ref.path
            details = kept.record.details()
            await note(
                evidence,
                frame,
                "dataset.carried",
                subject=self.dataset,
                evidence=(kept.ref,),
                details=details,
            )


def _differs(record: VerificationRecord, path: str) -> IntegrityError:
    named = ", ".join(f"{item.kind} {item.key!r}" for item in record.differences[:MAX_NAMED])
    return IntegrityError(
        f"two-way sync of dataset {record.dataset!r}",
        got=f"{record.missing} objects on one side only and {record.different} that differ, which nobody"
        f" changed meanwhile ({named})",
        expected="both sides equal",
        state=f"{record.equal.objects} objects are equal; what gave way lies in quarantine",
        remedy=f"read {path} in the evidence store, then clear this task: it looks afresh",
        code="9705",
    )
