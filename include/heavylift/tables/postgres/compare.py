"""Comparing the two databases of a stream as of one position, also while the source is written to.

With writers at work the source is read under a snapshot that belongs to a position of its log, and the
target is applied exactly to that position and held there: both are then the same moment, and any
difference is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

from heavylift.errors import TransientError
from heavylift.tables.engine import Comparison
from heavylift.tables.model import Table, demand_some
from heavylift.tables.postgres.catalog import read_catalog
from heavylift.tables.postgres.connect import connect, where
from heavylift.tables.postgres.copy_pool import shared_snapshot
from heavylift.tables.postgres.lsn import lsn_to_text
from heavylift.tables.postgres.replication import exported_snapshot
from heavylift.tables.postgres.slot import temporary_slot_name
from heavylift.tables.postgres.sync import stream_run
from heavylift.tables.verify import databases
from heavylift.tables.verify.postgres_side import PostgresSide
from heavylift.tables.verify.sequences import sequences_behind
from heavylift.tables.verify.sessions import Sessions
from heavylift.tables.verify.settle import Settling
from heavylift.tables.verify.tables import Pair
from heavylift.tables.verify.wording import Mode

if TYPE_CHECKING:
    from heavylift.tables.engine import Work
    from heavylift.tables.requests import TablesRequest


def compare_databases(request: TablesRequest, work: Work, *, frozen: bool) -> Comparison:
    """Compare all chosen tables, inside of both databases.

    :param frozen: nobody writes to the source: both sides are read as they are. Otherwise the stream is
        applied to a position and held there, for as long as the comparison takes.
    :raises TransientError: not frozen, and another run is at the stream.
    """
    if frozen:
        return _compare(request, work, "frozen")
    with one_moment(request, work) as (snapshot, position):
        return _compare(request, work, "snapshot", snapshot=snapshot, position=position)


def compare_settling(request: TablesRequest, work: Work, settling: Settling) -> Comparison:
    """Compare all chosen tables while both sides are written to: what differs is looked at again."""
    return _compare(request, work, "settled", settling=settling)


@contextmanager
def one_moment(request: TablesRequest, work: Work) -> Iterator[tuple[str, str]]:
    """Bring the target to a position of the source, and hold both there; yield snapshot and position."""
    connection = request.source.connection
    with stream_run(request, work) as run, ExitStack() as stack:
        run.take_in_new_tables()
        tables = read_catalog(run.sessions.source, request.options.tables, request.options.exclude)
        slot = temporary_slot_name(request.stream)
        with exported_snapshot(connection, slot, temporary=True, stop=work.stop) as exported:
            _holder, snapshot = stack.enter_context(shared_snapshot(connection, exported.snapshot, tables))
        run.apply(exported.consistent)
        if not run.tally.reached:
            raise _out_of_time(request)
        run.settle_parts()
        if run.is_ahead:
            raise _ahead(request)
        run.complete_schema()
        yield snapshot, lsn_to_text(exported.consistent)


def _compare(
    request: TablesRequest,
    work: Work,
    mode: Mode,
    *,
    snapshot: str | None = None,
    position: str = "",
    settling: Settling | None = None,
) -> Comparison:
    with (
        closing(Sessions("source", request.source.connection, snapshot)) as ours,
        closing(Sessions("target", request.target.connection)) as theirs,
    ):
        pairs = _pairs(request, ours, theirs)
        # While the source is written to, its sequences run ahead; that is put right at the drain.
        frozen = mode == "frozen"
        behind = sequences_behind(ours, theirs, [pair[0] for pair in pairs]) if frozen else ()
        return databases.compare_databases(
            pairs,
            PostgresSide(ours),
            PostgresSide(theirs),
            mode=mode,
            options=databases.options_for(request.options, settling),
            work=work,
            position=position,
            sequences_behind=behind,
        )


def _pairs(request: TablesRequest, ours: Sessions, theirs: Sessions) -> Sequence[Pair]:
    options = request.options
    with ours.lend() as session:
        tables = read_catalog(session, options.tables, options.exclude)
    demand_some((table.name for table in tables), options.tables, where(request.source.connection))
    with connect(theirs.connection, "verify") as session:
        there: dict[object, Table] = {table.name: table for table in read_catalog(session, ("*.*",))}
    return [(table, there.get(table.name)) for table in tables]


def _ahead(request: TablesRequest) -> TransientError:
    return TransientError(
        f"comparing database {request.database!r}",
        got="tables or partitions that joined the stream, or rows that were fetched, after the snapshot",
        expected="everything on the target as of the snapshot's position",
        state="nothing was compared; what was applied stays",
        remedy="run this again: the next snapshot is taken behind them",
        code="6155",
    )


def _out_of_time(request: TablesRequest) -> TransientError:
    return TransientError(
        f"comparing database {request.database!r}",
        got="a stream that did not reach the snapshot's position in time",
        expected="to apply what had been committed before it",
        state="nothing was compared; what was applied stays",
        remedy="run a sync first, or allow it more time",
        code="6045",
    )
