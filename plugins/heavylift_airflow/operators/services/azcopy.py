"""The operator that runs AzCopy on the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.operators.transfer import DatasetOperator, shard_counts
from heavylift_airflow.progress import human_size

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.records import ShardResult, Tally
    from heavylift_airflow.context import TaskFrame


class RunAzCopyOperator(DatasetOperator):
    """Lets AzCopy copy the service's part of a dataset's plan from S3 to Azure Blob.

    Azure reads from S3 by itself; the program only gives the orders, so it runs on the worker for
    as long as the copy takes. What arrived is proved by the verification that follows.

    Idempotency: a job that was stopped on this machine is resumed by its id; on another machine a
    new job skips what is on the target. Killing the task interrupts the program.

    :return: the counts of the service's shard, as the program tells them.
    :raises IncompleteError: the program did not copy all it was handed; its reasons are named.
    """

    def execute(self, context: Context) -> dict[str, int]:
        """Run the program to its end and return its counts."""
        frame = self.moving_frame(context)
        counts = self.work.run(self._move(frame), f"copy of dataset {self.dataset!r} by AzCopy")
        self.log.info("AzCopy: moved %s, unchanged %s objects by its own count",
                      counts["moved"], counts.get("unchanged", 0))  # fmt: skip
        return counts

    async def _move(self, frame: TaskFrame) -> dict[str, int]:
        from heavylift.evidence.paths import shard_result_path
        from heavylift.objects.services.azcopy_run import move_by_azcopy
        from heavylift_airflow.trail import note_file

        request = self.request(frame)
        named = request.options.service.connection or (
            request.target.connection.conn_id if request.target.connection else ""
        )
        result: ShardResult | None = await move_by_azcopy(
            request, look_up(named), frame.attempt, self._report
        )
        if result is None:
            return {"found": 0, "moved": 0}
        self.evidence_path = shard_result_path(frame.run, self.dataset, result.shard, result.attempt)
        async with self.evidence(frame) as store:
            await note_file(
                store,
                frame,
                "service.ended",
                self.evidence_path,
                subject=self.dataset,
                details={"service": "azcopy", **shard_counts(result)},
            )
        return shard_counts(result)

    def _report(self, done: Tally, planned: Tally) -> None:
        self.log.info("AzCopy: %s of %s objects, %s of %s", done.objects, planned.objects,
                      human_size(done.size_bytes), human_size(planned.size_bytes))  # fmt: skip
