"""An engine that moves rows between two dictionaries: what stands behind it is not its users' business."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal

from heavylift.connections import Connection
from heavylift.errors import NotFoundError
from heavylift.evidence.records import Finding, RunKey, Severity, utc_now
from heavylift.evidence.table_records import (
    DrainRecord,
    PreflightRecord,
    ReverseRecord,
    SnapshotRecord,
    StreamStatus,
    SyncRecord,
    TableComparison,
    TableCount,
    TableDifference,
)
from heavylift.spec.sections_data import DatabaseEngine
from heavylift.tables.engine import Comparison, TablesProgress, Work
from heavylift.tables.requests import DatabaseSideRequest, Direction, TablesOptions, TablesRequest

Rows = dict[int, str]
Kind = Literal["missing", "extra", "different"]
TABLE = "public.features"


@dataclass
class FakeEngine:
    """One table on two sides, a log of changes, and what was applied of it; by direction.

    :param blockers: what the preflight finds.
    :param fail: raised by the next acts, one each.
    :param stop_at: rows after which an act asks whether it is to stop, and waits for that.
    """

    source: Rows = field(default_factory=lambda: {number: f"row {number}" for number in range(10)})
    target: Rows = field(default_factory=dict)
    log: list[tuple[int, str | None]] = field(default_factory=list)
    applied: int | None = None
    reverse_prepared: bool = False
    ended: bool = False
    blockers: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    fail: list[Exception] = field(default_factory=list)
    stop_at: int | None = None
    calls: list[str] = field(default_factory=list)
    sequences_behind: tuple[str, ...] = ()
    drains: bool = True
    drain_findings: tuple[Finding, ...] = ()

    def write(self, key: int, value: str | None) -> None:
        """Change a row on the source, as an application does."""
        if value is None:
            self.source.pop(key, None)
        else:
            self.source[key] = value
        self.log.append((key, value))

    def _begin(self, act: str, request: TablesRequest) -> None:
        self.calls.append(f"{request.direction.value}.{act}")
        if self.fail:
            raise self.fail.pop(0)

    def preflight(self, request: TablesRequest, work: Work) -> PreflightRecord:
        self._begin("preflight", request)
        findings = [
            Finding(rule="fake", severity=severity, subject=TABLE, detail=text, remedy="mend it")
            for severity, texts in ((Severity.BLOCKER, self.blockers), (Severity.WARNING, self.warnings))
            for text in texts
        ]
        return PreflightRecord(
            run=request.run, database=request.database, direction=request.direction.value,
            source="source", target="target", source_version="16.1", target_version="17.2",
            engine="changes", engine_reason="it is the only one", tables=1,
            row_estimate=len(self.source), size_bytes=1000, findings=tuple(findings),
            passed=not self.blockers,
        )  # fmt: skip

    def snapshot(self, request: TablesRequest, work: Work) -> SnapshotRecord:
        self._begin("snapshot", request)
        if request.options.anew:
            self.target.clear()
            self.applied = None
        began, reused = utc_now(), len(self.target)
        already = self.applied is not None
        for done, (key, value) in enumerate(list(self.source.items()), start=1):
            if not already:
                self.target[key] = value
            work.tell(TablesProgress("copy", done, len(self.source)))
            self._wait_to_be_stopped(done, work)
        if self.applied is None:
            self.applied = len(self.log)
        return SnapshotRecord(
            run=request.run, database=request.database, direction=request.direction.value,
            engine="changes", started_at=began, ended_at=utc_now(),
            consistent_position=position(self.applied), settled_position=position(self.applied),
            tables=(TableCount(table=TABLE, rows=len(self.target), size_bytes=1000, ranges=2,
                               ranges_reused=1 if reused else 0),),
            rows=len(self.target), size_bytes=1000, already_complete=already,
        )  # fmt: skip

    def _wait_to_be_stopped(self, done: int, work: Work) -> None:
        if done == self.stop_at:
            self.stop_at = None
            work.stop.wait(10)
        work.check("the fake's work")

    def sync(self, request: TablesRequest, work: Work) -> SyncRecord:
        self._begin("sync", request)
        before = self._applied(request)
        began, upto, count = utc_now(), len(self.log), 0
        for done, (key, value) in enumerate(self.log[before:upto], start=1):
            self._apply(key, value)
            self.applied = before + done
            count += 1
            work.tell(TablesProgress("changes", done, lag_bytes=upto - before - done))
            self._wait_to_be_stopped(done, work)
        return SyncRecord(
            run=request.run, database=request.database, direction=request.direction.value,
            engine="changes", started_at=began, from_position=position(before),
            upto_position=position(upto), applied_position=position(upto), caught_up=True,
            transactions=count, updates=count, batches=min(1, count), tables={TABLE: count} if count else {},
        )  # fmt: skip

    def _applied(self, request: TablesRequest) -> int:
        reverse = request.direction is Direction.REVERSE
        if self.applied is None or (reverse and not self.reverse_prepared):
            raise NotFoundError("looking up the stream", got="nothing noted of it", code="6021")
        return self.applied

    def _apply(self, key: int, value: str | None) -> None:
        if value is None:
            self.target.pop(key, None)
        else:
            self.target[key] = value

    def drain(self, request: TablesRequest, work: Work, *, within_seconds: float) -> DrainRecord:
        record = self.sync(request, work) if self.drains else None
        return DrainRecord(
            run=request.run, database=request.database, direction=request.direction.value,
            started_at=utc_now(), upto_position=position(len(self.log)),
            applied_position=record.applied_position if record else position(0), reached=self.drains,
            sequences={"public.features_id_seq": 1042}, seconds=0.1, findings=self.drain_findings,
        )  # fmt: skip

    def compare(self, request: TablesRequest, work: Work, *, frozen: bool) -> Comparison:
        self._begin("compare", request)
        if not frozen:
            self.sync(request, work)
        found = [_difference(key, self.source, self.target) for key in {**self.source, **self.target}]
        differences = tuple(each for each in found if each is not None)
        kinds = [each.kind for each in differences]
        table = TableComparison(
            table=TABLE, source_rows=len(self.source), target_rows=len(self.target),
            equal=len(found) - len(differences), missing=kinds.count("missing"), extra=kinds.count("extra"),
            different=kinds.count("different"), columns=2, method="in memory",
        )  # fmt: skip
        return Comparison(
            mode="frozen" if frozen else "snapshot",
            position=position(self.applied or 0),
            tables=(table,),
            differences=differences,
            difference_count=len(differences),
            sequences_behind=self.sequences_behind,
            statement="every row of one table was compared",
        )

    def prepare_reverse(self, request: TablesRequest, work: Work) -> ReverseRecord:
        self._begin("prepare_reverse", request)
        self.reverse_prepared = True
        return ReverseRecord(
            run=request.run, database=request.database, act="prepared", slot="slot", publication="pub",
            consistent_position=position(len(self.log)), tables=(TABLE,),
        )  # fmt: skip

    def status(self, request: TablesRequest) -> StreamStatus:
        behind = len(self.log) - self._applied(request)
        return StreamStatus(
            stream=request.stream, direction=request.direction.value, engine="changes",
            state="ended" if self.ended else "streaming", applied_position=position(self.applied or 0),
            source_position=position(len(self.log)), lag_bytes=behind * 100, lag_seconds=float(behind),
            lag_rows=behind, retained_bytes=behind * 100, tables=1, tables_copied=1, ranges=2, ranges_done=2,
        )  # fmt: skip

    def end(self, request: TablesRequest) -> StreamStatus:
        self._begin("end", request)
        self.ended = True
        return self.status(request)


def _difference(key: int, source: Rows, target: Rows) -> TableDifference | None:
    there: dict[tuple[bool, bool], Kind] = {(True, False): "missing", (False, True): "extra"}
    kind = there.get((key in source, key in target))
    if kind is None and source[key] != target[key]:
        kind = "different"
    return TableDifference(table=TABLE, kind=kind, key={"id": str(key)}) if kind else None


def position(number: int) -> str:
    """Return a position as PostgreSQL writes it."""
    return f"0/{number:X}"


def fake_request(evidence_url: str, phase: str = "transfer", **options: object) -> TablesRequest:
    """Return a request whose connections lead nowhere."""
    sides = [
        DatabaseSideRequest(
            DatabaseEngine.POSTGRESQL,
            Connection(name, "postgres", login="u", password="s3cr3t", host="127.0.0.1", port=1, schema="db"),
        )
        for name in ("features_source", "features_target")
    ]
    return TablesRequest(
        run=RunKey(migration="small", phase=phase, run="r1"),
        database="features",
        source=sides[0],
        target=sides[1],
        evidence_url=evidence_url,
        evidence_connection=None,
        options=TablesOptions(**options),  # type: ignore[arg-type]
    )


def wait_until(holds: object, seconds: float = 10) -> None:
    """Wait until a callable returns something true."""
    ends = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        if time.monotonic() > ends:
            raise TimeoutError("it did not come true in time")
        time.sleep(0.005)
