"""The operator that reads what a platform allows, before a plan is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.operators.base import HeavyliftOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.quota_records import QuotaRecord
    from heavylift_airflow.context import TaskFrame


class ReadQuotasOperator(HeavyliftOperator):
    """Reads the quotas of one region of a platform, which the plan is then judged by.

    Only reads. Idempotency: each run of the task reads afresh and keeps a record of its own, whole, at the
    end. What may not be read, or is not answered, is a finding.

    :param connection: of an entry of ``assess.quotas``; ``region`` likewise.
    :return: ``{"platform", "region", "quotas", "complete", "requests"}``.
    :raises CredentialError: the platform does not accept the credentials.
    """

    def __init__(self, *, connection: str, region: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.connection = connection
        self.region = region

    def execute(self, context: Context) -> dict[str, Any]:
        """Read, and note it in the audit trail."""
        frame = self.frame(context)
        record = self.work.run(self._read(frame), f"quotas of {self.connection} in {self.region}")
        for finding in record.findings:
            self.log.warning(
                "%s [%s] %s: %s. To fix: %s",
                finding.severity.value, finding.rule, finding.subject, finding.detail, finding.remedy,
            )  # fmt: skip
        figures = quota_figures(record)
        self.log.info("%s", figures)
        return figures

    async def _read(self, frame: TaskFrame) -> QuotaRecord:
        from heavylift.quotas.api import quota_request, read_quotas
        from heavylift_airflow.trail import note

        request = quota_request(frame.spec, frame.run, look_up, self.connection, self.region)
        record, ref = await read_quotas(request)
        self.evidence_path = ref.path
        async with self.evidence(frame) as store:
            details = quota_figures(record)
            await note(store, frame, "quotas.read", subject=self.connection, evidence=(ref,), details=details)
        return record


def quota_figures(record: QuotaRecord) -> dict[str, Any]:
    """Return the figures of a record."""
    return {
        "platform": record.platform,
        "region": record.region,
        "quotas": len(record.limits),
        "complete": record.complete,
        "requests": record.requests,
    }
