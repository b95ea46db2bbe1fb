"""PostgreSQL back to MySQL or MariaDB, after a switch: what operators and commands call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from heavylift.errors import TransientError
from heavylift.evidence.table_records import StreamStatus
from heavylift.tables.engine import Comparison, no_snapshot_back
from heavylift.tables.mysql.back import prepare, run
from heavylift.tables.mysql.connect import connect as connect_mysql
from heavylift.tables.mysql.connect import execute, policy_of
from heavylift.tables.mysql.faults import told_as as told_as_mysql
from heavylift.tables.mysql.side import Lent, MysqlSide
from heavylift.tables.mysql.start import stream_of
from heavylift.tables.mysql.twin.target import open_twin
from heavylift.tables.postgres.catalog import read_catalog
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.copy_pool import shared_snapshot
from heavylift.tables.postgres.faults import told_as
from heavylift.tables.postgres.lsn import lsn_to_text
from heavylift.tables.postgres.replication import exported_snapshot
from heavylift.tables.postgres.slot import drop_publication, drop_slot, slot_status, temporary_slot_name
from heavylift.tables.postgres.state import StreamPhase, TablePhase
from heavylift.tables.postgres.sync import position_of
from heavylift.tables.verify import databases
from heavylift.tables.verify.postgres_side import PostgresSide
from heavylift.tables.verify.sessions import Sessions

if TYPE_CHECKING:
    from heavylift.evidence.table_records import (
        DrainRecord,
        PreflightRecord,
        ReverseRecord,
        SnapshotRecord,
        SyncRecord,
    )
    from heavylift.tables.engine import Work
    from heavylift.tables.requests import TablesRequest
    from heavylift.tables.verify.plan import Plan


class BackEngine:
    """The way back only; see :class:`heavylift.tables.engine.TableEngine`."""

    def preflight(self, request: TablesRequest, work: Work) -> PreflightRecord:
        """Look for what stands in the way; changes nothing on either side."""
        work.check("preflight")
        what, state = "the preflight of the way back", "nothing was touched"
        with told_as(what, state), told_as_mysql(what, state):
            return prepare.preflight(request)

    def snapshot(self, request: TablesRequest, work: Work) -> SnapshotRecord:
        """Refuse.

        :raises UnsupportedError: always.
        """
        del work
        raise no_snapshot_back(request)

    def prepare_reverse(self, request: TablesRequest, work: Work) -> ReverseRecord:
        """Refuse: this is the way back itself.

        :raises UnsupportedError: always.
        """
        del work
        raise no_snapshot_back(request)

    def sync(self, request: TablesRequest, work: Work) -> SyncRecord:
        """Apply what the target has committed until now, then return; resumable, idempotent."""
        return run.sync_changes(request, work)

    def drain(self, request: TablesRequest, work: Work, *, within_seconds: float) -> DrainRecord:
        """Apply everything up to the target's position now, and advance the numbering of rows."""
        return run.drain_changes(request, work, within_seconds=within_seconds)

    def compare(self, request: TablesRequest, work: Work, *, frozen: bool) -> Comparison:
        """Compare both databases, inside of both."""
        with ExitStack() as stack:
            snapshot, position = None, ""
            if not frozen:
                snapshot, position = stack.enter_context(_one_moment(request, work))
            return _compare(request, work, snapshot, position)

    def status(self, request: TablesRequest) -> StreamStatus:
        """Tell how the stream stands; changes nothing."""
        what = "asking both servers how the stream stands"
        with (
            told_as(what, "nothing was touched"),
            told_as_mysql(what, "nothing was touched"),
            closing(connect(request.source.connection, "status")) as source,
            closing(open_twin(request)) as target,
        ):
            state = stream_of(target, request)
            tables = target.tables(request.stream)
            slot, position = slot_status(source, state.slot), position_of(source)
            behind = max(0, position - (state.applied or 0))
            known = [at for at in (state.applied_at, state.caught_up_at) if at is not None]
            age = (datetime.now(UTC) - max(known)).total_seconds() if behind and known else 0.0
            return StreamStatus(
                stream=state.id,
                direction=request.direction.value,
                engine=state.engine,
                state=state.phase.value,
                reason=state.reason,
                applied_position=lsn_to_text(state.applied or 0),
                source_position=lsn_to_text(position),
                lag_bytes=behind,
                lag_seconds=max(0.0, age),
                retained_bytes=slot.retained_bytes if slot else None,
                slot_state=slot.wal_status if slot else "missing",
                slot_active=bool(slot and slot.active),
                tables=len(tables),
                tables_copied=sum(table.phase is TablePhase.COPIED for table in tables.values()),
                changes=state.changes,
                details={"slot": state.slot, "publication": state.publication},
            )

    def end(self, request: TablesRequest) -> StreamStatus:
        """Give slot, publication and triggers back, and note that the stream has ended; idempotent."""
        what = f"ending stream {request.stream}"
        with (
            told_as(what, "run this again"),
            told_as_mysql(what, "run this again"),
            closing(connect(request.source.connection, "end")) as source,
            closing(open_twin(request)) as target,
        ):
            stream_of(target, request)
            with target.leased(request.stream):
                state = stream_of(target, request)
                drop_slot(source, state.slot)
                drop_publication(source, state.publication)
                prepare.give_back(request, source, target)
                target.write_stream(replace(state, phase=StreamPhase.ENDED, reason="ended"))
        return self.status(request)


