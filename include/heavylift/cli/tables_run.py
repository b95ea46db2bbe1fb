"""What the ``tables`` commands do: act, tell how far, note it in the audit trail, print, and end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from heavylift.cli.output import ExitStatus, finish, mark_touched, note
from heavylift.cli.stores import shell_actor
from heavylift.tables import wording

if TYPE_CHECKING:
    from heavylift.errors import TransientError
    from heavylift.evidence.records import EvidenceRef, Finding, PhaseSummary
    from heavylift.evidence.store import EvidenceStore
    from heavylift.evidence.table_records import PreflightRecord, StreamStatus, SyncRecord
    from heavylift.tables.engine import TablesProgress
    from heavylift.tables.requests import TablesRequest

LINE_EVERY_SECONDS = 2.0


class ProgressLines:
    """A line of progress every few seconds, on standard error."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told_at = clock()

    def __call__(self, progress: TablesProgress) -> None:
        """Take one report."""
        now = self._clock()
        if now - self._told_at >= LINE_EVERY_SECONDS:
            self._told_at = now
            note(wording.progress_line(progress))


def preflight(request: TablesRequest, *, as_json: bool) -> None:
    """Look for what stands in the way, and end: with 1 where something does."""
    from heavylift.aio import run

    record = run(_preflight(request))
    finish(
        {"preflight": record.model_dump(mode="json")},
        text=_preflight_text(record),
        as_json=as_json,
        status=ExitStatus.DONE if record.passed else ExitStatus.FAILED,
    )


def snapshot(request: TablesRequest, *, verify: bool, as_json: bool) -> None:
    """Look, copy, compare, and end: with 0 only if everything was proved equal.

    :param verify: compare afterwards.
    """
    from heavylift.aio import run

    found = run(_preflight(request))
    document: dict[str, Any] = {"preflight": found.model_dump(mode="json")}
    if not found.passed:
        finish(document, text=_preflight_text(found), as_json=as_json, status=ExitStatus.REFUSED)
    if found.findings:
        note(_preflight_text(found))
    mark_touched()
    copied, ref = run(_noted_snapshot(request))
    document |= {"snapshot": copied.model_dump(mode="json"), "evidence": ref.path}
    _prove(request, document, [wording.snapshot_line(copied)], verify=verify, as_json=as_json)


def sync(request: TablesRequest, *, verify: bool, as_json: bool) -> None:
    """Apply what the source has committed until now, and end; with 3 where the time was over first."""
    from heavylift.aio import run

    run(_status(request))
    mark_touched()
    record, ref = run(_noted_sync(request))
    document = {"sync": record.model_dump(mode="json"), "evidence": ref.path}
    lines = [wording.sync_line(record), *(f"  schema    {each}" for each in record.schema_changes)]
    if not record.caught_up:
        finish(document, text="\n".join(lines), as_json=as_json, status=ExitStatus.INTERRUPTED)
    _prove(request, document, lines, verify=verify, as_json=as_json, conclude=verify)


def drain(request: TablesRequest, *, within_seconds: float, as_json: bool) -> None:
    """Apply everything up to the source's position now, and end: with 1 where it was not reached."""
    from heavylift.aio import run
    from heavylift.tables.api import drain_tables

    run(_status(request))
    mark_touched()

    async def act() -> Any:
        record, ref = await drain_tables(request, within_seconds=within_seconds, tell=ProgressLines())
        await note_act(request, "database.drained", ref, wording.drain_figures(record))
        return record, ref

    record, ref = run(act())
    finish(
        {"drain": record.model_dump(mode="json"), "evidence": ref.path},
        text="\n".join([wording.drain_line(record), *_finding_lines(record.findings)]),
        as_json=as_json,
        status=ExitStatus.DONE if record.reached else ExitStatus.FAILED,
    )


def verify(request: TablesRequest, *, frozen: bool, as_json: bool) -> None:
    """Compare both databases, and end: with 1 where they differ."""
    from heavylift.aio import run

    if not frozen:
        # Comparing as of one position applies changes up to it.
        run(_status(request))
        mark_touched()
    record, ref = run(_noted_verification(request, frozen=frozen))
    finish(
        {"verification": record.model_dump(mode="json"), "evidence": ref.path},
        text=f"{wording.verification_line(record)}\nevidence: {ref.path}",
        as_json=as_json,
        status=ExitStatus.DONE if record.passed else ExitStatus.FAILED,
    )


