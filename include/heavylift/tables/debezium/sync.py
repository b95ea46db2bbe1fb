"""One bounded run of a stream: apply what the topics hold now, then leave."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from heavylift.errors import ConflictError, IntegrityError, PermanentError
from heavylift.evidence.records import Finding, utc_now
from heavylift.evidence.table_records import SyncRecord
from heavylift.kafka.cluster import Cluster
from heavylift.tables.debezium.notes import Seen, TopicLease, read_marks, total, write_marks
from heavylift.tables.debezium.places import Mark
from heavylift.tables.debezium.reading import TopicReader
from heavylift.tables.debezium.stream import Counted, TopicStream, opened
from heavylift.tables.debezium.topics import (
    Ends,
    LostRecordsError,
    Topic,
    chosen_topics,
    demand_whole,
    ends_of,
    lost,
    prefix_of,
    source_cluster,
)
from heavylift.tables.engine import TablesProgress
from heavylift.tables.postgres.apply import Applier, NewLabelError, prepare_session
from heavylift.tables.postgres.applying import apply_all
from heavylift.tables.postgres.batches import Assembler
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.faults import told_as
from heavylift.tables.postgres.fold import Shape
from heavylift.tables.postgres.guard import demand_valid
from heavylift.tables.postgres.lsn import lsn_to_text
from heavylift.tables.postgres.preflight_common import remark
from heavylift.tables.postgres.pump import Tally, stream_of
from heavylift.tables.postgres.reader import Reader
from heavylift.tables.postgres.state import (
    StreamPhase,
    StreamState,
    TablePhase,
    TableState,
    leased,
    read_tables,
    write_stream,
    write_table,
)
from heavylift.tables.postgres.target_table import read_target_table

if TYPE_CHECKING:
    from heavylift.tables.engine import Work
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.postgres.writer import Missing
    from heavylift.tables.requests import TablesRequest

_WHAT = "applying Debezium's events"
_STATE = "what was committed on the target stays, and the position with it"


@dataclass
class StreamRun:
    """A stream that is held by this run; made by :func:`stream_run`."""

    request: TablesRequest
    work: Work
    cluster: Cluster
    control: Session
    lease: TopicLease
    begun_at: StreamState
    tally: Tally
    counted: Counted = field(default_factory=Counted)

    def apply(self, *, within_seconds: float | None = None) -> int:
        """Apply every record that the topics hold now; return their ends as one number."""
        asked_at = utc_now()
        seconds = [s for s in (within_seconds, self.request.options.max_seconds) if s is not None]
        until = time.monotonic() + min(seconds) if seconds else None
        topics = chosen_topics(self.request, self.cluster)
        ends = ends_of(self.cluster, {n: t for n, t in topics.items() if t.partitions == 1})
        marks = self._marks(topics, ends)
        self._pump(marks, ends, until)
        if self.tally.reached:
            with self.control.transaction():
                self.lease.caught_up(self.control, ends.position, asked_at)
            self.tally.applied = max(self.tally.applied, ends.position)
        return ends.position

    def marks(self) -> dict[str, Mark]:
        """Return how far each topic has been applied."""
        return read_marks(self.control, self.request.stream)

    def findings(self) -> tuple[Finding, ...]:
        """Return what is worth knowing of what was read."""
        if not self.counted.repeated:
            return ()
        detail = f"{self.counted.repeated} events were there already, and were dropped"
        return (remark("events-repeated", "source", detail),)

    def _marks(self, topics: dict[str, Topic], ends: Ends) -> dict[str, Mark]:
        """Return where each topic goes on; new ones join at their beginning."""
        marks = self.marks()
        try:
            demand_whole(marks, topics, ends)
        except LostRecordsError as error:
            state = stream_of(self.control, self.request)
            write_stream(self.control, replace(state, phase=StreamPhase.INVALID, reason=str(error)))
            raise lost(state.id, error) from error
        new = [Mark(name, topic.table, topic.id) for name, topic in topics.items() if name not in marks]
        known = read_tables(self.control, self.request.stream)
        is_open = self.begun_at.phase is StreamPhase.STREAMING
        phase = TablePhase.COPIED if is_open else TablePhase.COPYING
        with self.control.transaction():
            self.lease.demand(self.control)
            write_marks(self.control, self.request.stream, new)
            for mark in new:
                if mark.table not in known:
                    table = TableState(mark.table, phase, (), copied=0)
                    write_table(self.control, self.request.stream, table)
        return marks | {mark.topic: mark for mark in new}

    def _pump(self, marks: dict[str, Mark], ends: Ends, until: float | None) -> None:
        connection = self.request.target.connection
        with closing(connect(connection, "apply")) as session:
            readers = {
                name: TopicReader(number, mark, read_target_table(session, mark.table))
                for number, (name, mark) in enumerate(sorted(marks.items()), start=1)
            }
            quiet, _has_origin = prepare_session(session, self.request.stream)
            applier = Applier(session, self.lease, _no_reshaping, _no_healing, quiet=quiet)

            def open_stream() -> AbstractContextManager[TopicStream]:
                return opened(self.cluster, readers, ends.end, self.lease.seen, self.counted)

            start = total(marks.values())
            assembler = Assembler(start, {}, lambda _table: 0, self.request.options.batch_changes, "")
            reader = Reader(open_stream, assembler, ends.position, until, self.work.stop)
            reader.start()
            try:
                apply_all(reader, applier, self.tally, ends.position, lambda: self._tell(ends.position))
            except NewLabelError as error:
                raise _refused(error) from error
            finally:
                self.tally.retried += applier.retried
                applier.give_up()
                reader.finish()

    def _tell(self, upto: int) -> None:
        tally = self.tally
        done, seconds = tally.kinds.total(), time.monotonic() - tally.began
        self.work.tell(
            TablesProgress(
                step="changes",
                rows_done=done,
                rows_per_second=done / seconds if seconds else 0.0,
                detail=f"{tally.applied:,} of {upto:,} records",
            )
        )


@contextmanager
def held(request: TablesRequest, work: Work) -> Iterator[StreamRun]:
    """Take hold of a stream for the block, whether its snapshot is complete or not.

    :raises NotFoundError: the stream was never begun.
    :raises TransientError: another run is at it.
    :raises PermanentError: the stream is invalid, or the broker is another one.
    """
    with told_as(_WHAT, _STATE), ExitStack() as stack:
        cluster = source_cluster(request.source.connection)
        control = stack.enter_context(closing(connect(request.target.connection, "lease")))
        stream_of(control, request)
        lease = stack.enter_context(leased(control, request.stream))
        state = stream_of(control, request)
        demand_valid(state)
        demand_system(request, cluster, state)
        tally = Tally(applied=state.applied or 0, applied_at=state.applied_at)
        ours = TopicLease(lease.stream, lease.epoch, Seen())
        yield StreamRun(request, work, cluster, control, ours, state, tally)


@contextmanager
def stream_run(request: TablesRequest, work: Work) -> Iterator[StreamRun]:
    """Take hold of a stream whose snapshot is complete; see :func:`held`.

    :raises ConflictError: it is not.
    """
    with held(request, work) as run:
        if run.begun_at.phase is not StreamPhase.STREAMING:
            raise _still_copying(run.begun_at)
        yield run


def sync_changes(request: TablesRequest, work: Work) -> SyncRecord:
    """Apply every record that the topics hold now, and none after.

    Idempotent: the offsets lie in the target, in the same transactions as the changes. On failure the
    target holds what the records before its offsets say, and the next run goes on from there.

    :raises NotFoundError: the stream was never begun.
    :raises PermanentError: the topics have lost records.
    :raises TransientError: another run is at it, or a server or the network has gone.
    """
    started, clock = utc_now(), time.monotonic()
    with stream_run(request, work) as run:
        upto = run.apply()
        tally = run.tally
        late = 0.0
        if not tally.reached and tally.applied_at is not None:
            late = max(0.0, (utc_now() - tally.applied_at).total_seconds())
        return SyncRecord(
            run=request.run,
            database=request.database,
            direction=request.direction.value,
            engine=run.begun_at.engine,
            started_at=started,
            from_position=lsn_to_text(run.begun_at.applied or 0),
            upto_position=lsn_to_text(upto),
            applied_position=lsn_to_text(tally.applied),
            caught_up=tally.reached,
            inserts=tally.kinds["inserts"],
            updates=tally.kinds["updates"],
            deletes=tally.kinds["deletes"],
            truncates=tally.kinds["truncates"],
            skipped=tally.skipped,
            batches=tally.batches,
            batches_retried=tally.retried,
            lag_seconds=late,
            tables={str(name): number for name, number in sorted(tally.tables.items())},
            seconds=time.monotonic() - clock,
            findings=run.findings(),
        )


def system_of(request: TablesRequest, cluster: Cluster) -> str:
    """Return what tells these topics from others: the cluster's name for itself, and the prefix."""
    return f"kafka {cluster.cluster_id()} {prefix_of(request.source.connection)}"


