"""PostgreSQL as the target of a binary log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from psycopg import sql

from heavylift.errors import IntegrityError
from heavylift.tables.model import Table, TableName
from heavylift.tables.mysql import schema
from heavylift.tables.mysql.catalog import SourceTable
from heavylift.tables.mysql.connect import Policy, policy_of
from heavylift.tables.mysql.copying import do_job
from heavylift.tables.mysql.following import Follower, no_healing
from heavylift.tables.mysql.hands_postgres import PostgresHands
from heavylift.tables.mysql.preflight import preflight
from heavylift.tables.mysql.preflight_postgres import POSTGRES_CHECKS
from heavylift.tables.mysql.ranges import Range, read_ranges, write_ranges
from heavylift.tables.mysql.rowimage import Described
from heavylift.tables.postgres.apply import Applier, NewLabelError, drop_origin, prepare_session
from heavylift.tables.postgres.catalog import read_catalog
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.drain import HEADROOM
from heavylift.tables.postgres.faults import told_as
from heavylift.tables.postgres.quiet import pass_fences, quieten
from heavylift.tables.postgres.schema_notes import FINISHED, ensure_notes
from heavylift.tables.postgres.sequences import advance_past_rows
from heavylift.tables.postgres.state import (
    Lease,
    StreamState,
    TableState,
    ensure_state,
    has_state,
    leased,
    read_stream,
    read_tables,
    write_stream,
    write_table,
)
from heavylift.tables.verify.postgres_side import PostgresSide
from heavylift.tables.verify.sessions import Sessions

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.evidence.records import Finding
    from heavylift.evidence.table_records import PreflightRecord
    from heavylift.tables.mysql.connect import Session as MySession
    from heavylift.tables.mysql.lease import LogLease
    from heavylift.tables.mysql.target import Applying, Copies, Target
    from heavylift.tables.postgres.batches import Batch
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.postgres.fold import Cascaded
    from heavylift.tables.requests import TablesRequest
    from heavylift.tables.verify.side import Side


@dataclass(frozen=True)
class PostgresTarget:
    """A session of a PostgreSQL target; see :class:`heavylift.tables.mysql.target.Target`."""

    session: Session

    def close(self) -> None:
        """End the session."""
        self.session.close()

    def transaction(self) -> AbstractContextManager[object]:
        """Return a transaction."""
        return self.session.transaction()

    def stream(self, stream: str) -> StreamState | None:
        """Return what is known of a stream."""
        return read_stream(self.session, stream)

    def begin(self, state: StreamState) -> None:
        """Make the state's tables, and note a stream unless it is noted."""
        ensure_state(self.session)
        ensure_notes(self.session)
        with self.session.transaction():
            # Of two that begin at once, the second must not write over what the first has noted since.
            self.session.execute("SELECT pg_advisory_xact_lock(hashtext('heavylift.state'))")
            if read_stream(self.session, state.id) is None:
                write_stream(self.session, state)

    def write_stream(self, state: StreamState) -> None:
        """Write a stream's row."""
        write_stream(self.session, state)

    def tables(self, stream: str) -> dict[TableName, TableState]:
        """Return what is known of a stream's tables."""
        return read_tables(self.session, stream) if has_state(self.session) else {}

    def write_table(self, stream: str, state: TableState) -> None:
        """Write a table's row."""
        write_table(self.session, stream, state)

    def ranges(self, stream: str) -> dict[TableName, tuple[Range, ...]]:
        """Return the ranges of a stream's tables."""
        return read_ranges(self.session, stream)

    def write_ranges(self, stream: str, table: TableName, ranges: Sequence[Range]) -> None:
        """Note a table's ranges."""
        write_ranges(self.session, stream, table, ranges)

    def leased(self, stream: str) -> AbstractContextManager[Lease]:
        """Hold the stream for the block."""
        return leased(self.session, stream)

    def demand(self, lease: Lease) -> None:
        """Demand that nobody has taken over."""
        lease.demand(self.session)

    def caught_up(self, lease: LogLease, applied: int, at: datetime) -> None:
        """Note that the target has all that the source had."""
        lease.caught_up(self.session, applied, at)

    def forget(self, lease: Lease) -> None:
        """Drop the stream's tables and notes."""
        with self.session.transaction():
            tables = [sql.Identifier(name.schema, name.name) for name in self.tables(lease.stream)]
            if tables:
                # In one statement, so that foreign keys among them do not matter.
                self.session.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.SQL(", ").join(tables)))
            lease.demand(self.session)
            self.session.execute("DELETE FROM heavylift.stream WHERE id = %s", [lease.stream])

    def make_table(self, _stream: str, table: SourceTable) -> list[Finding]:
        """Make a table with its primary key."""
        return schema.make_table(self.session, table)

    def empty(self, name: TableName) -> None:
        """Take all rows out of a table."""
        self.session.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(name.schema, name.name)))

    def finish(self, stream: str, tables: Sequence[SourceTable]) -> list[Finding]:
        """Make secondary indexes and foreign keys."""
        return schema.finish(self.session, stream, tables)

    def is_finished(self, stream: str) -> bool:
        """Tell whether they are made."""
        return schema.is_finished(self.session, stream)

    def left_out(self, stream: str) -> frozenset[TableName]:
        """Return none: everything that the patterns choose is moved."""
        del stream
        return frozenset()

    def claim(self, stream: str, names: Sequence[TableName]) -> list[TableName]:
        """Return which of some tables are there: what is made is made in the transaction that notes it."""
        del stream
        rows = self.session.execute("SELECT table_schema, table_name FROM information_schema.tables")
        there = {TableName(row[0], row[1]) for row in rows}
        return [name for name in names if name in there]

    def reopen(self, stream: str) -> None:
        """Take back the note that they are made."""
        self.session.execute(
            "DELETE FROM heavylift.stream_schema WHERE stream = %s AND entry = %s", [stream, FINISHED]
        )

    def keys(self) -> dict[TableName, tuple[str, ...]]:
        """Return the primary key of each table, which the snapshot made like the source's."""
        rows = self.session.execute(
            "SELECT n.nspname, c.relname, array_agg(a.attname::text ORDER BY k.ord)"
            " FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            " CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, ord)"
            " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum"
            " WHERE i.indisprimary GROUP BY 1, 2"
        ).fetchall()
        return {TableName(row[0], row[1]): tuple(row[2]) for row in rows}

    def switch_on(self, lease: Lease) -> list[Finding]:
        """Make nothing: triggers and events are not carried over."""
        del lease
        return []

    def advance_numbering(self, table: SourceTable, highest: int) -> tuple[str, int]:
        """Set one identity column's sequence ahead of both sides' highest number; never back."""
        return advance_past_rows(self.session, table.name, table.automatic, highest + HEADROOM)