def prepare_reverse(request: TablesRequest, *, as_json: bool) -> None:
    """Make the stream that flows back, before anybody writes to the target, and end."""
    from heavylift.aio import run
    from heavylift.tables import api

    run(_status(request))
    mark_touched()

    async def act() -> Any:
        record, ref = await api.prepare_reverse(request, ProgressLines())
        await note_act(request, "database.reverse_prepared", ref, wording.reverse_figures(record))
        return record, ref

    record, ref = run(act())
    finish(
        {"reverse": record.model_dump(mode="json"), "evidence": ref.path},
        text=f"changes on the target are kept from {record.consistent_position} on,"
        f" for {len(record.tables):,} tables",
        as_json=as_json,
    )


def end(request: TablesRequest, *, as_json: bool) -> None:
    """Give back what the stream holds on its source, and end."""
    from heavylift.aio import run
    from heavylift.tables.api import end_stream

    run(_status(request))
    mark_touched()

    async def act() -> Any:
        record, ref = await end_stream(request)
        details = {"state": record.status.state, "applied_position": record.status.applied_position}
        await note_act(request, "database.stream_ended", ref, details)
        return record, ref

    record, ref = run(act())
    finish(
        {"end": record.model_dump(mode="json"), "evidence": ref.path},
        text="\n".join(wording.status_lines(record.status)),
        as_json=as_json,
    )


def status(request: TablesRequest, *, as_json: bool) -> None:
    """Tell how the streams of both directions stand, and end."""
    from heavylift.aio import run
    from heavylift.tables.api import both_directions, tables_status

    found = run(both_directions(request))
    if not found:
        # Asked again for the error, which says what is missing.
        found = (run(tables_status(request)),)
    told(found, as_json=as_json)


def told(found: tuple[StreamStatus, ...], *, as_json: bool) -> None:
    """Print how streams stand, and end: with 1 where one is invalid."""
    broken = any(each.state == "invalid" for each in found)
    finish(
        {"streams": [each.model_dump(mode="json") for each in found]},
        text="\n".join(line for each in found for line in wording.status_lines(each)),
        as_json=as_json,
        status=ExitStatus.FAILED if broken else ExitStatus.DONE,
    )


def dry_run_of_stream(request: TablesRequest, *, as_json: bool) -> None:
    """Tell what there would be to apply, and end; changes nothing."""
    from heavylift.aio import run

    told((run(_status(request)),), as_json=as_json)


def follow(request: TablesRequest, *, pause_seconds: float, as_json: bool) -> None:
    """Apply changes as they come until somebody stops it, and end with 3."""
    from heavylift.aio import run
    from heavylift.tables.follow import Watching, follow_tables

    run(_status(request))
    mark_touched()
    lines, last = FollowLines(), list[Any]()

    async def keep(record: SyncRecord, ref: EvidenceRef) -> None:
        last[:] = [record.model_dump(mode="json")]
        figures = {**wording.sync_figures(record), "following": True}
        await note_act(request, "database.synced", ref, figures)

    watching = Watching(ProgressLines(), lines.round_done, keep, lines.trouble)
    try:
        run(follow_tables(request, watching, pause_seconds=pause_seconds))
    except KeyboardInterrupt:
        finish(
            {"changes": lines.changes, "sync": last[0] if last else None},
            text=f"stopped; {lines.changes:,} changes were applied. It is safe to run this again.",
            as_json=as_json,
            status=ExitStatus.INTERRUPTED,
        )


class FollowLines:
    """Tells of rounds: of each that brought something, else now and then."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told_at = clock() - 60
        self.changes = 0

    def round_done(self, record: SyncRecord) -> None:
        """Take one round."""
        self.changes += record.changes
        every = LINE_EVERY_SECONDS if record.changes else 60.0
        if self._clock() - self._told_at >= every or record.schema_changes:
            self._told_at = self._clock()
            note(wording.sync_line(record))

    def trouble(self, error: TransientError, wait: float) -> None:
        """Take an error that is waited out."""
        note(f"going on in {wait:g} s: {error}")


async def note_act(request: TablesRequest, action: str, ref: EvidenceRef, details: Mapping[str, Any]) -> None:
    """Append one act of this command to its migration's audit trail."""
    from heavylift.evidence.store import open_evidence

    async with open_evidence(request.evidence_url, request.evidence_connection) as store:
        await _append(store, request, action, ref, details)


