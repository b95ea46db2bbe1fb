"""Makes the target's store what the source's is at one moment: tables that are there by row, others whole.

Everything that a run writes is of the same moment. A run that was killed leaves whole tables behind, each
with its digest. The next one brings those to its own moment first, and then copies the rest: a table is
copied after those that it refers to, so what is there never refers to what is not.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from heavylift.evidence.registry_records import (
    RegistryLeftover,
    RegistryMoveRecord,
    RegistryTable,
    RegistryTableProof,
)
from heavylift.platforms.postgresql.connect import connect, where
from heavylift.platforms.postgresql.faults import told_as
from heavylift.platforms.postgresql.stopping import demand_going_on
from heavylift.registry.paths import stores_of
from heavylift.registry.store.catalog import STAGED_AT, StoreTable, in_order, shown
from heavylift.registry.store.catching_up import CatchUp, TableChange
from heavylift.registry.store.digests import TableDigest, table_digest
from heavylift.registry.store.leftovers import leftovers
from heavylift.registry.store.loading import Loaded, load_table, worth_rebuilding
from heavylift.registry.store.making import make_tables
from heavylift.registry.store.moment import Moment, moment_of
from heavylift.registry.store.preflight import Looked, look, refuse
from heavylift.registry.store.proving import table_proofs
from heavylift.registry.store.refusals import no_quarantine, not_copied, touched_by_others
from heavylift.registry.store.sequences import sequences_behind, set_sequences
from heavylift.registry.store.state import Lease, StoreState, leased, note_complete, read_state
from heavylift.registry.work import RegistryProgress, Work
from heavylift.spec.vocabulary import Deletes

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.platforms.postgresql.connect import Session
    from heavylift.registry.requests import RegistryRequest

SERVERS_OWN = frozenset(
    {
        "jobs",
        "sql_assessment_daily_rollups",
        "sql_span_cost_daily_rollups",
        "sql_trace_metric_daily_rollups",
        "sql_trace_rollup_rebuild_queue",
    }
)
"""Tables that a server writes by itself, from what is in the others: its rows there are no one's work."""

_STATE = "every table that was finished is noted on the target; another run goes on from there"


def move_store(request: RegistryRequest, work: Work, act: Literal["copy", "sync"]) -> RegistryMoveRecord:
    """Copy the whole store, or bring a copied one up to date; both go on from whatever is there.

    :raises ConflictError: something stands in the way, or others have written to the target.
    :raises NotFoundError: a sync before the copy is complete.
    """
    return _moved(request, work, act, lambda _moment: None)


def sync_and_prove(
    request: RegistryRequest, work: Work
) -> tuple[RegistryMoveRecord, tuple[RegistryTableProof, ...]]:
    """Bring a copied store up to date, then compare all tables with the source at the very same moment.

    Between databases of which one is written to nothing else can be compared without excuses.

    :raises ConflictError: something stands in the way, or others have written to the target.
    :raises NotFoundError: it has not been copied.
    """
    proofs: list[RegistryTableProof] = []
    record = _moved(request, work, "sync", lambda moment: proofs.extend(table_proofs(request, moment)))
    return record, tuple(proofs)


def move_to(request: RegistryRequest, work: Work, snapshot: str) -> RegistryMoveRecord:
    """Copy what is not there, and bring what is there to the moment of a snapshot that the caller holds.

    :raises ConflictError: something stands in the way, or others have written to the target.
    """
    return _moved(request, work, "copy", lambda _moment: None, snapshot)


def _moved(
    request: RegistryRequest,
    work: Work,
    act: Literal["copy", "sync"],
    then: Callable[[Moment], None],
    snapshot: str | None = None,
) -> RegistryMoveRecord:
    began = time.monotonic()
    looked = look(request)
    refuse(looked.record)
    if request.options.deletes is Deletes.QUARANTINE:
        raise no_quarantine(request)
    if act == "sync" and (looked.state is None or not looked.state.complete):
        raise not_copied(request)
    source, target = stores_of(request)
    if looked.blank and not request.options.dry_run:
        with told_as(f"making the tables of registry {request.registry!r}", "no table was made"):
            make_tables(source, target, looked.sides.source)
        looked = look(request)
        refuse(looked.record)
    with (
        told_as(f"moving registry {request.registry!r}", _STATE),
        leased(target, request.id) as lease,
        moment_of(source, snapshot) as moment,
        _reading(target) as reading,
    ):
        # Read again under the lease: another run may have ended meanwhile.
        run = _Run(request, work, looked, lease, moment, reading, read_state(reading, request.id))
        # Nothing is told before the moment is held: what must not be older than it begins with this.
        run.tell("the moment of the source is held", 0)
        run.move()
        record = run.record(act, began)
        then(moment)
        return record


