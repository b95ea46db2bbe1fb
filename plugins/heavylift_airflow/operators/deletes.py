"""The operator that deals with objects which have gone from the source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift_airflow.operators.transfer import MAX_NAMED, DatasetOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.records import DeletesRecord
    from heavylift_airflow.context import TaskFrame


class DeleteGoneOperator(DatasetOperator):
    """Deletes on the target, or puts aside, what the plan found gone from the source.

    Only objects that Heavylift wrote, in exactly the version that it wrote, and only while they
    are still missing on the source.

    Idempotency: a second run deals with what is left; each run writes a record of its own.

    :return: ``{"planned", "deleted", "quarantined", "already_gone", "kept", "failed"}``, all int.
    :raises ConflictError: so much would go that the brake holds; nothing was deleted.
    :raises IncompleteError: some objects could not be dealt with; the record names them.
    :raises TransientError: the same, but a retry may mend it.
    """

    def execute(self, context: Context) -> dict[str, int]:
        """Carry out the plan's deletions and return their counts."""
        from heavylift.evidence.deletions import deletion_counts

        frame = self.moving_frame(context)
        record = self.work.run(self._delete(frame), f"deletions of dataset {self.dataset!r}")
        counts = deletion_counts(record)
        for finding in record.findings[:MAX_NAMED]:
            self.log.warning("%s: %s: %s", finding.severity, finding.subject, finding.detail)
        self.log.info("dataset %r: %s", self.dataset, counts)
        return counts

    async def _delete(self, frame: TaskFrame) -> DeletesRecord:
        from heavylift.evidence.deletions import deletion_details
        from heavylift.evidence.numbered import latest_number
        from heavylift.evidence.paths import deletes_path
        from heavylift.objects.api import delete_gone
        from heavylift_airflow.trail import note_file

        record = await delete_gone(self.request(frame))
        async with self.evidence(frame) as store:
            number = await latest_number(store, lambda n: deletes_path(frame.run, self.dataset, n))
            self.evidence_path = deletes_path(frame.run, self.dataset, number)
            await note_file(
                store,
                frame,
                "gone.deleted",
                self.evidence_path,
                subject=self.dataset,
                details=deletion_details(record),
            )
        return record