async def _append(
    store: EvidenceStore, request: TablesRequest, action: str, ref: EvidenceRef, details: Mapping[str, Any]
) -> None:
    from heavylift.evidence.audit import AuditTrail
    from heavylift.evidence.audit_entry import Act

    act = Act(
        actor=shell_actor(),
        action=action,
        phase=request.run.phase,
        run=request.run.run,
        subject=request.database,
        evidence=(ref,),
        details={
            **details,
            "direction": request.direction.value,
            "source": request.source.connection.conn_id,
            "target": request.target.connection.conn_id,
        },
    )
    await AuditTrail(store, request.run.migration).append(act)


async def _status(request: TablesRequest) -> StreamStatus:
    """Look before anything is touched: connections, credentials and the stream must be there."""
    from heavylift.tables.api import tables_status

    return await tables_status(request)


async def _preflight(request: TablesRequest) -> PreflightRecord:
    from heavylift.tables.api import preflight_tables

    record, ref = await preflight_tables(request, ProgressLines())
    await note_act(request, "database.checked", ref, wording.preflight_figures(record))
    return record


async def _noted_snapshot(request: TablesRequest) -> Any:
    from heavylift.tables.api import snapshot_tables

    record, ref = await snapshot_tables(request, ProgressLines())
    await note_act(request, "database.copied", ref, wording.snapshot_figures(record))
    return record, ref


async def _noted_sync(request: TablesRequest) -> Any:
    from heavylift.tables.api import sync_tables

    record, ref = await sync_tables(request, ProgressLines())
    await note_act(request, "database.synced", ref, wording.sync_figures(record))
    return record, ref


async def _noted_verification(request: TablesRequest, *, frozen: bool) -> Any:
    from heavylift.tables.api import verify_tables

    record, ref = await verify_tables(request, frozen=frozen, tell=ProgressLines())
    await note_act(request, "database.verified", ref, wording.verification_figures(record))
    return record, ref


def _prove(
    request: TablesRequest,
    document: dict[str, Any],
    lines: list[str],
    *,
    verify: bool,
    as_json: bool,
    conclude: bool = True,
) -> None:
    """Compare where that is wanted, keep the run's last word, and end."""
    from heavylift.aio import run

    passed = True
    if verify:
        record, _ref = run(_noted_verification(request, frozen=False))
        document["verification"] = record.model_dump(mode="json")
        lines.append(wording.verification_line(record))
        passed = record.passed
    if conclude:
        summary = run(_conclude(request))
        document["summary"] = summary.model_dump(mode="json")
        passed = passed and (summary.passed or not verify)
    finish(
        document,
        text="\n".join(lines),
        as_json=as_json,
        status=ExitStatus.DONE if passed else ExitStatus.FAILED,
    )


async def _conclude(request: TablesRequest) -> PhaseSummary:
    """Judge the run by its evidence alone, and note it in the audit trail."""
    from heavylift.evidence.store import open_evidence
    from heavylift.gates.summary import summarise, write_summary

    async with open_evidence(request.evidence_url, request.evidence_connection) as store:
        summary = await summarise(store, request.run, [], [], [request.database])
        ref = await write_summary(store, summary)
        await _append(store, request, "run.finished", ref, {"passed": summary.passed})
    return summary


def _preflight_text(record: PreflightRecord) -> str:
    end = "nothing stands in the way" if record.passed else "this cannot be moved as it is"
    return "\n".join([wording.preflight_line(record), *_finding_lines(record.findings), end])


def _finding_lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield what was found, and what to do about it."""
    for finding in findings:
        yield f"  {finding.severity.value.upper():<9} {finding.subject}: {finding.detail}"
        if finding.remedy:
            yield f"  to do     {finding.remedy}"
