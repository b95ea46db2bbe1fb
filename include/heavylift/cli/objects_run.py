"""One whole run of ``objects copy`` or ``sync``, from the plan to the last word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from heavylift.cli.objects_cleanup import note_cleaning
from heavylift.cli.objects_text import failed, gone, planned, renewed, verified, warnings
from heavylift.cli.output import ExitStatus, finish, mark_touched, note
from heavylift.cli.processes import in_process
from heavylift.cli.stores import shell_actor
from heavylift.errors import HeavyliftError

if TYPE_CHECKING:
    from heavylift.evidence.audit import AuditTrail
    from heavylift.evidence.records import DeletesRecord, EvidenceRef, PhaseSummary, PlanRecord, ShardResult
    from heavylift.evidence.store import EvidenceStore

_LARGE_BYTES = 2**20
"""Objects of such a size on average need what small ones do without."""


def copy_and_prove(request: Any, *, as_json: bool, processes: int | None = None, wait: bool = True) -> None:
    """Plan, copy, verify and conclude one transfer, and end the command.

    :param processes: how many copy at once; None leaves it to the machine, and to how busy it is.
    :param wait: where the time window is closed, wait for it; otherwise stop and tell.
    """
    from heavylift.aio import run
    from heavylift.checksums import crc32c_of
    from heavylift.cli.copying import copy_shards, processes_for, room_for, spread_over
    from heavylift.objects.api import plan_transfer, proved_before, verify_and_clean

    request = spread_over(request, processes_for(request, processes))
    _load_beforehand(request, comparing=not run(proved_before(request)))
    plan = in_process(lambda _tell: run(plan_transfer(request)))
    if request.options.dry_run:
        run(note_plan(request))
        finish({"plan": plan.model_dump(mode="json")}, text=planned(plan), as_json=as_json)
    _warn(plan)
    mark_touched()
    if plan.same_as is None:
        _load_beforehand(request, comparing=True)
    if plan.to_copy.size_bytes > _LARGE_BYTES * plan.to_copy.objects:
        crc32c_of(memoryview(bytes(_LARGE_BYTES)))  # which loads what large objects need
    copied = copy_shards(request, plan, wait=wait, room=room_for(request, processes))
    document = {
        "plan": plan.model_dump(mode="json"),
        "shards": [r.model_dump(mode="json", exclude={"samples"}) for r in copied.results],
        "errors": [e.attrs() for e in copied.errors],
    }
    if copied.closed is not None:
        finish(
            {**document, "window": {"opens_at": copied.closed.opens_at, **copied.closed.attrs()}},
            text=f"{planned(plan)}\nthe time window is closed: {copied.closed.state}\n"
            f"run this again from {copied.closed.opens_at} on; it does only the rest",
            as_json=as_json,
            status=ExitStatus.INTERRUPTED,
        )
    dealt, errors = _deal_with_gone(request, plan, copied.errors)
    record, cleaning = in_process(lambda _tell: run(verify_and_clean(request)))
    note_cleaning(cleaning)
    summary = run(_conclude(request, cleaning))
    unfinished = run(_unfinished(request)) if copied.errors else []
    passed = summary.passed and not errors
    finish(
        {
            **document,
            "shards": [
                r.model_dump(mode="json", exclude={"samples"}) for r in (*copied.results, *unfinished)
            ],
            "errors": [e.attrs() for e in errors],
            "deletes": dealt.model_dump(mode="json") if dealt else None,
            "verification": record.model_dump(mode="json"),
            "uploads": cleaning.model_dump(mode="json"),
            "summary": summary.model_dump(mode="json"),
        },
        text="\n".join(
            [planned(plan), *renewed(copied.results), *failed(unfinished), *gone(dealt), verified(record)]
        ),
        as_json=as_json,
        status=ExitStatus.DONE if passed else ExitStatus.FAILED,
    )


def _warn(plan: PlanRecord) -> None:
    """Tell before anything moves what will not come out; the plan's own text follows only at the end."""
    for line in warnings(plan):
        note(line.strip())


def _load_beforehand(request: Any, *, comparing: bool) -> None:
    """Import and build here, once, what each of the processes will need.

    :param comparing: rows will be compared. DuckDB takes a third of a second, which a run of nothing
        new can do without.
    """
    if comparing:
        import duckdb  # noqa: F401

    from heavylift.aio import loop_factory
    from heavylift.checksums import crc32c_of
    from heavylift.evidence.records import EvidenceRef, PlanRecord, ShardResult, VerificationRecord
    from heavylift.platforms.wiring import load_adapter

    loop_factory()
    crc32c_of(b"")
    for record in (EvidenceRef, PlanRecord, ShardResult, VerificationRecord):
        record.model_rebuild()
    for place in (request.source, request.target):
        load_adapter(place.location.scheme)