@dataclass(frozen=True)
class _Applier:
    """Says what a value means that the target does not take."""

    inner: Applier

    @property
    def retried(self) -> int:
        return self.inner.retried

    def apply(self, batch: Batch) -> None:
        try:
            self.inner.apply(batch)
        except NewLabelError as error:
            raise _refused(error) from error

    def give_up(self) -> None:
        self.inner.give_up()


class PostgresProduct:
    """PostgreSQL; see :class:`heavylift.tables.mysql.target.Product`."""

    described: type[Described] = Described

    def policy(self, connection: Connection) -> Policy:
        """Return what the source connection's extra says."""
        return policy_of(connection)

    def told_as(self, what: str, state: str) -> AbstractContextManager[None]:
        """Turn psycopg's errors into Heavylift's."""
        return told_as(what, state)

    def connect(self, request: TablesRequest, purpose: str) -> PostgresTarget:
        """Open a session."""
        session = connect(request.target.connection, purpose)
        with told_as("opening a session of the target", "nothing was touched"):
            pass_fences(session)
        return PostgresTarget(session)

    def preflight(self, request: TablesRequest, source: MySession, target: Target) -> PreflightRecord:
        """Look for what stands in the way."""
        policy = self.policy(request.source.connection)
        with told_as(f"the preflight of database {request.database!r}", "nothing was touched"):
            return preflight(request, POSTGRES_CHECKS, policy, source=source, target=target)

    @contextmanager
    def copier(self, connection: Connection) -> Iterator[Copies]:
        """Open a session that copies ranges by COPY."""
        with closing(connect(connection, "copy")) as session:
            quieten(session)
            yield partial(do_job, target=session)

    @contextmanager
    def applier(self, given: Applying) -> Iterator[_Applier]:
        """Open a session that merges folded changes."""
        stream = given.request.stream
        with closing(connect(given.request.target.connection, "apply")) as session:
            quiet, _has_origin = prepare_session(session, stream)
            follower = Follower(stream, given.states, given.definitions, given.done)

            def cascade(within: Session, segment: Cascaded) -> None:
                given.cascader(PostgresHands(within), segment)

            inner = Applier(session, given.lease, follower, no_healing, quiet=quiet, cascade=cascade)
            try:
                yield _Applier(inner)
            finally:
                inner.give_up()

    def retake(self, stream: str, tables: Iterable[TableName]) -> str:
        """Return what a person runs to have tables copied anew."""
        form = sql.SQL(
            "DROP TABLE IF EXISTS {} CASCADE; DELETE FROM heavylift.stream_table WHERE stream = {}"
            " AND schema_name = {} AND table_name = {}"
        )
        return "; ".join(
            form.format(sql.Identifier(each.schema, each.name), stream, each.schema, each.name).as_string()
            for each in tables
        )

    @contextmanager
    def side(
        self, request: TablesRequest, tables: Sequence[SourceTable]
    ) -> Iterator[tuple[Mapping[TableName, Table], Side]]:
        """Open the target as a side of a comparison."""
        del tables
        theirs = Sessions("target", request.target.connection)
        with connect(theirs.connection, "verify") as session:
            there = {table.name: table for table in read_catalog(session, ("*.*",))}
        yield there, PostgresSide(theirs)

    def numbering_behind(self, request: TablesRequest, tables: Sequence[SourceTable]) -> tuple[str, ...]:
        """Return nothing: the drain sets sequences, and tells each."""
        del request, tables
        return ()

    def end(self, request: TablesRequest) -> None:
        """Drop the stream's replication origin."""
        with closing(connect(request.target.connection, "end")) as session:
            drop_origin(session, request.stream)


def _refused(error: NewLabelError) -> IntegrityError:
    cause = error.__cause__
    return IntegrityError(
        "applying changes",
        got=f"a value that its column's type on the target does not take ({type(cause).__name__})",
        expected="tinyint(1) to hold 0 and 1 only, times within a day, valid JSON",
        state="nothing of this batch was applied; the position stays",
        remedy='correct the rows, or set "tinyint1": "smallint" or "time": "interval" in the source'
        " connection's extra and have the table copied anew",
        code="6442",
    )
