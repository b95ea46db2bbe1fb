"""``heavylift cutover status|ready|rehearse|run|rollback|finalise``: one migration's switch, from a shell."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heavylift.cli.cutover_text import losses_text, readiness_text, rehearsal_text, status_text, switch_text
from heavylift.cli.output import ExitStatus, finish, note
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn, evidence_connection, shell_actor
from heavylift.connections import connection_from_env
from heavylift.errors import IncompleteError, SpecError

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.cutover.api import SwitchRequest
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.loss_records import LossRecord
    from heavylift.evidence.records import RunKey
    from heavylift.evidence.switch_records import FinalRecord, ReadinessRecord, SwitchRecord
    from heavylift.fencing import Side
    from heavylift.spec.model import MigrationSpec

Spec = Annotated[Path, typer.Argument(metavar="SPEC", help="spec file with a section cutover")]
Accept = Annotated[
    list[str] | None,
    typer.Option(metavar="ITEM=REASON", help="go on though this item is not ready; kept in the audit trail"),
]


@dataclass(frozen=True)
class Called:
    """One call of a command: the spec, its run, and where evidence goes."""

    spec: MigrationSpec
    run: RunKey
    evidence_url: str | None
    evidence_connection: Connection | None


def status_command(
    spec: Spec, evidence: Evidence = None, evidence_conn: EvidenceConn = None, as_json: AsJson = False
) -> None:
    """Tell on which side writes and requests are now, read from themselves, and whose turn it is."""
    from heavylift.aio import run
    from heavylift.cutover.world import observe

    async def look() -> dict[str, Any]:
        async with opened_for(called) as request:
            turn = await request.turns.latest()
            world = (await observe(request.parts)).record(turn.epoch if turn else 0)
        return {
            "world": world.model_dump(mode="json"),
            "turn": turn.model_dump(mode="json") if turn else None,
        }

    called = called_for(spec, evidence, evidence_conn, "cutover")
    found = run(look())
    finish(found, text=status_text(found), as_json=as_json, status=ExitStatus.DONE)


def ready_command(
    spec: Spec, evidence: Evidence = None, evidence_conn: EvidenceConn = None, as_json: AsJson = False
) -> None:
    """Look whether the workload can be switched now; ends with 1 where something is missing.

    Puts a short load on the target's endpoint, as cutover.capacity says.
    """
    from heavylift.aio import run

    called = called_for(spec, evidence, evidence_conn, "cutover")
    record, ref = run(_look(called))
    finish(
        {"readiness": record.model_dump(mode="json"), "evidence": ref.model_dump(mode="json")},
        text=readiness_text(record, ref),
        as_json=as_json,
        status=ExitStatus.FAILED if record.open_items else ExitStatus.DONE,
    )


def rehearse_command(
    spec: Spec, evidence: Evidence = None, evidence_conn: EvidenceConn = None, as_json: AsJson = False
) -> None:
    """Try what can be tried without moving anybody, and tell how long writes would have paused."""
    from heavylift.aio import run
    from heavylift.cutover.api import rehearse_switch

    async def act() -> tuple[Any, EvidenceRef]:
        async with opened_for(called) as request:
            record, ref = await rehearse_switch(request, note)
            await note_act(request, "cutover.rehearsed", ref, {"passed": record.passed})
            return record, ref

    called = called_for(spec, evidence, evidence_conn, "cutover")
    record, ref = run(act())
    finish(
        {"rehearsal": record.model_dump(mode="json"), "evidence": ref.model_dump(mode="json")},
        text=rehearsal_text(record, ref),
        as_json=as_json,
        status=ExitStatus.DONE if record.passed else ExitStatus.FAILED,
    )


def run_command(
    spec: Spec,
    accept: Accept = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Switch writes to the target, then all requests: at once, without canary steps; these are the DAG's.

    Looks first whether the workload can be switched, and refuses where something is missing. Whatever fails
    before the target takes writes goes back by itself.
    """
    from heavylift.aio import run
    from heavylift.fencing import Side

    called = called_for(spec, evidence, evidence_conn, "cutover")
    looked, _ref = run(_look(called))
    _demand_ready(looked, dict(each.partition("=")[::2] for each in accept or ()))
    _finish(*run(_bring(called, Side.TARGET, {"accepted": list(accept or ())})), as_json=as_json)