class _WholeSide(PostgresSide):
    """Rows fall into buckets by the digest of their key alone, as they do on the other side."""

    def bounds(self, plan: Plan, ranges: int) -> tuple[str, ...]:
        """Return none."""
        del plan, ranges
        return ()


@contextmanager
def _one_moment(request: TablesRequest, work: Work) -> Iterator[tuple[str, str]]:
    """Bring MySQL to a position of PostgreSQL's log, and hold both there; yield snapshot and position."""
    connection = request.source.connection
    with run.back_run(request, work) as held, ExitStack() as stack:
        tables = held.tables()
        slot = temporary_slot_name(request.stream)
        with exported_snapshot(connection, slot, temporary=True, stop=work.stop) as exported:
            _, snapshot = stack.enter_context(shared_snapshot(connection, exported.snapshot, tables))
        held.apply(exported.consistent)
        if not held.tally.reached:
            raise TransientError(
                f"comparing database {request.database!r} on the way back",
                got="a stream that did not reach the snapshot's position in time",
                expected="to apply what had been committed before it",
                state="nothing was compared; what was applied stays",
                remedy="run a sync first, or allow it more time",
                code="6453",
            )
        yield snapshot, lsn_to_text(exported.consistent)


def _compare(request: TablesRequest, work: Work, snapshot: str | None, position: str) -> Comparison:
    connection, count = request.target.connection, request.options.parallel_ranges + 1
    with ExitStack() as stack:
        target = stack.enter_context(closing(open_twin(request)))
        theirs = {table.name: table for table in run.mysql_tables(target, request)}
        ours = stack.enter_context(closing(Sessions("source", request.source.connection, snapshot)))
        with ours.lend() as session:
            there = {table.name: table for table in read_catalog(session, ("*.*",))}
        known = target.tables(request.stream)
        sessions = [stack.enter_context(closing(connect_mysql(connection, raw=True))) for _ in range(count)]
        for each in sessions:
            execute(each, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        options = replace(databases.options_for(request.options), own_text=False)
        return databases.compare_databases(
            [
                (there[name], theirs[name].table if name in theirs else None)
                for name in known
                if name in there
            ],
            _WholeSide(ours),
            MysqlSide(Lent(connection, sessions), theirs, policy_of(connection).zero_dates, "target"),
            mode="snapshot" if snapshot else "frozen",
            options=options,
            work=work,
            position=position,
        )
