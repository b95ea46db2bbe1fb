"""One run of a snapshot, from whatever is noted to all tables copied and the stream ready to go on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from heavylift.errors import ConflictError, TransientError
from heavylift.evidence.records import Finding
from heavylift.tables.model import Table, TableName, demand_some
from heavylift.tables.postgres.catalog import Leaf, read_catalog, read_leaves, read_parts
from heavylift.tables.postgres.connect import where
from heavylift.tables.postgres.copy_format import binary_types
from heavylift.tables.postgres.copy_job import Job
from heavylift.tables.postgres.copy_pool import Pool, empty, shared_snapshot
from heavylift.tables.postgres.copy_progress import Counting, SnapshotProgress
from heavylift.tables.postgres.guard import guard, settle_source
from heavylift.tables.postgres.quiet import demand_no_triggers, quieten
from heavylift.tables.postgres.ranges import read_ranges, storage_of
from heavylift.tables.postgres.replication import exported_snapshot
from heavylift.tables.postgres.resume import (
    Layout,
    demand_empty,
    demand_same_columns,
    note_copied,
    plan_anew,
    plan_mending,
    sort_out,
)
from heavylift.tables.postgres.schema_copy import (
    analyze,
    finish_schema,
    make_before_data,
    make_keys,
    read_schema,
)
from heavylift.tables.postgres.schema_dump import Entry
from heavylift.tables.postgres.sequences import copy_sequences
from heavylift.tables.postgres.slot import (
    drop_slot,
    ensure_publication,
    publish_more,
    publishable,
    temporary_slot_name,
)
from heavylift.tables.postgres.state import (
    Lease,
    StreamPhase,
    StreamState,
    TablePhase,
    names,
    no_stream,
    read_stream,
    read_tables,
    write_stream,
)
from heavylift.tables.postgres.stopping import demand_going_on

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.requests import TablesRequest


class SnapshotRun:
    """Holds what the steps of one run share; the caller holds the lease and closes the sessions.

    ``findings`` and ``sequences`` are what the run leaves behind for its record.
    """

    def __init__(
        self,
        request: TablesRequest,
        source: Session,
        target: Session,
        lease: Lease,
        *,
        stop: threading.Event,
        tell: Callable[[SnapshotProgress], None],
    ) -> None:
        self.request, self.source, self.target, self.lease = request, source, target, lease
        self.stop, self.tell = stop, tell
        self.findings: list[Finding] = []
        self.sequences: dict[str, int] = {}
        self._entries: tuple[Entry, ...] = ()

    def run(self) -> dict[str, int]:
        """Copy what is missing and make the stream ready; return the ranges reused, by table."""
        state = self._state()
        options = self.request.options
        tables = read_catalog(self.source, options.tables, options.exclude)
        demand_some((t.name for t in tables), options.tables, where(self.request.source.connection))
        reused: dict[str, int] = {}
        if state.consistent is None:
            self._make_tables(tables)
            self._begin(tables, state)
        else:
            tables = self._of_the_stream(tables)
            reused = self._resume(tables, state)
        self._finish(tables)
        return reused

    def add(self, tables: Sequence[Table]) -> None:
        """Bring further tables into a stream that is under way."""
        self._make_tables(tables)
        publish_more(self.source, self._state().publication, tables)
        self._copy_later(tables)
        make_keys(self.source, self.request.target.connection, self.request.stream, self._entries, tables)

    def add_parts(self, parts: Sequence[Table], roots: Sequence[Table]) -> None:
        """Bring in partitions that the stream's tables have got since, each with a snapshot of its own.

        Each is published by its name last of all: until then another run finds it new, and goes on.
        """
        self._say("making partitions")
        self._read_schema(roots)
        self.findings += make_before_data(self.request.target.connection, self.request.stream, self._entries)
        demand_same_columns(parts, read_parts(self.target, [part.name for part in parts]))
        self._copy_later(parts)
        publish_more(self.source, self._state().publication, parts)

    def _make_tables(self, tables: Sequence[Table]) -> None:
        self._say("making the schema")
        self._read_schema(tables)
        self.findings += make_before_data(self.request.target.connection, self.request.stream, self._entries)
        demand_same_columns(tables, read_catalog(self.target, ("*.*",)))

    def _read_schema(self, tables: Sequence[Table]) -> None:
        self._entries, left_out = read_schema(self.source, self.request.source.connection, tables)
        self.findings += left_out

    def _begin(self, tables: Sequence[Table], state: StreamState) -> None:
        """Make publication and slot, and copy everything under the slot's own snapshot."""
        self._say("waiting for the slot's snapshot")
        ensure_publication(self.source, state.publication, tables)
        # A slot without a noted position was made by a run that died in between: its snapshot is gone.
        drop_slot(self.source, state.slot)
        self._copy(tables, state.slot, first=True)

    def _resume(self, tables: Sequence[Table], state: StreamState) -> dict[str, int]:
        state = settle_source(self.request, state, source=self.source, target=self.target)
        guard(self.request, state, source=self.source, target=self.target)
        known, ranges = read_tables(self.target, state.id), read_ranges(self.target, state.id)
        reused = {str(n): sum(r.done_at is not None for r in ranges.get(n, ())) for n in known}
        self._make_tables(tables)
        # Partitions that came meanwhile are copied with their tables where these are not complete.
        open_ones = [table for table in tables if known[table.name].phase is not TablePhase.COPIED]
        publish_more(self.source, state.publication, open_ones)
        self._copy_later(tables)
        return reused

    def _copy_later(self, tables: Sequence[Table]) -> None:
        """Copy what is missing under a snapshot of its own, whose slot ends with it."""
        known, ranges = (
            read_tables(self.target, self.request.stream),
            read_ranges(self.target, self.request.stream),
        )
        layout = self._layout(read_leaves(self.source, tables), self._horizon(self.source))
        left = sort_out(tables, known, ranges, layout)
        for table in left.arrived:
            self._note_copied(self.target, table, known[table.name].copied or 0)
        missing = (*left.mended, *left.anew)
        if missing:
            if left.mended:
                make_keys(
                    self.source,
                    self.request.target.connection,
                    self.request.stream,
                    self._entries,
                    left.mended,
                )
            self._copy(missing, temporary_slot_name(self.request.stream), first=False)

    def _copy(self, tables: Sequence[Table], slot: str, *, first: bool) -> None:
        if not quieten(self.target):
            demand_no_triggers(self.target, publishable(tables))
        before = read_leaves(self.source, tables)
        connection = self.request.source.connection
        with ExitStack() as stack:
            with exported_snapshot(connection, slot, temporary=not first, stop=self.stop) as exported:
                holder, snapshot = stack.enter_context(shared_snapshot(connection, exported.snapshot, tables))
            leaves = read_leaves(self.source, tables)
            self._demand_unchanged(tables, before, leaves)
            layout = self._layout(leaves, self._horizon(holder))
            jobs = self._plan(tables, layout, exported.consistent, first=first)
            counting = self._counting(jobs, layout)
            pool = Pool(
                self.request,
                self.lease,
                snapshot=snapshot,
                position=exported.consistent,
                finish=lambda session, table: self._note_copied(session, table, exported.consistent),
                counting=counting,
            )
            pool.run(jobs, self.stop, self.tell)
        with_jobs = {job.table.name for job in jobs}
        for table in tables:
            # Partitioned, without partitions: there is nothing to copy, and it is complete.
            if table.name not in with_jobs:
                self._note_copied(self.target, table, exported.consistent)

    def _plan(self, tables: Sequence[Table], layout: Layout, position: int, *, first: bool) -> list[Job]:
        """Note what is going to be copied under this snapshot; until then nothing speaks of it."""
        stream, binary = self.request.stream, binary_types(self.source, tables)
        known, ranges = read_tables(self.target, stream), read_ranges(self.target, stream)
        left = sort_out(tables, known, ranges, layout)
        with self.target.transaction():
            self.lease.demand(self.target)
            if first:
                write_stream(self.target, replace(self._state(), consistent=position))
            demand_empty(self.target, [table for table in left.anew if table.name not in known])
            empty(self.target, [table for table in left.anew if table.name in known])
            jobs = plan_anew(self.target, stream, left.anew, layout, position, binary)
        return jobs + plan_mending(left.mended, known, ranges, binary)

    def _note_copied(self, session: Session, table: Table, position: int) -> None:
        with session.transaction():
            note_copied(session, self.request.stream, table.name, position)
            self.lease.demand(session)

    def _finish(self, tables: Sequence[Table]) -> None:
        """Build what only complete tables can have, set the sequences, and let the stream go on."""
        demand_going_on(self.stop)
        stream, target = self.request.stream, self.request.target.connection
        if not self._entries:
            self._read_schema(tables)
        self._say("building indexes and constraints")
        make_keys(self.source, target, stream, self._entries, tables)
        if is_settled(self.target, stream):
            guards = quieten(self.target)
            self.findings += finish_schema(
                self.request,
                source=self.source,
                target=self.target,
                guards=guards,
                entries=self._entries,
                stop=self.stop,
            )
        demand_going_on(self.stop)
        self._say("setting sequences, gathering statistics")
        self.sequences = copy_sequences(self.source, self.target, tables, 0)
        analyze(self.target, tables)
        with self.target.transaction():
            self.lease.demand(self.target)
            state = self._state()
            write_stream(
                self.target,
                replace(state, phase=StreamPhase.STREAMING, applied=state.applied or state.consistent),
            )

    def _of_the_stream(self, tables: Sequence[Table]) -> tuple[Table, ...]:
        """Return the tables that the stream began with; later ones are added once it flows."""
        known = read_tables(self.target, self.request.stream)
        gone = set(known) - {table.name for table in tables}
        if gone:
            raise _gone(sorted(gone))
        return tuple(table for table in tables if table.name in known)

    def _demand_unchanged(
        self, tables: Sequence[Table], before: dict[TableName, Leaf], now: dict[TableName, Leaf]
    ) -> None:
        """Refuse tables that were rewritten or changed before they were locked.

        A rewrite by ALTER TABLE shows an older snapshot an empty table: its rows would be lost.
        """
        there = (*read_catalog(self.source, ("*.*",)), *read_parts(self.source, [t.name for t in tables]))
        current = {table.name: table for table in there}
        wrong = [
            table.name
            for table in tables
            if table.name not in current
            or current[table.name].signature != table.signature
            or current[table.name].leaves != table.leaves
            or storage_of(table, before, 0) != storage_of(table, now, 0)
        ]
        if wrong:
            raise _changed(wrong)

    def _layout(self, leaves: dict[TableName, Leaf], horizon: int) -> Layout:
        row = self.source.execute("SELECT current_setting('block_size')::int").fetchone()
        return Layout(
            leaves,
            int(row[0]) if row else 8192,
            self.source.info.server_version,
            self.request.options.range_bytes,
            horizon,
        )

    def _counting(self, jobs: Sequence[Job], layout: Layout) -> Counting:
        tables = read_tables(self.target, self.request.stream)
        left = {job.table.name for job in jobs}
        ranges = read_ranges(self.target, self.request.stream)
        total = sum(len(each) for each in ranges.values())
        done = sum(each.done_at is not None for own in ranges.values() for each in own)
        changed = len(jobs) - (total - done)
        size = sum(layout.leaves[leaf].size_bytes for leaf in {job.range.leaf for job in jobs})
        return Counting(
            tables=len(tables),
            tables_done=len(tables) - len(left),
            ranges=total + changed,
            ranges_done=done,
            size_total=size,
        )

    def _horizon(self, session: Session) -> int:
        row = session.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint").fetchone()
        return int(row[0]) if row else 0

    def _state(self) -> StreamState:
        state = read_stream(self.target, self.request.stream)
        if state is None:
            raise no_stream(self.request.stream)
        return state

    def _say(self, step: str) -> None:
        self.tell(SnapshotProgress(step))
        demand_going_on(self.stop)


def is_settled(target: Session, stream: str) -> bool:
    """Tell whether all tables of a stream are of one moment, so that nothing has to be caught up with."""
    return all(t.copied is not None and t.copied == t.settled for t in read_tables(target, stream).values())


def _changed(tables: Sequence[TableName]) -> TransientError:
    return TransientError(
        "taking the snapshot",
        got=f"tables that were altered, truncated or rewritten while the snapshot was made: {names(tables)}",
        expected="tables that stay as they are until they are copied",
        state="ranges that were finished are noted and stay",
        remedy="run this again",
        code="6113",
    )


def _gone(tables: Sequence[TableName]) -> ConflictError:
    return ConflictError(
        "going on with the snapshot",
        got=f"tables that were dropped, renamed or left out by the patterns: {names(tables)}",
        expected="the tables with which it began",
        state="ranges that were finished are noted and stay",
        remedy="choose them again in the spec, or take the snapshot anew (--anew)",
        code="6145",
    )
