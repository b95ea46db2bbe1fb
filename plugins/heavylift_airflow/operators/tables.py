"""Operators that move one database's tables: preflight, snapshot, verify."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from heavylift.errors import ConflictError, IntegrityError
from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.operators.base import HeavyliftOperator
from heavylift_airflow.progress import state_store_of
from heavylift_airflow.tables_progress import TablesReporter

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.records import EvidenceRef
    from heavylift.evidence.table_records import (
        PreflightRecord,
        SnapshotRecord,
        TableVerificationRecord,
    )
    from heavylift.tables.requests import TablesRequest
    from heavylift_airflow.context import TaskFrame

MAX_NAMED = 5
FORWARD, REVERSE = "forward", "reverse"
LIVE = "live"
"""Away from the side that applications write to, which the fences of both sides tell."""


class DatabaseOperator(HeavyliftOperator):
    """An operator that acts on one database of the spec.

    :param database: the database's name in the spec. (templated)
    :param direction: ``forward``, or ``reverse`` for the stream that flows back after a cutover; where an
        operator allows it ``live``, for whichever of the two leads away from the live side.
    """

    template_fields: Sequence[str] = (*HeavyliftOperator.template_fields, "database")

    def __init__(self, *, database: str, direction: str = FORWARD, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.database = database
        self.direction = direction
        self._found = FORWARD

    @property
    def flow(self) -> str:
        """Return the direction of this task's work: what was asked for, or what :meth:`find_flow` found."""
        return self._found if self.direction == LIVE else self.direction

    def find_flow(self, frame: TaskFrame) -> None:
        """Find out in which direction changes flow now, where the task was left to do so; tell of it."""
        if self.direction != LIVE:
            return
        from heavylift.tables.api import live_request

        self._found = FORWARD
        found = self.work.run(
            live_request(self.request(frame)), f"looking up which side of {self.database!r} is the live one"
        )
        self._found = found.direction.value
        if self._found == REVERSE:
            self.log.info(
                "database %r: applications write to the target; changes flow back to the source",
                self.database,
            )

    def request(
        self, frame: TaskFrame, *, max_seconds: float | None = None, anew: bool = False
    ) -> TablesRequest:
        """Return the library's request for this database in this run, in this task's direction."""
        from heavylift.tables.requests import tables_request

        made = tables_request(
            frame.spec,
            self.database,
            frame.run,
            look_up,
            dry_run=frame.options.dry_run,
            max_seconds=max_seconds,
            anew=anew,
        )
        return made.reversed() if self.flow == REVERSE else made

    def tags(self, frame: TaskFrame) -> dict[str, str]:
        """Return the tags of this task's metrics."""
        return {
            "migration": frame.spec.migration,
            "database": self.database,
            "direction": self.flow,
        }

    def reporter(self, context: Context, frame: TaskFrame) -> TablesReporter:
        """Return what takes the progress of this task's work."""
        return TablesReporter(self.log, self.tags(frame), store=state_store_of(context, self.log))

    async def note(self, frame: TaskFrame, action: str, ref: EvidenceRef, details: dict[str, Any]) -> None:
        """Note in the audit trail what this task did, and link to its evidence."""
        from heavylift_airflow.trail import note

        self.evidence_path = ref.path
        async with self.evidence(frame) as store:
            await note(
                store,
                frame,
                action,
                subject=self.database,
                evidence=(ref,),
                details={**details, "direction": self.flow},
            )


class PreflightTablesOperator(DatabaseOperator):
    """Looks on both sides for what stands in the way of moving a database; changes neither.

    It also runs in a dry run. Idempotency: each run of the task writes a preflight of its own.

    :return: ``{"passed", "engine", "tables", "rows_estimated", "size_bytes", "blockers", "warnings"}``.
    :raises ConflictError: something stands in the way; each is named with its remedy.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Look, note it in the audit trail, and fail where something stands in the way."""
        from heavylift.tables.wording import preflight_figures, preflight_line

        frame = self.frame(context)
        record = self.work.run(
            self._look(frame, self.reporter(context, frame)), f"preflight of database {self.database!r}"
        )
        self.log.info("%s", preflight_line(record))
        for finding in record.findings:
            self.log.warning("%s: %s: %s. To fix: %s", finding.severity.value, finding.subject,
                             finding.detail, finding.remedy)  # fmt: skip
        if not record.passed:
            raise _blocked(record, self.evidence_path or "")
        return preflight_figures(record)

    async def _look(self, frame: TaskFrame, reporter: TablesReporter) -> PreflightRecord:
        from heavylift.tables.api import preflight_tables
        from heavylift.tables.wording import preflight_figures

        record, ref = await preflight_tables(self.request(frame), reporter)
        await self.note(frame, "database.checked", ref, preflight_figures(record))
        return record


