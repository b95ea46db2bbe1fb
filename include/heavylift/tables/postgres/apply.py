"""Applying batches to the target: data and position in one transaction.

Whatever happens, the target is at the end of a source transaction, and the position that it holds is
that end: a batch that was cut off leaves nothing, a batch that was committed is never applied again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from psycopg import errors, sql

from heavylift.tables.postgres.batches import Batch
from heavylift.tables.postgres.batches import origin_of as origin_name
from heavylift.tables.postgres.faults import told_as
from heavylift.tables.postgres.fold import (
    Cascaded,
    Folded,
    Reshaped,
    Segment,
    Shape,
    TableFold,
    Truncated,
)
from heavylift.tables.postgres.keyless_writer import KeylessWriter
from heavylift.tables.postgres.pgoutput import TruncateOption
from heavylift.tables.postgres.quiet import demand_no_triggers, quieten
from heavylift.tables.postgres.target_table import read_target_table
from heavylift.tables.postgres.writer import KeyedWriter, Missing

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.postgres.state import Lease

APPLY_SETTINGS = {
    # Staged rows are few and unanalysed, the table is large: its index is the way.
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "random_page_cost": "1.1",
    "jit": "off",
    "temp_buffers": "64MB",
    "work_mem": "32MB",
}
_RESHUFFLED = (errors.UniqueViolation, errors.ExclusionViolation)
TableWriter = KeyedWriter | KeylessWriter
STATE = "the batch was given up as a whole; the target is at its position before it"


class NewLabelError(Exception):
    """A value is no label of an enum on the target: the source's enum may have got new ones."""


def nothing_cascades(_session: Session, _segment: Cascaded) -> None:
    """Do nothing: PostgreSQL's log has every row that a foreign key has changed."""


