"""``heavylift cutover drill``: what a fail-over would take and lose, tried without moving anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.cli.cutover_run import Spec, called_for, note_act, opened_for
from heavylift.cli.output import ExitStatus, finish, note
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn

if TYPE_CHECKING:
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.drill_records import DrillRecord


def drill_command(
    spec: Spec, evidence: Evidence = None, evidence_conn: EvidenceConn = None, as_json: AsJson = False
) -> None:
    """Rehearse the fail-over and the way back, and measure what each would take (RTO) and lose (RPO).

    Nobody is moved. Once writes are on the target the way back alone is drilled.

    Ends with 1 where it would not be good enough, or was put off because a switch is under way.
    """
    from heavylift.aio import run
    from heavylift.switching.drills import drills_of, run_drill

    async def act() -> tuple[DrillRecord, EvidenceRef]:
        drills_of(called.spec)
        async with opened_for(called) as request:
            record, ref = await run_drill(request, called.spec, note)
            await note_act(request, "failover.drilled", ref, {"outcome": record.outcome})
            return record, ref

    called = called_for(spec, evidence, evidence_conn, "cutover")
    record, ref = run(act())
    finish(
        {"drill": record.model_dump(mode="json"), "evidence": ref.model_dump(mode="json")},
        text=_text(record, ref),
        as_json=as_json,
        status=ExitStatus.DONE if record.outcome == "passed" else ExitStatus.FAILED,
    )


def _text(record: DrillRecord, ref: EvidenceRef) -> str:
    why = f": {'; '.join(record.reasons)}" if record.reasons else ""
    points = [
        f"  {point.kind} {point.subject}: "
        + (f"{point.seconds:.1f} s" if point.seconds is not None else "not known")
        + f", {point.detail}"
        for point in (*record.points, *(record.back.points if record.back else ()))
    ]
    points += [f"  {each}: not measured" for each in record.unmeasured]
    told = [] if record.outcome == "put off" else [record.figures]
    return "\n".join([f"drill {record.outcome}{why}", *told, *points, f"evidence: {ref.path}"])
