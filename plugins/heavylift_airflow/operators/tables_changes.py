"""Operators that let changes flow between databases: sync, drain, the way back, and the end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from heavylift.errors import IncompleteError, TransientError
from heavylift_airflow.operators.tables import FORWARD, REVERSE, DatabaseOperator
from heavylift_airflow.progress import state_store_of
from heavylift_airflow.tables_progress import TablesReporter, tell_lag
from heavylift_airflow.triggers.replication import ChangesWaitingTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.records import EvidenceRef
    from heavylift.evidence.table_records import DrainRecord, ReverseRecord, StreamEndRecord, SyncRecord
    from heavylift.tables.requests import TablesRequest
    from heavylift_airflow.context import TaskFrame

MAX_FAILURES = 20
"""How often in a row following may be interrupted by a server that goes away, before it gives up."""


class SyncChangesOperator(DatabaseOperator):
    """Applies what the source has committed since the last run, transaction by transaction.

    Without ``follow`` it is bounded: it ends at the position that the source had when it began. With
    ``follow`` it goes on: it works until there is nothing left, then waits in the triggerer, without
    a worker, until there is. No data flows through the triggerer; it only watches the lag. In a dry run
    it tells the lag and applies nothing.

    Idempotency: the position is kept in the target, in one transaction with the changes, so a
    retry applies nothing twice and leaves nothing out.

    With ``direction="live"`` it carries changes in whichever direction the fences of both sides say: to the
    target until the switch, back to the source after it, to the target again after a rollback.

    :param max_seconds: stop between two transactions after so long; None for no bound.
    :param follow: go on until the task is stopped, or for ``follow_seconds``.
    :param poll_seconds: while following, how often the triggerer looks.
    :return: the figures of the sync, ``{"direction", "changes", "caught_up", "lag_bytes", …}``; besides,
        the XCom ``lag``.
    :raises NotFoundError: no snapshot has begun the stream.
    :raises ConflictError: the changes would flow to the side that applications write to (HL-8786).
    :raises TransientError: a server went away, or it was stopped; a retry goes on.
    """

    def __init__(
        self,
        *,
        database: str,
        direction: str = FORWARD,
        max_seconds: float | None = None,
        follow: bool = False,
        follow_seconds: float | None = None,
        poll_seconds: float = 5.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(database=database, direction=direction, **kwargs)
        self.max_seconds = max_seconds
        self.follow = follow
        self.follow_seconds = follow_seconds
        self.poll_seconds = poll_seconds

    def execute(self, context: Context) -> dict[str, Any]:
        """Apply what is there, and return the figures or go on following."""
        frame = self.frame(context)
        if self.follow and not frame.options.dry_run:
            return self._follow(context, {"began": None, "failures": 0})
        self.find_flow(frame)
        if frame.options.dry_run:
            return self._look(frame, context)
        record = self.work.run(self._sync(frame, context), f"sync of database {self.database!r}")
        return self._told(record)

    def resume(
        self, context: Context, event: dict[str, Any], began: str | None = None, failures: int = 0
    ) -> dict[str, Any]:
        """Go on following: the triggerer saw changes, or it is time to look.

        :param began: when following began, ISO 8601.
        :param failures: interruptions in a row.
        """
        self.log.info("woken: %s", event)
        return self._follow(context, {"began": began, "failures": failures})

    def _look(self, frame: TaskFrame, context: Context) -> dict[str, Any]:
        """Tell how far behind the stream is: what a run that is no dry run would have to apply."""
        from heavylift.tables.api import tables_status
        from heavylift.tables.wording import lag_figures, status_lines

        request = self.request(frame)
        status = self.work.run(tables_status(request), f"looking up the lag of {request.stream}")
        for line in status_lines(status):
            self.log.info("%s", line)
        tell_lag(context, state_store_of(context, self.log), self.tags(frame), status)
        return {"direction": self.flow, **lag_figures(status)}

    def _follow(self, context: Context, so_far: dict[str, Any]) -> dict[str, Any]:
        from heavylift.evidence.records import utc_now

        frame = self.moving_frame(context)
        self.find_flow(frame)
        began = datetime.fromisoformat(so_far["began"]) if so_far["began"] else utc_now()
        what, failures = f"following of database {self.database!r}", int(so_far["failures"])
        record: SyncRecord | None = None
        try:
            record, failures = self.work.run(self._rounds(frame, context), what), 0
        except TransientError as error:
            failures += 1
            if self.work.stopped or failures > MAX_FAILURES:
                raise
            self.log.warning("waiting in the triggerer: %s", error)
        over = self.follow_seconds is not None and (
            (utc_now() - began).total_seconds() >= self.follow_seconds
        )
        if record is None or not over:
            self._wait(frame, began, failures)
        return self._told(record)

    def _wait(self, frame: TaskFrame, began: datetime, failures: int) -> NoReturn:
        request = self.request(frame)
        trigger = ChangesWaitingTrigger(
            source_conn_id=request.source.connection.conn_id,
            target_conn_id=request.target.connection.conn_id,
            stream=request.stream,
            poll_seconds=self.poll_seconds,
            every_seconds=request.options.max_lag,
        )
        so_far = {"began": began.isoformat(), "failures": failures}
        self.defer(trigger=trigger, method_name="resume", kwargs=so_far)

    def _told(self, record: SyncRecord) -> dict[str, Any]:
        from heavylift.tables.wording import sync_figures, sync_line

        self.log.info("database %r, %s: %s", self.database, record.direction, sync_line(record))
        for statement in record.schema_changes:
            self.log.warning("the target's schema followed the source's: %s", statement)
        for finding in record.findings:
            self.log.warning("%s: %s: %s", finding.severity.value, finding.subject, finding.detail)
        return {"direction": record.direction, **sync_figures(record)}

    async def _sync(self, frame: TaskFrame, context: Context) -> SyncRecord:
        from heavylift.tables.api import sync_tables
        from heavylift.tables.wording import sync_figures

        request = self.request(frame, max_seconds=self.max_seconds)
        record, ref = await sync_tables(request, self.reporter(context, frame))
        await self.note(frame, "database.synced", ref, sync_figures(record))
        await self._show_lag(context, frame, request)
        return record

    async def _rounds(self, frame: TaskFrame, context: Context) -> SyncRecord:
        """Apply changes until there are none; keep one record of all rounds that brought some."""
        from heavylift.tables.follow import Watching, follow_tables
        from heavylift.tables.wording import sync_figures

        request, rounds = self.request(frame), list[Any]()

        async def keep(record: SyncRecord, ref: EvidenceRef) -> None:
            await self.note(frame, "database.synced", ref, {**sync_figures(record), "following": True})

        watching = Watching(self.reporter(context, frame), rounds.append, keep)
        await follow_tables(request, watching, until_idle=True)
        await self._show_lag(context, frame, request)
        last: SyncRecord = rounds[-1]
        return last

    async def _show_lag(self, context: Context, frame: TaskFrame, request: TablesRequest) -> None:
        from heavylift.tables.api import tables_status

        try:
            status = await tables_status(request)
        except TransientError as error:
            # The changes are applied; that nobody could be asked how far they are is no failure.
            self.log.info("the lag could not be looked up: %s", error)
            return
        tell_lag(context, state_store_of(context, self.log), self.tags(frame), status)


class DrainChangesOperator(DatabaseOperator):
    """Applies everything up to the source's position now, and advances the sequences.

    To be run when nobody writes to the source any more, as in a cutover. Idempotency: a second run
    drains to a later position; sequences are only ever advanced.

    :param within_seconds: how long it may take.
    :return: ``{"reached", "upto_position", "applied_position", "sequences", "seconds"}``.
    :raises IncompleteError: the position was not reached in time, or somebody still writes to the
        source; what is applied stays.
    """

    def __init__(
        self, *, database: str, direction: str = FORWARD, within_seconds: float = 60.0, **kwargs: Any
    ) -> None:
        super().__init__(database=database, direction=direction, **kwargs)
        self.within_seconds = within_seconds

    def execute(self, context: Context) -> dict[str, Any]:
        """Drain, note it in the audit trail, and fail where the position was not reached."""
        from heavylift.tables.wording import drain_figures, drain_line

        frame = self.moving_frame(context)
        record = self.work.run(
            self._drain(frame, self.reporter(context, frame)), f"drain of database {self.database!r}"
        )
        self.log.info("database %r: %s", self.database, drain_line(record))
        if not record.reached:
            raise _not_drained(record, self.within_seconds, self.evidence_path or "")
        if any(finding.severity == "blocker" for finding in record.findings):
            raise _still_written(record, self.evidence_path or "")
        return drain_figures(record)

    async def _drain(self, frame: TaskFrame, reporter: TablesReporter) -> DrainRecord:
        from heavylift.tables.api import drain_tables
        from heavylift.tables.wording import drain_figures

        record, ref = await drain_tables(
            self.request(frame), within_seconds=self.within_seconds, tell=reporter
        )
        await self.note(frame, "database.drained", ref, drain_figures(record))
        return record


class ReverseSyncOperator(SyncChangesOperator):
    """Lets changes flow back to the source after a cutover, so that a rollback loses no row.

    ``act="prepare"`` makes the stream, and must be done **before** anybody may write to the target;
    ``act="sync"`` applies what has been written there since, as :class:`SyncChangesOperator` does.

    Idempotency: preparing again finds the stream that is there; syncing applies nothing twice.

    :param act: ``prepare`` or ``sync``.
    :return: of ``prepare`` ``{"act", "tables", "consistent_position", "slot"}``; of ``sync`` its figures.
    :raises NotFoundError: it was not prepared.
    """

    template_fields: Sequence[str] = DatabaseOperator.template_fields

    def __init__(self, *, database: str, act: str = "sync", **kwargs: Any) -> None:
        super().__init__(database=database, direction=REVERSE, **kwargs)
        self.act = act

    def execute(self, context: Context) -> dict[str, Any]:
        """Prepare the way back, or apply what has come."""
        if self.act != "prepare":
            return super().execute(context)
        from heavylift.tables.wording import reverse_figures

        frame = self.moving_frame(context)
        record = self.work.run(
            self._prepare(frame, self.reporter(context, frame)),
            f"preparing the way back of database {self.database!r}",
        )
        self.log.info("database %r: changes on the target are kept from %s on", self.database,
                      record.consistent_position)  # fmt: skip
        return reverse_figures(record)

    async def _prepare(self, frame: TaskFrame, reporter: TablesReporter) -> ReverseRecord:
        from heavylift.tables.api import prepare_reverse
        from heavylift.tables.wording import reverse_figures

        # The library prepares the way back of a request that leads there.
        record, ref = await prepare_reverse(self.request(frame).reversed(), reporter)
        await self.note(frame, "database.reverse_prepared", ref, reverse_figures(record))
        return record


class EndStreamOperator(DatabaseOperator):
    """Gives back what a stream holds on its source: the slot, which keeps log, and the publication.

    After it nothing can be synced in this direction without a new snapshot. Idempotency: a second
    run finds nothing left to give back.

    :return: ``{"state", "applied_position", "changes"}``.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """End the stream, and note it in the audit trail."""
        frame = self.moving_frame(context)
        record = self.work.run(self._end(frame), f"ending the stream of database {self.database!r}")
        status = record.status
        self.log.info("%s: %s at %s", status.stream, status.state, status.applied_position)
        return _end_figures(record)

    async def _end(self, frame: TaskFrame) -> StreamEndRecord:
        from heavylift.tables.api import end_stream

        record, ref = await end_stream(self.request(frame))
        await self.note(frame, "database.stream_ended", ref, _end_figures(record))
        return record


def _end_figures(record: StreamEndRecord) -> dict[str, Any]:
    status = record.status
    return {
        "state": status.state,
        "applied_position": status.applied_position,
        "changes": status.changes,
    }


def _not_drained(record: DrainRecord, within_seconds: float, path: str) -> IncompleteError:
    return IncompleteError(
        f"drain of database {record.database!r}",
        got=f"position {record.applied_position} after {within_seconds:g} s",
        expected=f"{record.upto_position}, where the source was when it began",
        state=f"what is applied stays; the source has not been told anything; the record is {path}",
        remedy="see that nobody writes to the source any more; then clear this task, or let writing go on and"
        " try again when the lag is small",
        code="8212",
    )


def _still_written(record: DrainRecord, path: str) -> IncompleteError:
    named = "; ".join(f"{finding.subject}: {finding.detail}" for finding in record.findings)
    return IncompleteError(
        f"drain of database {record.database!r}",
        got=named,
        expected="a source that nobody writes to any more",
        state=f"everything is applied up to {record.applied_position}, but more may follow;"
        f" the record is {path}",
        remedy="stop every writer of the source, then clear this task",
        code="8214",
    )
