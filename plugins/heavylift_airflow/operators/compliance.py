"""Operators of compliance: look for personal data, and judge the rules before anything moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.operators.base import HeavyliftOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.connections import Connection
    from heavylift.evidence.compliance_records import ComplianceRecord, ScanRecord
    from heavylift_airflow.context import TaskFrame

MAX_NAMED = 10


class ScanDatasetOperator(HeavyliftOperator):
    """Looks for personal data in one dataset, or in the tables of one database, on the source.

    Idempotency: each run of the task scans afresh and keeps a record of its own, whole, at the end; one that
    was killed leaves none. No value that is found is logged or kept.

    :param subject: name of the dataset or database in the spec.
    :return: ``{"subject", "classes", "units", "units_total", "complete", "statement"}``.
    :raises CredentialError: the source refuses.
    """

    def __init__(self, *, subject: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.subject = subject

    def execute(self, context: Context) -> dict[str, Any]:
        """Scan, and note it in the audit trail."""
        frame = self.frame(context)
        record = self.work.run(self._scan(frame), f"scan of {self.subject}")
        figures = scan_figures(record)
        self.log.info("%s", figures)
        return figures

    async def _scan(self, frame: TaskFrame) -> ScanRecord:
        from heavylift.compliance.from_spec import scan_requests
        from heavylift.compliance.scanning import scan
        from heavylift_airflow.trail import note

        place = frame.spec.evidence
        asked = scan_requests(frame.spec, look_up, place.url, look_up(place.connection))
        record, ref = await scan(next(each for each in asked if each.subject == self.subject))
        self.evidence_path = ref.path
        async with self.evidence(frame) as store:
            details = scan_figures(record)
            await note(
                store, frame, "compliance.scanned", subject=self.subject, evidence=(ref,), details=details
            )
        return record


class CheckComplianceOperator(HeavyliftOperator):
    """Judges the spec's rules over the whole path of what it moves, and refuses where one is broken.

    Nothing has moved when it fails. Idempotency: each run of the task adds a result; the newest counts.
    Exceptions that were used go into the audit trail with their approver and reason.

    :return: ``{"passed", "kept", "broken", "excepted", "unknown"}``.
    :raises IncompleteError: a rule is broken, or what it asks is not known; the rules are named.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Judge, tell every rule that is not kept, and fail where there is one."""
        frame = self.frame(context)
        record = self.work.run(self._check(frame), "judgement of the rules")
        open_ = [each for each in record.outcomes if each.outcome in {"broken", "unknown"}]
        for each in open_[:MAX_NAMED]:
            self.log.warning(
                "%s [%s] %s, %s: %s. To fix: %s",
                each.outcome, each.rule, each.subject, each.leg, each.detail, each.remedy,
            )  # fmt: skip
        if not record.passed:
            raise refused(record, self.evidence_path or "")
        return {name: getattr(record, name) for name in ("passed", "kept", "broken", "excepted", "unknown")}

    async def _check(self, frame: TaskFrame) -> ComplianceRecord:
        from heavylift.compliance.check import check_compliance
        from heavylift.spec import load_spec

        async with self.evidence(frame) as store:
            # As it was loaded: the rules hold for everything that moves, whichever phase moves it.
            record, ref = await check_compliance(
                store, load_spec(self.spec_path), known_connection, frame.task_actor
            )
            self.evidence_path = ref.path
        return record


def known_connection(conn_id: str) -> Connection | None:
    """Return a connection, or None where there is none of that id: the rule then says so."""
    from heavylift.errors import ConnectionConfigError

    try:
        return look_up(conn_id)
    except ConnectionConfigError:
        return None


def scan_figures(record: ScanRecord) -> dict[str, Any]:
    """Return a scan's figures."""
    names = ("subject", "classes", "units", "units_total", "complete", "statement")
    return {name: getattr(record, name) for name in names}


def refused(record: ComplianceRecord, path: str) -> Exception:
    """Return the error for rules that are not kept; it names them."""
    from heavylift.errors import IncompleteError

    open_ = [each for each in record.outcomes if each.outcome in {"broken", "unknown"}]
    first = open_[0] if open_ else None
    return IncompleteError(
        f"judgement of the rules of migration {record.migration}",
        got=f"{record.statement}; first {first.rule} on {first.subject}, {first.leg}: {first.detail}"
        if first
        else record.statement,
        expected="every rule kept, or an exception in the spec that a person answers for",
        state=f"nothing has moved in this run; {path} has every rule",
        remedy=first.remedy if first else "choose frameworks that apply",
        code="8330",
    )