def rollback_command(
    spec: Spec,
    without_target: Annotated[
        str | None,
        typer.Option(
            metavar="DIGEST", help="the target is gone: lose what `cutover losses` told under this digest"
        ),
    ] = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Bring requests and writes back to the source, with all that was written on the target."""
    from heavylift.aio import run
    from heavylift.fencing import Side

    called = called_for(spec, evidence, evidence_conn, "rollback")
    if without_target is not None:
        _finish(*run(_bring_back_without(called, without_target)), as_json=as_json)
        return
    _finish(*run(_bring(called, Side.SOURCE, {})), as_json=as_json)


def losses_command(
    spec: Spec, evidence: Evidence = None, evidence_conn: EvidenceConn = None, as_json: AsJson = False
) -> None:
    """Tell what a rollback would lose now that the target, or part of it, is gone; moves nobody."""
    from heavylift.aio import run
    from heavylift.cutover.without_target import count_losses

    async def look() -> tuple[LossRecord, EvidenceRef]:
        async with opened_for(called) as request:
            return await count_losses(request)

    called = called_for(spec, evidence, evidence_conn, "rollback")
    record, ref = run(look())
    finish(
        {
            "losses": record.model_dump(mode="json"),
            "digest": record.digest,
            "evidence": ref.model_dump(mode="json"),
        },
        text=losses_text(record, ref),
        as_json=as_json,
        status=ExitStatus.DONE,
    )


def finalise_command(
    spec: Spec,
    confirm: Annotated[str, typer.Option(metavar="NAME", help="the migration's name: there is no way back")],
    early: Annotated[bool, typer.Option("--early", help="although the soak is not over")] = False,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Close the way back after the soak: end both streams. The source stays frozen; nothing is deleted."""
    from heavylift.aio import run

    called = called_for(spec, evidence, evidence_conn, "cutover")
    if confirm != called.spec.migration:
        raise SpecError(
            f"finalising the cutover of {called.spec.migration}",
            got=f"--confirm {confirm}",
            expected=f"--confirm {called.spec.migration}: after this there is no rollback",
            state="nothing was touched",
            remedy="name the migration",
            code="8745",
        )
    record, ref = run(_finalise(called, early=early))
    finish(
        {"final": record.model_dump(mode="json"), "evidence": ref.model_dump(mode="json")},
        text=f"the way back is closed; the source stays frozen\nevidence: {ref.path}",
        as_json=as_json,
        status=ExitStatus.DONE,
    )


async def _finalise(called: Called, *, early: bool) -> tuple[FinalRecord, EvidenceRef]:
    from heavylift.cutover.finalise import FinalTerms, finalise
    from heavylift.switching.parts import cutover_of

    terms = FinalTerms(timedelta(seconds=cutover_of(called.spec).soak), early)
    async with opened_for(called) as request:
        record, ref = await finalise(request, terms, note)
        await note_act(request, "cutover.finalised", ref, {"early": record.early})
        return record, ref


def _finish(record: SwitchRecord, ref: EvidenceRef, *, as_json: bool) -> None:
    finish(
        {"switch": record.model_dump(mode="json"), "evidence": ref.model_dump(mode="json")},
        text=switch_text(record, ref),
        as_json=as_json,
        status=ExitStatus.DONE if record.outcome in ("switched", "already") else ExitStatus.FAILED,
    )


async def _look(called: Called) -> tuple[ReadinessRecord, EvidenceRef]:
    from heavylift.spec.registry_phase import spec_for
    from heavylift.spec.vocabulary import Phase
    from heavylift.switching.ready import check_readiness

    async with opened_for(called) as request:
        seen = spec_for(called.spec, Phase.CUTOVER)
        found = await check_readiness(
            request.store,
            seen,
            called.run,
            request.parts,
            whole=called.spec,
            connections=connection_from_env,
            tell=note,
        )
        await note_act(request, "cutover.looked", found[1], {"open": len(found[0].open_items)})
        return found


async def _bring(called: Called, side: Side, details: dict[str, Any]) -> tuple[SwitchRecord, EvidenceRef]:
    from heavylift.cutover.api import SwitchFailedError, bring_to

    async with opened_for(called) as request:
        try:
            record, ref = await bring_to(request, side, note)
        except SwitchFailedError as failed:
            await note_act(request, "cutover.failed", failed.ref, {"outcome": failed.record.outcome})
            raise failed.error from failed
        told = {"outcome": record.outcome, "write_pause_seconds": record.write_pause_seconds, **details}
        await note_act(request, f"cutover.at_{side.value}", ref, told)
        return record, ref


async def _bring_back_without(called: Called, digest: str) -> tuple[SwitchRecord, EvidenceRef]:
    from heavylift.cutover.without_target import bring_back_without_target

    async with opened_for(called) as request:
        record, ref, lost = await bring_back_without_target(request, digest, note)
        details = {"gone": list(lost.gone), "digest": lost.digest, "outcome": record.outcome}
        await note_act(request, "cutover.target_given_up", ref, details)
        return record, ref


@asynccontextmanager
async def opened_for(called: Called) -> AsyncIterator[SwitchRequest]:
    """Open the evidence store and everything that the call's spec switches, for the block."""
    from heavylift.cutover.api import SwitchRequest
    from heavylift.evidence.store import open_evidence
    from heavylift.switching.parts import cutover_of, open_parts

    cutover = cutover_of(called.spec)
    async with (
        open_evidence(called.evidence_url, called.evidence_connection) as store,
        open_parts(called.spec, called.run, connection_from_env, note) as parts,
    ):
        yield SwitchRequest(
            store, called.run, parts, shell_actor(), cutover.max_write_pause, cutover.freeze_within
        )


async def note_act(request: SwitchRequest, action: str, ref: EvidenceRef, details: dict[str, Any]) -> None:
    """Note in the audit trail what was done."""
    from heavylift.evidence.audit import AuditTrail
    from heavylift.evidence.audit_entry import Act

    await AuditTrail(request.store, request.run.migration).append(
        Act(
            actor=request.actor,
            action=action,
            phase=request.run.phase,
            run=request.run.run,
            evidence=(ref,),
            details=details,
        )
    )


def called_for(spec: Path, evidence: str | None, evidence_conn: str | None, phase: str) -> Called:
    """Return the call of a command on ``spec``, in a run of its own."""
    from heavylift.evidence.records import RunKey
    from heavylift.spec.load import load_spec

    loaded = load_spec(spec)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    stored = evidence_conn or (None if evidence else loaded.evidence.connection)
    return Called(
        loaded,
        RunKey(migration=loaded.migration, phase=phase, run=f"cli-{stamp}"),
        evidence or loaded.evidence.url,
        evidence_connection(stored),
    )


def _demand_ready(looked: ReadinessRecord, accepted: dict[str, str]) -> None:
    missing = [each for each in looked.open_items if not accepted.get(each.item)]
    if missing:
        named = "; ".join(f"{each.item} {each.subject}: {each.detail}" for each in missing)
        raise IncompleteError(
            f"switching {looked.run.migration}",
            got=named,
            expected="everything ready: heavylift cutover ready tells it item by item",
            state="nobody was moved",
            remedy="mend what is missing; what need not hold here is accepted by --accept ITEM=REASON",
            code="8720",
        )