def _deal_with_gone(
    request: Any, plan: PlanRecord, errors: Sequence[HeavyliftError]
) -> tuple[DeletesRecord | None, list[HeavyliftError]]:
    """Carry out the plan's deletions, unless the copy has failed; return them and all errors so far."""
    from heavylift.aio import run
    from heavylift.objects.api import delete_gone

    if not plan.to_delete.objects or errors:
        return None, list(errors)
    try:
        return in_process(lambda _tell: run(delete_gone(request))), []
    except HeavyliftError as error:
        note(str(error))
        return None, [error]


async def _unfinished(request: Any) -> list[ShardResult]:
    """Return what came of the shards that failed: their errors tell of one object each, these of all."""
    from heavylift.evidence.run_evidence import is_complete, read_dataset
    from heavylift.evidence.store import open_evidence

    async with open_evidence(request.evidence_url, request.evidence_connection) as store:
        kept = await read_dataset(store, request.run, request.dataset)
    return [each.record for each in kept.shards.values() if not is_complete(each.record)]


async def note_plan(request: Any) -> None:
    """Note in the audit trail that a plan was made and nothing more."""
    from heavylift.evidence.paths import plan_path
    from heavylift.evidence.records import PlanRecord
    from heavylift.evidence.run_evidence import read_kept
    from heavylift.evidence.store import open_evidence

    async with open_evidence(request.evidence_url, request.evidence_connection) as store:
        kept = await read_kept(store, plan_path(request.run, request.dataset), PlanRecord)
        if kept is not None:
            await _note_looked(store, request, "plan.written", kept.ref, {"dry_run": True})


async def note_verification(request: Any) -> None:
    """Note in the audit trail how a verification that stands alone has ended."""
    from heavylift.evidence.paths import verification_path
    from heavylift.evidence.records import VerificationRecord
    from heavylift.evidence.run_evidence import read_latest
    from heavylift.evidence.store import open_evidence

    async with open_evidence(request.evidence_url, request.evidence_connection) as store:
        kept = await read_latest(
            store, lambda number: verification_path(request.run, request.dataset, number), VerificationRecord
        )
        if kept is not None:
            passed = {"passed": kept.record.passed}
            await _note_looked(store, request, "dataset.verified", kept.ref, passed)


async def _note_looked(
    store: EvidenceStore, request: Any, action: str, ref: EvidenceRef, details: dict[str, Any]
) -> None:
    from heavylift.evidence.audit import AuditTrail
    from heavylift.evidence.audit_entry import Act

    places = {"source": str(request.source.location), "target": str(request.target.location)}
    await AuditTrail(store, request.run.migration).append(
        Act(
            actor=shell_actor(),
            action=action,
            phase=request.run.phase,
            run=request.run.run,
            subject=request.dataset,
            evidence=(ref,),
            details=places | details,
        )
    )


async def _conclude(request: Any, cleaning: Any) -> PhaseSummary:
    """Judge the run by its evidence alone, and note it in the audit trail."""
    from heavylift.evidence.audit import AuditTrail
    from heavylift.evidence.audit_entry import Act
    from heavylift.evidence.store import open_evidence
    from heavylift.gates.summary import summarise, write_summary

    async with open_evidence(request.evidence_url, request.evidence_connection) as store:
        trail = AuditTrail(store, request.run.migration)
        await _note_deletes(store, trail, request)
        summary = await summarise(store, request.run, [request.dataset], [])
        ref = await write_summary(store, summary)
        await trail.append(
            Act(
                actor=shell_actor(),
                action="run.finished",
                phase=request.run.phase,
                run=request.run.run,
                subject=request.dataset,
                evidence=(ref,),
                details={
                    "source": str(request.source.location),
                    "target": str(request.target.location),
                    "passed": summary.passed,
                    "uploads_aborted": cleaning.aborted,
                    "state_root": summary.roots.get(request.dataset, ""),
                },
            )
        )
    return summary


async def _note_deletes(store: EvidenceStore, trail: AuditTrail, request: Any) -> None:
    """Note in the audit trail what went from the target, also where some of it failed."""
    from heavylift.evidence.audit_entry import Act
    from heavylift.evidence.deletions import deletion_details
    from heavylift.evidence.paths import deletes_path
    from heavylift.evidence.records import DeletesRecord
    from heavylift.evidence.run_evidence import read_latest

    run, dataset = request.run, request.dataset
    kept = await read_latest(store, lambda number: deletes_path(run, dataset, number), DeletesRecord)
    if kept is None:
        return
    await trail.append(
        Act(
            actor=shell_actor(),
            action="gone.deleted",
            phase=run.phase,
            run=run.run,
            subject=dataset,
            evidence=(kept.ref,),
            details=deletion_details(kept.record),
        )
    )