class SnapshotTablesOperator(DatabaseOperator):
    """Copies a database's tables as of one position of the source's log, and begins the stream there.

    Idempotency: ranges that have arrived are found and left alone, so a retry after a crash copies
    only the rest; where the snapshot is complete it does nothing. Stopping it ends it between two
    ranges; the slot on the source keeps every change meanwhile.

    Where the run was started with *Copy databases anew*, its first attempt gives up what an earlier
    stream left; later attempts go on from there.

    :return: ``{"tables", "rows", "size_bytes", "ranges", "ranges_reused", "consistent_position",
        "already_complete"}``.
    :raises TransientError: it was cut short; a retry goes on with the rest.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Copy, and note it in the audit trail."""
        from heavylift.tables.wording import snapshot_figures, snapshot_line

        frame = self.moving_frame(context)
        record = self.work.run(
            self._copy(frame, self.reporter(context, frame)), f"snapshot of database {self.database!r}"
        )
        self.log.info("database %r: %s", self.database, snapshot_line(record))
        return snapshot_figures(record)

    async def _copy(self, frame: TaskFrame, reporter: TablesReporter) -> SnapshotRecord:
        from heavylift.tables.api import snapshot_tables
        from heavylift.tables.wording import snapshot_figures

        anew = frame.options.copy_anew and await self._is_first(frame)
        record, ref = await snapshot_tables(self.request(frame, anew=anew), reporter)
        await self.note(frame, "database.copied", ref, snapshot_figures(record))
        return record

    async def _is_first(self, frame: TaskFrame) -> bool:
        """Tell whether this run is to begin anew now: once, or a retry would throw away its own work."""
        from heavylift.evidence.paths import database_path

        path = database_path(frame.run, self.database, "anew", 1)
        async with self.evidence(frame) as store:
            if await store.exists(path):
                return False
            await store.write_json(path, {"asked_by": frame.actor, "attempt": frame.attempt})
        return True


class VerifyTablesOperator(DatabaseOperator):
    """Compares both databases row by row, inside of both; trusts nothing that the mover counted.

    While changes flow the source is read at one position and the target is first applied exactly to
    it. Idempotency: each run of the task writes a verification of its own; it changes no row beyond
    applying what the source has committed.

    :param frozen: nobody writes to the source any more, as at a cutover; sequences count, too.
    :param direction: may be ``live``.
    :return: ``{"passed", "tables", "rows_equal", "missing", "extra", "different", "unsettled",
        "sequences_behind", "position"}``.
    :raises IntegrityError: the sides differ; tables are named, the evidence has the keys.
    """

    def __init__(
        self, *, database: str, direction: str = FORWARD, frozen: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(database=database, direction=direction, **kwargs)
        self.frozen = frozen

    def execute(self, context: Context) -> dict[str, Any]:
        """Compare, note it in the audit trail, and fail where the sides differ."""
        from heavylift.tables.wording import verification_figures, verification_line

        frame = self.moving_frame(context)
        self.find_flow(frame)
        record = self.work.run(
            self._compare(frame, self.reporter(context, frame)), f"verification of database {self.database!r}"
        )
        figures = verification_figures(record)
        context["ti"].xcom_push(key="verification", value=figures)
        if not record.passed:
            raise _differs(record, self.evidence_path or "")
        self.log.info("database %r: %s", self.database, verification_line(record))
        return figures

    async def _compare(self, frame: TaskFrame, reporter: TablesReporter) -> TableVerificationRecord:
        from heavylift.tables.api import verify_tables
        from heavylift.tables.wording import verification_figures

        record, ref = await verify_tables(self.request(frame), frozen=self.frozen, tell=reporter)
        await self.note(frame, "database.verified", ref, verification_figures(record))
        return record


def _blocked(record: PreflightRecord, path: str) -> ConflictError:
    blockers = [finding for finding in record.findings if finding.severity == "blocker"]
    named = "; ".join(f"{finding.subject}: {finding.detail}" for finding in blockers[:MAX_NAMED])
    more = f" and {len(blockers) - MAX_NAMED} more" if len(blockers) > MAX_NAMED else ""
    return ConflictError(
        f"preflight of database {record.database!r}",
        got=f"{len(blockers)} that stand in the way ({named}{more})",
        expected="two databases between which every chosen table can move",
        state=f"nothing was changed on either side; all findings are in {path}",
        remedy="; ".join(finding.remedy for finding in blockers[:MAX_NAMED] if finding.remedy)
        or "mend what the findings name, then clear this task",
        code="8210",
    )


def _differs(record: TableVerificationRecord, path: str) -> IntegrityError:
    from heavylift.tables.wording import wrong_in_words

    rows = f" and {record.rows.path}" if record.rows else ""
    return IntegrityError(
        f"verification of database {record.database!r}",
        got=wrong_in_words(record),
        expected="every row equal on both sides",
        state=f"{record.total('equal')} rows are equal; nothing was changed by verifying;"
        f" the keys of the rows that differ are in {path}{rows}",
        remedy="find out who else writes to the target's tables, and stop that; then clear this task, and"
        " where rows still differ, copy those tables anew",
        code="8211",
    )