def demand_system(request: TablesRequest, cluster: Cluster, state: StreamState) -> None:
    """Refuse another broker, whose offsets mean something else.

    :raises PermanentError: it is another.
    """
    system = system_of(request, cluster)
    if system != state.source_system:
        raise PermanentError(
            f"going on with stream {state.id!r}",
            got=f"the topics of {system}",
            expected=f"those of {state.source_system}, which the stream began with",
            state="nothing was touched",
            remedy="correct the source's connection; where the topics have moved, take the snapshot anew"
            " (--anew)",
            retry_safe=False,
            code="6718",
        )


def _no_reshaping(_session: Session, _shape: Shape) -> None:
    """Do nothing: what the events' columns are was compared with the target's when they were read."""


def _no_healing(_session: Session, missing: list[Missing], _first: int) -> None:
    if missing:
        raise IntegrityError(
            f"applying Debezium's events of {missing[0].shape.table}",
            got="a change that does not repeat a large value, of a row that the target has not",
            expected="the row, as an earlier event brought it",
            state="nothing of this batch was applied; the position stays",
            remedy="somebody else has written to the table on the target, or the connector left events out:"
            " let it take its snapshot anew under another topic.prefix, then take the snapshot here anew"
            " (--anew)",
            code="6719",
        )


def _refused(error: NewLabelError) -> IntegrityError:
    cause = error.__cause__
    return IntegrityError(
        _WHAT,
        got=f"a value that its column's type on the target does not take ({type(cause).__name__})",
        expected="values of the target's types: labels of its enums, valid JSON, numbers",
        state="nothing of this batch was applied; the position stays",
        remedy="give the target's column a type that holds what the source has (ALTER TYPE … ADD VALUE for a"
        " new label), then run this again",
        code="6720",
    )


def _still_copying(state: StreamState) -> ConflictError:
    return ConflictError(
        f"going on with stream {state.id!r}",
        got="a snapshot that is not complete",
        expected="a complete snapshot",
        state="nothing was touched",
        remedy="run the snapshot again: it goes on where it stopped",
        code="6721",
    )
