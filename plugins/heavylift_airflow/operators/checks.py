"""The operator that checks the tables of a dataset on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.operators.transfer import DatasetOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.records import DatasetCheckRecord
    from heavylift_airflow.context import TaskFrame


class CheckDatasetOperator(DatasetOperator):
    """Runs the spec's expectations on a dataset's tables and compares both sides.

    What does not hold is written down, not raised: the gate judges it. Idempotency: each run of
    the task writes a check of its own and changes nothing else.

    :return: ``{"expectations_passed", "profiles_equal", "files", "source_rows", "target_rows"}``.
    :raises IntegrityError: a table cannot be read.
    """

    def execute(self, context: Context) -> dict[str, int | bool]:
        """Check the tables and return what came of it."""
        frame = self.moving_frame(context)
        record = self.work.run(self._check(frame), f"check of the tables of dataset {self.dataset!r}")
        summary = check_summary(record)
        self.log.info("dataset %r: %s", self.dataset, summary)
        for outcome in record.expectations:
            if not outcome.passed:
                self.log.warning(
                    "%s: %s does not hold: %s", outcome.side, outcome.expectation, outcome.observed
                )
        return summary

    async def _check(self, frame: TaskFrame) -> DatasetCheckRecord:
        from heavylift.datasets.checks import check_dataset
        from heavylift.datasets.requests import dataset_check_request
        from heavylift_airflow.trail import note

        request = dataset_check_request(frame.spec, self.dataset, frame.run, look_up)
        async with self.evidence(frame) as store:
            record, ref = await check_dataset(request, store)
            self.evidence_path = ref.path
            await note(
                store,
                frame,
                "dataset.checked",
                subject=self.dataset,
                evidence=(ref,),
                details=check_summary(record),
            )
        return record


def check_summary(record: DatasetCheckRecord) -> dict[str, int | bool]:
    """Return a check's figures."""
    return {
        "expectations_passed": record.expectations_passed,
        "profiles_equal": record.profiles_equal,
        "files": record.files,
        "source_rows": record.source_rows,
        "target_rows": record.target_rows,
    }