@contextmanager
def _reading(target: Connection) -> Iterator[Session]:
    with closing(connect(target, "registry target")) as session:
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield session


@dataclass
class _Run:
    request: RegistryRequest
    work: Work
    looked: Looked
    lease: Lease
    moment: Moment
    reading: Session
    state: StoreState | None
    changes: list[TableChange] = field(default_factory=list)
    loaded: dict[str, Loaded] = field(default_factory=dict)
    digests: dict[str, TableDigest] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)
    left: tuple[RegistryLeftover, ...] = ()
    claimed: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    moved_bytes: int = 0
    idle: list[tuple[Session, Session]] = field(default_factory=list)
    open: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        there = self.looked.sides.target.tables
        self.tables = [each for each in in_order(self.looked.sides.source.tables) if each.name in there]
        noted = self.state.tables if self.state is not None else {}
        self.there = [table for table in self.tables if table.name in noted]
        self.to_load = [table for table in self.tables if table.name not in noted]

    def move(self) -> None:
        """Do what is left to be done; nothing is written where nothing is."""
        dry = self.request.options.dry_run
        differing = self._differing()
        if dry:
            return
        if differing:
            self._catch_up(differing)
        # What it has read it holds locks on, which indexes that are made again would wait for.
        self.reading.execute("COMMIT")
        if self.to_load:
            self._claim()
            self._load_all()
        self._finish()

    def record(self, act: Literal["copy", "sync"], began: float) -> RegistryMoveRecord:
        """Return what was done."""
        rows = tuple(self._table(table) for table in self.tables)
        source, target = stores_of(self.request)
        written = sum(each.inserted + each.updated + each.deleted for each in rows)
        return RegistryMoveRecord(
            run=self.request.run,
            registry=self.request.registry,
            act=act,
            source=shown(source),
            target=where(target),
            store_version=self.looked.sides.source.version,
            source_moment=self._moment(),
            tables=rows,
            rows=sum(each.rows for each in rows),
            inserted=sum(each.inserted for each in rows),
            updated=sum(each.updated for each in rows),
            deleted=sum(each.deleted for each in rows),
            kept=sum(each.kept for each in rows),
            written=written,
            sequences=self.sequences,
            uris=self.request.options.uris.pairs,
            leftovers=self.left,
            findings=self.looked.record.findings,
            dry_run=self.request.options.dry_run,
            seconds=time.monotonic() - began,
        )

    def _moment(self) -> datetime:
        staged = self.moment.connection.text(STAGED_AT)
        if staged:
            return datetime.fromisoformat(staged)
        row = self.moment.session.execute("SELECT now()").fetchone()
        found = (row or (None,))[0]
        return found.astimezone(UTC) if isinstance(found, datetime) else datetime.now(UTC)

    def _table(self, table: StoreTable) -> RegistryTable:
        if table.name in self.loaded:
            done = self.loaded[table.name]
            return RegistryTable(
                table=table.name,
                action="copied",
                rows=done.digest.rows,
                inserted=done.digest.rows,
                size_bytes=done.size_bytes,
                digest=str(done.digest),
            )
        change = next((each for each in self.changes if each.table.name == table.name), TableChange(table))
        digest = self.digests.get(table.name, TableDigest())
        changed = change.inserted or change.updated or change.deleted
        return RegistryTable(
            table=table.name,
            action="changed" if changed else "unchanged",
            rows=digest.rows,
            inserted=change.inserted,
            updated=change.updated,
            deleted=change.deleted,
            kept=change.kept,
            digest=str(digest),
        )

    def _claim(self) -> None:
        if not self.claimed:
            source, _ = stores_of(self.request)
            self.lease.claim(shown(source), self.request.options.uris.text())
            self.claimed = True

    def _differing(self) -> list[StoreTable]:
        """Return the tables that are there and differ from the source.

        :raises ConflictError: a table is no longer as it was written.
        """
        sides, uris = self.looked.sides, self.request.options.uris
        noted = self.state.tables if self.state is not None else {}
        touched: list[str] = []
        differing: list[StoreTable] = []
        with ThreadPoolExecutor(1) as pool:
            for number, table in enumerate(self.there):
                demand_going_on(self.work.stop)
                self.tell(f"comparing {table.name}", number)
                wanted = pool.submit(table_digest, self.moment.session, sides.source, table, uris)
                now = table_digest(self.reading, sides.target, table)
                self.digests[table.name] = now
                if now != noted[table.name] and table.name not in SERVERS_OWN:
                    touched.append(table.name)
                if wanted.result() != now:
                    differing.append(table)
        if touched and not self.request.options.overwrite:
            raise touched_by_others(self.request, touched)
        return differing

    def _catch_up(self, differing: list[StoreTable]) -> None:
        _, target = stores_of(self.request)
        self.tell("bringing tables up to date", 0)
        with closing(connect(target, "registry target")) as writing, self.moment.another() as rows_source:
            catching = CatchUp(
                sides=self.looked.sides,
                options=self.request.options,
                lease=self.lease,
                source=self.moment.session,
                rows_source=rows_source,
                reading=self.reading,
                writing=writing,
                stop=self.work.stop,
                claim=self._claim,
            )
            self.changes = catching.run(differing, {name: each.rows for name, each in self.digests.items()})
            for change in self.changes:
                name = change.table.name
                self.digests[name] = catching.written.get(name, self.digests[name])

    def _load_all(self) -> None:
        """Copy what is not there yet, several tables at once, each after those that it refers to."""
        waiting = {table.name: table for table in self.to_load}
        running: dict[Future[Loaded], str] = {}
        with ExitStack() as open_, ThreadPoolExecutor(max(1, self.request.options.parallel)) as pool:
            self.open = open_
            try:
                while waiting or running:
                    for table in self._ready(waiting, set(running.values())):
                        running[pool.submit(self._load, table)] = table.name
                        del waiting[table.name]
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        loaded = future.result()
                        self.loaded[running.pop(future)] = loaded
                        self.tell(loaded.table, len(self.loaded))
            except BaseException:
                self.work.stop.set()
                raise

    def _ready(self, waiting: dict[str, StoreTable], running: set[str]) -> list[StoreTable]:
        """Return the tables that may begin; all of them where they wait in a circle.

        Large ones come last and alone: taking their references away locks what they refer to.
        """
        blocked = set(waiting) | running
        ready = [table for table in waiting.values() if not (table.parents & blocked) - {table.name}]
        if not ready and not running:
            ready = list(waiting.values())
        small = [table for table in ready if not worth_rebuilding(table)]
        if small or running:
            return small
        return sorted(ready, key=lambda table: table.size_bytes)[:1]

    def _load(self, table: StoreTable) -> Loaded:
        with told_as(f"copying table {table.name}", _STATE):
            source, session = self._pair()
            loaded = load_table(
                table,
                self.looked.sides,
                self.request.options.uris,
                source=source,
                target=session,
                lease=self.lease,
                stop=self.work.stop,
                moved=self._moved,
            )
        # Only after success: a session in which something failed is of no more use.
        self.idle.append((source, session))
        return loaded

    def _pair(self) -> tuple[Session, Session]:
        """Return a session with each side: one that another table is done with, or a new one."""
        with self.lock:
            if self.idle:
                return self.idle.pop()
            _, target = stores_of(self.request)
            source = self.open.enter_context(self.moment.another())
            return source, self.open.enter_context(closing(connect(target, "registry target")))

    def _moved(self, size_bytes: int) -> None:
        with self.lock:
            self.moved_bytes += size_bytes
        self.tell("copying", len(self.loaded))

    def _finish(self) -> None:
        """Set counters, look for what is left of the source's URIs, and note that all is there."""
        _, target = stores_of(self.request)
        sides = self.looked.sides
        with closing(connect(target, "registry target")) as session:
            self.sequences = sequences_behind(self.moment.session, session, sides.source, sides.target)
            self._set_sequences(session)
            written = {each.table.name for each in self.changes} | set(self.loaded)
            tables = [table for table in self.tables if table.name in written]
            self.left = tuple(
                RegistryLeftover(table=each.table, column=each.column, prefix=each.prefix, rows=each.rows)
                for each in leftovers(session, sides.target, tables, self.request.options.uris)
            )
            if self.claimed and (self.state is None or not self.state.complete):
                self.lease.demand(session)
                note_complete(session, self.lease)

    def _set_sequences(self, session: Session) -> None:
        if not self.sequences:
            return
        self._claim()
        session.execute("BEGIN")
        # What is set cannot be taken back; so nobody may take the right away meanwhile.
        self.lease.demand(session)
        set_sequences(session, self.looked.sides.target, self.sequences)
        session.execute("COMMIT")

    def tell(self, doing: str, done: int) -> None:
        """Tell how far the run is."""
        self.work.tell(
            RegistryProgress(
                doing=doing,
                tables_done=done,
                tables=len(self.tables),
                rows=sum(each.digest.rows for each in list(self.loaded.values())),
                size_bytes=self.moved_bytes,
                total_bytes=sum(table.size_bytes for table in self.to_load),
            )
        )