class Applier:
    """Applies batches through one session of the target. Used by one thread.

    :param session: in autocommit mode.
    :param reshape: called at each barrier where a table's shape is first seen or has changed; makes the
        target follow, or raises.
    :param heal: called with rows that an update did not find, and where the batch begins.
    :param quiet: the session fires no triggers; else tables that have some are refused.
    :param cascade: does to children what the source's foreign keys did without a word in its log.
    """

    def __init__(
        self,
        session: Session,
        lease: Lease,
        reshape: Callable[[Session, Shape], None],
        heal: Callable[[Session, list[Missing], int], None],
        *,
        quiet: bool,
        cascade: Callable[[Session, Cascaded], None] = nothing_cascades,
    ) -> None:
        self._session = session
        self._cascade = cascade
        self._lease = lease
        self._reshape = reshape
        self._heal = heal
        self._quiet = quiet
        self._writers: dict[int, TableWriter] = {}
        self._dirty: set[int] = set()
        self._pending = 0
        self._open = False
        self.retried = 0

    def apply(self, batch: Batch) -> None:
        """Apply a batch and, where it is complete, commit it with its position.

        :raises ConflictError: another run has taken over.
        :raises NewLabelError: see there; the transaction was rolled back.
        :raises HeavyliftError: the target refused; the transaction was rolled back.
        """
        with told_as("applying changes", STATE):
            try:
                self._apply(batch)
            except BaseException:
                self.give_up()
                raise

    def _apply(self, batch: Batch) -> None:
        session = self._session
        if not self._open:
            session.execute("BEGIN")
            self._open = True
        # First of all, so that a reader of the target's log knows the transaction for ours at once.
        self._lease.advance(session, batch.end_lsn, None, 0)
        if batch.segments:
            self._apply_segments(batch)
        self._pending += batch.changes
        if batch.complete:
            self._lease.advance(session, batch.end_lsn, batch.committed_at, self._pending)
            session.execute("COMMIT")
            self._open = False
            self._pending = 0
            self._dirty.clear()

    def give_up(self) -> None:
        """Roll back what is open, if the session still lives."""
        self._writers.clear()
        self._dirty.clear()
        self._pending = 0
        if self._open and not self._session.closed and not self._session.broken:
            self._session.execute("ROLLBACK")
        self._open = False

    def _apply_segments(self, batch: Batch) -> None:
        self._session.execute("SAVEPOINT batch")
        try:
            self._go_through(batch, rewrite=False)
        except _RESHUFFLED:
            self.retried += 1
            # Tables made for staging within the savepoint go with it.
            self._session.execute("ROLLBACK TO SAVEPOINT batch")
            self._writers.clear()
            self._dirty.clear()
            self._go_through(batch, rewrite=True)
        except errors.InvalidTextRepresentation as error:
            raise NewLabelError from error
        self._session.execute("RELEASE SAVEPOINT batch")

    def _go_through(self, batch: Batch, *, rewrite: bool) -> None:
        for segment in batch.segments:
            self._take(segment, batch.first_lsn, rewrite=rewrite)

    def _take(self, segment: Segment, first_lsn: int, *, rewrite: bool) -> None:
        if isinstance(segment, Folded):
            missing: list[Missing] = []
            for fold in segment.tables.values():
                missing += self._write(fold, rewrite=rewrite)
            if missing:
                self._heal(self._session, missing, first_lsn)
        elif isinstance(segment, Truncated):
            self._truncate(segment)
        elif isinstance(segment, Cascaded):
            self._cascade(self._session, segment)
        else:
            self._reshaped(segment)

    def _write(self, fold: TableFold, *, rewrite: bool) -> list[Missing]:
        shape = fold.shape
        oid = shape.relation.oid
        writer = self._writers.get(oid)
        if writer is None:
            target = read_target_table(self._session, shape.table)
            if not self._quiet:
                demand_no_triggers(self._session, [shape.table])
            kind = KeyedWriter if shape.key else KeylessWriter
            writer = self._writers[oid] = kind(self._session, shape, target)
        if oid in self._dirty:
            writer.clear()
        self._dirty.add(oid)
        return writer.write(fold, rewrite=rewrite)  # type: ignore[arg-type]

    def _truncate(self, barrier: Truncated) -> None:
        tables = sql.SQL(", ").join(
            [sql.SQL("ONLY {}").format(sql.Identifier(t.schema, t.name)) for t in barrier.tables]
        )
        restart = sql.SQL(" RESTART IDENTITY" if TruncateOption.RESTART_IDENTITY in barrier.options else "")
        self._session.execute(sql.SQL("TRUNCATE {}{}").format(tables, restart))

    def _reshaped(self, barrier: Reshaped) -> None:
        self._writers.pop(barrier.shape.relation.oid, None)
        self._reshape(self._session, barrier.shape)


def origin_of(stream: str) -> str:
    """Return the replication origin under which a stream's transactions are known on its target."""
    return origin_name(stream.encode()).decode()


def drop_origin(session: Session, stream: str) -> None:
    """Drop a stream's origin where it exists: servers have room for few."""
    # Looked for first: who may not make one may not call the function either, even for none.
    query = "SELECT 1 FROM pg_replication_origin WHERE roname = %s"
    with told_as(f"dropping the replication origin of stream {stream!r}", "it is still there"):
        if session.execute(query, [origin_of(stream)]).fetchone():
            session.execute("SELECT pg_replication_origin_drop(%s)", [origin_of(stream)])


def prepare_session(session: Session, stream: str) -> tuple[bool, bool]:
    """Set a session up for applying; tell whether it is a replica, and whether it carries our origin.

    As a replica it fires no triggers and checks no foreign keys, which the source has done. The origin
    marks its transactions in the target's log; without it they are known by their first statement. Each
    takes a privilege.
    """
    for name, value in APPLY_SETTINGS.items():
        session.execute(sql.SQL("SET {} = {}").format(sql.Identifier(name), sql.Literal(value)))
    return quieten(session), _takes_origin(session, origin_of(stream))


def _takes_origin(session: Session, origin: str) -> bool:
    try:
        session.execute(
            "SELECT pg_replication_origin_create(%(name)s) WHERE pg_replication_origin_oid(%(name)s) IS NULL",
            {"name": origin},
        )
        session.execute("SELECT pg_replication_origin_session_setup(%s)", [origin])
    except (errors.InsufficientPrivilege, errors.DuplicateObject, errors.ObjectInUse):
        return False
    except errors.ConfigurationLimitExceeded:
        return False
    return True
